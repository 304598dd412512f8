"""What follows every change of an account: the edge learns of it, what it forbids ends, the record keeps it.

await changes.made("ann", "groups", by="cli")
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from portward.config import Settings
from portward.facts import AccountChanged
from portward.identity.gatekeeper import Gatekeeper, KeysChanged, Record
from portward.identity.sessions import Sessions
from portward.store import Store


class Changes:
    """Called after the store has the change."""

    def __init__(
        self,
        store: Store,
        sessions: Sessions,
        gatekeeper: Gatekeeper,
        settings: Callable[[], Settings],
        record: Record,
        clock: Callable[[], datetime],
        keys_changed: KeysChanged,
    ) -> None:
        self._store, self._sessions, self._gatekeeper = store, sessions, gatekeeper
        self._keys_changed = keys_changed
        self._settings, self._record, self._clock = settings, record, clock

    async def made(self, account: str, change: str, *, by: str, detail: str = "") -> None:
        """One account was changed. Raises `EdgeError` when the edge could not be told; it is recorded all the same."""
        try:
            await self._keys_changed()
            await self.tell([account])
        finally:
            await self.note(account, change, by=by, detail=detail)

    async def tell(self, names: Sequence[str]) -> None:
        """Tell the gatekeeper what these accounts are now, and end host sessions that they may no longer have."""
        found = [(name, await self._store.accounts.get(name)) for name in names]
        known = [account for _, account in found if account]
        await self._gatekeeper.know(known, [name for name, account in found if account is None])
        await self._sessions.enforce(self._settings().routes, names)

    async def note(self, account: str, change: str, *, by: str, detail: str = "") -> None:
        """Keep the fact alone, for what the edge does not care about."""
        await self._record(AccountChanged(time=self._clock(), account=account, change=change, by=by, detail=detail))
