"""What one round does, name by name; one bad name never holds up the others.

Work(job, keeper).do()            # tells the keeper a `result` for each name, and `end`
"""

import dataclasses
import random
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from portward.errors import PortwardError
from portward.host.files import private_directory, replace
from portward.host.paths import State
from portward.pki.acme import renewal
from portward.pki.acme.accounts import Accounts, place_of
from portward.pki.acme.alpn import Responder
from portward.pki.acme.challenges import Solver, solver_for
from portward.pki.acme.job import Authority, Job, Result, Wanted
from portward.pki.acme.keeper import Keeper
from portward.pki.acme.network import Client
from portward.pki.acme.order import Order, Task
from portward.pki.acme.preflight import Finding, Question, judge
from portward.pki.acme.resolver import Resolver
from portward.pki.acme.troubles import Interrupted, Limited, Mistaken, Refused, Trouble
from portward.pki.acme.visits import Look

_dice = random.SystemRandom()
_LOOKS = 8
"""Names that are looked at side by side: one that DNS is silent about takes many seconds."""
_LIMITS = 2
"""After so many refusals for asking too often, the rest of the round does not ask at all."""


@dataclass(slots=True)
class Case:
    """One name on its way. `result` is set when nothing is left to do."""

    wanted: Wanted
    order: Order | None = None
    authority: str = ""
    tasks: list[Task] = field(default_factory=list)
    warnings: tuple[str, ...] = ()
    result: Result | None = None


class Work:
    def __init__(self, job: Job, keeper: Keeper) -> None:
        self._job, self._keeper = job, keeper
        self._state = State(Path(job.directory))
        self._accounts = Accounts(self._state.acme / "accounts")
        self._clients: dict[str, Client] = {}
        self._away: dict[str, Trouble] = {}
        self._limits: list[Limited] = []

    def do(self) -> None:
        cases = [Case(wanted) for wanted in self._job.wanted]
        tasks = {"issue": self._issue, "look": self._look, "revoke": self._revoke, "rotate": self._rotate}
        tasks[self._job.task](cases)
        self._keeper.tell("end")

    # ---- the four tasks ----------------------------------------------------------------------------------------------

    def _issue(self, cases: list[Case]) -> None:
        if self._job.preflight:
            self._first_client()
            self._each(cases, "looking at DNS, ports and clock", self._check, at_once=_LOOKS)
        self._each(cases, "ordering", self._order)
        with ExitStack() as stack:
            solver = stack.enter_context(self._solver()) if any(case.tasks for case in cases) else None
            if solver:
                self._each(cases, "showing the challenge", lambda case: self._show(case, solver))
                self._each(cases, "making sure that it can be seen", lambda case: self._make_sure(case, solver))
                self._each(cases, "asking the authority to look", self._answer)
            try:
                self._each(cases, "waiting for the authority to look", self._wait)
            finally:
                for case in cases:
                    self._take_away(case, solver)
        self._each(cases, "fetching the certificate", self._collect)

    def _look(self, cases: list[Case]) -> None:
        """Preflight alone, and when the authority wants each certificate renewed."""
        for case in cases:
            self._finish(case, self._looked(case))

    def _revoke(self, cases: list[Case]) -> None:
        self._each(cases, "revoking", self._revoke_one)

    def _rotate(self, cases: list[Case]) -> None:
        for authority in self._job.authorities:
            try:
                self._accounts.rotate(self._client(authority))
                result = Result(authority.directory, "done")
            except (PortwardError, OSError) as error:
                result = _failed(authority.directory, error)
            self._keeper.tell("result", **asdict(result))

    # ---- the steps of one name ---------------------------------------------------------------------------------------

    def _each(self, cases: Iterable[Case], step: str, do: Callable[[Case], None], *, at_once: int = 1) -> None:
        """Do a step for every name that is still on its way; what fails is told, and the others go on."""

        def one(case: Case) -> None:
            self._keeper.tell("step", name=case.wanted.name, text=step)
            try:
                do(case)
            except (PortwardError, OSError) as error:
                self._finish(case, _failed(case.wanted.name, error, case.authority, case.warnings))

        with ThreadPoolExecutor(at_once) as pool:
            list(pool.map(one, [case for case in cases if case.result is None]))

    def _finish(self, case: Case, result: Result) -> None:
        case.result = result
        self._keeper.tell("result", **asdict(result))

    def _check(self, case: Case) -> None:
        findings = self._findings(case.wanted)
        case.warnings = tuple(str(finding) for finding in findings if not finding.blocks)
        if bad := [finding for finding in findings if finding.blocks]:
            raise Mistaken("; ".join(map(str, bad)), way_out=bad[0].way_out)

    def _findings(self, wanted: Wanted) -> list[Finding]:
        client = self._first_client()
        resolver = Resolver(self._job.resolvers)
        seen = Look(self._job, self._keeper, resolver).at(wanted, client.date if client else None)
        return judge(seen, self._question(client))

    def _question(self, client: Client | None) -> Question:
        authority = self._job.authorities[0]
        named = client.meta.get("caaIdentities") if client else None
        return Question(
            self._job.challenge,
            self._job.port,
            tuple(named or ()),
            public=authority.ca_file is None,
            account=client.account if client else "",
        )

    def _order(self, case: Case) -> None:
        """With the first authority that takes the order; the last one's reason counts where none does."""
        if len(self._limits) >= _LIMITS:
            raise self._limits[-1]
        troubles: list[Trouble] = []
        for authority in self._job.authorities:
            try:
                self._order_at(case, authority)
                return
            except Trouble as trouble:
                troubles.append(trouble)
        self._limits += [trouble for trouble in troubles if isinstance(trouble, Limited)]
        raise _gravest(troubles)

    def _order_at(self, case: Case, authority: Authority) -> None:
        client = self._client(authority)
        home = self._state.acme / "pending" / place_of(authority.directory) / case.wanted.file_name
        order = Order.open(client, home, case.wanted, self._job)
        case.tasks, case.order, case.authority = order.tasks(), order, authority.directory

    def _show(self, case: Case, solver: Solver) -> None:
        for task in case.tasks:
            solver.show(task)

    def _make_sure(self, case: Case, solver: Solver) -> None:
        for task in case.tasks:
            solver.make_sure(task)

    def _answer(self, case: Case) -> None:
        for task in case.tasks:
            _ordered(case).answer(task)

    def _wait(self, case: Case) -> None:
        _ordered(case).wait_for_validation()

    def _take_away(self, case: Case, solver: Solver | None) -> None:
        """What can't be taken away is told, and changes nothing of the outcome."""
        for task in case.tasks:
            try:
                if solver:
                    solver.take_away(task)
            except (PortwardError, OSError) as error:
                case.warnings += (f"the challenge could not be taken away: {error}",)

    def _collect(self, case: Case) -> None:
        name, pem = case.wanted.name, _ordered(case).collect()
        result = Result(name, "done", authority=case.authority, warnings=case.warnings)
        if not self._job.rehearsal:
            file = private_directory(self._state.acme / "ready") / f"{case.wanted.file_name}.pem"
            replace(file, pem)
            result = dataclasses.replace(self._advised(result, pem), outcome="issued", file=str(file))
        _ordered(case).drop()
        self._finish(case, result)

    def _advised(self, result: Result, pem: bytes) -> Result:
        """With the authority's own wish for the renewal. Where it can't be had now, it is asked for later."""
        client = self._clients[result.authority]
        try:
            return _told(result, renewal.ask(client, pem, datetime.now(UTC), _dice.random()))
        except Trouble as trouble:
            return dataclasses.replace(result, warnings=(*result.warnings, trouble.message))

    def _looked(self, case: Case) -> Result:
        name, current = case.wanted.name, case.wanted.current
        try:
            findings = self._findings(case.wanted) if self._job.preflight else []
            warnings = tuple(str(finding) for finding in findings if not finding.blocks)
            bad = [finding for finding in findings if finding.blocks]
            client = self._client(self._job.authorities[0]) if case.wanted.renews else None
            if bad:
                return _failed(name, Mistaken("; ".join(map(str, bad)), way_out=bad[0].way_out), "", warnings)
            if client is None or current is None:
                return Result(name, "done", warnings=warnings)
            advice = renewal.ask(client, Path(current).read_bytes(), datetime.now(UTC), _dice.random())
        except (PortwardError, OSError) as error:
            return _failed(name, error)
        return _told(Result(name, "done", warnings=warnings), advice)

    def _revoke_one(self, case: Case) -> None:
        """By the account that ordered it, at the first authority that knows it (RFC 8555 section 7.6)."""
        certificate = x509.load_pem_x509_certificate(Path(case.wanted.current or "").read_bytes())
        troubles: list[Trouble] = []
        for authority in self._job.authorities:
            try:
                self._client(authority).revoke(certificate, self._job.reason)
                self._finish(case, Result(case.wanted.name, "done", authority=authority.directory))
                return
            except Trouble as trouble:
                troubles.append(trouble)
        raise _gravest(troubles)

    # ---- whom to speak to --------------------------------------------------------------------------------------------

    def _client(self, authority: Authority) -> Client:
        """Our account there; an authority that failed once is not asked again in this round."""
        where = authority.directory
        if trouble := self._away.get(where):
            raise trouble
        if where not in self._clients:
            try:
                self._clients[where] = self._accounts.enter(authority, self._job.email)
            except Trouble as trouble:
                self._away[where] = trouble
                raise
            except OSError as error:
                self._away[where] = Interrupted(f"this machine could not go on: {error}")
                raise self._away[where] from error
        return self._clients[where]

    def _first_client(self) -> Client | None:
        """The preferred authority, for its date and its names; None where it is away: that is told later."""
        try:
            return self._client(self._job.authorities[0])
        except Trouble:
            return None

    def _solver(self) -> Solver:
        return solver_for(self._job, self._keeper, Responder(self._state.alpn_socket, self._state.acme / "alpn"))


def _ordered(case: Case) -> Order:
    if case.order is None:
        raise Interrupted(f"there is no order for {case.wanted.name}")
    return case.order


def _told(result: Result, advice: renewal.Advice) -> Result:
    renew_at = advice.renew_at.isoformat() if advice.renew_at else ""
    return dataclasses.replace(result, renew_at=renew_at, ask_at=advice.ask_at.isoformat())


def _gravest(troubles: list[Trouble]) -> Trouble:
    """The one that decides when to try again: one that may pass soon before one that will not."""
    ranks = (Interrupted, Limited, Refused, Mistaken)
    return min(troubles, key=lambda trouble: ranks.index(type(trouble)) if type(trouble) in ranks else len(ranks))


def _failed(name: str, error: Exception, authority: str = "", warnings: tuple[str, ...] = ()) -> Result:
    if isinstance(error, Trouble):
        words, wait = (error.message, error.way_out), error.retry_after
        return Result(name, error.outcome, *words, retry_after=wait, authority=authority, warnings=warnings)
    if isinstance(error, PortwardError):
        return Result(name, "interrupted", error.message, error.way_out, authority=authority, warnings=warnings)
    return Result(name, "interrupted", f"this machine could not go on: {error}", authority=authority, warnings=warnings)
