"""The few pages that Portward has on a service's own host, under /.portward/.

/.portward/start?to=…        set out for the portal: mark the browser, and go to https://auth.…/start
/.portward/enter?code=…      come back: turn the one-time code into this host's cookie
/.portward/switch            set out to log in as somebody else
/.portward/devices           on to where a device is enrolled
/.portward/logout            on to the portal's question

The mark is a nonce in this host's cookie, and the code holds for that nonce alone; so nobody can send a visitor into
somebody else's session with a link that holds a code.
"""

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from portward.portal import cookie, pending, problems, visit
from portward.portal.pages import Action
from portward.portal.portal import Portal
from portward.portal.refusals import Refusals


class CrossingPages:
    def __init__(self, portal: Portal, refusals: Refusals) -> None:
        self._portal, self._refusals = portal, refusals

    def routes(self) -> list[Route]:
        return [
            Route("/.portward/start", self.start),
            Route("/.portward/enter", self.enter),
            Route("/.portward/switch", self.switch),
            Route("/.portward/devices", self.devices),
            Route("/.portward/logout", self.logout, methods=["GET", "POST"]),
        ]

    async def start(self, request: Request) -> Response:
        return await self._set_out(request, "/start")

    async def switch(self, request: Request) -> Response:
        return await self._set_out(request, "/switch")

    async def devices(self, request: Request) -> Response:
        return RedirectResponse(self._portal.settings().url(self._portal.host, "/devices/new"), 303)

    async def logout(self, request: Request) -> Response:
        response = RedirectResponse(self._portal.settings().url(self._portal.host, "/logout"), 303)
        cookie.clear(response)
        return response

    async def enter(self, request: Request) -> Response:
        to = pending.safe_path(request.query_params.get("to", ""))
        mark, here = visit.mark(request), self._portal.settings().url(visit.host(request))
        if mark is None and visit.token(request):
            return RedirectResponse(here + to, 303)
        if mark is None:
            return await self._refusals.answer(request, problems.COOKIE_NOT_KEPT, [Action("Try again", to)])
        code = request.query_params.get("code", "")
        entered = await self._portal.identity.sessions.enter(code, visit.host(request), mark.nonce_hash)
        if entered is None:
            return await self._start_over(request, mark.in_vain(self._portal.clock()), to)
        response = RedirectResponse(here + pending.safe_path(entered.to), 303)
        cookie.set_token(response, entered.token, entered.expires_at - self._portal.clock())
        return response

    async def _set_out(self, request: Request, page: str) -> Response:
        to = pending.safe_path(request.query_params.get("to") or _refused_path(request))
        mark = visit.mark(request) or cookie.Mark.new(self._portal.clock())
        step = request.query_params.get("step") == "1"
        going = pending.Pending(visit.host(request), to, mark.nonce_hash, step=step)
        response = RedirectResponse(self._portal.settings().url(self._portal.host, f"{page}?{going.query}"), 302)
        cookie.set_mark(response, mark)
        return response

    async def _start_over(self, request: Request, mark: cookie.Mark, to: str) -> Response:
        """The code was late, used, or another tab's; a browser that meets this again and again is in a loop."""
        if mark.bounces_too_often:
            stop = await self._refusals.answer(request, problems.TOO_MANY_BOUNCES, [Action("Try again", to)])
            cookie.clear(stop)
            return stop
        here = self._portal.settings().url(visit.host(request))
        response = RedirectResponse(f"{here}{pending.PREFIX}start?{urlencode({'to': to})}", 302)
        cookie.set_mark(response, mark)
        return response


def _refused_path(request: Request) -> str:
    """The page of this host on which the visitor stood: the edge's 403 page can't name itself in its links."""
    here, before = f"https://{request.headers.get('host', '')}", request.headers.get("referer", "")
    return before.removeprefix(here).partition("#")[0] if before.startswith(f"{here}/") else "/"
