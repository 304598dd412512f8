"""Where somebody gets free who was banned by mistake. A banned source reaches this page and nothing else.

GET /.portward/release                    what shuts one out, and with what one gets free
POST /.portward/release/ask|passkey       with a passkey that asks for a finger, a face or a PIN
POST /.portward/release/mail              a link to the address that is known of an account
GET|POST /.portward/release/link          the link, and the button that uses it up: mail scanners press none

A password opens nothing here: whoever guesses passwords is who gets banned.
"""

import logging
from datetime import timedelta

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from portward.config.defence import Way
from portward.defense.release import LINK_LIVES, Held
from portward.errors import PortwardError
from portward.facts import MailFailed
from portward.identity.answers import Refused, Wait
from portward.identity.opaque import digest, new_token
from portward.model import Account, Ban
from portward.portal import visit
from portward.portal.pages import SCRIPT_POLICY, Pages
from portward.portal.portal import Portal
from portward.portal.wording import moment, waiting

log = logging.getLogger(__name__)
PLACE = "/.portward/release"
_LONGEST_NAME = 254
_WRONG = "That passkey frees nobody here: it is not known, or did not ask you for a finger, your face or a PIN."
_LATE = (
    "That link is used up, too old, or was asked for somewhere else. It works once, within 15 minutes, and only at the "
    "address that asked for it."
)
_SENT = (
    "If that account has a mail address, a link is on its way to it. Open it here, at this address, within 15 minutes."
)
_OFTEN = "That was once too often. Ask whoever runs this gateway."


class ReleasePages:
    def __init__(self, portal: Portal, pages: Pages) -> None:
        self._portal, self._pages = portal, pages
        self._release, self._mailer = portal.release, portal.mailer

    def routes(self) -> list[Route]:
        return [
            Route(PLACE, self.show),
            Route(f"{PLACE}/ask", self.ask, methods=["POST"]),
            Route(f"{PLACE}/passkey", self.passkey, methods=["POST"]),
            Route(f"{PLACE}/mail", self.mail, methods=["POST"]),
            Route(f"{PLACE}/link", self.show_link),
            Route(f"{PLACE}/link", self.link, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        held = await self._held(request)
        return self._page(held) if held else self._nothing()

    async def ask(self, request: Request) -> Response:
        """What a browser needs to show a passkey for this source."""
        held = await self._held(request)
        if held is None or "passkey" not in self._release.ways:
            return JSONResponse({"error": "There is nothing to free here."}, 404)
        return JSONResponse(await self._portal.identity.passkeys.ask(_purpose(held), verify=True))

    async def passkey(self, request: Request) -> Response:
        form, held = await visit.form(request), await self._held(request)
        if held is None or "passkey" not in self._release.ways:
            return self._nothing()
        if not await self._release.begin(held):
            return self._final()
        answer = await self._portal.identity.logins.recognise(
            form.get("passkey", ""), _purpose(held), address=visit.address(request)
        )
        match answer:
            case Account(name=name):
                return await self._free(held, name, "passkey")
            case Refused():
                await self._release.refuse(held, "passkey")
                return self._page(held, problem=_WRONG, status=422)
            case Wait(seconds):
                text = f"Too many wrong tries. Nothing was checked; try again in {waiting(seconds)}."
                return self._page(held, problem=text, status=429)

    async def mail(self, request: Request) -> Response:
        """The same answer, after the same time, whether the account exists: the mail is sent when it is given."""
        form, held = await visit.form(request), await self._held(request)
        if held is None or "mail" not in self._release.ways:
            return self._nothing()
        if not await self._release.begin(held):
            return self._final()
        page = self._page(held, news=_SENT)
        page.background = BackgroundTask(self._send, held, form.get("username", "")[:_LONGEST_NAME])
        return page

    async def show_link(self, request: Request) -> Response:
        """Looking uses nothing up: programs look at links in mail before people do."""
        held = await self._held(request)
        if held is None or "mail" not in self._release.ways:
            return self._nothing()
        token = request.query_params.get("token", "")[:128]
        return self._pages.render("release-link.html.j2", token=token, source=held.source, problem="")

    async def link(self, request: Request) -> Response:
        form, held = await visit.form(request), await self._held(request)
        if held is None or "mail" not in self._release.ways:
            return self._nothing()
        if not await self._release.begin(held):
            return self._final()
        name = await self._release.take_link(held, digest(form.get("token", "")[:128]))
        account = await self._portal.store.accounts.get(name) if name else None
        if account is None or account.disabled:
            await self._release.refuse(held, "link")
            return self._page(held, problem=_LATE, status=422)
        return await self._free(held, account.name, "mail")

    async def _held(self, request: Request) -> Held | None:
        return await self._release.held(visit.address(request))

    async def _free(self, held: Held, account: str, way: Way) -> Response:
        if not await self._release.free(held, account, way):
            return self._final()
        return self._pages.render("release-done.html.j2", source=held.source, account=account)

    async def _send(self, held: Held, typed: str) -> None:
        """To the address that is known, if any. What goes wrong the operator learns, and the visitor does not."""
        account = await self._portal.identity.logins.find(typed)
        if account is None or account.disabled or not account.email:
            return
        token = new_token()
        if not await self._release.keep_link(held, account.name, digest(token)):
            return
        settings = self._portal.settings()
        address = settings.url(settings.portal_host, f"{PLACE}/link?token={token}")
        try:
            await self._mailer.send(
                account.email,
                f"Your way back in at {settings.domain}",
                _letter(held, account, settings.domain, address),
            )
        except PortwardError as error:
            log.error("a release link was not mailed: %s", error)
            await self._portal.record(MailFailed(time=self._portal.clock(), account=account.name, reason=error.message))

    def _page(self, held: Held, *, problem: str = "", news: str = "", status: int = 200) -> Response:
        ends = [ban.until for ban in held.bans]
        return self._pages.render(
            "release.html.j2",
            status=status,
            policy=SCRIPT_POLICY,
            source=held.source,
            until=None if None in ends else max(end for end in ends if end),
            reason=held.bans[0].reason,
            ways=self._release.ways,
            place=PLACE,
            problem=problem,
            news=news,
        )

    def _nothing(self) -> Response:
        return self._pages.render("release-none.html.j2", status=404)

    def _final(self) -> Response:
        return self._pages.render("release-final.html.j2", status=403, problem=_OFTEN)


def _purpose(held: Held) -> str:
    return f"release|{held.source}"


def _letter(held: Held, account: Account, domain: str, address: str) -> str:
    since: Ban = held.bans[0]
    minutes = LINK_LIVES // timedelta(minutes=1)
    return (
        f"Somebody at {held.source}, which {domain} has shut out since {moment(since.since)},\n"
        f"asks to be let in again as {account.name}.\n\n"
        f"Is that you? Then open this link there, on the same network, within {minutes} minutes,\n"
        f"and press the button:\n\n  {address}\n\n"
        "Is it not? Then do nothing: that address stays shut out.\n"
    )
