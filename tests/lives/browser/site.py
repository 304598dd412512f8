"""A website behind the gate, as a person sees it: any page says who looks at what, and /socket is a WebSocket echo.

with Site() as site:
    site.url                    # 'http://127.0.0.1:40123', the upstream
"""

from html import escape
from http import HTTPStatus
from threading import Thread
from types import TracebackType
from typing import Self

from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

SOCKET = "/socket"
_PAGE = """<!doctype html><html lang="en"><head><title>Harbour</title></head><body>
<h1>Harbour</h1><p id="user">{user}</p><p id="asked">{asked}</p><h2 id="part-two">Part two</h2>
</body></html>"""


class Site:
    def __init__(self) -> None:
        self._server = serve(_echo, "127.0.0.1", 0, process_request=_answer)
        self._thread = Thread(target=self._server.serve_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.socket.getsockname()[1]}"


def _echo(connection: ServerConnection) -> None:
    try:
        connection.send(
            f"hello {connection.request.headers.get('Remote-User', 'stranger')}" if connection.request else ""
        )
        for message in connection:
            connection.send(message)
    except ConnectionClosed:
        return


def _answer(connection: ServerConnection, request: Request) -> Response | None:
    """A page for whoever wants none of the socket."""
    if request.path.startswith(SOCKET):
        return None
    user = request.headers.get("Remote-User", "stranger")
    response = connection.respond(HTTPStatus.OK, _PAGE.format(user=escape(user), asked=escape(request.path)))
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = "text/html; charset=utf-8"
    return response
