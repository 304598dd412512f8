"""What HAProxy counted by itself: who is active, who was dropped before TLS, and whether log lines were lost.

    patrol = Patrol(runtime, allowed=...)
    facts = await patrol.refused_connections(now)
    ids = await patrol.active_sessions(within_seconds=60)

A connection that gate 2 drops leaves no log line, so that a flood costs nothing; its count does the telling.
"""

import csv
import re
from collections.abc import Mapping
from datetime import datetime

from portward.edge.refusals import DEVICE_RULES, RULES
from portward.edge.runtime import Runtime
from portward.facts import RequestRefused

_TABLE_MS = 600_000
"""Life of an entry in the stick tables (see haproxy.cfg.j2)."""
_RULES = {"gpc0": ("refused", "denied"), "gpc1": ("refused", "crowded"), "conn_cnt": ("abroad", "abroad")}
_RINGS = ("access", "events")


class Patrol:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._seen: dict[tuple[str, str], int] = {}

    async def refused_connections(self, now: datetime) -> list[RequestRefused]:
        """Connections that gate 2 dropped since the last call: one fact per source and rule, with its count."""
        counts = await self._counts()
        facts = [
            RequestRefused(time=now, gate=RULES[rule].gate, rule=rule, address=address, count=count - before)
            for (address, rule), count in counts.items()
            if count > (before := self._before(address, rule, count))
        ]
        self._seen = counts
        return facts

    async def active_sessions(self, within_seconds: float) -> set[str]:
        """Ids of sessions that made a request within this time (up to ten minutes)."""
        return await self._active("sessions", within_seconds)

    async def active_devices(self, within_seconds: float) -> set[str]:
        """Fingerprints of devices that made a request within this time. Only where a route asks for devices."""
        return await self._active("devices", within_seconds)

    async def refused_devices(self) -> dict[str, int]:
        """Requests that each rule about devices refused since HAProxy started; without refused handshakes."""
        rows = list(csv.DictReader((await self._runtime.ask("show stat -1 2 -1")).splitlines()))
        counts = {row["# pxname"].removeprefix("refuse_"): int(row["stot"] or 0) for row in rows}
        return {rule: counts[rule] for rule in DEVICE_RULES if counts.get(rule)}

    async def _active(self, table: str, within_seconds: float) -> set[str]:
        rows = await self._runtime.ask(f"show table {table}")
        entries = re.findall(r"key=(\S+) use=\d+ exp=(\d+)", rows)
        return {key for key, left in entries if _TABLE_MS - int(left) <= within_seconds * 1000}

    async def dropped_lines(self) -> Mapping[str, int]:
        """Lines that each ring had to drop since HAProxy started."""
        answer = await self._runtime.ask("show events")
        rows = re.findall(r"^\s*(\w+)\s*:.*?(\d+) dropped", answer, re.MULTILINE)
        return {name: int(count) for name, count in rows if name in _RINGS}

    async def _counts(self) -> dict[tuple[str, str], int]:
        counts = {}
        for column, (table, rule) in _RULES.items():
            rows = await self._runtime.ask(f"show table {table} data.{column} gt 0")
            for address, count in re.findall(rf"key=(\S+) .*?{column}=(\d+)", rows):
                counts[address.removeprefix("::ffff:"), rule] = int(count)
        return counts

    def _before(self, address: str, rule: str, count: int) -> int:
        """The count of the last call; 0 where the table forgot the source meanwhile, or HAProxy restarted."""
        before = self._seen.get((address, rule), 0)
        return before if before <= count else 0
