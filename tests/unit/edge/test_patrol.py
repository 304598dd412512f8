"""What HAProxy counted, told as facts: each refused connection once, whatever happens to the counters."""

import asyncio
from datetime import UTC, datetime
from typing import cast

from portward.edge.patrol import Patrol
from portward.edge.runtime import Runtime

NOW = datetime(2026, 1, 2, tzinfo=UTC)
_ROW = "0x7f00: key={key} use=0 exp=599000 shard=0 {column}={count}"


class FakeRuntime:
    def __init__(self) -> None:
        self.refused: dict[str, dict[str, int]] = {"gpc0": {}, "gpc1": {}, "conn_cnt": {}}
        self.answers: dict[str, str] = {}

    async def ask(self, command: str) -> str:
        if command in self.answers:
            return self.answers[command]
        column = command.split()[3].removeprefix("data.")
        rows = [_ROW.format(key=key, column=column, count=count) for key, count in self.refused[column].items()]
        return "\n".join(["# table: refused, type: ipv6, size:102400, used:1", *rows])


def patrol(runtime: FakeRuntime) -> Patrol:
    return Patrol(cast("Runtime", runtime))


def test_a_refused_connection_is_told_once() -> None:
    runtime = FakeRuntime()
    runtime.refused["gpc0"]["::ffff:192.0.2.7"] = 3
    runtime.refused["gpc1"]["2001:db8::"] = 1
    runtime.refused["conn_cnt"]["::ffff:198.51.100.7"] = 2
    watching = patrol(runtime)
    first = asyncio.run(watching.refused_connections(NOW))
    assert [(f.rule, f.address, f.count) for f in first] == [
        ("denied", "192.0.2.7", 3),
        ("crowded", "2001:db8::", 1),
        ("abroad", "198.51.100.7", 2),
    ]
    assert asyncio.run(watching.refused_connections(NOW)) == []
    runtime.refused["gpc0"]["::ffff:192.0.2.7"] = 5
    assert [f.count for f in asyncio.run(watching.refused_connections(NOW))] == [2]


def test_a_counter_that_began_anew_counts_from_nought() -> None:
    runtime = FakeRuntime()
    watching = patrol(runtime)
    runtime.refused["gpc0"]["192.0.2.7"] = 9
    asyncio.run(watching.refused_connections(NOW))
    runtime.refused["gpc0"]["192.0.2.7"] = 4
    assert [f.count for f in asyncio.run(watching.refused_connections(NOW))] == [4]


def test_a_session_is_active_as_long_as_its_last_request_is_young() -> None:
    runtime = FakeRuntime()
    runtime.answers["show table sessions"] = (
        "# table: sessions, type: string, size:204800, used:2\n"
        "0x1: key=young use=0 exp=590000 shard=0 http_req_rate(10000)=1\n"
        "0x2: key=old use=1 exp=500000 shard=0 http_req_rate(10000)=0\n"
    )
    assert asyncio.run(patrol(runtime).active_sessions(60)) == {"young"}
    assert asyncio.run(patrol(runtime).active_sessions(100)) == {"young", "old"}


def test_lost_lines_are_counted_for_our_rings_alone() -> None:
    runtime = FakeRuntime()
    runtime.answers["show events"] = (
        "Supported event sinks are listed below. Add -w(wait), -n(new). Any key to stop\n"
        "    buf0       : type=buffer, 0 dropped, in-memory ring buffer\n"
        "    access     : type=buffer, 17 dropped, lines\n    events     : type=buffer, 0 dropped, lines\n"
    )
    assert asyncio.run(patrol(runtime).dropped_lines()) == {"access": 17, "events": 0}
