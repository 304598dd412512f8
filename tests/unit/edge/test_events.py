"""One line of HAProxy's event ring becomes one fact, or none; never an exception."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portward.edge.events import fact_of_line
from portward.edge.refusals import RULES

HOSTS = frozenset({"wiki.example.com"})
REQUEST: dict[str, Any] = {
    "time": 1765000000.25,
    "id": "17-1765000000-4",
    "ip": "::ffff:192.0.2.7",
    "host": "wiki.example.com",
    "route": "wiki",
    "account": "-",
    "method": "GET",
    "path": "/a",
    "status": 401,
    "state": "PR",
    "why": "no_session",
    "asked": "wiki.example.com",
}
HANDSHAKE: dict[str, Any] = {"time": 1765000000.25, "ip": "192.0.2.7", "code": 34, "error": "failed", "tls": "unknown"}


def line(fields: dict[str, Any], **changes: Any) -> bytes:
    return json.dumps(fields | changes).encode() + b"\n"


def test_a_refused_request_tells_who_asked_for_what() -> None:
    fact = fact_of_line(line(REQUEST), HOSTS)
    assert fact is not None
    assert (fact.rule, fact.gate, fact.status, fact.request_id) == ("no_session", "identity", 401, "17-1765000000-4")
    assert (fact.address, fact.account, fact.host, fact.sni, fact.path) == (
        *("192.0.2.7", "", "wiki.example.com", "wiki.example.com", "/a"),
    )
    assert fact.time.timestamp() == 1765000000.25


def test_a_request_for_another_host_than_that_of_the_handshake_tells_both() -> None:
    fact = fact_of_line(line(REQUEST, why="misdirected", asked="bank.example.com"), HOSTS)
    assert fact is not None
    assert (fact.host, fact.sni) == ("bank.example.com", "wiki.example.com")


@pytest.mark.parametrize(
    ("sni", "rule"), [("", "tls_no_name"), ("evil.example", "tls_unknown_name"), ("WIKI.example.com", "tls_failed")]
)
def test_a_failed_handshake_is_named_after_what_was_asked_for(sni: str, rule: str) -> None:
    fact = fact_of_line(line(HANDSHAKE, sni=sni), HOSTS)
    assert fact is not None
    assert (fact.rule, fact.sni, fact.detail) == (rule, sni, "unknown")


@pytest.mark.parametrize(
    "changes",
    [{"why": "-", "state": "CD", "status": 200}, {"why": "-", "state": "--", "status": 502}, {"why": "no_such_rule"}],
)
def test_what_is_no_refusal_of_ours_is_no_fact(changes: dict[str, Any]) -> None:
    assert fact_of_line(line(REQUEST, **changes), HOSTS) is None


def test_a_client_that_left_during_the_handshake_is_no_fact() -> None:
    assert fact_of_line(line(HANDSHAKE, code=24, sni="wiki.example.com"), HOSTS) is None


@pytest.mark.parametrize(
    "hostile",
    [
        *(b"", b"\n", b"{", b"[]", b"null", b"3", b'"why"', b"\xff\xfe", b"[" * 100_000),
        *(line({"why": "denied"}), line(REQUEST, time="soon"), line(REQUEST, time=1e300), line(REQUEST, time=None)),
        line(REQUEST, time=float("nan")),
        line(REQUEST, why=["denied"]),
        line(REQUEST, ip=7),
        line(HANDSHAKE, code=[], sni={}),
        line(REQUEST)[:100],
    ],
)
def test_a_line_that_cannot_be_read_is_passed_over(hostile: bytes) -> None:
    assert fact_of_line(hostile, HOSTS) is None


@given(
    st.dictionaries(st.sampled_from([*REQUEST, *HANDSHAKE, "sni"]), st.none() | st.text() | st.floats() | st.integers())
)
def test_no_line_whatever_is_in_it_ends_the_listener(fields: dict[str, Any]) -> None:
    fact = fact_of_line(json.dumps(fields).encode(), HOSTS)
    assert fact is None or fact.rule in RULES
