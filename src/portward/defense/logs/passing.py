"""Passes on what lines told, together with how far was read, and keeps account of it.

passing = Passing(tally, positions, deliver, clock)
await passing.on(facts, {("auth", "/var/log/auth.log", "now"): position})
"""

import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from portward.defense.logs.count import Count
from portward.defense.logs.position import Position
from portward.errors import StoreError
from portward.facts import Fact, LogUnreadable

log = logging.getLogger(__name__)

Key = tuple[str, str, str]
"""A log's name, the path or `journal`, and the slot (see tail.py)."""
Deliver = Callable[[Sequence[Fact], Mapping[Key, Mapping[str, Any]]], Awaitable[None]]
"""Has facts judged, and keeps them and the positions in one step. Raises `StoreError`."""
COUNTED = "counted"
"""The slot of what was counted lately, which is no position."""
_KEEP_EACH = 10.0
"""Seconds between two records of how far was read, where lines tell nothing."""
_TURNS = 3
"""A problem that passes within so many looks is none: in a rotation, a file is away for a moment."""


@dataclass(slots=True)
class Tally:
    """What became of one log since the keeper started. `lines` are those of files: a journal selects by itself."""

    log: str
    place: str
    lines: int = 0
    matched: int = 0
    doubtful: int = 0
    too_long: int = 0
    problem: str = ""


class Passing:
    """`positions` is what all readers know of how far was read; it is shared, and outlives a change of settings."""

    def __init__(
        self,
        tally: Tally,
        count: Count,
        positions: dict[Key, Position],
        deliver: Deliver,
        clock: Callable[[], datetime],
    ) -> None:
        self.tally, self.count = tally, count
        self._positions, self._deliver, self._clock = positions, deliver, clock
        self._unkept: dict[Key, Position] = {}
        self._kept_at = time.monotonic()
        self._problems: dict[str, tuple[int, str]] = {}

    async def on(self, facts: Sequence[Fact], reached: Mapping[Key, Position]) -> None:
        """Positions without facts may be kept later: the lines before them told nothing."""
        self._positions.update(reached)
        self._unkept.update(reached)
        if facts or time.monotonic() - self._kept_at > _KEEP_EACH:
            await self.keep(facts)

    async def keep(self, facts: Sequence[Fact] = ()) -> None:
        """Keep what is not kept yet. What can't be kept is judged all the same."""
        if not facts and not self._unkept:
            return
        self._kept_at = time.monotonic()
        try:
            reached = {key: position.spell() for key, position in self._unkept.items()}
            await self._deliver(facts, {**reached, (self.tally.log, "", COUNTED): self.count.spell()})
            self._unkept = {}
        except StoreError as error:
            log.warning("how far %s was read is not kept: %s", self.tally.log, error)

    async def tell_problem(self, place: str, problem: str) -> None:
        """Say once that a place can't be read, and once that it can be again."""
        turns, _ = self._problems.pop(place, (0, ""))
        if problem:
            self._problems[place] = turns + 1, f"{place}: {problem}"
        self.tally.problem = "; ".join(said for _, said in self._problems.values())
        if (problem and turns + 1 == _TURNS) or (not problem and turns >= _TURNS):
            await self.keep([LogUnreadable(time=self._clock(), log=self.tally.log, place=place, problem=problem)])
