"""The control plane dies or hangs: who is logged in goes on, nobody else gets a byte (CVE-2026-25748 and its kin)."""

import os
import signal

import pytest
from tests.lives.conftest import MakeGateway
from tests.lives.explaining import require_explanation
from tests.lives.gateway import Gateway
from tests.lives.raw import ask, request
from tests.lives.upstream import Upstream
from tests.lives.visitor import COOKIE
from tests.lives.waiting import wait_for

SPOILED = ("x", "", "a" * 43, "start.x.1.1", "%00", "|", '"')
PATHS = ("/", "/echo", "/admin/x", "/.portward/../echo", "//", "/x%")


@pytest.fixture
def occupied(make_gateway: MakeGateway, upstream: Upstream) -> Gateway:
    """A gateway with a mixed host and a protected one, whose owner is enrolled."""
    gateway = make_gateway(
        {
            "wiki": {"upstream": upstream.url},
            "mixed": {"upstream": upstream.url, "routes": [{"path": "/public/", "access": "public"}]},
        },
        timeouts={"server": "3s"},
    )
    gateway.enrol_owner().close()
    return gateway


def strangers_get_nothing(gateway: Gateway, upstream: Upstream) -> None:
    hits = upstream.hits
    for host in ("wiki", "mixed"):
        for path in PATHS:
            for value in SPOILED:
                answer = ask(gateway, host, request(f"{host}.gate.test", path, f"Cookie: {COOKIE}={value}"))
                assert answer.status in (400, 401), (host, path, value)
            navigation = ask(gateway, host, request(f"{host}.gate.test", path, "Accept: text/html"))
            assert navigation.status in (302, 400), (host, path)
    assert upstream.hits == hits


def test_a_dead_keeper_opens_nothing_and_shuts_nobody_out(occupied: Gateway, upstream: Upstream) -> None:
    gateway = occupied
    with gateway.log_in("owner") as owner:
        owner.arrive("wiki")
        keeper = gateway.pids.keeper
        os.kill(keeper, signal.SIGKILL)
        for _ in range(3):
            assert owner.fetch("wiki", "/echo").status_code == 200
            strangers_get_nothing(gateway, upstream)
        wait_for(lambda: gateway.pids.keeper != keeper, "a new keeper")
        assert owner.arrive("mixed", "/echo").status_code == 200
        assert owner.fetch("wiki", "/echo").status_code == 200


def test_a_hanging_keeper_opens_nothing_and_shuts_nobody_out(occupied: Gateway, upstream: Upstream) -> None:
    gateway = occupied
    with gateway.log_in("owner") as owner, gateway.visitor() as stranger:
        owner.arrive("wiki")
        keeper = gateway.pids.keeper
        os.kill(keeper, signal.SIGSTOP)
        try:
            hits = upstream.hits
            assert owner.fetch("wiki", "/echo").status_code == 200
            assert upstream.hits == hits + 1
            strangers_get_nothing(gateway, upstream)
            page = stranger.visit("wiki", "/.portward/start?to=/")
            assert page.status_code in (503, 504)
            assert "Logging in is not possible right now" in page.text
            assert page.headers["Retry-After"]
            assert stranger.fetch("mixed", "/public/x").status_code == 200
        finally:
            os.kill(keeper, signal.SIGCONT)
        wait_for(lambda: stranger.visit("auth", "/login").status_code == 200, "the keeper to go on")
        assert gateway.pids.keeper == keeper
        require_explanation(gateway, page.text, "portal_down")


def test_a_session_that_ended_while_the_keeper_was_away_stays_ended(occupied: Gateway, upstream: Upstream) -> None:
    gateway = occupied
    gateway.add_account("ben")
    with gateway.log_in("ben") as ben:
        ben.arrive("wiki")
        with gateway.admin() as admin:
            admin.delete("/sessions", account="ben")
        assert ben.fetch("wiki").status_code == 401
        keeper = gateway.pids.keeper
        os.kill(keeper, signal.SIGKILL)
        assert ben.fetch("wiki").status_code == 401
        wait_for(lambda: gateway.pids.keeper != keeper, "a new keeper")
        assert ben.fetch("wiki").status_code == 401
