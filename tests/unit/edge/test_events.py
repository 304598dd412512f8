"""One line of HAProxy's event ring becomes one fact, or none; never an exception."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portward.edge.events import EventListener, fact_of_line
from portward.edge.refusals import RULES
from portward.edge.uploads import Cut
from portward.facts import ErrorAnswered, EventsDropped, Fact, KeyRefused, RequestRefused, TunnelOpened, to_line

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


def refusal(line: bytes) -> RequestRefused | None:
    fact = fact_of_line(line, HOSTS)
    assert fact is None or isinstance(fact, RequestRefused)
    return fact


def test_a_refused_request_tells_who_asked_for_what() -> None:
    fact = refusal(line(REQUEST))
    assert fact is not None
    assert (fact.rule, fact.gate, fact.status, fact.request_id) == ("no_session", "identity", 401, "17-1765000000-4")
    assert (fact.address, fact.account, fact.host, fact.sni, fact.path) == (
        *("192.0.2.7", "", "wiki.example.com", "wiki.example.com", "/a"),
    )
    assert fact.time.timestamp() == 1765000000.25


def test_a_request_for_another_host_than_that_of_the_handshake_tells_both() -> None:
    fact = refusal(line(REQUEST, why="misdirected", asked="bank.example.com"))
    assert fact is not None
    assert (fact.host, fact.sni) == ("bank.example.com", "wiki.example.com")


@pytest.mark.parametrize(
    ("sni", "rule"), [("", "tls_no_name"), ("evil.example", "tls_unknown_name"), ("WIKI.example.com", "tls_failed")]
)
def test_a_failed_handshake_is_named_after_what_was_asked_for(sni: str, rule: str) -> None:
    fact = refusal(line(HANDSHAKE, sni=sni))
    assert fact is not None
    assert (fact.rule, fact.sni, fact.detail) == (rule, sni, "unknown")


@pytest.mark.parametrize(
    "changes",
    [{"why": "-", "state": "CD", "status": 200}, {"why": "-", "state": "--", "status": 502}, {"why": "no_such_rule"}],
)
def test_what_is_no_refusal_of_ours_is_no_fact(changes: dict[str, Any]) -> None:
    assert refusal(line(REQUEST, **changes)) is None


@pytest.mark.parametrize(("status", "rule"), [(408, "slow"), (400, "malformed")])
def test_a_connection_that_never_sent_a_whole_request_is_named_after_how_it_ended(status: int, rule: str) -> None:
    fact = refusal(line(HANDSHAKE, code=0, sni="wiki.example.com", status=status))
    assert fact is not None
    assert (fact.rule, fact.status, fact.sni) == (rule, status, "wiki.example.com")


def test_an_error_that_a_service_gave_a_stranger_is_told_with_how_common_it_is() -> None:
    fields = {"why": "", "status": 404, "state": "--", "account": "-", "credential": "", "errors": "7", "requests": "9"}
    fact = fact_of_line(line(REQUEST, **fields), HOSTS)
    assert isinstance(fact, ErrorAnswered)
    assert (fact.address, fact.status, fact.path, fact.errors, fact.requests) == ("192.0.2.7", 404, "/a", 7, 9)


def test_every_fact_is_heard_whether_it_is_kept_or_not(tmp_path: Path) -> None:
    heard: list[Fact] = []
    kept: list[Fact] = []

    async def record(facts: Sequence[Fact]) -> None:
        kept.extend(facts)

    async def scene() -> None:
        async with EventListener(tmp_path / "s", heard.extend, record, lambda: HOSTS) as listener:
            _, writer = await asyncio.open_unix_connection(tmp_path / "s")
            answered = line(REQUEST, why="", status=404, errors="1", requests="1")
            writer.write(answered + line(REQUEST) * 3000)
            assert heard == [], "no host is known yet"
            listener.begin()
            async with asyncio.timeout(10):
                while len(heard) < 3001:
                    await asyncio.sleep(0.01)
            writer.close()

    asyncio.run(scene())
    refused = [fact for fact in kept if isinstance(fact, RequestRefused)]
    dropped = sum(fact.count for fact in kept if isinstance(fact, EventsDropped))
    assert (len(refused) + dropped, dropped > 0) == (3000, True)
    assert not [fact for fact in kept if isinstance(fact, ErrorAnswered)]


def test_a_body_that_was_cut_tells_why_and_what_else_was_ended_does_not() -> None:
    def cut(request_id: str) -> Cut | None:
        return Cut("slow", "4 bytes per second") if request_id == REQUEST["id"] else None

    fact = fact_of_line(line(REQUEST, why="-", status=-1, state="KD"), HOSTS, cut)
    assert isinstance(fact, RequestRefused)
    assert (fact.rule, fact.detail) == ("slow", "4 bytes per second")
    assert fact_of_line(line(REQUEST, id="another", why="-", status=-1, state="KD"), HOSTS, cut) is None
    assert fact_of_line(line(REQUEST, why="-", status=200, state="--"), HOSTS, cut) is None


def test_a_client_that_left_during_the_handshake_is_no_fact() -> None:
    assert refusal(line(HANDSHAKE, code=24, sni="wiki.example.com")) is None


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
    assert refusal(hostile) is None


@given(
    st.dictionaries(
        st.sampled_from([*REQUEST, *HANDSHAKE, "sni", "credential"]),
        st.none() | st.text() | st.floats() | st.integers(),
    )
)
def test_no_line_whatever_is_in_it_ends_the_listener(fields: dict[str, Any]) -> None:
    fact = refusal(json.dumps(fields).encode())
    assert fact is None or fact.rule in RULES


NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    "fact",
    [
        TunnelOpened(time=NOW, service="ann-blog", key="laptop", host="ann-blog.example.com", made=True, account="ann"),
        KeyRefused(time=NOW, address="192.0.2.7", why="unknown", fingerprint="SHA256:x"),
    ],
)
def test_a_fact_of_the_ssh_server_arrives_as_it_was_sent(fact: Fact) -> None:
    assert fact_of_line(to_line(fact), HOSTS) == fact


@pytest.mark.parametrize(
    "bad",
    [
        b'{"fact": "AccountChanged", "time": "2026-01-02T00:00:00+00:00", "change": "added", "by": "me"}',
        b'{"fact": "TunnelOpened"}',
        b'{"fact": "TunnelOpened", "time": "soon", "service": "a", "key": "b"}',
        b'{"fact": "KeyRefused", "time": "2026-01-02T00:00:00+00:00", "why": "x", "more": 1}',
        b'{"fact": "',
    ],
)
def test_a_line_that_is_no_fact_of_the_ssh_server_is_left_out(bad: bytes) -> None:
    assert fact_of_line(bad, HOSTS) is None


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"why": "not_listed", "state": "PR"}, "not_listed"),
        ({"state": "SC"}, "upstream_down"),
        ({"state": "sC"}, "upstream_down"),
        ({"state": "SD"}, None),
        ({"state": "--"}, None),
    ],
)
def test_a_raw_tcp_connection_tells_its_service(changes: dict[str, str], rule: str | None) -> None:
    tcp = {"time": 1765000000.25, "id": "7", "ip": "192.0.2.7", "port": 4, "service": "db", "state": "--", "why": "-"}
    fact = refusal(line(tcp, **changes))
    assert (fact and (fact.rule, fact.detail, fact.request_id)) == (rule and (rule, "db", "7"))
