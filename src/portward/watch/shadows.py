"""What bans that were not made would have refused: the access log, beside the shadows of detectors and lists.

    shadows = Shadows([Shadow("login", "203.0.113.7", since, until)])
    for file in access_logs(state.access_log, since):
        with file.open("rb") as lines:
            shadows.count(lines)
    shadows.tolls["login"].requests         # 37

The access log holds each request that came as far as gate 4, with the account of whoever was logged in, so that nothing
needs to be counted while requests pass.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from portward.defense.sources import sources_of

_ADDRESS = b'"ip":"'
_MOST_SAMPLES = 5


@dataclass(frozen=True, slots=True)
class Shadow:
    """A detector would have banned `source`, as `model.Ban` spells it, for this time."""

    detector: str
    source: str
    since: datetime
    until: datetime


@dataclass(slots=True)
class Toll:
    """What a ban, or all of a detector, would have refused. `anyway`: of those, what another rule refused as well.

    `samples` are ids of some requests by accounts, to look them up in the access log.
    """

    requests: int = 0
    anyway: int = 0
    accounts: Counter[str] = field(default_factory=Counter)
    samples: list[str] = field(default_factory=list)

    @property
    def of_accounts(self) -> int:
        return self.accounts.total()

    def add(self, line: dict[str, Any]) -> None:
        self.requests += 1
        self.anyway += line.get("why", "-") not in ("", "-")
        if (account := line.get("account", "-")) not in ("", "-"):
            self.accounts[account] += 1
            if len(self.samples) < _MOST_SAMPLES:
                self.samples.append(str(line["id"]))


class Shadows:
    """`tolls` by detector, and by `list NAME`; `total` counts a request once, however many of them it concerns.

    `list_of` names the list that an address stands on, if there is one; its requests count whenever they came.
    """

    def __init__(self, shadows: Iterable[Shadow], list_of: Callable[[str], str] = lambda address: "") -> None:
        self._list_of = list_of
        self._by_source: dict[str, list[Shadow]] = {}
        self._by_address: dict[str, tuple[tuple[Shadow, ...], str]] = {}
        self.listed: dict[str, set[str]] = {}
        self.total = Toll()
        self.tolls: dict[str, Toll] = {}
        for shadow in shadows:
            self._by_source.setdefault(shadow.source, []).append(shadow)
            self.tolls.setdefault(shadow.detector, Toll())

    def count(self, lines: Iterable[bytes]) -> None:
        """Count the requests of an access log that a shadow lies on. Lines that can't be read are passed over."""
        for line in lines:
            shadows, name = self._over(_address_of(line))
            if shadows or name:
                with suppress(ValueError, TypeError, KeyError):
                    self._count(json.loads(line), shadows, name)

    def _count(self, line: dict[str, Any], shadows: tuple[Shadow, ...], name: str) -> None:
        time = float(line["time"])
        if "id" not in line:
            return  # a connection that never became a request
        by = {one.detector for one in shadows if one.since.timestamp() <= time < one.until.timestamp()}
        if name:
            by.add(f"list {name}")
            self.listed.setdefault(f"list {name}", set()).add(str(line["ip"]))
        for toll in (*(self.tolls.setdefault(one, Toll()) for one in by), *([self.total] if by else [])):
            toll.add(line)

    def _over(self, address: str) -> tuple[tuple[Shadow, ...], str]:
        if address not in self._by_address:
            sources = set(sources_of(address))
            shadows = tuple(shadow for source in sources for shadow in self._by_source.get(source, ()))
            found = shadows, self._list_of(address)
            if len(self._by_address) > 100_000:
                self._by_address.clear()
            self._by_address[address] = found
        return self._by_address[address]


def access_logs(current: Path, since: datetime) -> Iterator[Path]:
    """The access log files that may hold something of this time or later, oldest first."""
    rotated = sorted(current.parent.glob(f"{current.stem}-*{current.suffix}"))
    for file in (*rotated, current):
        with suppress(FileNotFoundError):  # pruned meanwhile, or nothing was written yet
            if file.stat().st_mtime >= since.timestamp():
                yield file


def _address_of(line: bytes) -> str:
    """What follows the first `"ip":"`; before it stands nothing that a client wrote, and in a text it is escaped."""
    _, _, rest = line.partition(_ADDRESS)
    return rest[:46].partition(b'"')[0].decode("ascii", "replace")
