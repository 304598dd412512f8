"""Files that hold a device's key, from the page that names their password to the download: in memory, and for one use.

ticket = parcels.keep(package, session.id, now)
parcels.take(ticket, session.id, now)               # the package, once; then None
"""

from datetime import datetime, timedelta

from portward.identity.opaque import digest, new_token
from portward.model import Package

LIVES = timedelta(minutes=10)
_MOST = 100


class Parcels:
    def __init__(self) -> None:
        self._kept: dict[str, tuple[Package, str, datetime]] = {}

    def keep(self, package: Package, session: str, now: datetime) -> str:
        """A ticket for this session, good for ten minutes. The oldest parcel goes where there are too many."""
        self._kept = {key: entry for key, entry in self._kept.items() if entry[2] > now}
        while len(self._kept) >= _MOST:
            self._kept.pop(next(iter(self._kept)))
        ticket = new_token()
        self._kept[digest(ticket)] = (package, session, now + LIVES)
        return ticket

    def take(self, ticket: str, session: str, now: datetime) -> Package | None:
        """None when it is unknown, too old, taken already, or another session's."""
        package, owner, until = self._kept.get(digest(ticket), (None, "", now))
        if package is None or owner != session or until <= now:
            return None
        del self._kept[digest(ticket)]
        return package
