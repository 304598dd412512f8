"""WebSockets through the gate: a service that echoes, and a visitor's open socket.

with Echo() as echo, open_socket(gateway, ann, "chat") as socket:
    assert is_alive(socket)
"""

import secrets
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Thread
from types import TracebackType
from typing import TYPE_CHECKING, Self

from tests.lives.shared_tls import shareable
from tests.lives.visitor import COOKIE, Visitor
from tests.lives.waiting import PATIENCE
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.client import ClientConnection, connect
from websockets.sync.server import ServerConnection, serve

if TYPE_CHECKING:
    from tests.lives.gateway import Gateway
    from tests.lives.machines import Machine


Speak = Callable[[ServerConnection], None]
Answer = Callable[[ServerConnection, Request], Response | None]


def echo(connection: ServerConnection) -> None:
    """Say what is heard, until the visitor or the gateway hangs up."""
    with suppress(ConnectionClosed):
        for message in connection:
            connection.send(message)


class Echo:
    """A WebSocket service on a free port of the loopback; `speak` and `answer` are for one that does more."""

    def __init__(self, speak: Speak = echo, answer: Answer | None = None) -> None:
        self._server = serve(speak, "127.0.0.1", 0, compression=None, process_request=answer)
        self.port = self._server.socket.getsockname()[1]
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
        return f"http://127.0.0.1:{self.port}"


def open_socket(
    gateway: "Gateway",
    visitor: Visitor,
    host: str,
    path: str = "/",
    headers: Mapping[str, str] | None = None,
    device: "Machine | None" = None,
) -> ClientConnection:
    """A WebSocket with the visitor's cookie of that host, and a device's certificate."""
    context = gateway.tls()
    if device:
        context.load_cert_chain(device.certificate, device.key)
    name, cookie = gateway.host(host), visitor.cookie(host)
    ours = {"Cookie": f"{COOKIE}={cookie}"} if cookie else {}
    return connect(
        f"wss://{name}:{gateway.https_port}{path}",
        sock=socket.create_connection(("127.0.0.1", gateway.https_port), PATIENCE),
        ssl=shareable(context),
        server_hostname=name,
        compression=None,
        ping_interval=None,
        proxy=None,
        additional_headers={**ours, **(headers or {})},
    )


def is_alive(open_one: ClientConnection) -> bool:
    """Whether the service still echoes over this socket."""
    word = secrets.token_hex(4)
    try:
        open_one.send(word)
        return open_one.recv(PATIENCE) == word
    except ConnectionClosed:
        return False


def wait_for_cut(open_one: ClientConnection, seconds: float = PATIENCE) -> None:
    """Return when the gateway has closed this socket. Raises `TimeoutError` when it does not."""
    try:
        open_one.recv(seconds)
    except ConnectionClosed:
        return
    raise AssertionError("the service spoke first")
