"""What shadow bans would have refused, counted from access logs."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from portward.watch.shadows import Shadow, Shadows, access_logs

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
STRANGER = "203.0.113.7"
LOGIN = Shadow("login", STRANGER, NOON, NOON + HOUR)


def line(address: str = STRANGER, at: datetime = NOON, **fields: Any) -> bytes:
    given = {"time": at.timestamp(), "id": "17-1-1", "ip": address, "account": "-", "why": "-", **fields}
    return json.dumps(given, separators=(",", ":")).encode() + b"\n"


def counted(*lines: bytes, shadows: tuple[Shadow, ...] = (LOGIN,)) -> Shadows:
    of = Shadows(shadows)
    of.count(lines)
    return of


def test_requests_of_the_source_while_it_would_have_been_banned_count() -> None:
    of = counted(
        line(at=NOON - HOUR), line(), line(at=NOON + HOUR / 2, account="ann"), line(at=NOON + HOUR), line("203.0.113.8")
    )
    toll = of.tolls["login"]
    assert (toll.requests, toll.of_accounts, dict(toll.accounts), toll.samples) == (2, 1, {"ann": 1}, ["17-1-1"])


def test_what_another_rule_refused_is_told_apart() -> None:
    toll = counted(line(why="no_session"), line(why=""), line()).tolls["login"]
    assert (toll.requests, toll.anyway) == (3, 1)


def test_a_request_under_two_shadows_counts_for_both_and_once_in_all() -> None:
    probe = Shadow("probe", "203.0.113.0/24", NOON, NOON + HOUR)
    of = counted(line(), line("203.0.113.9"), shadows=(LOGIN, probe, LOGIN))
    assert (of.tolls["login"].requests, of.tolls["probe"].requests, of.total.requests) == (1, 2, 2)


def test_an_ipv6_network_holds_its_addresses() -> None:
    shadow = Shadow("login", "2001:db8:0:1::/64", NOON, NOON + HOUR)
    assert counted(line("2001:db8:0:1::5"), line("2001:db8:0:2::5"), shadows=(shadow,)).total.requests == 1


def test_a_connection_without_a_request_is_none() -> None:
    connection = b'{"time":%d,"ip":"%s","port":1,"code":34}\n' % (NOON.timestamp(), STRANGER.encode())
    assert counted(connection, b"torn", b'{"ip":"203.0.113.7"', b"").total.requests == 0


@given(agent=st.text() | st.just('","ip":"203.0.113.7","account":"ann'))
def test_nobody_can_write_himself_another_address(agent: str) -> None:
    assert counted(line("198.51.100.9", agent=agent)).total.requests == 0


def test_only_files_that_may_hold_something_of_the_time_are_read_in_their_order(tmp_path: Path) -> None:
    for name, at in {
        "access-1.log": NOON - HOUR,
        "access-2.log": NOON,
        "access.log": NOON + HOUR,
        "b.log": NOON,
    }.items():
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (at.timestamp(), at.timestamp()))
    found = access_logs(tmp_path / "access.log", NOON - HOUR / 2)
    assert [file.name for file in found] == ["access-2.log", "access.log"]
