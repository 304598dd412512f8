"""How many refusals are kept one by one: a steady scanner must not fill the store in the course of a week.

allowance = Allowance(burst=2000, per_second=5)
allowance.spend("203.0.113.7", now=12.5)      # False: over its allowance; count it instead

A token bucket for each source, and one for all together. Times are seconds of one clock.
"""

from dataclasses import dataclass, field

_MOST_SOURCES = 10_000


@dataclass(slots=True)
class Bucket:
    left: float
    at: float


@dataclass(slots=True)
class Allowance:
    burst: float = 2000
    per_second: float = 5
    burst_of_all: float = 5000
    per_second_of_all: float = 20
    _sources: dict[str, Bucket] = field(default_factory=dict)
    _all: Bucket | None = None

    def spend(self, source: str, now: float) -> bool:
        """Whether one more of this source may be kept; if so, it is counted."""
        if len(self._sources) >= _MOST_SOURCES:
            self._sources.clear()
        own = self._sources.setdefault(source, Bucket(self.burst, now))
        self._all = self._all or Bucket(self.burst_of_all, now)
        _fill(own, now, self.per_second, self.burst)
        _fill(self._all, now, self.per_second_of_all, self.burst_of_all)
        if own.left < 1 or self._all.left < 1:
            return False
        own.left -= 1
        self._all.left -= 1
        return True


def _fill(bucket: Bucket, now: float, per_second: float, burst: float) -> None:
    bucket.left = min(burst, bucket.left + (now - bucket.at) * per_second)
    bucket.at = now
