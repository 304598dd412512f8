"""The way of an ordinary visitor, from nothing to the page that was wanted."""

from tests.lives.conftest import MakeGateway
from tests.lives.gateway import Gateway
from tests.lives.upstream import Upstream
from tests.lives.visitor import Visitor


def test_a_member_comes_through_the_login_to_the_very_page(gateway: Gateway, ann: Visitor, upstream: Upstream) -> None:
    page = ann.arrive("wiki", "/echo?x=1&y=%C3%A4")
    assert str(page.url) == gateway.url("wiki", "/echo?x=1&y=%C3%A4")
    assert page.json()["path"] == "/echo?x=1&y=%C3%A4"
    assert upstream.seen("/echo?x=1")[-1].one("Remote-User") == "ann"


def test_a_gateway_stops_cleanly_and_starts_again(make_gateway: MakeGateway) -> None:
    gateway = make_gateway({"hello": {"upstream": "demo"}})
    gateway.enrol_owner().close()
    gateway.stop()
    gateway.start()
    with gateway.log_in("owner") as owner:
        assert owner.arrive("hello").status_code == 200
