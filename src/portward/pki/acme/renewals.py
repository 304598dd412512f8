"""Certificates from an ACME authority, from the first order to every renewal, without anybody asking.

    renewals = Renewals(state, settings, certificates, store.standings, Round(challenges), record, clock)
    await renewals.turn()                          # does what is due, and returns at once where nothing is
    await renewals.issue(["wiki.example.com"])     # now, whatever the back-off says

One round at a time. What an authority has issued lies in STATE/acme/ready until it is in force.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from portward.config import Settings
from portward.config.tls import LETS_ENCRYPT, AcmeAuthority
from portward.errors import Invalid, NotFound, PortwardError
from portward.facts import CertificateRenewalFailed, Fact
from portward.host.paths import State
from portward.model import Standing
from portward.pki.acme.job import Authority, Dns, Job, Result, Task, Wanted
from portward.pki.acme.round import Round
from portward.pki.acme.schedule import Lot, asks_at, due_at, lots, wait_after
from portward.pki.certificates import Certificates, Kept

log = logging.getLogger(__name__)
Told = Callable[[dict[str, Any]], None]
_STAGING = {LETS_ENCRYPT: "https://acme-staging-v02.api.letsencrypt.org/directory"}
_LARGEST_ROUND = 25
_LONGEST_LOOK = timedelta(minutes=10)


class Standings(Protocol):
    """Where it is kept how it stands with each name."""

    async def all(self) -> dict[str, Standing]: ...

    async def keep(self, standing: Standing) -> None: ...

    async def retain(self, names: Collection[str]) -> None: ...


@dataclass(slots=True)
class _Agenda:
    """What `turn` has looked at last, so that it looks into the store only when something can have changed."""

    hosts: frozenset[str] = frozenset()
    tls: object = None
    look_at: datetime | None = None


class Renewals:
    def __init__(
        self,
        state: State,
        settings: Callable[[], Settings],
        certificates: Certificates,
        standings: Standings,
        round_: Round,
        record: Callable[[Fact], Awaitable[None]],
        clock: Callable[[], datetime],
    ) -> None:
        self._state, self._settings, self._certificates = state, settings, certificates
        self._standings, self._round, self._record, self._clock = standings, round_, record, clock
        self._busy = asyncio.Lock()
        self._agenda = _Agenda()

    async def turn(self) -> None:
        """Order what is due, and ask when the authority wants renewals."""
        tls, now = self._settings().tls, self._clock()
        if tls.mode != "acme" or self._busy.locked():
            return
        agenda = _Agenda(frozenset(self._certificates.all()), tls, self._agenda.look_at)
        if agenda == self._agenda and self._agenda.look_at and now < self._agenda.look_at:
            return
        async with self._busy:
            await self._take_ready()
            standings, wanted = await self._standings.all(), self._lots()
            await self._standings.retain([lot.name for lot in wanted])
            await self._order([lot for lot in wanted if _has_come(self._due(lot, standings), now)], _unheard)
            await self._ask([lot for lot in wanted if _has_come(self._asks(lot, standings), now)])
            standings = await self._standings.all()
            moments = [moment for lot in wanted for moment in (self._due(lot, standings), self._asks(lot, standings))]
        agenda.look_at = min([now + _LONGEST_LOOK, *(moment for moment in moments if moment)])
        self._agenda = agenda

    async def issue(
        self, hosts: Sequence[str], *, preflight: bool = True, rehearsal: bool = False, told: Told | None = None
    ) -> list[Result]:
        """Order certificates for these hosts now, back-off or not; a rehearsal asks the staging environment and keeps
        nothing. Raises `NotFound` for a host that is not published, `Invalid` where no authority can be asked."""
        self._require_acme()
        wanted = self._lots_of(hosts)
        async with self._busy:
            await self._take_ready()
            return await self._order(wanted, told or _unheard, preflight=preflight, rehearsal=rehearsal)

    async def renew(self, hosts: Sequence[str], told: Told | None = None) -> list[Result]:
        """These hosts now; with none named, all that are due, or would be but for their back-off."""
        if hosts:
            return await self.issue(hosts, told=told)
        self._require_acme()
        now = self._clock()
        standings = {name: replace(one, not_before=None) for name, one in (await self._standings.all()).items()}
        due = [lot.hosts[0] for lot in self._lots() if _has_come(self._due(lot, standings), now)]
        return await self.issue(due, told=told) if due else []

    async def check(self, hosts: Sequence[str], told: Told | None = None) -> list[Result]:
        """The preflight alone: nobody is asked for anything."""
        wanted = self._lots_of(hosts)
        async with self._busy:
            return await self._round.run(self._job("look", wanted, preflight=True), told or _unheard)

    async def revoke(self, host: str, reason: int) -> list[Result]:
        """Revoke the certificate that a host shows, and order another. Raises `Invalid` for one of another source."""
        current = self._certificates.current(host)
        if current is None:
            raise _unknown(host)
        if current.source != "acme":
            raise Invalid(f"the certificate of {host} is not an ACME authority's", way_out="its issuer can revoke it")
        self._require_acme()
        (lot,) = self._lots_of([host])
        async with self._busy:
            results = await self._round.run(self._job("revoke", [lot], reason=reason), _unheard)
            if all(result.outcome == "done" for result in results):
                await self._standings.keep(Standing(lot.name, renew_at=self._clock()))
                self._agenda = _Agenda()
        return results

    async def rotate(self) -> list[Result]:
        """Give our account at every authority a new key."""
        self._require_acme()
        async with self._busy:
            return await self._round.run(self._job("rotate", []), _unheard)

    async def standing(self) -> Mapping[str, Standing]:
        """How it stands with each published host."""
        kept = await self._standings.all()
        return {host: kept[lot.name] for lot in self._lots() for host in lot.hosts if lot.name in kept}

    # ---- rounds ------------------------------------------------------------------------------------------------------

    async def _order(
        self, wanted: Sequence[Lot], told: Told, *, preflight: bool = True, rehearsal: bool = False
    ) -> list[Result]:
        done: list[Result] = []
        for start in range(0, len(wanted), _LARGEST_ROUND):
            part = wanted[start : start + _LARGEST_ROUND]
            job = self._job("issue", part, preflight=preflight, rehearsal=rehearsal)
            results = await self._round.run(job, told)
            if not rehearsal:
                results = [await self._settle(result) for result in results]
            done += results
        return done

    async def _ask(self, wanted: Sequence[Lot]) -> None:
        if not wanted:
            return
        kept, now = await self._standings.all(), self._clock()
        for result in await self._round.run(self._job("look", wanted, preflight=False), _unheard):
            before = kept.get(result.name, Standing(result.name))
            renew_at = _moment(result.renew_at) if result.outcome == "done" else before.renew_at
            ask_at = _moment(result.ask_at) or now + timedelta(hours=6)
            await self._standings.keep(replace(before, renew_at=renew_at, ask_at=ask_at))

    async def _settle(self, result: Result) -> Result:
        """Bring what was issued into force, and note how it stands with the name."""
        if result.outcome == "issued":
            result = await self._put(result)
        before = (await self._standings.all()).get(result.name, Standing(result.name))
        now = self._clock()
        if result.outcome == "issued":
            renew_at, ask_at = _moment(result.renew_at), _moment(result.ask_at)
            fine = Standing(result.name, "issued", authority=result.authority, tried_at=now)
            await self._standings.keep(replace(fine, renew_at=renew_at, ask_at=ask_at))
            return result
        failures = before.failures + 1
        wait = wait_after(result.outcome, failures, timedelta(seconds=result.retry_after))
        said = Standing(result.name, result.outcome, failures, result.problem, result.way_out, result.authority)
        noted = replace(said, tried_at=now, not_before=now + wait, renew_at=before.renew_at, ask_at=before.ask_at)
        await self._standings.keep(noted)
        log.warning("no certificate for %s: %s", result.name, result.problem)
        if failures == 1:
            fact = CertificateRenewalFailed(time=now, host=result.name, source="acme", reason=result.problem)
            await self._record(fact)
        return result

    async def _put(self, result: Result) -> Result:
        file = Path(result.file)
        try:
            put = await self._certificates.put(file.read_bytes(), "acme")
        except OSError as error:
            return replace(result, outcome="interrupted", problem=f"this machine could not go on: {error}")
        except Invalid as error:
            file.unlink()
            return replace(result, outcome="refused", problem=error.message, way_out=error.way_out)
        except PortwardError as error:
            return replace(result, outcome="interrupted", problem=error.message, way_out=error.way_out)
        file.unlink()
        if isinstance(put, Kept):
            problem = f"{result.authority} issued a certificate, which is not used: {put.reason}"
            return replace(result, outcome="refused", problem=problem)
        return result

    async def _take_ready(self) -> None:
        """What was issued, and not brought into force before somebody pulled the plug."""
        for file in sorted((self._state.acme / "ready").glob("[!.]*.pem")):
            name = file.stem.replace("_", "*", 1) if file.stem.startswith("_.") else file.stem
            await self._settle(Result(name, "issued", file=str(file)))

    # ---- what is asked for -------------------------------------------------------------------------------------------

    def _job(
        self,
        task: Task,
        wanted: Sequence[Lot],
        *,
        preflight: bool = True,
        rehearsal: bool = False,
        reason: int = 0,
    ) -> Job:
        tls = self._settings().tls
        authorities = [_staging(one) for one in tls.acme_authorities] if rehearsal else tls.acme_authorities
        return Job(
            task=task,
            directory=str(self._state.directory),
            wanted=tuple(self._wanted(lot) for lot in wanted),
            authorities=tuple(
                Authority(one.directory, one.ca_file, one.eab_kid, one.eab_hmac_file) for one in authorities
            ),
            email=tls.email,
            challenge=tls.challenge,
            port=tls.challenge_port or (443 if tls.challenge == "tls-alpn-01" else 80),
            dns=_dns(tls.dns) if tls.dns else None,
            key_type=tls.key_type,
            profile=tls.profile,
            chain=tls.chain,
            preflight=preflight and tls.preflight,
            rehearsal=rehearsal,
            resolvers=tls.resolvers,
            reason=reason,
        )

    def _wanted(self, lot: Lot) -> Wanted:
        current = self._certificates.current(lot.hosts[0])
        renews = current is not None and current.source == "acme" and not current.staging
        return Wanted(lot.name, lot.hosts[0], current.file if current else None, renews)

    def _lots(self) -> list[Lot]:
        return lots(tuple(self._certificates.all()), self._settings().tls.wildcards)

    def _lots_of(self, hosts: Sequence[str]) -> list[Lot]:
        """Those of these hosts; all where none is named."""
        every = self._lots()
        for host in hosts:
            if not any(host == lot.name or host in lot.hosts for lot in every):
                raise _unknown(host)
        return [lot for lot in every if not hosts or lot.name in hosts or not set(lot.hosts).isdisjoint(hosts)]

    def _due(self, lot: Lot, standings: Mapping[str, Standing]) -> datetime | None:
        return due_at(lot, self._certificates.all(), standings.get(lot.name))

    def _asks(self, lot: Lot, standings: Mapping[str, Standing]) -> datetime | None:
        return asks_at(lot, self._certificates.all(), standings.get(lot.name))

    def _require_acme(self) -> None:
        if self._settings().tls.mode != "acme":
            raise Invalid(
                "certificates come from the local authority here, no other is asked",
                way_out='write mode = "acme" and an email under [tls] in portward.toml',
            )


def _staging(authority: AcmeAuthority) -> AcmeAuthority:
    directory = authority.staging or _STAGING.get(authority.directory)
    if directory is None:
        raise Invalid(
            f"no staging environment of {authority.directory} is known",
            way_out="name its directory as `staging` in [[tls.authorities]]",
        )
    return authority.model_copy(update={"directory": directory, "eab_kid": None, "eab_hmac_file": None})


def _dns(table: Any) -> Dns:
    wait = table.wait.total_seconds()
    return Dns(table.provider, table.credentials_file, table.zone, table.hook, wait)


def _moment(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _has_come(moment: datetime | None, now: datetime) -> bool:
    return moment is not None and moment <= now


def _unknown(host: str) -> NotFound:
    return NotFound("published host", host, way_out="`portward certificate list` names those that exist")


def _unheard(_: dict[str, Any]) -> None:
    """Nobody listens."""
