"""events and explain."""

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from typer.testing import Result

from portward.cli.events import moment

from .conftest import FakeKeeper

Portward = Callable[..., Result]
REFUSED = {
    "id": 7,
    "time": "2026-01-31T12:00:00+00:00",
    "kind": "RequestRefused",
    "gate": "identity",
    "rule": "no-session",
    "request_id": "abc123",
    "host": "wiki.example.com",
    "fields": {"path": "/\x1b[31m"},
}
LINES = json.dumps(REFUSED).encode() + b"\n"


def test_events_are_a_table(portward: Portward, fake: FakeKeeper) -> None:
    fake.answer("GET /events?limit=50", LINES)
    result = portward("events")
    assert "no-session" in result.stdout
    assert "path=/\\x1b[31m" in result.stdout


def test_no_events_is_a_sentence(portward: Portward, fake: FakeKeeper) -> None:
    fake.answer("GET /events?kind=LoginFailed&limit=5", b"")
    assert portward("events", "--kind", "LoginFailed", "--limit", "5").stdout == "nothing has happened\n"


def test_events_are_one_json_a_line(portward: Portward, fake: FakeKeeper) -> None:
    fake.answer("GET /events?limit=50", LINES * 2)
    assert [json.loads(line) for line in portward("events", "--json").stdout.splitlines()] == [REFUSED, REFUSED]


def test_followed_events_are_lines(portward: Portward, fake: FakeKeeper) -> None:
    fake.answer("GET /events?limit=50&follow=1", LINES)
    line = portward("events", "--follow").stdout
    assert line.count("\n") == 1
    assert "RequestRefused  wiki.example.com  identity  no-session  abc123  path=/\\x1b[31m" in line


def test_since_is_a_length_of_time_or_amoment() -> None:
    ago = moment("2h")
    assert ago is not None
    assert 7190 < (datetime.now(UTC) - datetime.fromisoformat(ago)).total_seconds() < 7210
    assert moment("2026-01-31T12:00:00+01:00") == "2026-01-31T11:00:00+00:00"


@pytest.mark.parametrize("since", ["yesterday", "5", "-1h", "2h\n"])
def test_any_other_since_is_refused(portward: Portward, fake: FakeKeeper, since: str) -> None:
    assert portward("events", f"--since={since}").exit_code == 2
    assert fake.asked == []


def test_explain_names_the_rule_and_the_way_out(portward: Portward, fake: FakeKeeper) -> None:
    explanation = {"title": "Log in first", "text": "Nobody is logged in.", "way_out": "log in"}
    fake.answer("GET /explain/abc123", {"events": [REFUSED | {"explanation": explanation}]})
    text = portward("explain", "abc123").stdout
    assert text.startswith("Log in first\n")
    assert "rule          no-session" in text
    assert "way out       log in" in text
    assert json.loads(portward("explain", "abc123", "--json").stdout)[0]["rule"] == "no-session"


def test_explain_shows_an_event_without_a_rule(portward: Portward, fake: FakeKeeper) -> None:
    fake.answer("GET /explain/abc123", {"events": [{"kind": "LoggedIn", "account": "ann", "explanation": None}]})
    assert portward("explain", "abc123").stdout.startswith("LoggedIn\n\nevent         LoggedIn\naccount       ann\n")


def test_explain_knows_what_it_does_not_know(portward: Portward, fake: FakeKeeper) -> None:
    fake.refuse("GET /explain/abc123", "NotFound", 404, 4)
    assert portward("explain", "abc123").exit_code == 4
