"""One file that grows, is renamed, emptied and made anew.

    tail = Tail(Path("/var/log/auth.log"), positions)
    for batch in tail.read(now):
        ...                            # `tail.positions()` is where the reading stands after this batch

Nothing is lost or read twice: a file that was renamed is read to its end, and what a rotation took away while nobody
looked is found again by its content, also when it is compressed by now (see remains.py).
"""

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from portward.defense.logs.lines import Lines
from portward.defense.logs.position import Position
from portward.defense.logs.remains import remains_of

CHUNK = 64 * 1024
_LINGER = timedelta(seconds=60)
"""How long a file that was renamed may still get lines from a program that has not noticed."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Whole lines in one piece, all written after `since`."""

    chunk: bytes
    since: datetime


@dataclass(slots=True)
class Opened:
    """A file that is open. `slot`: `now` for what is at the path, `before` for what was renamed."""

    file: int
    slot: str
    lines: Lines
    leave_at: datetime | None = None


class Tail:
    """`positions`: where an earlier life ended. Without any, a `fresh` file that is there is followed from its end."""

    def __init__(self, path: Path, positions: Mapping[str, Position], *, fresh: bool = True) -> None:
        self.path = path
        self.problem = ""
        self.too_long = 0
        self._at, self._fresh = dict(positions), fresh and not positions
        self._begun = False
        self._now: Opened | None = None
        self._before: Opened | None = None

    def positions(self) -> Mapping[str, Position]:
        """By slot, as the store should keep them."""
        return dict(self._at)

    def close(self) -> None:
        for opened in (self._now, self._before):
            if opened:
                os.close(opened.file)
        self._now = self._before = None

    def read(self, now: datetime) -> Iterator[Batch]:
        """All that has come. Blocks for the disk; afterwards `problem` says what is wrong, if anything is."""
        self.problem = ""
        try:
            yield from self._read(now)
        except FileNotFoundError:
            self.problem = "there is no such file"
        except OSError as error:
            self.problem = error.strerror or str(error)

    def _read(self, now: datetime) -> Iterator[Batch]:
        if not self._begun:
            yield from self._begin(now)
        place = _identity_at(self.path)
        if self._now and place != _identity(self._now.file):
            yield from self._rename(now)
        if self._before:
            yield from self._grown(self._before, now)
            self._leave(now)
        if self._now is None:
            self._now = Opened(_open(self.path), "now", Lines())
            self._at["now"] = Position.of(self._now.file, 0, self._seen_until(now))
        yield from self._grown(self._now, now)

    def _begin(self, now: datetime) -> Iterator[Batch]:
        """Take up where an earlier life ended."""
        try:
            file = _open(self.path)
        except FileNotFoundError:
            file = -1
        try:
            yield from self._remains("before")
            if "now" in self._at and (file < 0 or not self._at["now"].is_in(file)):
                yield from self._remains("now")
                self._at["before"] = self._at.pop("now")
            elif "now" in self._at:
                self._now = Opened(file, "now", Lines())
            elif file >= 0 and self._fresh:
                self._now = self._at_end(file, now)
            self._begun = True
        finally:
            if file >= 0 and self._now is None:
                os.close(file)

    def _at_end(self, file: int, now: datetime) -> Opened:
        size = os.fstat(file).st_size
        self._at["now"] = Position.of(file, size, now)
        inside = size > 0 and os.pread(file, 1, size - 1) != b"\n"
        return Opened(file, "now", Lines(inside=inside))

    def _rename(self, now: datetime) -> Iterator[Batch]:
        """Another file is at the path: finish with the one before the last, and keep the last one open for a while."""
        if self._before:
            yield from self._grown(self._before, now)
            os.close(self._before.file)
        self._before, self._now = self._now, None
        if self._before:
            self._before.slot, self._before.leave_at = "before", now + _LINGER
            self._at["before"] = self._at.pop("now")

    def _leave(self, now: datetime) -> None:
        if self._before and self._before.leave_at and now >= self._before.leave_at:
            os.close(self._before.file)
            self._before = None

    def _seen_until(self, now: datetime) -> datetime:
        return self._at["before"].read_at if "before" in self._at else now

    def _grown(self, opened: Opened, now: datetime) -> Iterator[Batch]:
        """What has come to a file, and before that what was copied away when it was emptied (`copytruncate`)."""
        slot = opened.slot
        if not self._at[slot].still_in(opened.file):
            since = self._at[slot].read_at
            yield from self._remains(slot)
            opened.lines = Lines()
            self._at[slot] = Position.of(opened.file, 0, since)
        since = self._at[slot].read_at
        while data := os.pread(opened.file, CHUNK, self._at[slot].offset):
            at = self._at[slot]
            if data[0] == 0 and (hole := _end_of_hole(opened.file, at.offset, data)) > at.offset:
                self._at[slot] = at.moved(opened.file, hole, since)
                continue
            too_long = opened.lines.too_long
            cut = opened.lines.cut(data)
            self.too_long += opened.lines.too_long - too_long
            is_end = len(data) < CHUNK
            if cut.used:
                self._at[slot] = at.moved(opened.file, at.offset + cut.used, now if is_end else since)
            if cut.chunk:
                yield Batch(cut.chunk, since)
            if is_end:
                break
        else:
            self._at[slot] = replace(self._at[slot], read_at=now)

    def _remains(self, slot: str) -> Iterator[Batch]:
        if slot in self._at:
            since = self._at[slot].read_at
            for chunk, position in remains_of(self.path, self._at[slot]):
                self._at[slot] = position
                yield Batch(chunk, since)


def _open(path: Path) -> int:
    """Raises `OSError`, also for what is no plain file."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(0, "is no plain file")
    return file


def _identity(file: int) -> tuple[int, int]:
    facts = os.fstat(file)
    return facts.st_dev, facts.st_ino


def _identity_at(path: Path) -> tuple[int, int] | None:
    try:
        facts = path.stat()
    except FileNotFoundError:
        return None
    return facts.st_dev, facts.st_ino


def _end_of_hole(file: int, offset: int, data: bytes) -> int:
    """A program that goes on writing where it was after its log was emptied leaves a hole, which reads as zeros."""
    text = data.lstrip(b"\0")
    if text:
        return offset + len(data) - len(text)
    try:
        return max(os.lseek(file, offset, os.SEEK_DATA), offset + len(data))
    except OSError:
        return offset + len(data)
