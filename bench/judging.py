"""How many facts the guard judges in a second, and how much memory a flood of sources takes: `python -m bench judging`.

One core, no store and no edge: what HAProxy's lines cost the keeper until a verdict waits for the ledger.
"""

import asyncio
import json
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from ipaddress import IPv4Address

from portward.config import Settings
from portward.defense.guard import Guard
from portward.defense.ledger import Outcome, Wish
from portward.edge.events import fact_of_line
from portward.facts import Fact, LoginFailed

_FACTS = 30_000
_HOSTS = frozenset({"wiki.example.com"})
_FIRST = int(IPv4Address("45.0.0.0"))


class _NoLedger:
    async def ban_all(self, wishes: Iterable[Wish], by: str) -> Outcome:
        return Outcome([], [])

    async def earlier(self, source: str) -> int:
        return 0

    async def by_reason(self) -> dict[str, int]:
        return {}


async def _forget(fact: Fact) -> None:
    """What a shadow would have recorded."""


def _guard() -> Guard:
    settings = Settings()
    return Guard(_NoLedger(), _forget, lambda: settings, lambda: _HOSTS, lambda: datetime.now(UTC))


def _line(number: int, sources: int) -> bytes:
    fields = {
        "time": time.time(),
        "id": f"{number}-1-1",
        "ip": str(IPv4Address(_FIRST + number % sources)),
        "host": "wiki.example.com",
        "route": "wiki",
        "account": "-",
        "method": "GET",
        "path": f"/assets/{number}/thumbnail",
        "status": 404,
        "state": "--",
        "why": "",
        "credential": "",
        "errors": "9",
        "requests": "10",
    }
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


def _per_second(work: Callable[[], object], count: int) -> int:
    began = time.process_time()
    work()
    return round(count / (time.process_time() - began))


def _hear(guard: Guard, facts: Sequence[Fact]) -> None:
    for fact in facts:
        guard.hear((fact,))


def _read_and_hear(guard: Guard, lines: Sequence[bytes]) -> None:
    for line in lines:
        if fact := fact_of_line(line, _HOSTS):
            guard.hear((fact,))


async def _figures() -> dict[str, int]:
    now = datetime.now(UTC)
    lines = [_line(number, 20_000) for number in range(_FACTS)]
    logins = [
        LoginFailed(time=now, address=str(IPv4Address(_FIRST + number)), account="ann", reason="password")
        for number in range(_FACTS)
    ]
    found = {
        "lines of errors read and judged in a second": _per_second(lambda: _read_and_hear(_guard(), lines), _FACTS),
        "failed logins judged in a second, each of another source": _per_second(
            lambda: _hear(_guard(), logins), _FACTS
        ),
    }
    tracemalloc.start()
    guard = _guard()
    _hear(guard, logins)
    found["MB kept of a flood of 30,000 sources"] = round(tracemalloc.get_traced_memory()[0] / 1e6)
    tracemalloc.stop()
    return found


def main(arguments: Sequence[str]) -> int:
    if arguments:
        print("usage: python -m bench judging", file=sys.stderr)
        return 2
    for name, value in asyncio.run(_figures()).items():
        print(f"{value:>9,}  {name}")
    return 0
