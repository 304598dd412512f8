"""Somebody who publishes a list over HTTPS, with an authority of their own.

with Publisher(directory) as publisher:
    publisher.content = b"192.0.2.0/24\n"
    publisher.url                     # https://localhost:45678/list.txt
    publisher.ca_file                 # who vouches for it
    publisher.asked                   # the headers of each request so far
"""

import ssl
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Self

from tests.unit.pki.public import PublicAuthority

from portward.pki.minting import spell


class Publisher:
    def __init__(self, directory: Path) -> None:
        authority = PublicAuthority(datetime.now(UTC))
        self.ca_file, pem = directory / "publisher-ca.pem", directory / "publisher.pem"
        self.ca_file.write_bytes(spell(authority.root))
        pem.write_bytes(authority.issue("localhost"))
        self.content, self.status, self.moved_to = b"", 200, ""
        self.asked: list[dict[str, str]] = []
        self._server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"publisher": self}))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def url(self) -> str:
        return f"https://localhost:{self._server.server_port}/list.txt"

    @property
    def etag(self) -> str:
        return f'"{hash(self.content):x}"'

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    publisher: Publisher

    def do_GET(self) -> None:
        publisher = self.publisher
        publisher.asked.append(dict(self.headers))
        if publisher.moved_to:
            self._answer(302, Location=publisher.moved_to)
        elif publisher.status != 200:
            self._answer(publisher.status)
        elif self.headers.get("If-None-Match") == publisher.etag:
            self._answer(304)
        else:
            self._answer(200, publisher.content, ETag=publisher.etag)

    def _answer(self, status: int, content: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Tests read `asked` instead."""
