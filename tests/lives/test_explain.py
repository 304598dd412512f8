"""Whoever is refused gets a request id, and `portward explain ID` names the gate, the rule and the way out."""

import json
from collections.abc import Callable

import pytest
from tests.lives.explaining import explained, request_id_in, require_explanation
from tests.lives.gateway import Gateway
from tests.lives.raw import ask, request
from tests.lives.visitor import COOKIE, Visitor

from portward.edge.refusals import RULES

HTML = "Accept: text/html"
AJAX = "X-Requested-With: XMLHttpRequest"
Refuse = Callable[[Gateway, Visitor, str], str]


def asked(host: str, target: str = "/", *lines: str, **options: str) -> Refuse:
    """What a stranger hears."""
    sni = options.pop("sni", host)
    return lambda gateway, ann, accept: ask(
        gateway, sni, request(f"{host}.gate.test", target, accept, AJAX, *lines, **options)
    ).received.decode()


def visited(host: str, path: str = "/") -> Refuse:
    """What Ann hears."""

    def go(gateway: Gateway, ann: Visitor, accept: str) -> str:
        if not ann.cookie(host):
            ann.arrive(host)
        headers = dict([accept.split(": "), AJAX.split(": ")])
        answer = ann.fetch(host, path, headers=headers)
        return answer.text

    return go


def opened_by_another_site(gateway: Gateway, ann: Visitor, accept: str) -> str:
    """What a page of another site hears that opens a WebSocket in Ann's browser."""
    ann.arrive("wiki")
    sent = request(
        "wiki.gate.test",
        "/",
        accept,
        f"Cookie: {COOKIE}={ann.cookie('wiki')}",
        "Origin: https://evil.example",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    )
    return ask(gateway, "wiki", sent.replace(b"Connection: close", b"Connection: Upgrade, close")).received.decode()


REFUSALS: dict[str, Refuse] = {
    "misdirected": asked("wiki", sni="open"),
    "malformed": asked("open", "/a/../b"),
    "method": asked("open", method="TRACE"),
    "path": asked("narrow", "/elsewhere"),
    "no_session": asked("wiki"),
    "foreign_origin": opened_by_another_site,
    "second_factor": visited("stepped", "/deep/"),
    "upstream_down": visited("down"),
    "upstream_failed": asked("open", "/drop"),
    "upstream_slow": asked("hasty", "/mute"),
}


@pytest.mark.parametrize("accept", [HTML, "Accept: application/json"])
@pytest.mark.parametrize("rule", REFUSALS)
def test_a_refusal_can_be_explained(gateway: Gateway, ann: Visitor, rule: str, accept: str) -> None:
    require_explanation(gateway, REFUSALS[rule](gateway, ann, accept), rule)


def test_a_wrong_group_is_told_so_and_may_switch_accounts(gateway: Gateway, ann: Visitor) -> None:
    """The portal hands over to no host that the account may not open; a change of groups may still leave a session."""
    gateway.cli("group", "add", "crew")
    gateway.cli("group", "join", "crew", "ann")
    gateway.cli("group", "leave", "crew", "ann")
    page = ann.arrive("staff")
    assert page.status_code == 403
    assert "Switch account" in page.text
    found = request_id_in(page.text)
    assert explained(gateway, found)["request_id"] == found


def test_the_command_line_explains(gateway: Gateway) -> None:
    answer = ask(gateway, "wiki", request("wiki.gate.test", "/explain-me"))
    found = request_id_in(answer.received.decode())
    explained(gateway, found)
    text = gateway.cli("explain", found)
    assert "identity" in text
    assert "no_session" in text or RULES["no_session"].title in text
    (event,) = json.loads(gateway.cli("explain", found, "--json"))
    assert event["fields"]["path"] == "/explain-me"
    gateway.cli("explain", f"{found}0", expect=4)


def test_a_refused_visitor_learns_nothing_about_the_inside(gateway: Gateway, ann: Visitor) -> None:
    for refuse in REFUSALS.values():
        text = refuse(gateway, ann, HTML)
        assert "127.0.0.1:" not in text
        assert str(gateway.state) not in text
        assert "haproxy" not in text.lower()


def test_every_refusal_that_left_an_event_can_be_looked_up(gateway: Gateway, ann: Visitor) -> None:
    for refuse in REFUSALS.values():
        refuse(gateway, ann, HTML)
    gateway.wait_for_events(rule="misdirected")
    with gateway.admin() as admin:
        for event in {event["rule"]: event for event in gateway.events(kind="RequestRefused")}.values():
            if event["request_id"]:
                (found,) = admin.get(f"/explain/{event['request_id']}")["events"]
                assert found["explanation"]["way_out"], event["rule"]
