"""What is known of a list between two looks: STATE/lists/NAME.json, beside its networks in NAME.lst.

held = Held.load(directory, "drop")
replace(held, looked_at=now, failures=0).save(directory)
"""

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

from portward.config.blocklists import BlockList
from portward.host import files

_FIRST_RETRY = timedelta(minutes=5)
_TIMES = ("looked_at", "taken_at")


@dataclass(frozen=True, slots=True)
class Held:
    """`source` is the URL or the file that the rest is about; `etag` and `modified` tell the version last looked at."""

    name: str
    source: str = ""
    etag: str = ""
    modified: str = ""
    looked_at: datetime | None = None
    taken_at: datetime | None = None
    entries: int = 0
    unreadable: int = 0
    first_unreadable: str = ""
    never_public: int = 0
    failures: int = 0
    problem: str = ""

    @classmethod
    def load(cls, directory: Path, wanted: BlockList) -> Self:
        """What is known; nothing of a list that is new, or that comes from somewhere else than it did."""
        try:
            values: dict[str, Any] = json.loads((directory / f"{wanted.name}.json").read_text())
            times = {name: datetime.fromisoformat(values[name]) for name in _TIMES if values[name]}
            known = cls(**{**values, **times})
        except (OSError, ValueError, KeyError, TypeError):
            return cls(wanted.name, wanted.source)
        if known.source != wanted.source:
            return cls(wanted.name, wanted.source)
        return known if networks_file(directory, wanted.name).exists() else replace(known, etag="", modified="")

    def save(self, directory: Path) -> None:
        times = {name: time.isoformat() if (time := getattr(self, name)) else None for name in _TIMES}
        files.replace(directory / f"{self.name}.json", json.dumps({**asdict(self), **times}).encode())

    def due_at(self, refresh: timedelta) -> datetime | None:
        """When to look again; None for at once. After failures sooner, and each time later."""
        if self.looked_at is None:
            return None
        wait = min(refresh, _FIRST_RETRY * 2 ** min(self.failures - 1, 20)) if self.failures else refresh
        return self.looked_at + wait


def networks_file(directory: Path, name: str) -> Path:
    return directory / f"{name}.lst"
