"""What the ledger asks of whoever keeps banned sources out: the edge, the kernel, the SSH server.

    await enforcer.enforce([ban.brief])         # in force when it returns, and open connections are cut
    await enforcer.lift(["203.0.113.7"])
    await enforcer.mend(register)               # ['the kernel table'] where somebody had taken it away

The store is written first. What gets lost between the two costs delay: the reconciler asks each enforcer to `mend`.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime
from typing import Protocol

from portward.model import BanBrief


class Register(Protocol):
    """What holds now, as the store says."""

    async def count(self, now: datetime) -> int:
        """How many bans hold."""

    def pages(self, now: datetime) -> AsyncIterator[Sequence[BanBrief]]:
        """All that hold, some thousands at a time."""


class Enforcer(Protocol):
    """Raises `EdgeError` or `Environment` when it can't; nothing is then known to be in force."""

    async def enforce(self, bans: Collection[BanBrief]) -> None:
        """Keep these out from now on, and cut what they hold open. A source that is kept out already gets a new end."""

    async def lift(self, sources: Collection[str]) -> None:
        """Let these in again. Unknown ones are no error."""

    async def mend(self, register: Register, now: datetime) -> list[str]:
        """Make what is in force equal to the register. Returns a sentence fragment for each thing that was not."""


class NullEnforcer:
    """Keeps nobody out."""

    async def enforce(self, bans: Collection[BanBrief]) -> None:
        """Nobody to tell."""

    async def lift(self, sources: Collection[str]) -> None:
        """Nobody to tell."""

    async def mend(self, register: Register, now: datetime) -> list[str]:
        """Nothing to compare."""
        return []


class Enforcers:
    """Several at once: each does its part even where another can't; what went wrong is raised when all are done."""

    def __init__(self, *parts: Enforcer) -> None:
        self._parts = parts

    async def enforce(self, bans: Collection[BanBrief]) -> None:
        _judge(await asyncio.gather(*(part.enforce(bans) for part in self._parts), return_exceptions=True))

    async def lift(self, sources: Collection[str]) -> None:
        _judge(await asyncio.gather(*(part.lift(sources) for part in self._parts), return_exceptions=True))

    async def mend(self, register: Register, now: datetime) -> list[str]:
        done = await asyncio.gather(*(part.mend(register, now) for part in self._parts), return_exceptions=True)
        _judge(done)
        return [what for part in done if not isinstance(part, BaseException) for what in part]


def _judge(outcomes: Sequence[object]) -> None:
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
