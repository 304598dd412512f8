"""The kernel's packet filter, by `nft`: sets of sources whose packets are dropped before anything else sees them.

    nft = Nftables()
    await nft.load("add table inet portward; add chain inet portward bans")     # one transaction
    await nft.ask("list", "chains")                                     # [{'chain': {…}}, …]

What is told goes in nft's own words, which it takes twice as fast as JSON; what is asked comes back as JSON, as in
libnftables-json(5). What needs no look at elements takes 3 ms beside a hundred thousand of them; to list a table, and
whatever else looks at a set with elements, takes a second.
"""

import asyncio
import json
import socket
from collections.abc import Iterable
from typing import Any

from portward.errors import Environment
from portward.host.processes import find_program

FAMILY = "inet"
BANS, WALLS = "portward", "portward-walls"
"""Our tables."""
_SECONDS = 60.0
_NO_RIGHT = "Operation not permitted"


class Nftables:
    """Raises `Environment` throughout: nft is missing, or may not, or the kernel refuses."""

    def __init__(self) -> None:
        self._mine: socket.socket | None = None

    def claim(self) -> None:
        """Be the one Portward of this network that has the table. Raises `Environment` where another one is.

        The name is freed with the process, however that ends.
        """
        if self._mine:
            return
        mine = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            mine.bind("\0portward/nftables")
        except OSError as error:
            mine.close()
            raise Environment(
                "another Portward of this machine keeps its bans in the kernel",
                way_out="run one gateway on a machine, or set `defence.kernel = false` for the other",
            ) from error
        self._mine = mine

    def release(self) -> None:
        """Let another one have it."""
        if self._mine:
            self._mine.close()
            self._mine = None

    @property
    def claimed(self) -> bool:
        return self._mine is not None

    async def clear(self) -> None:
        """Take both of our tables away. Raises `Environment` also where they are another Portward's."""
        self.claim()
        try:
            await self.load(removal(BANS) + removal(WALLS))
        finally:
            self.release()

    async def load(self, text: str) -> None:
        """Do all of this, in nft's own words, or nothing."""
        await self._run(("-f", "-"), text.encode(), form=())

    async def ask(self, *words: str) -> list[dict[str, Any]]:
        """What a command answers, without the line about nft itself."""
        answer = json.loads(await self._run(words, b""))["nftables"]
        return [one for one in answer if "metainfo" not in one]

    async def _run(self, words: Iterable[str], stdin: bytes, form: Iterable[str] = ("-j",)) -> bytes:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            find_program("nft"), *form, *words, stdin=pipe, stdout=pipe, stderr=pipe
        )
        try:
            async with asyncio.timeout(_SECONDS):
                output, errors = await process.communicate(stdin)
        except BaseException as error:
            process.kill()
            await process.wait()
            if isinstance(error, TimeoutError):
                raise Environment(f"nft did not end within {_SECONDS:.0f} s") from error
            raise
        if process.returncode:
            raise _trouble(errors.decode(errors="replace"))
        return output


def removal(table: str) -> str:
    """To delete what is not there would be an error, so it is added before, in the same transaction."""
    return f"add table {FAMILY} {table}\ndelete table {FAMILY} {table}\n"


def _trouble(said: str) -> Environment:
    if _NO_RIGHT in said:
        return Environment(
            "the right to change the packet filter (CAP_NET_ADMIN) is missing",
            way_out="`portward install` makes a service that has it; the edge keeps banned sources out meanwhile",
        )
    line = next((line for line in said.splitlines() if line.strip()), "it did not say why")
    return Environment(
        f"nft refused: {line.strip()[:300]}", way_out="see whether this kernel, or this container, may use nftables"
    )
