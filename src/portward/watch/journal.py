"""Keeps facts as events, and wakes whoever follows them.

journal = Journal(store)
journal.listen(guard.hear)
await journal.record(LoggedIn(...))
await journal.wait_for_more(last_id)
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from portward.facts import Fact
from portward.store import Store
from portward.store.positions import Key


class Journal:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._listeners: list[Callable[[Sequence[Fact]], None]] = []
        self._grown = asyncio.Condition()

    def listen(self, hear: Callable[[Sequence[Fact]], None]) -> None:
        """Call `hear` with all facts that are recorded from now on, before they are stored."""
        self._listeners.append(hear)

    async def record(self, fact: Fact) -> None:
        """Keep one fact. Stored when this returns; raises `StoreError`."""
        await self.record_all([fact])

    async def record_all(self, facts: Sequence[Fact]) -> None:
        """Keep several facts at once, in their order."""
        for hear in self._listeners:
            hear(facts)
        await self.keep(facts)

    async def keep(self, facts: Sequence[Fact], reached: Mapping[Key, Mapping[str, Any]] | None = None) -> None:
        """As `record_all`, for facts that were heard already; with how far a log was `reached`, at once."""
        if reached is None:
            await self._store.events.add(list(facts))
        else:
            await self._store.positions.keep(reached, facts)
        async with self._grown:
            self._grown.notify_all()

    async def wait_for_more(self) -> None:
        """Return when facts were recorded after this call."""
        async with self._grown:
            await self._grown.wait()
