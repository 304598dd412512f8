"""Whoever is refused gets a request id, and `portward explain ID` names the gate, the rule and the way out."""

import json
import re
from collections.abc import Callable

import pytest
from tests.lives.gateway import Gateway
from tests.lives.raw import ask, request
from tests.lives.visitor import Visitor
from tests.lives.waiting import wait_for

from portward.edge.refusals import RULES

_ID = re.compile(r"\b(?=[0-9a-f-]{18,}\b)[0-9a-f]+(?:-[0-9a-f]+)+\b")
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


REFUSALS: dict[str, Refuse] = {
    "misdirected": asked("wiki", sni="open"),
    "malformed": asked("open", "/a/../b"),
    "method": asked("open", method="TRACE"),
    "path": asked("narrow", "/elsewhere"),
    "no_session": asked("wiki"),
    "upstream_down": visited("down"),
    "upstream_failed": asked("open", "/drop"),
    "upstream_slow": asked("hasty", "/hang"),
}


@pytest.mark.parametrize("accept", [HTML, "Accept: application/json"])
@pytest.mark.parametrize("rule", REFUSALS)
def test_a_refusal_can_be_explained(gateway: Gateway, ann: Visitor, rule: str, accept: str) -> None:
    found = _ID.search(REFUSALS[rule](gateway, ann, accept))
    assert found, "no request id in the answer"
    event = explained(gateway, found[0])
    assert event["rule"] == rule
    assert event["gate"] == RULES[rule].gate
    assert event["explanation"]["way_out"] == RULES[rule].way_out


def test_a_wrong_group_is_told_so_and_may_switch_accounts(gateway: Gateway, ann: Visitor) -> None:
    """The portal hands over to no host that the account may not open; a change of groups may still leave a session."""
    gateway.cli("group", "add", "crew")
    gateway.cli("group", "join", "crew", "ann")
    gateway.cli("group", "leave", "crew", "ann")
    page = ann.arrive("staff")
    assert page.status_code == 403
    assert "Switch account" in page.text
    found = _ID.search(page.text)
    assert found
    assert explained(gateway, found[0])["request_id"] == found[0]


def test_the_command_line_explains(gateway: Gateway) -> None:
    answer = ask(gateway, "wiki", request("wiki.gate.test", "/explain-me"))
    found = _ID.search(answer.received.decode())
    assert found
    explained(gateway, found[0])
    text = gateway.cli("explain", found[0])
    assert "identity" in text
    assert "no_session" in text or RULES["no_session"].title in text
    (event,) = json.loads(gateway.cli("explain", found[0], "--json"))
    assert event["fields"]["path"] == "/explain-me"
    gateway.cli("explain", f"{found[0]}0", expect=4)


def test_a_refused_visitor_learns_nothing_about_the_inside(gateway: Gateway, ann: Visitor) -> None:
    for refuse in REFUSALS.values():
        text = refuse(gateway, ann, HTML)
        assert "127.0.0.1:" not in text
        assert str(gateway.state) not in text
        assert "haproxy" not in text.lower()


def explained(gateway: Gateway, request_id: str) -> dict[str, object]:
    gateway.wait_for_events(request_id=request_id)
    with gateway.admin() as admin:
        (event,) = wait_for(lambda: admin.get(f"/explain/{request_id}")["events"], "an explanation")
    return dict(event)


def test_every_refusal_that_left_an_event_can_be_looked_up(gateway: Gateway, ann: Visitor) -> None:
    for refuse in REFUSALS.values():
        refuse(gateway, ann, HTML)
    gateway.wait_for_events(rule="misdirected")
    with gateway.admin() as admin:
        for event in {event["rule"]: event for event in gateway.events(kind="RequestRefused")}.values():
            if event["request_id"]:
                (found,) = admin.get(f"/explain/{event['request_id']}")["events"]
                assert found["explanation"]["way_out"], event["rule"]
