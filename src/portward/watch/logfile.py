"""A log file that takes whole lines in large writes, rotates at line ends, and survives a full disk.

log = LogFile(state.access_log, Retention(), complain=print, clock=time.time)
log.append(memoryview(b'{"a":1}\\n'))
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

from portward.watch.retention import Retention

_RETRY_SECONDS = 1.0
"""How often a file that can't be opened is tried again."""
_LOOK_SECONDS = 5.0
"""How often we look whether somebody has moved or removed the file."""


class LogFile:
    """The current file and its rotated ones, `access-20260131T235959.log`, in one directory.

    A write that fails is told once to `complain`, its lines are counted, and what was half written is cut off again;
    when writing works again, that is told too, with the count. `clock` gives seconds since the epoch.
    """

    def __init__(
        self,
        path: Path,
        retention: Retention,
        *,
        complain: Callable[[str], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.retention = retention
        self.lost = 0
        """Lines that could not be written since the start."""
        self._path = path
        self._complain = complain
        self._clock = clock
        self._handle = -1
        self._size = 0
        self._last_write = 0.0
        self._next_try = 0.0
        self._next_look = 0.0
        self._failing = 0

    def append(self, lines: memoryview) -> None:
        """Write whole lines, or count them as lost."""
        now = self._clock()
        try:
            self._ready(now)
            self._write(lines)
            self._last_write = now
        except OSError as error:
            self._note_failure(error, bytes(lines).count(b"\n"), now)
        else:
            if self._failing:
                self._complain(f"the access log is written again; {self._failing} lines were lost")
                self._failing = 0

    def prune(self) -> None:
        """Delete rotated files whose time is over, and put away a file of an earlier day. Raises `OSError`."""
        now = self._clock()
        if self._handle >= 0 and self.retention.rotates(self._size, self._last_write, now):
            self._rotate()
        for path in self._path.parent.glob(f"{self._path.stem}-*{self._path.suffix}"):
            if self.retention.expired(path.stat().st_mtime, now):
                path.unlink()

    def close(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _ready(self, now: float) -> None:
        if self._handle >= 0 and now >= self._next_look:
            self._next_look = now + _LOOK_SECONDS
            if not self._in_place():
                self.close()
        if self._handle < 0:
            self._open(now)
        if self.retention.rotates(self._size, self._last_write, now):
            self._rotate()
            self._open(now)

    def _open(self, now: float) -> None:
        if now < self._next_try:
            raise BlockingIOError("the file could not be opened a moment ago")
        self._next_try = now + _RETRY_SECONDS
        self._handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._next_try = 0.0
        status = os.fstat(self._handle)
        self._size, self._last_write = status.st_size, status.st_mtime

    def _in_place(self) -> bool:
        try:
            return os.path.samestat(os.stat(self._path), os.fstat(self._handle))
        except FileNotFoundError:
            return False

    def _write(self, lines: memoryview) -> None:
        written = 0
        try:
            while written < len(lines):
                written += os.write(self._handle, lines[written:])
        except OSError:
            os.ftruncate(self._handle, self._size)
            raise
        self._size += written

    def _rotate(self) -> None:
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(self._last_write))
        names = (
            f"{self._path.stem}-{stamp}{more}{self._path.suffix}" for more in ("", *(f".{n}" for n in range(1, 1000)))
        )
        free = next((path for name in names if not (path := self._path.with_name(name)).exists()), None)
        if free is None:
            raise FileExistsError(f"1000 access logs of one second: {stamp}")
        self._path.rename(free)
        self.close()
        self._size = 0

    def _note_failure(self, error: OSError, lines: int, now: float) -> None:
        if not self._failing:
            self._complain(f"the access log can't be written, lines are lost until it can: {error}")
        self._failing += lines
        self.lost += lines
