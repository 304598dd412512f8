"""A website behind the gate, as a person sees it: any page says who looks at what, and /socket is a WebSocket echo.

with Site() as site:
    site.url                    # 'http://127.0.0.1:40123', the upstream
"""

from contextlib import suppress
from html import escape
from http import HTTPStatus

from tests.lives.sockets import Echo, echo
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection

SOCKET = "/socket"
_PAGE = """<!doctype html><html lang="en"><head><title>Harbour</title></head><body>
<h1>Harbour</h1><p id="user">{user}</p><p id="asked">{asked}</p><h2 id="part-two">Part two</h2>
</body></html>"""


class Site(Echo):
    """The socket greets by the name that the gateway gives, then echoes."""

    def __init__(self) -> None:
        super().__init__(_greet, _answer)


def _greet(connection: ServerConnection) -> None:
    user = connection.request.headers.get("Remote-User", "stranger") if connection.request else ""
    with suppress(ConnectionClosed):
        connection.send(f"hello {user}")
        echo(connection)


def _answer(connection: ServerConnection, request: Request) -> Response | None:
    """A page for whoever wants none of the socket."""
    if request.path.startswith(SOCKET):
        return None
    user = request.headers.get("Remote-User", "stranger")
    response = connection.respond(HTTPStatus.OK, _PAGE.format(user=escape(user), asked=escape(request.path)))
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = "text/html; charset=utf-8"
    return response
