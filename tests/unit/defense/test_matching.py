"""Lines of logs: who is to blame, and that nobody else ever is."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.defense.carriers import CARRIERS, line_of
from tests.unit.defense.forging import forged, told
from tests.unit.defense.loglines import BLAMED, FORGED, UNBLAMED, V6, A, B

from portward.config.logpatterns import Pattern
from portward.config.shipped import shipped, shipped_names
from portward.config.templates import Field, Template, node_of
from portward.defense.logs.count import Count
from portward.defense.logs.matching import LONGEST, Finding, Matcher, canonical
from portward.defense.logs.scan import scan
from portward.defense.logs.stamps import parse_stamp
from portward.facts import HostLoginFailed, LogMatched

NOW = datetime(2026, 11, 20, 19, 5, 10, tzinfo=UTC)
MATCHERS = {name: Matcher(name, shipped(name), host=shipped(name).host) for name in shipped_names()}


def read(name: str, line: str) -> Finding | None:
    (found,) = [*scan(line.encode() + b"\n", [MATCHERS[name]])] or [None]
    return found


def cases(table: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(name, line) for name, lines in table.items() for line in lines]


@pytest.mark.parametrize(("name", "line", "address", "user"), [(n, *case) for n, cs in BLAMED.items() for case in cs])
def test_whoever_failed_is_found(name: str, line: str, address: str, user: str) -> None:
    finding = read(name, line)
    assert finding is not None
    assert (finding.address, finding.user, finding.doubtful) == (address, user, False)


@pytest.mark.parametrize("name", shipped_names())
def test_each_shipped_pattern_is_shown_by_real_lines(name: str) -> None:
    assert name in BLAMED


@pytest.mark.parametrize(("name", "line"), cases(UNBLAMED))
def test_what_is_no_failure_counts_for_nothing(name: str, line: str) -> None:
    assert read(name, line) is None


@pytest.mark.parametrize(("name", "line"), cases(FORGED))
def test_a_forged_line_blames_its_author_or_nobody(name: str, line: str) -> None:
    finding = read(name, line)
    assert finding is None or finding.address == A or (finding.doubtful and finding.address == "")


TEMPLATES = [
    (name, template)
    for name in shipped_names()
    for template in shipped(name).templates
    if template.has("address") and name != "nextcloud"
]


@settings(max_examples=1000, deadline=None)
@given(case=st.sampled_from(TEMPLATES), choice=st.integers(0, 5), data=st.data())
def test_whatever_is_typed_nobody_else_is_blamed(case: tuple[str, Template], choice: int, data: st.DataObject) -> None:
    name, template = case
    matcher = MATCHERS[name]
    line = told(template, A, *data.draw(st.lists(forged(name), min_size=1, max_size=3)), choice=choice)
    if matcher.programs:
        line = f"2026-11-20T19:05:03Z gate {min(matcher.programs)}[1]: {line}"
    for finding in scan(line.encode() + b"\n", [matcher]):
        assert finding.address in ({A} if not finding.doubtful else {""})


@pytest.mark.parametrize("name", shipped_names())
def test_programs_that_write_what_clients_choose_are_known_of_each_shipped_pattern(name: str) -> None:
    assert CARRIERS[name]


@pytest.mark.parametrize("name", shipped_names())
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_name_path_agent_or_referer_blames_somebody_else(name: str, data: st.DataObject) -> None:
    """Whatever stands in it, and whether the line tells of a failure at all."""
    address = data.draw(st.sampled_from([A, V6]))
    texts = data.draw(st.lists(forged(name), min_size=1, max_size=4))
    line = line_of(name, data.draw(st.sampled_from(CARRIERS[name])), address, texts)
    for finding in scan(line.replace("\n", " ").encode() + b"\n", [MATCHERS[name]]):
        assert finding.address in ({address} if not finding.doubtful else {""}), line


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(sorted(MATCHERS)))
def test_no_bytes_stop_the_reading(data: bytes, name: str) -> None:
    words = b" ".join(needle for needle, _ in MATCHERS[name].needles)
    list(scan(words + data + b"\n", list(MATCHERS.values())))


@pytest.mark.parametrize("name", shipped_names())
def test_a_line_of_the_greatest_length_takes_no_time(name: str) -> None:
    """Made of everything that a description begins with, so that it is tried over and over."""
    matcher = MATCHERS[name]
    for template in shipped(name).templates:
        bait = told(template, B, "x")[:200]
        line = f"2026-11-20T19:05:03Z gate {min(matcher.programs, default='x')}[1]: " if matcher.programs else ""
        line += told(template, A, (bait * LONGEST)[: LONGEST // 3])[:LONGEST] + "x"
        began = time.perf_counter()
        matcher.read(line[:LONGEST])
        assert time.perf_counter() - began < 1


def test_several_patterns_may_read_one_file() -> None:
    text = BLAMED["sshd"][0][0] + "\n" + BLAMED["postfix"][0][0] + "\nnothing\n"
    assert [found.pattern for found in scan(text.encode(), [MATCHERS["sshd"], MATCHERS["postfix"]])] == [
        "sshd",
        "postfix",
    ]


def test_a_message_alone_is_read_where_the_log_is_said_to_have_no_header() -> None:
    bare = Matcher("sshd", shipped("sshd"), header=False)
    line = f"Failed password for root from {A} port 50273 ssh2"
    assert next(scan(line.encode() + b"\r\n", [bare])).address == A


def test_lines_with_an_address_that_is_none_blame_nobody() -> None:
    own = Matcher("own", Pattern.model_validate({"lines": ["failed: {address} tried"]}))
    assert [*scan(b"failed: 1.2.3.4 tried\nfailed: :::: tried\nfailed: 1:2 tried\n", [own])] == [
        own.read("failed: 1.2.3.4 tried")
    ]


@pytest.mark.parametrize(
    ("spelt", "address"),
    [("::ffff:203.0.113.7", A), ("2001:DB8:0::7", "2001:db8::7"), ("203.0.113.07", None), ("x", None)],
)
def test_an_address_has_one_spelling(spelt: str, address: str | None) -> None:
    assert canonical(spelt) == address


def told_facts(lines: list[str]) -> int:
    """With a kill after each line."""
    count, told = Count("auth"), 0
    for line in lines:
        finding = read("sshd", line)
        assert finding is not None
        told += len(count.facts(finding, NOW, NOW))
        count = Count.read("auth", count.spell())
    return told


SSHD = "Nov 20 19:05:03 gate sshd[812]: "


@pytest.mark.parametrize(
    ("lines", "attempts"),
    [
        ([f"Invalid user x from {A} port 1", f"Failed password for invalid user x from {A} port 1 ssh2"], 1),
        ([f"Invalid user x from {A} port 1", f"Connection closed by invalid user x {A} port 1 [preauth]"], 1),
        ([f"Failed password for x from {A} port 1 ssh2"] * 3, 3),
        (
            [
                *[f"Failed password for x from {A} port 1 ssh2"] * 6,
                f"error: maximum authentication attempts exceeded for x from {A} port 1 ssh2 [preauth]",
                f"Disconnecting authenticating user x {A} port 1: Too many authentication failures [preauth]",
            ],
            6,
        ),
        (
            [
                f"error: PAM: Authentication failure for x from {A}",
                f"Failed keyboard-interactive/pam for x from {A} port 1 ssh2",
            ],
            2,
        ),
        ([f"Connection closed by authenticating user x {A} port {port} [preauth]" for port in range(4)], 4),
        ([f"Connection closed by authenticating user x {A} port 1 [preauth]"] * 4, 4),
        ([f"Invalid user x from {A} port 1", f"Connection closed by invalid user x {A} port 1 [preauth]"] * 3, 3),
        ([f"message repeated 4 times: [ Failed password for x from {A} port 1 ssh2]"], 4),
        ([f"message repeated 9999 times: [ Failed password for x from {A} port 1 ssh2]"], 20),
    ],
)
def test_several_lines_about_one_attempt_count_once(lines: list[str], attempts: int) -> None:
    assert told_facts([SSHD + line for line in lines]) == attempts


def test_a_fact_tells_of_the_machine_itself_or_of_another_program() -> None:
    (ssh,) = Count("auth").facts(Finding("sshd", "sshd", A, "ann", host=True), NOW, NOW)
    (web,) = Count("web").facts(Finding("access", "", A, "ann"), NOW, NOW)
    assert ssh == HostLoginFailed(time=NOW, address=A, program="sshd", log="auth", user="ann")
    assert web == LogMatched(time=NOW, address=A, log="web", pattern="access", user="ann")


@pytest.mark.parametrize(
    ("stamp", "at"),
    [
        ("2026-11-20T19:04:00Z", datetime(2026, 11, 20, 19, 4, tzinfo=UTC)),
        ("2026-11-20T18:00:00Z", NOW - timedelta(minutes=30)),
        ("2030-01-01T00:00:00Z", NOW),
        ("", NOW),
        ("nonsense", NOW),
    ],
)
def test_a_lines_own_time_counts_between_the_last_look_and_now(stamp: str, at: datetime) -> None:
    (fact,) = Count("web").facts(Finding("access", "", A, stamp=stamp), NOW - timedelta(minutes=30), NOW)
    assert fact.time == at


@pytest.mark.parametrize(
    "stamp",
    [
        "2026-11-20T19:05:03.5Z",
        "2026-11-20T20:05:03+01:00",
        "2026-11-20 20:05:03,500 +0100",
        "2026-11-20 19:05:03.123 +00:00",
        "2026-11-20 19:05:03 UTC",
        "20/Nov/2026:20:05:03 +0100",
        "20-Nov-2026 18:05:03 -0100",
        "1795201503",
    ],
)
def test_times_are_read_with_their_zone(stamp: str) -> None:
    assert parse_stamp(stamp, NOW) == datetime(2026, 11, 20, 19, 5, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    "stamp",
    ["Nov 20 19:05:03", "Fri Nov 20 19:05:03.123456 2026", "2026/11/20 19:05:03", "20/Nov/2026:19:05:03.608"],
)
def test_times_without_a_zone_are_the_machines_own(stamp: str) -> None:
    assert parse_stamp(stamp, NOW) == datetime(2026, 11, 20, 19, 5, 3).astimezone(UTC)


def test_a_time_without_a_year_is_the_last_one() -> None:
    assert parse_stamp("Dec 30 23:59:58", NOW) == datetime(2025, 12, 30, 23, 59, 58).astimezone(UTC)


@pytest.mark.parametrize(
    "stamp", ["Feb 29 10:00:00", "2026-02-30 10:00:00", "Foo 20 19:05:03", "x", "99/Nov/2026:19:05:03"]
)
def test_a_time_that_never_was_is_none(stamp: str) -> None:
    assert parse_stamp(stamp, NOW) is None


@given(st.from_regex(node_of(Field("time")).regex, fullmatch=True))
def test_no_time_stops_the_reading(stamp: str) -> None:
    shown = parse_stamp(stamp, NOW)
    assert shown is None or shown.tzinfo is not None


@pytest.mark.parametrize(
    "stamp", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "2026-11-20T19:05:03+99:99"]
)
def test_a_time_beyond_all_calendars_is_none(stamp: str) -> None:
    assert parse_stamp(stamp, NOW) is None


def test_half_a_character_in_json_can_be_kept() -> None:
    own = Pattern.model_validate({"json": {"address": "ip", "name": "user", "where": {"ok": "false"}}})
    finding = Matcher("own", own).read('{"ip":"203.0.113.7","user":"a\\ud800","ok":false}')
    assert finding is not None
    (fact,) = Count("own").facts(finding, NOW, NOW)
    assert fact.user == "a?"
