"""What a program prints, collected while it runs.

out = Output(process.stdout)
out.wait_for_line("ready")
"""

import re
from threading import Thread
from typing import IO

from tests.lives.waiting import PATIENCE, wait_for


class Output:
    """Reads a stream to its end in a thread of its own, so that the program never waits for us."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._lines: list[str] = []
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def text(self) -> str:
        return "".join(self._lines)

    @property
    def ended(self) -> bool:
        return not self._reader.is_alive()

    def wait_for_line(self, pattern: str, seconds: float = PATIENCE) -> re.Match[str]:
        """The first match of `pattern` in whole lines, at once where it stands there already."""

        def look() -> re.Match[str] | None:
            over = self.ended
            found = re.search(pattern, self.text, re.MULTILINE)
            assert found or not over, f"the program ended without saying {pattern!r}"
            return found

        return wait_for(look, f"a line like {pattern!r}", seconds)

    def close(self) -> None:
        """Wait for the end of the stream."""
        self._reader.join(PATIENCE)
        self._stream.close()

    def _read(self) -> None:
        for line in self._stream:
            self._lines.append(line)
