"""Logging in and out, and showing the second factor.

GET|POST /login · POST /login/passkey · POST /login/second-factor · GET|POST /step-up
GET|POST /logout · POST /logout-everywhere · POST /passkey/ask (what a browser needs to show a passkey, as JSON)

Whatever was wrong with a name and a password, the answer is the same, byte for byte.
"""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from portward.identity.answers import Refused, SecondFactorNeeded, Started, Stepped, Wait
from portward.model import Account
from portward.portal import cookie, pending, visit
from portward.portal.pages import SCRIPT_POLICY, Pages, Question
from portward.portal.pending import Pending
from portward.portal.portal import Portal
from portward.portal.visitors import Visitors, see
from portward.portal.wording import waiting

_LONGEST_NAME = 254
_LONGEST_PASSWORD = 512
_WRONG = "Account and password do not match."
_WRONG_PASSKEY = "That passkey opens nothing here. Log in with your password, or try another one."
_WRONG_CODE = "That code is not right, or was used already. Wait for the next one, and try again."
_LATE = "That took too long, or too many tries. Log in once more."
_NEWS = {
    "out": "You are logged out.",
    "everywhere": "You are logged out on every device.",
    "password": "Your new password is saved. Log in with it.",
}


class LoginPages:
    def __init__(self, portal: Portal, pages: Pages, visitors: Visitors) -> None:
        self._portal, self._pages, self._visitors = portal, pages, visitors

    def routes(self) -> list[Route]:
        return [
            Route("/login", self.show),
            Route("/login", self.password, methods=["POST"]),
            Route("/login/passkey", self.start_over),
            Route("/login/passkey", self.passkey, methods=["POST"]),
            Route("/passkey/ask", self.ask_passkey, methods=["POST"]),
            Route("/login/second-factor", self.start_over),
            Route("/login/second-factor", self.second_factor, methods=["POST"]),
            Route("/step-up", self.show_step_up),
            Route("/step-up", self.step_up, methods=["POST"]),
            Route("/logout", self.ask_logout),
            Route("/logout", self.logout, methods=["POST"]),
            Route("/logout-everywhere", self.logout_everywhere, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        going = self._going(request.query_params)
        if await self._visitors.find(request):
            return see(f"/start?{going.query}" if going else "/")
        return self._login(going, news=_NEWS.get(request.query_params.get("news", ""), ""))

    async def password(self, request: Request) -> Response:
        form = await visit.form(request)
        going = self._going(form)
        answer = await self._portal.identity.logins.password(
            form.get("username", "")[:_LONGEST_NAME],
            form.get("password", "")[:_LONGEST_PASSWORD],
            address=visit.address(request),
            user_agent=visit.user_agent(request),
        )
        match answer:
            case Started():
                return self._welcome(answer, going)
            case SecondFactorNeeded(ticket, account):
                return self._ask_code(account, going, ticket=ticket)
            case Refused():
                return self._login(going, problem=_WRONG, status=422)
            case Wait(seconds):
                return _with_retry(self._login(going, problem=_wait(seconds), status=429), seconds)

    async def passkey(self, request: Request) -> Response:
        form = await visit.form(request)
        going = self._going(form)
        answer = await self._portal.identity.logins.passkey(
            form.get("passkey", ""), address=visit.address(request), user_agent=visit.user_agent(request)
        )
        match answer:
            case Started():
                return self._welcome(answer, going)
            case Refused():
                return self._login(going, problem=_WRONG_PASSKEY, status=422)
            case Wait(seconds):
                return _with_retry(self._login(going, problem=_wait(seconds), status=429), seconds)

    async def ask_passkey(self, request: Request) -> Response:
        """For a login, for the second step of one, or for a session that is to show its second factor again."""
        logins, form = self._portal.identity.logins, await visit.form(request)
        if ticket := form.get("ticket", "")[:128]:
            asked = await logins.ask_second(ticket)
            return JSONResponse(asked) if asked else JSONResponse({"error": _LATE}, 422)
        if "session" in form:
            return JSONResponse(await logins.ask_step((await self._visitors.demand(request)).session))
        return JSONResponse(await logins.ask_passkey())

    async def start_over(self, request: Request) -> Response:
        return see("/login")

    async def second_factor(self, request: Request) -> Response:
        form = await visit.form(request)
        going, ticket = self._going(form), form.get("ticket", "")[:128]
        account = await self._portal.identity.logins.account_of(ticket)
        if account is None:
            return self._login(going, problem=_LATE, status=422)
        answer = await self._portal.identity.logins.second_factor(
            ticket,
            visit.second_factor(form),
            address=visit.address(request),
            user_agent=visit.user_agent(request),
        )
        match answer:
            case Started():
                return self._welcome(answer, going)
            case Refused(start_over=True):
                return self._login(going, problem=_LATE, status=422)
            case Refused():
                return self._ask_code(account, going, ticket=ticket, problem=_wrong(form), status=422)
            case Wait(seconds):
                page = self._ask_code(account, going, ticket=ticket, problem=_wait(seconds), status=429)
                return _with_retry(page, seconds)

    async def show_step_up(self, request: Request) -> Response:
        visitor, going = await self._visitors.demand(request), self._going(request.query_params)
        if not visitor.account.has_second_factor:
            return see(f"/account/totp?{going.query}" if going else "/account/totp")
        return self._ask_step(visitor.account, going)

    async def step_up(self, request: Request) -> Response:
        visitor, form = await self._visitors.demand(request), await visit.form(request)
        going = self._going(form)
        answer = await self._portal.identity.logins.step_up(
            visitor.session, visit.second_factor(form), address=visit.address(request)
        )
        match answer:
            case Stepped():
                return self._welcome(answer, going)
            case Refused():
                return self._ask_step(visitor.account, going, problem=_wrong(form), status=422)
            case Wait(seconds):
                page = self._ask_step(visitor.account, going, problem=_wait(seconds), status=429)
                return _with_retry(page, seconds)

    async def ask_logout(self, request: Request) -> Response:
        visitor = await self._visitors.find(request)
        if visitor is None:
            return see("/login?news=out")
        text = f"You are logged in as {visitor.account.name}. Logging out closes every service in this browser."
        question = Question("Log out?", text, "/logout", "Log out")
        return self._pages.render("confirm.html.j2", question=question, asks="", pending=None, problem="")

    async def logout(self, request: Request) -> Response:
        visitor = await self._visitors.find(request)
        if visitor is not None:
            name = visitor.account.name
            await self._portal.identity.sessions.end(visitor.session.id, by=name, reason="logout")
        return _logged_out("out")

    async def logout_everywhere(self, request: Request) -> Response:
        name = (await self._visitors.demand(request)).account.name
        await self._portal.identity.sessions.end_all(name, by=name, reason="logout")
        return _logged_out("everywhere")

    def _going(self, values: Mapping[str, str]) -> Pending | None:
        return pending.read(values, self._portal.hosts)

    def _welcome(self, answer: Started | Stepped, going: Pending | None) -> Response:
        response = see(f"/welcome?{going.query}" if going else "/welcome")
        return self._visitors.keep(response, answer.token, answer.session)

    def _login(self, going: Pending | None, *, problem: str = "", news: str = "", status: int = 200) -> Response:
        return self._pages.render(
            "login.html.j2", status=status, policy=SCRIPT_POLICY, pending=going, problem=problem, news=news
        )

    def _ask_code(
        self, account: Account, going: Pending | None, *, ticket: str, problem: str = "", status: int = 200
    ) -> Response:
        return self._pages.second_factor(
            account, self._portal.settings().domain, going, ticket=ticket, problem=problem, status=status
        )

    def _ask_step(self, account: Account, going: Pending | None, *, problem: str = "", status: int = 200) -> Response:
        return self._pages.second_factor(account, self._portal.settings().domain, going, problem=problem, status=status)


def _wrong(form: Mapping[str, str]) -> str:
    return _WRONG_PASSKEY if "passkey" in form else _WRONG_CODE


def _wait(seconds: int) -> str:
    return f"Too many wrong tries from your network. Nothing was checked; try again in {waiting(seconds)}."


def _with_retry(response: Response, seconds: int) -> Response:
    response.headers["Retry-After"] = str(seconds)
    return response


def _logged_out(news: str) -> Response:
    response = see(f"/login?news={news}")
    cookie.clear(response)
    return response
