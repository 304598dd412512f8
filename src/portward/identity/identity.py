"""The parts of identity, wired: one object that the keeper makes and the portal uses.

identity = Identity(store, state / "secret.key", lambda: settings, gatekeeper, record, clock)
await identity.logins.password(...)
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path

from portward.config import Settings
from portward.identity.accounts import Accounts
from portward.identity.changes import Changes
from portward.identity.credentials import Credentials
from portward.identity.enrolments import Enrolments
from portward.identity.gatekeeper import Gatekeeper, KeysChanged, Record, no_ssh_server
from portward.identity.groups import Groups
from portward.identity.keys import Keys
from portward.identity.logins import Logins
from portward.identity.passkeys import Passkeys
from portward.identity.passwords import Passwords
from portward.identity.proofs import Proofs
from portward.identity.seal import Seal
from portward.identity.sessions import Sessions
from portward.identity.throttling import Throttling
from portward.store import Store


class Identity:
    """`accounts`, `groups`, `enrolments`, `credentials`, `passkeys`, `sessions`, `logins` and `keys` over one store."""

    def __init__(
        self,
        store: Store,
        secret_key: Path,
        settings: Callable[[], Settings],
        gatekeeper: Gatekeeper,
        record: Record,
        clock: Callable[[], datetime],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        passwords: Passwords | None = None,
        keys_changed: KeysChanged = no_ssh_server,
    ) -> None:
        """`secret_key` is made (32 random bytes, 0600) where there is none. Raises `StoreError` for a damaged one."""
        seal, hashing = Seal.open(secret_key), passwords or Passwords()
        self._store, self._settings = store, settings
        self._throttling = Throttling(store, clock, pause)
        proofs = Proofs(store, seal, self._throttling, clock)
        self.sessions = Sessions(store, gatekeeper, settings, record, clock)
        changes = Changes(store, self.sessions, gatekeeper, settings, record, clock, keys_changed)
        self.enrolments = Enrolments(store, hashing, self.sessions, changes, settings, clock)
        self.accounts = Accounts(store, hashing, self.enrolments, self.sessions, changes, settings, clock)
        self.groups = Groups(store, changes)
        self.credentials = Credentials(
            store, hashing, seal, self._throttling, self.sessions, changes, settings, record, clock
        )
        self.keys = Keys(store, keys_changed, record, clock)
        self.passkeys = Passkeys(store, seal, self.sessions, changes, settings, clock)
        self.logins = Logins(store, hashing, proofs, self.passkeys, self._throttling, self.sessions, record, clock)

    async def tidy(self, now: datetime) -> None:
        """Forget what is over: sessions, links, tickets, codes, counters, old events. To be called now and then."""
        await self.sessions.expire(now)
        await self._store.links.forget_expired(now)
        await self._store.tickets.forget_expired(now)
        await self._store.handovers.forget_expired(now)
        await self.passkeys.forget_expired(now)
        await self._throttling.forget_old()
        await self._store.events.prune(now - self._settings().log.keep)
