"""Unknown keys that wait for somebody to let them in.

    entry = approvals.enter(peer, public, now)       # entry.code == "BCDF-GHJK"
    approvals.find("bcdf-ghjk", now)                  # entry

Codes are short, since a person compares them: 31 bits, of at most fifty entries that last ten minutes, and approving
takes a login besides. Who has no room here is refused as an unknown key always is.
"""

import asyncio
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from portward.tunnels.control import Pending
from portward.tunnels.rules import KeyRule

LASTS = timedelta(minutes=10)
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
_ENTRIES = 50
_OF_ONE_ADDRESS = 3
_WISHES = 20


@dataclass(eq=False, slots=True)
class Entry:
    """One waiting connection. `verdict` becomes the key's rule when it is let in, None when it is not."""

    pending: Pending
    verdict: "asyncio.Future[KeyRule | None]"
    wishes: list[str] = field(default_factory=list)

    def wish(self, what: str) -> None:
        """Remember what the client asks for, so that the approver sees it."""
        if len(self.wishes) < _WISHES:
            self.wishes.append(what)

    def settle(self, key: KeyRule | None) -> None:
        if not self.verdict.done():
            self.verdict.set_result(key)


class Approvals:
    """All who wait."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def has_room(self, address: str) -> bool:
        of_address = sum(entry.pending.address == address for entry in self.entries)
        return len(self.entries) < _ENTRIES and of_address < _OF_ONE_ADDRESS

    def enter(self, *, fingerprint: str, public: str, user: str, address: str, version: str, now: datetime) -> Entry:
        """A new entry with a code of its own."""
        code = "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(2))
        pending = Pending(
            code=code,
            fingerprint=fingerprint,
            public=public,
            user=user,
            address=address,
            version=version,
            wishes=(),
            since=now,
            expires_at=now + LASTS,
        )
        entry = Entry(pending, asyncio.get_running_loop().create_future())
        self.entries.append(entry)
        return entry

    def leave(self, entry: Entry) -> None:
        """The connection is over, or was let in."""
        if entry in self.entries:
            self.entries.remove(entry)
        entry.settle(None)

    def find(self, code: str, now: datetime) -> Entry | None:
        """The entry with this code; spaces, dashes and case don't matter."""
        wanted = _bare(code)
        return next((e for e in self.entries if _bare(e.pending.code) == wanted and e.pending.expires_at > now), None)

    def expire(self, now: datetime) -> None:
        """Turn away those whose time is over."""
        for entry in self.entries:
            if entry.pending.expires_at <= now:
                entry.settle(None)


def _bare(code: str) -> str:
    return "".join(letter for letter in code.upper() if letter.isalpha())
