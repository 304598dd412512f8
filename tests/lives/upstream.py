"""A service behind the gate: answers with what it was asked, and remembers every request.

with Upstream() as upstream:
    ...
    upstream.hits                                    # requests so far
    upstream.requests[-1].headers                    # [('Host', 'wiki.gate.test:8443'), …], as they arrived

Every answer holds `upstream.secret`, so that a test can say: not one protected byte.

/echo (and everything else)     what arrived, as JSON
/stream                         an event; another one when `upstream.go_on` is set
/hang                           answers when `upstream.go_on` is set
/mute                           answers when the test run is over, whatever other tests let go on
/drop                           closes the connection without an answer
/nonsense                       answers what is no HTTP
/bytes?size=N                   so many bytes
/text                           a long text that compresses well
/absent/…                       404, whatever follows
/answer?NAME=VALUE&…            with these response headers (`status` sets the status)
"""

import json
import secrets
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, parse_qsl, urlsplit

_CHUNK = b"0123456789abcdef" * 4096


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it arrived; the path is as on the wire."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes = field(repr=False)

    def all(self, name: str) -> list[str]:
        """Every value of a header, whatever its case."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def one(self, name: str) -> str | None:
        """The value of a header that may stand there once. None when it is missing."""
        found = self.all(name)
        assert len(found) <= 1, found
        return found[0] if found else None


_ANSWERS = {"stream", "hang", "mute", "drop", "nonsense", "bytes", "text", "answer"}


class Upstream:
    def __init__(self) -> None:
        self.secret = f"protected-{secrets.token_hex(8)}"
        self.requests: list[Received] = []
        self.go_on, self.over = Event(), Event()
        self._server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"upstream": self}))
        self.port = self._server.server_port
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.go_on.set()
        self.over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def hits(self) -> int:
        return len(self.requests)

    def seen(self, part: str) -> list[Received]:
        """The requests whose path holds `part`."""
        return [request for request in self.requests if part in request.path]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of connections that the gateway, or its death, has cut."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    upstream: Upstream

    def handle(self) -> None:
        """One connection; HAProxy may cut idle ones with a reset."""
        with suppress(ConnectionError):
            super().handle()

    def _answer_any(self) -> None:
        try:
            self._take()
        except (ConnectionError, ValueError, OverflowError):  # the other side left, or sent nonsense
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_HEAD = _answer_any  # noqa: N815
    do_TRACE = do_CONNECT = do_TRACK = do_DEBUG = do_PROPFIND = do_LOCK = do_PRI = _answer_any  # noqa: N815

    def _take(self) -> None:
        received = Received(self.command, self.path, list(self.headers.items()), self._body())
        self.upstream.requests.append(received)
        parts = urlsplit(self.path)
        answer = getattr(self, "_" + parts.path.strip("/").replace("-", "_"), None)
        if answer and parts.path.strip("/") in _ANSWERS:
            answer(parse_qs(parts.query))
        elif parts.path.startswith("/absent/"):
            self._send(b"not here", {}, status=404)
        else:
            self._echo(received)

    def _echo(self, received: Received) -> None:
        document = {
            "secret": self.upstream.secret,
            "method": received.method,
            "path": received.path,
            "headers": received.headers,
            "size": len(received.body),
            "body": received.body[:2000].decode("latin-1"),
        }
        self._send(json.dumps(document).encode(), {"Content-Type": "application/json"})

    def _stream(self, _: Any) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self._chunk(b"data: first\n\n")
        self.upstream.go_on.wait(60)
        self._chunk(b"data: second\n\n")
        self._chunk(b"")

    def _hang(self, _: Any) -> None:
        self.upstream.go_on.wait(60)
        self._send(self.upstream.secret.encode(), {})

    def _mute(self, _: Any) -> None:
        self.upstream.over.wait(60)
        self._send(self.upstream.secret.encode(), {})

    def _drop(self, _: Any) -> None:
        self.close_connection = True

    def _nonsense(self, _: Any) -> None:
        self.wfile.write(b"\x00\x01 this is no HTTP\r\n\r\n")
        self.close_connection = True

    def _bytes(self, query: dict[str, list[str]]) -> None:
        left = int(query["size"][0])
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(left))
        self.end_headers()
        while left > 0:
            self.wfile.write(_CHUNK[:left])
            left -= len(_CHUNK)

    def _text(self, _: Any) -> None:
        text = f"{self.upstream.secret} and so on\n" * 500
        self._send(text.encode(), {"Content-Type": "text/plain; charset=utf-8"})

    def _answer(self, _: Any) -> None:
        headers = parse_qsl(urlsplit(self.path).query)
        status = int(dict(headers).get("status", 200))
        self.send_response(status)
        for name, value in headers:
            if name != "status":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(self.upstream.secret)))
        self.end_headers()
        self.wfile.write(self.upstream.secret.encode())

    def _send(self, body: bytes, headers: dict[str, str], *, status: int = 200) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def log_message(self, *_: Any) -> None:
        """Say nothing; the tests look at `Upstream.requests`."""
