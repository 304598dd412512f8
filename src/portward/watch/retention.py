"""How large an access log file may get, and how long rotated ones are kept.

Retention(rotate_mb=100, keep=timedelta(days=30)).save(state)     # the keeper, when the configuration changes
Retention.load(state)                                             # the recorder
"""

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from portward.host.files import replace
from portward.host.paths import State

_DAY = 86400


@dataclass(frozen=True, slots=True)
class Retention:
    """A file is closed when it reaches `rotate_mb` million bytes, and once a day; it is deleted when `keep` old."""

    rotate_mb: float = 100
    keep: timedelta = timedelta(days=30)

    @classmethod
    def load(cls, state: State) -> Self:
        """What was saved last; the defaults where nothing was. Raises `ValueError` for anything else, and `OSError`."""
        try:
            text = state.recorder_settings.read_bytes()
        except FileNotFoundError:
            return cls()
        match json.loads(text):
            case {"rotate_mb": int() | float() as size, "keep_seconds": int() | float() as seconds}:
                return cls(size, timedelta(seconds=seconds))
        raise ValueError("rotate_mb and keep_seconds are missing")

    def save(self, state: State) -> None:
        fields = {"rotate_mb": self.rotate_mb, "keep_seconds": self.keep.total_seconds()}
        replace(state.recorder_settings, json.dumps(fields).encode())

    def rotates(self, size: int, last_write: float, now: float) -> bool:
        """Whether a file of this size, last written at that time, must make room for a new one before the next line.

        Times are seconds since the epoch. A day is a day of UTC.
        """
        return size > 0 and (size >= self.rotate_mb * 1_000_000 or last_write // _DAY != now // _DAY)

    def expired(self, last_write: float, now: float) -> bool:
        return now - last_write > self.keep.total_seconds()
