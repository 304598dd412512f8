"""An ACME authority that says what a test tells it to; Pebble knows no rate limits, no profiles and no ARI.

with FakeAuthority() as fake:
    fake.answers["POST /order"] = Answer(429, {"type": "urn:…:rateLimited"}, {"Retry-After": "120"})
"""

import http.server
import json
import threading
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

PROBLEM = "urn:ietf:params:acme:error:"


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: Any = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


def problem(kind: str, status: int = 403, **headers: str) -> Answer:
    return Answer(
        status, {"type": PROBLEM + kind, "detail": f"said {kind}"}, {k.replace("_", "-"): v for k, v in headers.items()}
    )


class FakeAuthority:
    """`answers` is "METHOD /path" to what is answered; `asked` is what came, in its order."""

    def __init__(self) -> None:
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.asked: list[str] = []
        self.meta: dict[str, Any] = {}
        self.more: dict[str, str] = {}
        self.answers: dict[str, Answer] = {
            "HEAD /nonce": Answer(),
            "POST /account": Answer(201, {"status": "valid"}, {"Location": f"{self.url}/account/1"}),
            "POST /account/1": Answer(200, {"status": "valid"}),
        }
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def directory(self) -> str:
        return f"{self.url}/directory"

    def answer(self, request: str) -> Answer:
        self.asked.append(request)
        if request == "GET /directory":
            places = {"newNonce": "nonce", "newAccount": "account", "newOrder": "order", "keyChange": "change"}
            resources = {name: f"{self.url}/{path}" for name, path in places.items()}
            return Answer(200, {**resources, **self.more, "meta": self.meta})
        return self.answers.get(request, Answer(404, {}))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(fake: FakeAuthority) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answer = fake.answer(f"{self.command} {self.path}")
            content = json.dumps(answer.body).encode()
            self.send_response(answer.status)
            for name, value in {"Replay-Nonce": "bm9uY2U", **answer.headers}.items():
                self.send_header(name, value)
            kind = "application/problem+json" if answer.status >= 400 else "application/json"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_POST = do_HEAD = _answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Tests read `asked` instead."""

    return Handler
