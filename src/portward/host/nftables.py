"""The kernel's packet filter, by `nft -j`: sets of sources whose packets are dropped before anything else sees them.

    nft = Nftables()
    await nft.apply([add("table", name="portward"), add("set", name="b4_32", type="ipv4_addr")])    # one transaction
    await nft.ask("list", "chains")                                     # [{'chain': {…}}, …]

JSON as in libnftables-json(5). What needs no look at elements takes 3 ms beside a hundred thousand of them; to list a
table, and whatever else looks at a set with elements, takes a second.
"""

import asyncio
import json
import socket
from collections.abc import Iterable, Sequence
from typing import Any

from portward.errors import Environment
from portward.host.processes import find_program

FAMILY = "inet"
TABLE = "portward"
Command = dict[str, dict[str, dict[str, Any]]]
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

    async def apply(self, commands: Sequence[Command]) -> None:
        """Do all of this, or nothing."""
        await self._run(("-f", "-"), json.dumps({"nftables": commands}).encode())

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


def add(kind: str, **fields: Any) -> Command:
    """Add something to our table; where it is there already, nothing happens, but for a rule."""
    return _command("add", kind, fields)


def delete(kind: str, **fields: Any) -> Command:
    return _command("delete", kind, fields)


def flush(kind: str, **fields: Any) -> Command:
    return _command("flush", kind, fields)


def prefix(network: str) -> str | dict[str, Any]:
    """An element of an interval set: `203.0.113.7` or `203.0.113.0/24`."""
    address, slash, length = network.partition("/")
    return {"prefix": {"addr": address, "len": int(length)}} if slash else address


def from_set(family: str, name: str, mask: str = "") -> dict[str, Any]:
    """Matches packets whose source, cut to `mask`, is in a set. `family` is `ip` or `ip6`."""
    source: dict[str, Any] = {"payload": {"protocol": family, "field": "saddr"}}
    return {"match": {"op": "==", "left": {"&": [source, mask]} if mask else source, "right": f"@{name}"}}


def to_ports(ports: Iterable[int]) -> dict[str, Any]:
    """Matches TCP packets to any of these ports."""
    port = {"payload": {"protocol": "tcp", "field": "dport"}}
    return {"match": {"op": "==", "left": port, "right": {"set": sorted(set(ports))}}}


def _command(verb: str, kind: str, fields: dict[str, Any]) -> Command:
    table = {} if kind == "table" else {"table": TABLE}
    return {verb: {kind: {"family": FAMILY, **table, **fields}}}


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
