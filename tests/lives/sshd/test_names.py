"""A name belongs to its key: who gets it, who is refused, and what visitors see meanwhile."""

import signal
import subprocess
import time
from collections.abc import Callable
from datetime import timedelta
from threading import Thread

import pytest
from tests.lives.sshd.clients import Client, openssh
from tests.lives.sshd.conftest import MakeServer
from tests.lives.sshd.server import TunnelServer
from tests.lives.upstream import Upstream
from tests.lives.waiting import wait_for

from portward.tunnels.rules import ServiceRule

_BLOG = ServiceRule(name="blog", host="blog.gate.test", url="https://blog.gate.test")
_MANY = ServiceRule(name="many", host="many.gate.test", url="https://many.gate.test", balance=True)
_KEYS = {"ann": {"publish": ("*",)}, "ben": {"account": "ben", "publish": ("*",)}}


@pytest.fixture
def server(make_server: MakeServer) -> TunnelServer:
    return make_server(_KEYS, (_BLOG, _MANY), naming="any", hold=timedelta(seconds=1))


def _blog(web: Upstream, name: str = "blog") -> list[str]:
    return [f"{name}:80:127.0.0.1:{web.port}"]


@pytest.mark.parametrize("name", ["blog", "made-here"])
def test_another_key_is_told_who_holds_the_name(name: str, server: TunnelServer, web: Upstream) -> None:
    with Client("openssh", server, "ann", _blog(web, name)):
        server.wait_for_tunnels(1)
        done = subprocess.run(
            openssh(server, "ben", _blog(web, name), "-N"), capture_output=True, text=True, timeout=20
        )
        assert server.live()[0].key == "ann"
    assert f"{name} is held by the key ann of ann" in done.stderr or f"{name} belongs to the key ann" in done.stderr
    assert server.wait_for_fact("TunnelRefused", what=f"-R {name}:80", account="ben")


def test_a_name_made_on_the_spot_stays_its_keys_when_the_tunnel_is_gone(server: TunnelServer, web: Upstream) -> None:
    with Client("openssh", server, "ann", _blog(web, "mine")):
        server.wait_for_tunnels(1)
    server.wait_for_tunnels(0)
    server.stop()
    server.start()
    assert "503" in server.get("mine").splitlines()[0]
    done = subprocess.run(openssh(server, "ben", _blog(web, "mine"), "-N"), capture_output=True, text=True, timeout=20)
    assert "mine belongs to the key ann of ann" in done.stderr


def test_the_same_key_takes_the_name_over_from_its_dead_predecessor(server: TunnelServer, web: Upstream) -> None:
    with Client("openssh", server, "ann", _blog(web)) as dead:
        server.wait_for_tunnels(1)
        dead.process.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        with Client("openssh", server, "ann", _blog(web)):
            server.wait_for_fact("TunnelClosed", reason="evicted")
            wait_for(lambda: web.secret in server.get("blog"), "an answer by the new tunnel")
            took = time.monotonic() - began
            assert len(server.live()) == 1
    assert took < 10


def test_a_live_predecessor_keeps_the_name(server: TunnelServer, web: Upstream) -> None:
    with Client("openssh", server, "ann", _blog(web)):
        server.wait_for_tunnels(1)
        done = subprocess.run(openssh(server, "ann", _blog(web), "-N"), capture_output=True, text=True, timeout=20)
        assert "carried already, by this key" in done.stderr
        assert web.secret in server.get("blog")


def test_several_tunnels_share_a_service_and_a_failing_one_is_left_out(
    server: TunnelServer, web: Upstream, make_upstream: Callable[[], Upstream]
) -> None:
    other = make_upstream()
    with (
        Client("openssh", server, "ann", [f"many:80:127.0.0.1:{web.port}"]),
        Client("openssh", server, "ann", [f"many:80:127.0.0.1:{other.port}"]),
        Client("openssh", server, "ann", ["many:80:127.0.0.1:1"]),
    ):
        server.wait_for_tunnels(3)
        assert server.wait_for_fact("TunnelFailing", service="many")
        with server.connect("many") as one, server.connect("many") as two:
            one.sendall(b"GET")
            two.sendall(b"GET")
            wait_for(lambda: sum(live.requests for live in server.live()) >= 2, "two streams")
            answers = {server.get("many") for _ in range(4)}
        assert all(web.secret in answer or other.secret in answer for answer in answers)
        assert {live.health for live in server.live()} == {"up", "failing"}


def test_a_visitor_waits_for_a_tunnel_that_comes_back_in_time(make_server: MakeServer, web: Upstream) -> None:
    server = make_server(_KEYS, (_BLOG,), hold=timedelta(seconds=20))
    answers: list[str] = []
    visitor = Thread(target=lambda: answers.append(server.get("blog", seconds=40)))
    visitor.start()
    with Client("openssh", server, "ann", _blog(web)):
        visitor.join()
    assert web.secret in answers[0]


def test_a_visitor_of_a_tunnel_that_stays_away_gets_a_page_that_says_so(make_server: MakeServer) -> None:
    server = make_server(_KEYS, (_BLOG,), hold=timedelta(0))
    answer = server.get("blog")
    assert answer.startswith("HTTP/1.1 503")
    assert "Retry-After: 5" in answer
    assert "blog" in answer.split("<body>")[1]


def test_a_visitor_of_a_tunnel_that_leads_nowhere_gets_another_page(server: TunnelServer) -> None:
    with Client("openssh", server, "ann", ["blog:80:127.0.0.1:1"]):
        server.wait_for_tunnels(1)
        assert server.get("blog").startswith("HTTP/1.1 502")


def test_the_server_restarts_and_clients_come_back_by_themselves(server: TunnelServer, web: Upstream) -> None:
    with Client("autossh -M 0", server, "ann", _blog(web)):
        server.wait_for_tunnels(1)
        key = (server.state.tunnels / "ssh_host_ed25519_key").read_bytes()
        server.stop()
        server.start()
        server.wait_for_tunnels(1)
        assert web.secret in server.get("blog")
        assert (server.state.tunnels / "ssh_host_ed25519_key").read_bytes() == key
    assert next(fact["reason"] for fact in server.facts if fact["fact"] == "TunnelClosed") == "cut"
