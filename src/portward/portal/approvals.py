"""An unknown SSH key waits at the gate, and somebody who is logged in lets it in.

GET /ssh/CODE · POST /ssh/CODE · POST /ssh/CODE/refuse

The terminal shows the link and the code. Only where `tunnels.approve-unknown-keys` is on. A code lasts ten minutes, and
wrong ones are counted: an account that tried ten has to wait an hour.
"""

import asyncio
import re
from collections.abc import Mapping
from datetime import timedelta

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from portward.errors import Conflict, Invalid, NotFound, NotRunning, PortwardError
from portward.facts import KeyApproved
from portward.identity.rights import own_names
from portward.model import Account, Key, Role
from portward.portal import pending, problems, visit
from portward.portal.keyring import granted
from portward.portal.pages import Action, Pages
from portward.portal.portal import Portal
from portward.portal.visitors import Visitor, Visitors, see
from portward.portal.wording import ago
from portward.tunnels.control import Pending

_WRONG_CODES, _FORGET_AFTER = 10, timedelta(hours=1)
_TRIES, _PAUSE = 30, 0.1
_LONGEST_NAME = 64
_WISH = re.compile(r"-R ([a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?):.*")
_BACK = [Action("Go to your services", "/")]


class ApprovalPages:
    def __init__(self, portal: Portal, pages: Pages, visitors: Visitors) -> None:
        self._portal, self._pages, self._visitors = portal, pages, visitors

    def routes(self) -> list[Route]:
        return [
            Route("/ssh/{code}", self.show),
            Route("/ssh/{code}", self.approve, methods=["POST"]),
            Route("/ssh/{code}/refuse", self.refuse, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        self._require_on()
        visitor = await self._visitors.find(request)
        if visitor is None:
            return see(f"/login?{pending.to_code(request.path_params['code']).query}")
        waiting = await self._find(request, visitor)
        return waiting if isinstance(waiting, Response) else await self._ask(visitor, waiting)

    async def approve(self, request: Request) -> Response:
        """Only the key that the page showed is let in, whoever waits under the code by now."""
        self._require_on()
        visitor, form = await self._visitors.demand(request), await visit.form(request)
        waiting = await self._find(request, visitor)
        if isinstance(waiting, Response):
            return waiting
        if form.get("fingerprint") != waiting.fingerprint:
            return self._pages.problem(request, problems.NO_SUCH_CODE, _BACK)
        try:
            key = await self._keep(visitor.account, waiting, form)
        except (Invalid, Conflict) as error:
            return await self._ask(visitor, waiting, problem=error, form=form)
        try:
            went_on = await self._wait_for_entry(waiting)
        except NotRunning:
            went_on = False
        await self._portal.record(_fact(self._portal, key, waiting))
        return see("/?news=approved" if went_on else "/?news=approved-late")

    async def refuse(self, request: Request) -> Response:
        self._require_on()
        visitor = await self._visitors.demand(request)
        waiting = await self._find(request, visitor)
        if isinstance(waiting, Response):
            return waiting
        await self._portal.control.refuse(waiting.code)
        return see("/?news=refused")

    def _require_on(self) -> None:
        if not self._portal.settings().tunnel_policy.approve_unknown_keys:
            raise HTTPException(404)

    async def _find(self, request: Request, visitor: Visitor) -> Pending | Response:
        """The connection that waits under the code; an attempt counts as wrong until it was right."""
        key, now, attempts = f"ssh:{visitor.account.name}", self._portal.clock(), self._portal.store.attempts
        before = await attempts.reserve(key, now, _shut_after_enough, _FORGET_AFTER)
        if before.not_before > now:
            return self._pages.problem(request, problems.TOO_MANY_CODES, _BACK)
        wanted = _bare(request.path_params["code"])
        try:
            found = [one for one in await self._portal.control.pending() if _bare(one.code) == wanted]
        except NotRunning:
            found = []
        if not found or found[0].expires_at <= now:
            return self._pages.problem(request, problems.NO_SUCH_CODE, _BACK)
        await attempts.release(key, now)
        return found[0]

    async def _keep(self, account: Account, waiting: Pending, form: Mapping[str, str]) -> Key:
        name = form.get("name", "")[:_LONGEST_NAME].strip()
        rights = granted(account, form)
        return await self._portal.identity.keys.add(
            name, waiting.public, account=account.name, rights=rights, by=account.name
        )

    async def _wait_for_entry(self, waiting: Pending) -> bool:
        """Until the SSH server has let the key in, 3 s at most. False when nothing is seen of its connection.

        The server lets it in by itself, too, as soon as it has read the rules that name the key: then nobody waits
        under the code any more, and a tunnel of that key tells.
        """
        control = self._portal.control
        for _ in range(_TRIES):
            try:
                await control.approve(waiting.code)
            except Invalid:
                await asyncio.sleep(_PAUSE)
            except NotFound:
                if any(live.fingerprint == waiting.fingerprint for live in await control.live()):
                    return True
                await asyncio.sleep(_PAUSE)
            else:
                return True
        return False

    async def _ask(
        self, visitor: Visitor, waiting: Pending, *, problem: PortwardError | None = None, form: Mapping[str, str] = {}
    ) -> Response:
        account = visitor.account
        names = {key.name for key in await self._portal.identity.keys.list()}
        return self._pages.render(
            "approve.html.j2",
            status=422 if problem else 200,
            account=account,
            waiting=waiting,
            since=ago(self._portal.clock(), waiting.since),
            name=form.get("name") or _free_name(account.name, names),
            publish=form.get("publish") or " ".join(_wished(account, waiting)),
            own=own_names(account.name)[0],
            widens=account.role is Role.OWNER,
            problem=f"{problem.message}. {problem.way_out}" if problem else "",
        )


def _free_name(account: str, taken: set[str]) -> str:
    """`ann`, or the first of `ann-2`, `ann-3` … that no key has."""
    numbered = (f"{account[:28]}-{number}" for number in range(2, len(taken) + 3))
    return next(name for name in (account, *numbered) if name not in taken)


def _wished(account: Account, waiting: Pending) -> list[str]:
    """The account's own names; for an owner, who may grant more, also those that the client asks for."""
    wishes = [match[1] for wish in waiting.wishes if (match := _WISH.fullmatch(wish))]
    return [*own_names(account.name), *(dict.fromkeys(wishes) if account.role is Role.OWNER else ())]


def _fact(portal: Portal, key: Key, waiting: Pending) -> KeyApproved:
    return KeyApproved(
        time=portal.clock(),
        account=key.account,
        address=waiting.address,
        key=key.name,
        fingerprint=key.fingerprint,
        wish=", ".join(waiting.wishes)[:200],
    )


def _shut_after_enough(failures: int) -> timedelta:
    return _FORGET_AFTER if failures >= _WRONG_CODES else timedelta(0)


def _bare(code: str) -> str:
    """As the SSH server compares codes: letters alone, in one case."""
    return "".join(letter for letter in code.upper() if letter.isalpha())
