"""The page behind a one-time link: choose a password, and for the first owner a name.

GET /enrol?token=TOKEN · POST /enrol
"""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from portward.errors import Conflict, Invalid
from portward.identity.answers import Invitation, SecondFactorNeeded, Started
from portward.model import Account
from portward.portal import problems, visit
from portward.portal.pages import Action, Pages
from portward.portal.portal import Portal
from portward.portal.refusals import Refusals
from portward.portal.visitors import Visitors, see


class EnrolPages:
    def __init__(self, portal: Portal, pages: Pages, refusals: Refusals, visitors: Visitors) -> None:
        self._portal, self._pages, self._refusals, self._visitors = portal, pages, refusals, visitors

    def routes(self) -> list[Route]:
        return [Route("/enrol", self.show), Route("/enrol", self.enrol, methods=["POST"])]

    async def show(self, request: Request) -> Response:
        token = request.query_params.get("token", "")
        invitation = await self._portal.identity.enrolments.peek(token)
        return self._form(token, invitation) if invitation else await self._used_up(request)

    async def enrol(self, request: Request) -> Response:
        form, enrolments = await visit.form(request), self._portal.identity.enrolments
        token = form.get("token", "")
        invitation = await enrolments.peek(token)
        if invitation is None:
            return await self._used_up(request)
        name = form.get("username", "")[:64].strip()
        try:
            account = await enrolments.enrol(token, form.get("new_password", "")[:512], name=name)
        except (Invalid, Conflict) as error:
            return self._form(token, invitation, name=name, problem=error.message, status=422)
        return await self._begin(request, account) if account else await self._used_up(request)

    async def _begin(self, request: Request, account: Account) -> Response:
        """Log in at once, unless the account has more to show than the link proves."""
        if account.disabled:
            return see("/login?news=password")
        answer = await self._portal.identity.logins.proceed(
            account, address=visit.address(request), user_agent=visit.user_agent(request)
        )
        match answer:
            case Started(token, session):
                return self._visitors.keep(see("/welcome?enrolled"), token, session)
            case SecondFactorNeeded(ticket, owner):
                return self._pages.second_factor(owner, self._portal.settings().domain, None, ticket=ticket)

    def _form(
        self, token: str, invitation: Invitation, *, name: str = "", problem: str = "", status: int = 200
    ) -> Response:
        choosing = invitation.purpose == "owner"
        return self._pages.render(
            "enrol.html.j2",
            status=status,
            token=token,
            name=(name or "owner") if choosing else invitation.account,
            choosing_name=choosing,
            returning=invitation.purpose == "reset",
            problem=problem,
        )

    async def _used_up(self, request: Request) -> Response:
        return await self._refusals.answer(request, problems.EXPIRED_LINK, [Action("Log in", "/login")])
