"""On to where the visitor was going: the hand-over from the portal's host to a service's host.

GET /start?host=…&to=…&nonce=…      from the service's host: hand over at once, or ask for what is missing first
GET /welcome?…                      after a form: see that the browser kept the cookie, then the same
GET /switch, POST /switch           log out, and come back as somebody else

After a form the way onward is a page that moves on by itself instead of a redirect: a redirect drags the form's
`form-action` rule along, and Chrome then refuses any other host that the service itself sends its visitors to.
"""

from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from portward.identity.access import Allow, Challenge, Deny, decide, stepped_up
from portward.model import Access
from portward.portal import cookie, pending, problems, visit
from portward.portal.pages import Action, Pages, Question
from portward.portal.pending import Pending
from portward.portal.portal import Portal
from portward.portal.refusals import Refusals
from portward.portal.visitors import Visitor, Visitors, see

_STICKS = 3
_WITHIN = timedelta(minutes=1)
_FACTOR_ONLY = Access(members=True, second_factor=True)


class OnwardPages:
    def __init__(self, portal: Portal, pages: Pages, refusals: Refusals, visitors: Visitors) -> None:
        self._portal, self._pages, self._refusals, self._visitors = portal, pages, refusals, visitors

    def routes(self) -> list[Route]:
        return [
            Route("/start", self.start),
            Route("/welcome", self.welcome),
            Route("/switch", self.ask_switch),
            Route("/switch", self.switch, methods=["POST"]),
        ]

    async def start(self, request: Request) -> Response:
        going = pending.read(request.query_params, self._portal.hosts)
        if going is None:
            return self._pages.problem(request, problems.BAD_LINK, [Action("Go to your services", "/")])
        visitor = await self._visitors.find(request)
        if visitor is None:
            return see(f"/login?{going.query}")
        return await self._onward(request, visitor, going, after_form=False)

    async def welcome(self, request: Request) -> Response:
        going = pending.read(request.query_params, self._portal.hosts)
        visitor = await self._visitors.find(request)
        if visitor is None:
            again = f"/login?{going.query}" if going else "/login"
            return await self._refusals.answer(request, problems.COOKIE_NOT_KEPT, [Action("Try again", again)])
        if going:
            return await self._onward(request, visitor, going, after_form=True)
        return see("/account/totp" if "enrolled" in request.query_params else "/")

    async def ask_switch(self, request: Request) -> Response:
        going = pending.read(request.query_params, self._portal.hosts)
        visitor = await self._visitors.find(request)
        if visitor is None:
            return see(f"/login?{going.query}" if going else "/login")
        name = visitor.account.name
        question = Question(
            "Switch account", f"You are logged in as {name}.", "/switch", "Log out, and use another account"
        )
        return self._pages.render("confirm.html.j2", question=question, asks="", pending=going, problem="")

    async def switch(self, request: Request) -> Response:
        going = pending.read(await visit.form(request), self._portal.hosts)
        visitor = await self._visitors.find(request)
        if visitor is not None:
            name = visitor.account.name
            await self._portal.identity.sessions.end(visitor.session.id, by=name, reason="logout")
        response = see(f"/login?{going.query}" if going else "/login")
        cookie.clear(response)
        return response

    async def _onward(self, request: Request, visitor: Visitor, going: Pending, *, after_form: bool) -> Response:
        if going.at_portal:
            return see(going.to)
        match self._decide(visitor, going):
            case Challenge("enrol-second-factor"):
                return see(f"/account/totp?{going.query}")
            case Challenge():
                return see(f"/step-up?{going.query}")
            case Deny():
                return await self._forbidden(request, visitor, going)
            case Allow():
                return await self._hand_over(request, visitor, going, after_form=after_form)

    def _decide(self, visitor: Visitor, going: Pending) -> Allow | Challenge | Deny:
        """The edge judges each request anew; this spares the visitor a way there and back."""
        settings, now = self._portal.settings(), self._portal.clock()
        lasts = settings.sessions.second_factor
        if going.step and not stepped_up(visitor.session, now, lasts):
            return decide(visitor.account, visitor.session, _FACTOR_ONLY, now, lasts)
        path = urlsplit(f"https://host{going.to}").path
        routes = [route for route in settings.routes if route.host == going.host and path.startswith(route.path)]
        if not routes:
            return Allow()
        route = max(routes, key=lambda route: len(route.path))
        # Which device the host will see is known there alone; if none, the edge sends the visitor back with `step`.
        access = replace(route.access, second_factor=False) if route.device == "second-factor" else route.access
        return decide(visitor.account, visitor.session, access, now, lasts)

    async def _hand_over(self, request: Request, visitor: Visitor, going: Pending, *, after_form: bool) -> Response:
        if await self._bounces(visitor, going):
            back = Action("Try again", self._portal.settings().url(going.host, going.to))
            name = visitor.account.name
            return await self._refusals.answer(
                request, problems.TOO_MANY_BOUNCES, [back], account=name, host=going.host
            )
        code = await self._portal.identity.sessions.hand_over(visitor.session, going.host, going.to, going.nonce)
        if code is None:
            return await self._forbidden(request, visitor, going)
        query = urlencode({"code": code, "to": going.to})
        target = self._portal.settings().url(going.host, f"{pending.PREFIX}enter?{query}")
        if after_form:
            return self._pages.render("onward.html.j2", target=target, pending=going)
        return see(target)

    async def _bounces(self, visitor: Visitor, going: Pending) -> bool:
        """Whether this session entered that host again and again just now, and still was sent back."""
        recent = self._portal.clock() - _WITHIN
        made = await self._portal.identity.sessions.hosts_of(visitor.session.id)
        return sum(part.host == going.host and part.created_at > recent for part in made) >= _STICKS

    async def _forbidden(self, request: Request, visitor: Visitor, going: Pending) -> Response:
        ways = [Action("Switch account", f"/switch?{going.query}"), Action("Go to your services", "/")]
        name = visitor.account.name
        problem = problems.forbidden(name, going.host)
        return await self._refusals.answer(request, problem, ways, account=name, host=going.host)
