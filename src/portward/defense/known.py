"""Which sources somebody has, at 8 bytes each: a million of them in the place of one large page.

    known = Known()
    known.add(["203.0.113.7"])
    "203.0.113.7" in known                      # True

Two sources may be taken for each other, once in a billion; that costs a needless command, and nothing else.
"""

from array import array
from bisect import bisect_left, insort
from collections.abc import Collection

_ONE_BY_ONE = 100


class Known:
    def __init__(self) -> None:
        self._digests = array("q")
        self._sorted = True

    def __len__(self) -> int:
        return len(self._digests)

    def __contains__(self, source: str) -> bool:
        return self._find(hash(source)) is not None

    def add(self, sources: Collection[str]) -> None:
        """Sources that are not in it."""
        if len(sources) > _ONE_BY_ONE:
            self._digests.extend(map(hash, sources))
            self._sorted = False
        else:
            self._sort()
            for source in sources:
                insort(self._digests, hash(source))

    def drop(self, sources: Collection[str]) -> None:
        """Those that are not in it don't matter."""
        if len(sources) > _ONE_BY_ONE:
            gone = set(map(hash, sources))
            self._digests = array("q", (digest for digest in self._digests if digest not in gone))
        else:
            for source in sources:
                if (at := self._find(hash(source))) is not None:
                    del self._digests[at]

    def _find(self, digest: int) -> int | None:
        self._sort()
        at = bisect_left(self._digests, digest)
        return at if at < len(self._digests) and self._digests[at] == digest else None

    def _sort(self) -> None:
        if not self._sorted:
            self._digests = array("q", sorted(self._digests))
            self._sorted = True
