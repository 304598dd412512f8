"""Keeps facts as events, and wakes whoever follows them.

journal = Journal(store)
await journal.record(LoggedIn(...))
await journal.wait_for_more(last_id)
"""

import asyncio
from collections.abc import Sequence

from portward.facts import Fact
from portward.store import Store


class Journal:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._grown = asyncio.Condition()

    async def record(self, fact: Fact) -> None:
        """Keep one fact. Stored when this returns; raises `StoreError`."""
        await self.record_all([fact])

    async def record_all(self, facts: Sequence[Fact]) -> None:
        """Keep several facts at once, in their order."""
        await self._store.events.add(list(facts))
        async with self._grown:
            self._grown.notify_all()

    async def wait_for_more(self) -> None:
        """Return when facts were recorded after this call."""
        async with self._grown:
            await self._grown.wait()
