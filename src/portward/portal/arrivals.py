"""Wakes those who follow the events when more of them are stored.

count = arrivals.count
...                                         # read what is there
await arrivals.wait_for_more(count)         # returns at once when something came meanwhile
"""

import asyncio


class Arrivals:
    """`announce` is called after events were stored; `count` says how often that was."""

    def __init__(self) -> None:
        self.count = 0
        self._grown = asyncio.Condition()

    async def announce(self) -> None:
        async with self._grown:
            self.count += 1
            self._grown.notify_all()

    async def wait_for_more(self, count: int) -> None:
        """Return when `count` is no longer the count."""
        async with self._grown:
            await self._grown.wait_for(lambda: self.count != count)
