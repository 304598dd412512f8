"""How often a source is told of for one reason: enough for the keeper to judge it by, and no flood.

    quota = Quota()
    quota.spend(("203.0.113.7", "unknown"), now=12.5)       # False: it was told of often enough just now

Times are seconds of one clock.
"""

from dataclasses import dataclass, field

SECONDS = 60.0
AT_MOST = 20
_SOURCES = 1000


@dataclass(slots=True)
class Quota:
    _told: dict[tuple[str, str], tuple[float, int]] = field(default_factory=dict)
    """By source and reason: since when, and how often."""

    def spend(self, what: tuple[str, str], now: float) -> bool:
        """Whether this may be told once more; if so, it is counted. Over so many sources all are forgotten."""
        if len(self._told) >= _SOURCES:
            self._told = {one: told for one, told in self._told.items() if now - told[0] < SECONDS}
        if len(self._told) >= _SOURCES:
            self._told.clear()
        since, times = self._told.get(what, (now, 0))
        if now - since >= SECONDS:
            since, times = now, 0
        self._told[what] = since, min(times + 1, AT_MOST)
        return times < AT_MOST
