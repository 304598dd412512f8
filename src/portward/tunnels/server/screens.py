"""Requests on the terminals of those whose services they go to, read from the access log while anybody looks.

screens.add(terminal)
line_of(b'{"time": …, "host": "blog.example.com", …}')       # ('blog.example.com', '12:00:01 GET /feed 200 …')
"""

import asyncio
import json
import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from portward.tunnels.server.printable import printable

_LOOK_SECONDS = 0.25
_PIECE_BYTES = 256 * 1024
_LONGEST_JUMP = 1024 * 1024
"""Whoever is further behind than this, in a flood, skips what lies between."""


class Screen(Protocol):
    """What shows requests."""

    @property
    def hosts(self) -> frozenset[str]: ...

    def show(self, line: str) -> None: ...


class Screens:
    """All that show requests now. Reads nothing while there are none."""

    def __init__(self, access_log: Path) -> None:
        self._path = access_log
        self._screens: set[Screen] = set()
        self._handle = -1
        self._wake = asyncio.Event()

    def add(self, screen: Screen) -> None:
        """From now on: lines that are written later are shown."""
        if not self._screens and self._handle < 0:
            self._handle = _open(self._path, os.SEEK_END)
        self._screens.add(screen)
        self._wake.set()

    def remove(self, screen: Screen) -> None:
        self._screens.discard(screen)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._follow()

    async def _follow(self) -> None:
        rest = b""
        try:
            while self._screens:
                if self._handle < 0:
                    self._handle = _open(self._path, os.SEEK_SET)
                elif not (piece := _read(self._handle)):
                    self._handle = _moved(self._handle, self._path)
                else:
                    *lines, rest = (rest + piece).split(b"\n")
                    self._show(lines)
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            if self._handle >= 0:
                os.close(self._handle)
            self._handle = -1

    def _show(self, lines: list[bytes]) -> None:
        wanted = {host for screen in self._screens for host in screen.hosts}
        for raw in lines:
            if (told := line_of(raw)) is not None and told[0] in wanted:
                for screen in tuple(self._screens):
                    if told[0] in screen.hosts:
                        screen.show(told[1])


def line_of(raw: bytes) -> tuple[str, str] | None:
    """The host of a line of the access log, and what a person reads of it. None for what is no request.

    Whoever sends a request chooses its path, so nothing of it reaches the terminal as a control character.
    """
    try:
        fields: dict[str, Any] = json.loads(raw)
        time = datetime.fromtimestamp(float(fields["time"]), UTC).astimezone()
        words = (
            f"{time:%H:%M:%S}",
            fields["method"],
            fields["path"],
            fields["status"],
            f"{fields['ms']} ms",
            fields["ip"],
        )
        line = "  ".join(str(word) for word in words)
        return str(fields["host"]), printable(line, most=4096)
    except (ValueError, TypeError, KeyError, OverflowError):
        return None


def _open(path: Path, whence: int) -> int:
    """The log, at its end or, where it has just been made, at its beginning. -1 while there is none."""
    with suppress(FileNotFoundError):
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        os.lseek(handle, 0, whence)
        return handle
    return -1


def _read(handle: int) -> bytes:
    behind = os.fstat(handle).st_size - os.lseek(handle, 0, os.SEEK_CUR)
    if behind > _LONGEST_JUMP:
        os.lseek(handle, -_PIECE_BYTES, os.SEEK_END)
    return os.read(handle, _PIECE_BYTES)


def _moved(handle: int, path: Path) -> int:
    """The same handle; one of the new file, from its beginning, when the log was rotated."""
    try:
        if os.path.samestat(os.stat(path), os.fstat(handle)):
            return handle
        new = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return handle
    os.close(handle)
    return new
