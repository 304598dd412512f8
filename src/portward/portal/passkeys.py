"""One's passkeys: added, renamed, removed.

GET|POST /account/passkeys/new (who is it?) · POST /account/passkeys (keep what the browser made)
GET|POST /account/passkeys/ID/rename · GET|POST /account/passkeys/ID/remove
"""

import json

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from portward.errors import Conflict, Invalid
from portward.identity.answers import Stepped
from portward.model import Passkey
from portward.portal import problems, visit
from portward.portal.pages import SCRIPT_POLICY, Action, Pages, Question
from portward.portal.portal import Portal
from portward.portal.proving import Proving
from portward.portal.visitors import Visitor, Visitors, see
from portward.portal.wording import date

_PLACE = "/account/passkeys"
_LONGEST_NAME = 100
_ADD = Question(
    "Add a passkey",
    "A passkey is a key on your phone, laptop or security key, which opens the gate with a finger, your face or a PIN. "
    "First show that it is you.",
    f"{_PLACE}/new",
    "Go on",
)


class PasskeyPages:
    def __init__(self, portal: Portal, pages: Pages, visitors: Visitors, proving: Proving) -> None:
        self._portal, self._pages, self._visitors, self._proving = portal, pages, visitors, proving

    def routes(self) -> list[Route]:
        return [
            Route(f"{_PLACE}/new", self.ask_new),
            Route(f"{_PLACE}/new", self.prove_new, methods=["POST"]),
            Route(_PLACE, self.add, methods=["POST"]),
            Route(f"{_PLACE}/{{id}}/rename", self.ask_rename),
            Route(f"{_PLACE}/{{id}}/rename", self.rename, methods=["POST"]),
            Route(f"{_PLACE}/{{id}}/remove", self.ask_remove),
            Route(f"{_PLACE}/{{id}}/remove", self.remove, methods=["POST"]),
        ]

    async def ask_new(self, request: Request) -> Response:
        visitor = await self._visitors.demand(request)
        if self._proving.fresh(visitor):
            return await self._form(visitor)
        return self._proving.ask(visitor, _ADD)

    async def prove_new(self, request: Request) -> Response:
        visitor = await self._visitors.demand(request)
        proof = await self._proving.prove(request, visitor, _ADD)
        if isinstance(proof, Response):
            return proof
        return self._proving.keep(await self._form(visitor), proof)

    async def add(self, request: Request) -> Response:
        """Whoever answers the challenge of `_form` has shown who they are: it was made for this session then."""
        visitor, form = await self._visitors.demand(request), await visit.form(request)
        name, answer = form.get("name", "")[:_LONGEST_NAME], form.get("passkey", "")
        try:
            codes = await self._portal.identity.passkeys.add(visitor.account, visitor.session.id, name, answer)
        except (Invalid, Conflict) as error:
            text = f"Not done: {error.message}; {error.way_out}."
            return self._pages.render("passkey-failed.html.j2", status=422, problem=text)
        if not codes:
            return see("/?news=passkey")
        token, session = await self._portal.identity.sessions.rise(visitor.session)
        page = self._pages.render(
            "recovery-codes.html.j2",
            account=visitor.account,
            codes=codes,
            portal_host=self._portal.host,
            today=date(self._portal.clock()),
            onward="/?news=passkey",
            pending=None,
        )
        return self._proving.keep(page, Stepped(token, session))

    async def ask_rename(self, request: Request) -> Response:
        passkey = await self._own(request, await self._visitors.demand(request))
        return self._rename_form(passkey) if passkey else self._gone(request)

    async def rename(self, request: Request) -> Response:
        visitor, form = await self._visitors.demand(request), await visit.form(request)
        passkey = await self._own(request, visitor)
        if passkey is None:
            return self._gone(request)
        name = form.get("name", "")[:_LONGEST_NAME]
        try:
            await self._portal.identity.passkeys.rename(visitor.account.name, passkey.id, name)
        except Invalid as error:
            return self._rename_form(passkey, problem=f"{error.message[:1].upper()}{error.message[1:]}.", status=422)
        return see("/?news=passkey-renamed")

    async def ask_remove(self, request: Request) -> Response:
        visitor = await self._visitors.demand(request)
        passkey = await self._own(request, visitor)
        return self._proving.ask(visitor, _removal(passkey)) if passkey else self._gone(request)

    async def remove(self, request: Request) -> Response:
        visitor = await self._visitors.demand(request)
        passkey = await self._own(request, visitor)
        if passkey is None:
            return self._gone(request)
        proof = await self._proving.prove(request, visitor, _removal(passkey))
        if isinstance(proof, Response):
            return proof
        name, own = visitor.account.name, visitor.session.id
        await self._portal.identity.passkeys.remove(name, passkey.id, keep_session=own)
        return self._proving.keep(see("/?news=passkey-removed"), proof)

    async def _form(self, visitor: Visitor) -> Response:
        options = await self._portal.identity.passkeys.offer(visitor.account, visitor.session.id)
        return self._pages.render("passkey-new.html.j2", policy=SCRIPT_POLICY, options=json.dumps(options), problem="")

    def _rename_form(self, passkey: Passkey, *, problem: str = "", status: int = 200) -> Response:
        return self._pages.render("passkey-rename.html.j2", status=status, passkey=passkey, problem=problem)

    async def _own(self, request: Request, visitor: Visitor) -> Passkey | None:
        """The passkey of the address, where it is the visitor's own."""
        mine = await self._portal.identity.passkeys.list(visitor.account.name)
        return next((passkey for passkey in mine if passkey.id == request.path_params["id"]), None)

    def _gone(self, request: Request) -> Response:
        return self._pages.problem(request, problems.NO_SUCH_PASSKEY, [Action("Your passkeys", "/")])


def _removal(passkey: Passkey) -> Question:
    return Question(
        f"Remove {passkey.name}?",
        "It opens nothing here from then on, and your other sessions are over. Remove it from your device as well: "
        "there it would go on being offered.",
        f"{_PLACE}/{passkey.id}/remove",
        "Remove it",
        grave=True,
    )
