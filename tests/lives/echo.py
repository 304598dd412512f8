"""A service of the tests that answers with what it hears, over TCP and over a Unix socket.

with Echo(directory / "echo.sock") as echo:
    speak(("127.0.0.1", echo.port), b"hello")      # b'hello'
"""

import socket
import socketserver
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

Address = tuple[str, int] | str


class _Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(65536):
            self.request.sendall(data)


class _Tcp(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


class _Unix(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


class Echo:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._servers = (_Tcp(("127.0.0.1", 0), _Handler), _Unix(str(path), _Handler))
        self.port = self._servers[0].server_address[1]

    def __enter__(self) -> Self:
        for server in self._servers:
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()


def speak(address: Address, words: bytes, seconds: float = 20) -> bytes:
    """Say something, hang up, and hear the whole answer."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as connection:
        connection.settimeout(seconds)
        connection.connect(address)
        return converse(connection, words)


def converse(connection: socket.socket, words: bytes) -> bytes:
    """The same, over a connection that stands."""
    writer = threading.Thread(target=_say, args=(connection, words), daemon=True)
    writer.start()
    heard = bytearray()
    while data := connection.recv(65536):
        heard += data
    writer.join()
    return bytes(heard)


def _say(connection: socket.socket, words: bytes) -> None:
    with suppress(OSError):  # the other side may hang up first, which whoever reads then sees
        connection.sendall(words)
        connection.shutdown(socket.SHUT_WR)
