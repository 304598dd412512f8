"""A dead upstream takes nothing down but itself."""

from tests.lives.conftest import MakeGateway
from tests.lives.gateway import free_ports
from tests.lives.upstream import Upstream


def test_a_gateway_starts_with_upstreams_that_are_dead_or_have_no_address(
    make_gateway: MakeGateway, upstream: Upstream
) -> None:
    dead = {"dead": f"http://127.0.0.1:{free_ports(1)[0]}", "nameless": "http://no-such-name.invalid:80"}
    services = {name: {"upstream": url, "access": "public"} for name, url in dead.items()}
    gateway = make_gateway({**services, "alive": {"upstream": upstream.url, "access": "public"}})
    with gateway.visitor() as stranger:
        for name in dead:
            page = stranger.visit(name)
            assert page.status_code == 503
            assert "not answering" in page.text
            (event,) = gateway.wait_for_events(host=f"{name}.gate.test", rule="upstream_down")
            assert event["request_id"] in page.text
            assert "does not resolve" in gateway.cli("explain", event["request_id"])
        assert stranger.fetch("alive").status_code == 200
        gateway.apply({**services, "nameless": {"upstream": upstream.url, "access": "public"}})
        assert stranger.fetch("nameless").status_code == 200
