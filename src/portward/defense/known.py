"""Which sources somebody has, at 8 bytes each: a million of them in the place of one large page.

    known = Known()
    known.add(["203.0.113.7"])
    "203.0.113.7" in known                      # True

Two sources may be taken for each other, once in a billion; that costs a needless command, and nothing else.
"""

from array import array
from bisect import bisect_left, insort
from collections.abc import Collection, Iterable
from hashlib import blake2b

_ONE_BY_ONE = 100


class Known:
    def __init__(self) -> None:
        self._digests = array("Q")

    def __len__(self) -> int:
        return len(self._digests)

    def __contains__(self, source: str) -> bool:
        digest = _digest(source)
        at = bisect_left(self._digests, digest)
        return at < len(self._digests) and self._digests[at] == digest

    def add(self, sources: Collection[str]) -> None:
        """Sources that are not in it."""
        if len(sources) > _ONE_BY_ONE:
            self._digests = array("Q", sorted([*self._digests, *map(_digest, sources)]))
        else:
            for source in sources:
                insort(self._digests, _digest(source))

    def drop(self, sources: Iterable[str]) -> None:
        gone = {_digest(source) for source in sources}
        self._digests = array("Q", (digest for digest in self._digests if digest not in gone))


def _digest(source: str) -> int:
    return int.from_bytes(blake2b(source.encode(), digest_size=7).digest(), "big")
