"""What protects one's own account: password, authenticator app, recovery codes.

GET|POST /account/password · GET|POST /account/totp · GET|POST /account/totp/off · GET|POST /account/recovery-codes

What weakens the second factor, or gives a way around it, asks for the second factor first.
"""

import io
from collections.abc import Mapping, Sequence

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from portward.errors import Invalid
from portward.identity.answers import Refused, TotpOffer, Wait
from portward.portal import pending, visit
from portward.portal.pages import Pages, Question
from portward.portal.pending import Pending
from portward.portal.portal import Portal
from portward.portal.proving import Proving
from portward.portal.visitors import Visitor, Visitors, see
from portward.portal.wording import date, waiting

_WRONG_CODE = "That code does not fit. Check that the clock of your device is right, and enter the newest code."
_DROP = Question(
    "Turn off the authenticator app?",
    "From then on your password alone opens the gate, and your recovery codes no longer count. "
    "Services that ask for a second factor will be closed to you.",
    "/account/totp/off",
    "Turn it off",
    grave=True,
)
_RENEW = Question(
    "Renew the recovery codes?",
    "You get ten new ones, and the old ones no longer count.",
    "/account/recovery-codes",
    "Give me new codes",
)


def qr_code(text: str) -> Markup:
    """An inline SVG of `text`, dark on white, with the quiet zone that scanners need (ISO/IEC 18004)."""
    import segno  # rarely needed, and it loads an XML parser and an HTTP client

    drawing = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        drawing,
        kind="svg",
        border=4,
        xmldecl=False,
        svgns=False,
        omitsize=True,
        dark="#000",
        light="#fff",
        svgclass="qr",
        lineclass=None,
        title="QR code for the authenticator app",
    )
    return Markup(drawing.getvalue().decode())  # noqa: S704 - segno's own output, a path of digits


class AccountPages:
    def __init__(self, portal: Portal, pages: Pages, visitors: Visitors, proving: Proving) -> None:
        self._portal, self._pages, self._visitors, self._proving = portal, pages, visitors, proving

    def routes(self) -> list[Route]:
        return [
            Route("/account/password", self.show_password),
            Route("/account/password", self.change_password, methods=["POST"]),
            Route("/account/totp", self.offer_totp),
            Route("/account/totp", self.confirm_totp, methods=["POST"]),
            Route("/account/totp/off", self.ask_drop_totp),
            Route("/account/totp/off", self.drop_totp, methods=["POST"]),
            Route("/account/recovery-codes", self.ask_new_codes),
            Route("/account/recovery-codes", self.new_codes, methods=["POST"]),
        ]

    async def show_password(self, request: Request) -> Response:
        return self._password_form(await self._visitors.demand(request))

    async def change_password(self, request: Request) -> Response:
        visitor, form = await self._visitors.demand(request), await visit.form(request)
        try:
            answer = await self._portal.identity.credentials.change_password(
                visitor.account.name,
                form.get("password", "")[:512],
                form.get("new_password", "")[:512],
                address=visit.address(request),
                keep_session=visitor.session.id,
            )
        except Invalid as error:
            return self._password_form(visitor, problem=error.message, status=422)
        match answer:
            case None:
                return see("/?news=password")
            case Refused():
                return self._password_form(visitor, problem="The current password is not right.", status=422)
            case Wait(seconds):
                return self._password_form(visitor, problem=_wait(seconds), status=429)

    async def offer_totp(self, request: Request) -> Response:
        visitor, going = await self._visitors.demand(request), self._going(request.query_params)
        if visitor.account.has_totp:
            return see(f"/start?{going.query}" if going else "/")
        return self._totp_form(await self._offer(visitor), going)

    async def confirm_totp(self, request: Request) -> Response:
        visitor, form = await self._visitors.demand(request), await visit.form(request)
        going, name = self._going(form), visitor.account.name
        codes = await self._portal.identity.credentials.confirm_totp(name, form.get("code", "")[:32])
        if codes is None:
            if visitor.account.has_totp:
                return see("/")
            return self._totp_form(await self._offer(visitor), going, problem=_WRONG_CODE, status=422)
        token, session = await self._portal.identity.sessions.rise(visitor.session)
        return self._visitors.keep(self._codes_page(visitor, codes, going), token, session)

    async def ask_drop_totp(self, request: Request) -> Response:
        visitor = await self._visitors.demand(request)
        return self._proving.ask(visitor, _DROP) if visitor.account.has_totp else see("/")

    async def drop_totp(self, request: Request) -> Response:
        visitor = await self._visitors.demand(request)
        if not visitor.account.has_totp:
            return see("/")
        proof = await self._proving.prove(request, visitor, _DROP)
        if isinstance(proof, Response):
            return proof
        name = visitor.account.name
        await self._portal.identity.credentials.drop_totp(name, by=name)
        return self._proving.keep(see("/?news=totp-off"), proof)

    async def ask_new_codes(self, request: Request) -> Response:
        visitor = await self._visitors.demand(request)
        return self._proving.ask(visitor, _RENEW) if visitor.account.has_second_factor else see("/")

    async def new_codes(self, request: Request) -> Response:
        visitor = await self._visitors.demand(request)
        if not visitor.account.has_second_factor:
            return see("/")
        proof = await self._proving.prove(request, visitor, _RENEW)
        if isinstance(proof, Response):
            return proof
        name = visitor.account.name
        codes = await self._portal.identity.credentials.new_recovery_codes(name, by=name)
        return self._proving.keep(self._codes_page(visitor, codes, None), proof)

    async def _offer(self, visitor: Visitor) -> TotpOffer:
        credentials, name = self._portal.identity.credentials, visitor.account.name
        return await credentials.pending_totp(name) or await credentials.begin_totp(name)

    def _going(self, values: Mapping[str, str]) -> Pending | None:
        return pending.read(values, self._portal.hosts)

    def _password_form(self, visitor: Visitor, *, problem: str = "", status: int = 200) -> Response:
        return self._pages.render("password.html.j2", status=status, account=visitor.account, problem=problem)

    def _totp_form(self, offer: TotpOffer, going: Pending | None, *, problem: str = "", status: int = 200) -> Response:
        return self._pages.render(
            "totp.html.j2",
            status=status,
            pending=going,
            problem=problem,
            qr=qr_code(offer.uri),
            uri=offer.uri,
            secret=" ".join(offer.secret[start : start + 4] for start in range(0, len(offer.secret), 4)),
        )

    def _codes_page(self, visitor: Visitor, codes: Sequence[str], going: Pending | None) -> Response:
        return self._pages.render(
            "recovery-codes.html.j2",
            account=visitor.account,
            codes=codes,
            portal_host=self._portal.host,
            today=date(self._portal.clock()),
            onward=f"/start?{going.query}" if going else "/",
            pending=going,
        )


def _wait(seconds: int) -> str:
    return f"Too many wrong tries. Nothing was checked; try again in {waiting(seconds)}."
