"""A session begins with a login, belongs to one browser and one host, and ends when it is ended."""

import pytest
from tests.lives.gateway import Gateway
from tests.lives.upstream import Upstream
from tests.lives.visitor import PASSWORD

PLANTED = "A" * 43


@pytest.fixture
def ben(gateway: Gateway, request: pytest.FixtureRequest) -> str:
    """An account of the test's own."""
    name = f"ben-{abs(hash(request.node.name)) % 10**8}"
    gateway.add_account(name)
    return name


def test_a_planted_cookie_never_becomes_a_session(gateway: Gateway, ben: str) -> None:
    """Session fixation: who plants a cookie before the login must not share the session after it."""
    with gateway.visitor() as victim, gateway.visitor() as attacker:
        for host in ("auth", "wiki"):
            victim.plant(host, PLANTED)
            attacker.plant(host, PLANTED)
        victim.log_in(ben)
        assert victim.arrive("wiki").status_code == 200
        assert PLANTED not in (victim.cookie("auth"), victim.cookie("wiki"))
        assert attacker.fetch("wiki").status_code == 401
        assert "login" in str(attacker.follow(attacker.visit("auth", "/")).url)


def test_a_planted_beginning_does_not_lead_into_the_attackers_session(gateway: Gateway, ben: str) -> None:
    """The attacker's nonce and code in the victim's browser: the host still asks for the victim's own login."""
    with gateway.log_in(ben) as attacker, gateway.visitor() as victim:
        start = attacker.visit("wiki", "/.portward/start?to=/")
        entry = attacker.visit(start.headers["Location"]).headers["Location"]
        victim.visit(entry)
        assert victim.fetch("wiki").status_code == 401


def test_every_login_has_a_token_of_its_own(gateway: Gateway, ben: str) -> None:
    tokens = set()
    for _ in range(3):
        with gateway.log_in(ben) as visitor:
            visitor.arrive("wiki")
            tokens |= {visitor.cookie("auth"), visitor.cookie("wiki")}
    assert len(tokens) == 6


def test_a_logout_ends_the_session_on_every_host(gateway: Gateway, upstream: Upstream, ben: str) -> None:
    with gateway.log_in(ben) as visitor, gateway.log_in(ben) as elsewhere:
        for host in ("wiki", "mixed"):
            assert visitor.arrive(host).status_code == 200
        elsewhere.arrive("wiki")
        page = visitor.follow(visitor.submit(visitor.visit("auth", "/logout")))
        assert page.status_code == 200
        hits = upstream.hits
        for host in ("wiki", "mixed"):
            assert visitor.fetch(host).status_code == 401
        assert upstream.hits == hits
        assert elsewhere.fetch("wiki").status_code == 200


def test_logging_out_everywhere_ends_every_session(gateway: Gateway, upstream: Upstream, ben: str) -> None:
    with gateway.log_in(ben) as here, gateway.log_in(ben) as there:
        here.arrive("wiki")
        there.arrive("mixed")
        origin = {"Origin": gateway.url("auth", "")}
        assert here.http.post(gateway.url("auth", "/logout-everywhere"), data={}, headers=origin).status_code == 303
        hits = upstream.hits
        assert here.fetch("wiki").status_code == 401
        assert there.fetch("mixed").status_code == 401
        assert upstream.hits == hits


def test_a_page_of_another_origin_can_not_log_anybody_out(gateway: Gateway, ben: str) -> None:
    with gateway.log_in(ben) as visitor:
        for headers in ({"Origin": "https://evil.test"}, {"Origin": gateway.url("wiki", "")}, {"Origin": "null"}, {}):
            answer = visitor.http.post(gateway.url("auth", "/logout"), data={}, headers=headers)
            assert answer.status_code == 403
        assert visitor.arrive("wiki").status_code == 200


def test_a_disabled_or_removed_account_is_out_at_once(gateway: Gateway, upstream: Upstream, ben: str) -> None:
    with gateway.log_in(ben) as visitor:
        visitor.arrive("wiki")
        gateway.cli("account", "disable", ben, "--yes")
        hits = upstream.hits
        assert visitor.fetch("wiki").status_code == 401
        page = visitor.submit(visitor.visit("auth", "/login"), username=ben, password=PASSWORD)
        assert page.status_code == 422
        gateway.cli("account", "remove", ben, "--yes")
        assert visitor.fetch("wiki").status_code == 401
        assert upstream.hits == hits


def test_who_leaves_a_group_loses_its_services_at_once(gateway: Gateway, upstream: Upstream, ben: str) -> None:
    with gateway.admin() as admin:
        if "staff" not in str(admin.get("/groups")):
            admin.post("/groups", {"name": "staff"})
        admin.put(f"/groups/staff/members/{ben}")
        with gateway.log_in(ben) as visitor:
            assert visitor.arrive("staff").status_code == 200
            admin.delete(f"/groups/staff/members/{ben}")
            hits = upstream.hits
            assert visitor.fetch("staff").status_code == 401
            assert visitor.arrive("staff").status_code == 403
            assert visitor.arrive("wiki").status_code == 200
            assert upstream.hits == hits + 1


def test_a_service_with_second_factor_asks_for_it(gateway: Gateway, upstream: Upstream, ben: str) -> None:
    with gateway.log_in(ben) as visitor:
        hits = upstream.hits
        page = visitor.arrive("vault")
        assert page.url.path == "/account/totp"
        assert visitor.fetch("vault").status_code == 401
        assert upstream.hits == hits


def test_a_session_follows_its_visitor_to_another_network(gateway: Gateway, ben: str) -> None:
    with gateway.log_in(ben) as visitor, gateway.visitor(address="127.0.0.99") as moved:
        visitor.arrive("wiki")
        moved.plant("wiki", visitor.cookie("wiki") or "")
        assert moved.fetch("wiki").status_code == 200
