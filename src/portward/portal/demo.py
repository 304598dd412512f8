"""The demo service `hello`, which a fresh Portward publishes: it shows what a service behind the gate gets to know.

app = create_demo()                      # served on STATE/run/demo.sock, which the edge alone reaches

It is an upstream like any other, and so it sees no cookie of Portward, and no identity header that a visitor forged.
"""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from portward.portal import cookie, problems
from portward.portal.pages import Action, Pages
from portward.portal.protection import Protection

_TOLD = {
    "Remote-User": "remote-user",
    "Remote-Name": "remote-name",
    "Remote-Email": "remote-email",
    "Remote-Groups": "remote-groups",
    "Your address": "x-forwarded-for",
    "Request": "x-request-id",
}
_STRIPPED = (
    "The session cookie is not among it, nor any identity header that your browser may have made up: "
    "both end at the gate."
)
_LEAKED = (
    "Portward's session cookie arrived here too, and should not have: this is a defect of the gate. Please report it."
)


def create_demo() -> ASGIApp:
    """The ASGI application for the demo's socket."""
    pages = Pages()
    hello = Hello(pages)
    routes = [Route("/static/{name}", pages.static_file), Route("/{path:path}", hello.show)]
    return Protection(Starlette(routes=routes, exception_handlers={HTTPException: hello.missing}), hello.cross_site)


class Hello:
    """The demo's one page."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    async def show(self, request: Request) -> Response:
        headers = request.headers
        return self._pages.render(
            "hello.html.j2",
            name=headers.get("remote-name") or headers.get("remote-user", ""),
            told={label: headers.get(name, "") for label, name in _TOLD.items()} | {"You asked for": _asked(request)},
            stripped=_LEAKED if cookie.NAME in request.cookies else _STRIPPED,
        )

    async def cross_site(self, request: Request) -> Response:
        return self._pages.problem(request, problems.CROSS_SITE)

    async def missing(self, request: Request, error: Exception) -> Response:
        return self._pages.problem(request, problems.NOT_FOUND, [Action("Back to the start", "/")])


def _asked(request: Request) -> str:
    query = f"?{request.url.query}" if request.url.query else ""
    return f"{request.headers.get('x-forwarded-host', '')}{request.url.path}{query}"
