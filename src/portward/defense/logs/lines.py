"""Bytes of a file, cut into lines that are whole.

    lines = Lines()
    lines.cut(b"one\\ntwo\\nthr")        # Cut(chunk=b'one\\ntwo\\n', used=8)

Only a line feed ends a line: every other byte may come from an attacker. What has no end yet is left for later, since
the first half of a line may name another address than the whole.
"""

from dataclasses import dataclass

from portward.defense.logs.matching import LONGEST


@dataclass(frozen=True, slots=True)
class Cut:
    """Whole lines in one piece, and how many bytes of what was given are done with."""

    chunk: bytes
    used: int


class Lines:
    """Remembers whether the end of a line that was too long is still awaited."""

    def __init__(self, *, inside: bool = False) -> None:
        self._skipping = inside
        """The reading begins in the middle of a line, whose rest is no line."""
        self.too_long = 0

    def cut(self, data: bytes) -> Cut:
        """The whole lines at the beginning of `data`."""
        start = 0
        if self._skipping:
            end = data.find(b"\n")
            if end < 0:
                return Cut(b"", len(data))
            self._skipping, start = False, end + 1
        last = data.rfind(b"\n") + 1
        if last <= start and len(data) - start > LONGEST:
            self._skipping, self.too_long = True, self.too_long + 1
            return Cut(b"", len(data))
        end = max(last, start)
        return Cut(data[start:end], end)
