"""A program at a terminal of the tests, and what it shows there.

with Terminal(["portward", "tunnel", "up", "db"], environment) as terminal:
    terminal.wait_for("yes/no")
    terminal.write("yes\\n")
"""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from threading import Thread
from types import TracebackType
from typing import Self

from tests.lives.waiting import PATIENCE, wait_for

_STEERING = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


class Terminal:
    """120 columns wide. The program must have ended well by the end of the block."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self._process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**environment, "TERM": "xterm"},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)
        self._shown = b""
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind:
            self._process.kill()
            print(self.text)
        code = self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        os.close(self._ours)
        assert kind or code == 0, self.text

    @property
    def text(self) -> str:
        """Everything that was shown so far, without what steers the terminal."""
        return _STEERING.sub("", self._shown.decode(errors="replace"))

    def write(self, text: str) -> None:
        """Type it."""
        os.write(self._ours, text.encode())

    def wait_for(self, pattern: str) -> re.Match[str]:
        return wait_for(lambda: re.search(pattern, self.text, re.DOTALL), f"{pattern!r} on the terminal")

    def _read(self) -> None:
        # Reading fails with EIO when nobody has the other side open any more.
        try:
            while piece := os.read(self._ours, 65536):
                self._shown += piece
        except OSError:
            return
