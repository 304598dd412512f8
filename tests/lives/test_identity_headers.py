"""Gate 6: who is there, an upstream hears from us alone, however a client spells the names of the headers."""

import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from tests.lives.conftest import MakeGateway
from tests.lives.gateway import Gateway, free_ports
from tests.lives.raw import ask, request
from tests.lives.upstream import Upstream
from tests.lives.visitor import COOKIE, Visitor
from tests.lives.waiting import wait_for

SAID_BY_US = ("user", "groups", "name", "email")
SPELLINGS = [
    spelled
    for word in SAID_BY_US
    for name in (f"Remote-{word.title()}",)
    for spelled in (
        name,
        name.lower(),
        name.upper(),
        name.replace("-", "_"),
        name.upper().replace("-", "_"),
        name.replace("-", "."),
        name.replace("-", "~"),
        name.replace("-", "!"),
        name.replace("-", "*"),
        name.replace("-", "|"),
        f"{name}_",
        f"HTTP_{name}".replace("-", "_"),
    )
] + ["Remote-Anything", "X-Portward-Assertion", "X_Portward_Assertion", "X-Portward-Token"]
FORGED = "forged-by-the-client"


@pytest.fixture
def as_ann(ann: Visitor) -> str:
    """The header with which a request is Ann's."""
    ann.arrive("wiki")
    return f"Cookie: {COOKIE}={ann.cookie('wiki')}"


def folded(name: str) -> str:
    """A header's name as a CGI-like upstream reads it."""
    return "".join(character if character.isalnum() else "_" for character in name.upper())


def test_an_upstream_learns_who_is_there(gateway: Gateway, upstream: Upstream, as_ann: str) -> None:
    ask(gateway, "wiki", request("wiki.gate.test", "/who", as_ann))
    received = upstream.requests[-1]
    assert received.one("Remote-User") == "ann"
    assert received.one("Remote-Name") == "Ann Example"
    assert received.one("Remote-Email") == "ann@example.com"
    assert received.one("Remote-Groups") == ""


def test_a_name_with_odd_letters_arrives_as_it_is(gateway: Gateway, upstream: Upstream) -> None:
    with gateway.admin() as admin:
        admin.post("/groups", {"name": "staff"})
    gateway.add_account("zoe", display_name="Zoë, 100% | ü", email="zoe+x@example.com", groups=["staff"])
    with gateway.log_in("zoe") as zoe:
        assert zoe.arrive("staff", "/who").status_code == 200
    received = upstream.requests[-1]
    assert received.one("Remote-Groups") == "staff"
    assert (received.one("Remote-Name") or "").encode("latin-1").decode() == "Zoë, 100% | ü"
    assert received.one("Remote-Email") == "zoe+x@example.com"


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_forged_identity_never_arrives(gateway: Gateway, upstream: Upstream, as_ann: str, spelling: str) -> None:
    lines = (f"{spelling}: {FORGED}", as_ann, f"{spelling}: {FORGED}", f"{spelling.swapcase()}:{FORGED}")
    for host, more in (("wiki", lines), ("open", lines[:1])):
        answer = ask(gateway, host, request(f"{host}.gate.test", "/who", *more))
        assert answer.status in (200, 400)
        assert FORGED not in repr(upstream.requests[-1]), upstream.requests[-1].headers


def test_hop_by_hop_names_can_not_make_an_upstream_drop_our_headers(
    gateway: Gateway, upstream: Upstream, as_ann: str
) -> None:
    for value in ("Remote-User", "close, Remote-User, Remote-Groups", "keep-alive, X-Forwarded-For, X-Real-IP, Cookie"):
        sent = request("wiki.gate.test", "/who", as_ann).replace(b"Connection: close", f"Connection: {value}".encode())
        ask(gateway, "wiki", sent + request("wiki.gate.test", "/last"))
        received = upstream.seen("/who")[-1]
        assert received.one("Remote-User") == "ann"
        assert received.one("X-Real-IP") == "127.0.0.1"
        assert "remote" not in " ".join(received.all("Connection")).lower()
        assert "x-" not in " ".join(received.all("Connection")).lower()


def test_a_stranger_on_a_public_service_is_nobody(gateway: Gateway, upstream: Upstream) -> None:
    ask(gateway, "open", request("open.gate.test", "/who"))
    received = upstream.requests[-1]
    assert not [name for name, _ in received.headers if name.lower().startswith("remote")]


def test_a_member_on_a_public_service_is_known_there(gateway: Gateway, ann: Visitor, upstream: Upstream) -> None:
    ann.visit("open", "/.portward/start?to=/")
    ann.follow(ann.visit("open", "/.portward/start?to=/who"))
    assert upstream.seen("/who")[-1].one("Remote-User") == "ann"


ECHO_IN_PHP = """<?php
header('Content-Type: application/json');
echo json_encode(array_filter($_SERVER, fn($key) => str_starts_with($key, 'HTTP_'), ARRAY_FILTER_USE_KEY));
"""


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def echo(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """A WSGI app that answers with the variables that came from headers."""
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({key: value for key, value in environ.items() if key.startswith("HTTP_")}).encode()]


@pytest.fixture
def wsgi() -> Iterator[str]:
    with make_server("127.0.0.1", 0, echo, handler_class=Quiet) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def php(tmp_path: Path) -> Iterator[str]:
    """The same by PHP's own server."""
    (tmp_path / "echo.php").write_text(ECHO_IN_PHP)
    (port,) = free_ports(1)
    words = ["php", "-S", f"127.0.0.1:{port}", str(tmp_path / "echo.php")]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        wait_for(lambda: is_open(port), "PHP's server")
        yield f"http://127.0.0.1:{port}"
        server.terminate()


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_wsgi_and_php_see_our_value_alone(make_gateway: MakeGateway, wsgi: str, php: str) -> None:
    """Both read `Remote_User` and `Remote-User` as one variable, as CGI does (CVE-2025-64484)."""
    gateway = make_gateway({"wsgi": {"upstream": wsgi}, "php": {"upstream": php}})
    gateway.enrol_owner().close()
    with gateway.log_in("owner") as owner:
        cookies = {app: owner.arrive(app) and f"Cookie: {COOKIE}={owner.cookie(app)}" for app in ("wsgi", "php")}
    for app, cookie in cookies.items():
        for spelling in SPELLINGS:
            answer = ask(gateway, app, request(f"{app}.gate.test", "/", f"{spelling}: {FORGED}", cookie))
            if answer.status == 400:
                continue
            environ = json.loads(answer.body)
            assert environ["HTTP_REMOTE_USER"] == "owner", (app, spelling)
            assert FORGED not in environ.values(), (app, spelling, environ)
            assert [key for key in environ if folded(key).endswith("REMOTE_USER")] == ["HTTP_REMOTE_USER"]
