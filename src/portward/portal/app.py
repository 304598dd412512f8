"""The portal as a web application: the login's own host, and the crossing pages of every service host.

app = create_app(Portal(identity, store, lambda: settings, record, clock, control, devices, root, release, mailer))

Which of the two a request means is said by X-Forwarded-Host, which the edge alone sets.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from portward.errors import EdgeError, NotFound, PortwardError, StoreError
from portward.portal import problems, visit
from portward.portal.account import AccountPages
from portward.portal.approvals import ApprovalPages
from portward.portal.crossing import CrossingPages
from portward.portal.devices import DevicePages
from portward.portal.enrol import EnrolPages
from portward.portal.home import HomePages
from portward.portal.keyring import Keyring
from portward.portal.keys import KeyPages
from portward.portal.login import LoginPages
from portward.portal.onward import OnwardPages
from portward.portal.pages import Action, Pages
from portward.portal.passkeys import PasskeyPages
from portward.portal.portal import Portal
from portward.portal.problems import Problem
from portward.portal.protection import BodyTooLarge, Protection
from portward.portal.proving import Proving
from portward.portal.refusals import Refusals
from portward.portal.release import ReleasePages
from portward.portal.trust import TrustPages
from portward.portal.visit import NotAForm
from portward.portal.visitors import LoginNeeded, Visitors, see

_HOME = Action("Go to your services", "/")


def create_app(portal: Portal) -> ASGIApp:
    """The ASGI application for the portal's socket. What no page expects is raised again after its error page."""
    pages = Pages()
    refusals = Refusals(portal, pages)
    own = Router(_portal_routes(portal, pages, refusals), redirect_slashes=False)
    services = Router(CrossingPages(portal, refusals).routes(), redirect_slashes=False)
    everything = Mount("/", ByHost(portal, own, services))
    app = Starlette(routes=[everything], exception_handlers=Failures(portal, pages).handlers())
    return Protection(app, partial(refusals.answer, problem=problems.CROSS_SITE))


def _portal_routes(portal: Portal, pages: Pages, refusals: Refusals) -> Sequence[BaseRoute]:
    visitors, keyring = Visitors(portal), Keyring(portal)
    proving = Proving(portal, pages, visitors)
    home = HomePages(portal, pages, visitors, keyring)
    return [
        Route("/healthz", _healthz),
        Route("/static/{name}", pages.static_file),
        *LoginPages(portal, pages, visitors).routes(),
        *OnwardPages(portal, pages, refusals, visitors).routes(),
        *EnrolPages(portal, pages, refusals, visitors).routes(),
        *AccountPages(portal, pages, visitors, proving).routes(),
        *PasskeyPages(portal, pages, visitors, proving).routes(),
        *home.routes(),
        *KeyPages(portal, pages, visitors, keyring, home).routes(),
        *ApprovalPages(portal, pages, visitors).routes(),
        *DevicePages(portal, pages, visitors, proving).routes(),
        *TrustPages(portal, pages, visitors).routes(),
        *ReleasePages(portal, pages).routes(),
    ]


async def _healthz(request: Request) -> Response:
    return PlainTextResponse("ok")


class ByHost:
    """Leads a request to the pages of the host that it was sent to; a host that is neither has none."""

    def __init__(self, portal: Portal, own: ASGIApp, services: ASGIApp) -> None:
        self._portal, self._own, self._services = portal, own, services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        host = Headers(scope=scope).get("x-forwarded-host", "")
        if host == self._portal.host:
            await self._own(scope, receive, send)
        elif host in self._portal.hosts:
            await self._services(scope, receive, send)
        else:
            raise HTTPException(404)


class Failures:
    """Turns what pages raise into pages."""

    def __init__(self, portal: Portal, pages: Pages) -> None:
        self._portal, self._pages = portal, pages

    def handlers(self) -> dict[Any, Callable[[Request, Any], Awaitable[Response]]]:
        return {
            HTTPException: self._http,
            LoginNeeded: self._login,
            NotFound: self._login,
            NotAForm: self._not_a_form,
            BodyTooLarge: self._too_large,
            EdgeError: self._unavailable,
            StoreError: self._unavailable,
            PortwardError: self._refused,
            Exception: self._internal,
        }

    async def _http(self, request: Request, error: HTTPException) -> Response:
        problem = problems.WRONG_METHOD if error.status_code == 405 else problems.NOT_FOUND
        page = self._problem(request, problem)
        page.headers.update(error.headers or {})
        return page

    async def _login(self, request: Request, error: Exception) -> Response:
        """The session ended, perhaps while the page was being made."""
        return see("/login")

    async def _not_a_form(self, request: Request, error: NotAForm) -> Response:
        return self._problem(request, problems.NOT_A_FORM)

    async def _too_large(self, request: Request, error: BodyTooLarge) -> Response:
        return self._problem(request, problems.TOO_LARGE)

    async def _unavailable(self, request: Request, error: PortwardError) -> Response:
        page = self._problem(request, problems.UNAVAILABLE)
        page.headers["Retry-After"] = "5"
        return page

    async def _refused(self, request: Request, error: PortwardError) -> Response:
        return self._problem(request, Problem(409, "That did not work", f"Not done: {error.message}.", error.way_out))

    async def _internal(self, request: Request, error: Exception) -> Response:
        return self._problem(request, problems.INTERNAL)

    def _problem(self, request: Request, problem: Problem) -> Response:
        """With a way home where home is."""
        at_home = visit.host(request) == self._portal.host
        return self._pages.problem(request, problem, [_HOME] if at_home else [])
