"""How far a log was read, so that a restart goes on where the last life ended.

    Position.of(file, offset=4096)       # which file it is is told by its inode and by what stands in it

An inode alone does not name a file: it is used again once the file is gone, and stays when the file is emptied. So the
position holds hashes of the file's beginning and of what stands before the offset.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

_HEAD = 512
BACK = 256
_WEAK = 16


@dataclass(frozen=True, slots=True)
class Position:
    """Where in which file; or, for the journal, after which `cursor`. `read_at`: all before that was seen."""

    read_at: datetime
    device: int = 0
    inode: int = 0
    offset: int = 0
    head: str = ""
    head_size: int = 0
    back: str = ""
    cursor: str = ""

    @classmethod
    def of(cls, file: int, offset: int, now: datetime) -> "Position":
        """`offset` in an open file. Raises `OSError`."""
        facts = os.fstat(file)
        size = min(offset, _HEAD)
        return cls(
            now,
            facts.st_dev,
            facts.st_ino,
            offset,
            digest(os.pread(file, size, 0)),
            size,
            digest(_before(file, offset)),
        )

    def moved(self, file: int, offset: int, now: datetime) -> "Position":
        """Further on in the same file."""
        if self.head_size < _HEAD:
            return Position.of(file, offset, now)
        return replace(self, read_at=now, offset=offset, back=digest(_before(file, offset)))

    @property
    def is_weak(self) -> bool:
        """Whether so little was read that its content alone does not tell the file."""
        return self.head_size < _WEAK

    def is_in(self, file: int) -> bool:
        """Whether an open file has what was read up to here."""
        facts = os.fstat(file)
        if self.is_weak and (facts.st_dev, facts.st_ino) != (self.device, self.inode):
            return False
        if facts.st_size < self.offset or digest(_before(file, self.offset)) != self.back:
            return False
        return digest(os.pread(file, self.head_size, 0)) == self.head

    def still_in(self, file: int) -> bool:
        """The same of a file that was open all the time, and may only have been emptied and filled again."""
        return os.fstat(file).st_size >= self.offset and digest(_before(file, self.offset)) == self.back

    def spell(self) -> dict[str, Any]:
        """As the store keeps it."""
        values = {slot: getattr(self, slot) for slot in self.__slots__}
        return {**values, "read_at": self.read_at.isoformat()}

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> "Position":
        """What `spell` wrote."""
        return cls(**{**values, "read_at": datetime.fromisoformat(values["read_at"]).astimezone(UTC)})


def _before(file: int, offset: int) -> bytes:
    start = max(0, offset - BACK)
    return os.pread(file, offset - start, start)


def digest(data: bytes) -> str:
    return blake2b(data, digest_size=16).hexdigest()
