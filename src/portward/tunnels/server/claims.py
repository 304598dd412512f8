"""Which key owns a name that was made on the spot, remembered over restarts.

    claims = Claims(state.tunnels / "names.json")
    claims.owner("ann-blog", now)             # 'SHA256:…', or None when it is free

A name is free again when its key is gone, or a month after it was last used.
"""

import json
from collections.abc import Collection
from datetime import datetime, timedelta
from pathlib import Path

from portward.errors import Environment
from portward.host.files import replace

NAMES_OF_A_KEY = 100
_KEPT = timedelta(days=30)
_WRITTEN_EVERY = timedelta(days=1)


def certified(account: str) -> str:
    """The owner of names that were made with certificates."""
    return f"certificates of {account}"


class Claims:
    """Kept in one small file. An owner is a key's fingerprint, or `certified`.

    Raises `Environment` when the file can't be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._claims: dict[str, tuple[str, datetime]] = {}
        try:
            document = json.loads(path.read_bytes()) if path.exists() else {}
            for name, (fingerprint, used) in document.items():
                self._claims[name] = (fingerprint, datetime.fromisoformat(used))
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise Environment(
                f"it can't be read which key owns which name: {path}: {error}",
                way_out="put it back from a backup, or remove it: names then go to whoever comes first",
            ) from error

    def owner(self, name: str, now: datetime) -> str | None:
        """Whose name this is."""
        fingerprint, used = self._claims.get(name, ("", now - _KEPT))
        return fingerprint if used + _KEPT > now else None

    def room(self, name: str, owner: str) -> bool:
        """Whether an owner may have this name besides those that it has."""
        own = sum(claimed == owner for claimed, _ in self._claims.values())
        return own < NAMES_OF_A_KEY or self._claims.get(name, ("",))[0] == owner

    def names(self, now: datetime) -> list[str]:
        """Every name that is some key's."""
        return [name for name in self._claims if self.owner(name, now) is not None]

    def claim(self, name: str, owner: str, now: datetime) -> None:
        """From now on the name is this owner's. Raises `OSError` when it can't be written down."""
        was, used = self._claims.get(name, ("", now - _WRITTEN_EVERY))
        self._claims[name] = (owner, now)
        if was != owner or used + _WRITTEN_EVERY <= now:
            self._write()

    def keep(self, owners: Collection[str]) -> None:
        """Free the names of everybody else."""
        kept = {name: claim for name, claim in self._claims.items() if claim[0] in owners}
        if kept != self._claims:
            self._claims = kept
            self._write()

    def _write(self) -> None:
        document = {name: (fingerprint, used.isoformat()) for name, (fingerprint, used) in self._claims.items()}
        replace(self._path, json.dumps(document, indent=1).encode())
