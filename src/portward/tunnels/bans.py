"""The ledger's bans at the SSH server, which must hold by themselves where the kernel keeps nobody out.

    bans = SshBans(control, wanted=lambda: tunnelling.wanted)
    await bans.enforce([ban.brief])

A server that does not run lets nobody in; what it should know it is told by the next `mend`.
"""

from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import datetime

from portward.defense.enforcement import Register
from portward.errors import NotRunning
from portward.model import BanBrief
from portward.tunnels.control import Control


class SshBans:
    """An `Enforcer`. `wanted` tells whether the server should run at all."""

    def __init__(self, control: Control, wanted: Callable[[], bool]) -> None:
        self._control, self._wanted = control, wanted

    async def enforce(self, bans: Collection[BanBrief]) -> None:
        if self._wanted():
            with suppress(NotRunning):
                await self._control.ban({ban.source: ban.until for ban in bans})

    async def lift(self, sources: Collection[str]) -> None:
        if self._wanted():
            with suppress(NotRunning):
                await self._control.lift(sources)

    async def mend(self, register: Register, now: datetime) -> list[str]:
        """Only a restart makes the server forget, so the number of bans tells whether it knows them."""
        if not self._wanted():
            return []
        try:
            if await self._control.count_bans() == await register.count(now):
                return []
            surplus = set(await self._control.bans())
            async for page in register.pages(now):
                await self._control.ban({ban.source: ban.until for ban in page})
                surplus -= {ban.source for ban in page}
            await self._control.lift(surplus)
        except NotRunning:
            return []
        return ["the bans of the SSH server"]
