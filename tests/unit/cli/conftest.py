"""A keeper that answers what a test tells it to, on a real Unix socket; and a command line to run against it."""

import json
import socketserver
import tempfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from portward.cli.app import app

Answers = dict[str, tuple[int, Any]]


class FakeKeeper:
    """`answers` is "METHOD /path" to status and body; `asked` is what came, with the body that was sent."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.answers: Answers = {}
        self.asked: list[tuple[str, Any]] = []

    hang_up = object()
    """An answer that is none."""

    def answer(self, request: str, body: Any = None, status: int = 200) -> None:
        self.answers[request] = (status, body)

    def refuse(self, request: str, kind: str, status: int, exit_code: int, message: str = "it was refused") -> None:
        error = {"type": kind, "message": message, "way_out": "do something else", "exit_code": exit_code}
        self.answer(request, {"error": error}, status)


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = False
    keeper: FakeKeeper


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        request = f"{self.command} {self.path}"
        self.server.keeper.asked.append((request, json.loads(sent) if sent else None))
        status, body = self.server.keeper.answers.get(request, (599, {"error": f"unexpected: {request}"}))
        if body is FakeKeeper.hang_up:
            self.close_connection = True
            return
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Tests read `asked` instead."""


@pytest.fixture
def state() -> Iterator[Path]:
    """A short path: Unix sockets have no room for pytest's own."""
    with tempfile.TemporaryDirectory(prefix="pw") as directory:
        (Path(directory) / "run").mkdir()
        yield Path(directory)


@pytest.fixture
def fake(state: Path) -> Iterator[FakeKeeper]:
    with _Server(str(state / "run" / "admin.sock"), _Handler) as server:
        server.keeper = FakeKeeper(state)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.keeper
        server.shutdown()
        thread.join()


@pytest.fixture
def portward(state: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run a verb in an empty directory, with the state directory of the test."""
    for variable in ("PORTWARD_CONFIG", "PORTWARD_DOMAIN", "PORTWARD_HTTPS", "PORTWARD_HTTP"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PORTWARD_STATE", str(state))
    monkeypatch.setenv("TZ", "UTC")
    directory = state / "cwd"
    directory.mkdir()
    monkeypatch.chdir(directory)

    def run(*words: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(app, list(words), input=stdin)

    return run
