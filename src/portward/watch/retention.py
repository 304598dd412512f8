"""How large an access log file may get, and how long rotated ones are kept.

retention = Retention(rotate_bytes=100_000_000, keep_seconds=30 * 86400)
write(state.recorder_settings, retention)                 # the keeper, whenever the configuration changes
read(state.recorder_settings)                             # the recorder
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from portward.host.files import replace


@dataclass(frozen=True, slots=True)
class Retention:
    """A file is closed when it reaches `rotate_bytes`, and once a day; it is deleted when `keep_seconds` old."""

    rotate_bytes: int = 100_000_000
    keep_seconds: int = 30 * 86400

    def rotates(self, size: int, last_write: float, now: float) -> bool:
        """Whether a file of this size, last written at that time, must make room for a new one before the next line.

        Times are seconds since the epoch. A day is a day of UTC.
        """
        return size > 0 and (size >= self.rotate_bytes or int(last_write // 86400) != int(now // 86400))

    def expired(self, last_write: float, now: float) -> bool:
        return now - last_write > self.keep_seconds


def write(path: Path, retention: Retention) -> None:
    replace(path, json.dumps(asdict(retention)).encode())


def read(path: Path) -> Retention:
    """What was written last; the defaults where nothing was. Raises `ValueError` for anything else."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return Retention()
    match json.loads(text):
        case {"rotate_bytes": int(size), "keep_seconds": int(seconds)}:
            return Retention(rotate_bytes=size, keep_seconds=seconds)
    raise ValueError("rotate_bytes and keep_seconds are missing")
