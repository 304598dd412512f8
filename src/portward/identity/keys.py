"""Keys: added, changed, removed; what they may do is told to the SSH server at once.

    rights = Rights(publish=("ann-*",))
    await keys.add("laptop", "ssh-ed25519 AAAA… ann@laptop", account="ann", rights=rights, by="ann")
    await keys.remove("laptop", by="ann")

The store first, then the SSH server, whatever happens then the record.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from portward.config.publickeys import read_public_key
from portward.errors import Conflict, NotFound
from portward.facts import Fact, KeyAdded, KeyChanged, KeyRemoved
from portward.identity.gatekeeper import KeysChanged, Record
from portward.identity.names import key_name
from portward.identity.rights import Rights
from portward.model import Key
from portward.store import Store

MOST_OF_ACCOUNT = 50


class Keys:
    def __init__(self, store: Store, keys_changed: KeysChanged, record: Record, clock: Callable[[], datetime]) -> None:
        self._store, self._keys_changed, self._record, self._clock = store, keys_changed, record, clock

    async def add(self, name: str, text: str, *, account: str, rights: Rights, by: str) -> Key:
        """Keep the public key in `text`, as somebody pasted it.

        Raises `Invalid` for a bad name, key or right, `NotFound` for the account, `Conflict` where the name or the key
        is known already or the account has too many.
        """
        public, now = read_public_key(text), self._clock()
        key = Key(
            key_name(name),
            account,
            public.text,
            public.fingerprint,
            public.comment,
            created_at=now,
            **asdict(rights.checked(now)),
        )
        if len(await self._store.keys.list(account)) >= MOST_OF_ACCOUNT:
            raise Conflict(f"{account!r} has {MOST_OF_ACCOUNT} keys already", way_out="remove those that are not used")
        await self._store.keys.add(key)
        await self._made(KeyAdded(**_about(key, now, by), rights=str(Rights.of(key))))
        return key

    async def get(self, name: str) -> Key:
        """Raises `NotFound`."""
        key = await self._store.keys.get(name)
        if key is None:
            raise NotFound("key", name, way_out="`portward key list` names those that exist")
        return key

    async def list(self, account: str | None = None) -> Sequence[Key]:
        """All by name, or those of one account."""
        return await self._store.keys.list(account)

    async def change(self, name: str, rights: Rights, *, by: str) -> Key:
        """Replace what a key may do. Raises `NotFound`, `Invalid`."""
        key, now = await self.get(name), self._clock()
        await self._store.keys.change(name, **asdict(rights.checked(now)))
        changed = await self.get(name)
        await self._made(KeyChanged(**_about(key, now, by), rights=str(Rights.of(changed))))
        return changed

    async def remove(self, name: str, *, by: str) -> None:
        """Forget a key and cut its connections. Raises `NotFound`."""
        key = await self.get(name)
        await self._store.keys.remove(name)
        await self._made(KeyRemoved(**_about(key, self._clock(), by)))

    async def _made(self, fact: Fact) -> None:
        try:
            await self._keys_changed()
        finally:
            await self._record(fact)


def _about(key: Key, now: datetime, by: str) -> dict[str, Any]:
    return {"time": now, "account": key.account, "key": key.name, "fingerprint": key.fingerprint, "by": by}
