"""How the keeper speaks with the program `tunnels`: one JSON object a line, one answer a line.

control = Control(state.tunnels_socket)
await control.live()                          # (Live(service="blog", key="laptop", account="ann", …),)
await control.cut(service="blog")             # 1: so many tunnels were closed

The program answers `{"ok": …}` or `{"error": "why not"}`.
"""

import asyncio
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from portward.errors import Invalid, NotFound, NotRunning

_SECONDS = 5.0
_LINE_BYTES = 64 * 1024 * 1024
_SOURCES = 1000
"""So many go into one line, of which the program reads 64 KB."""

Health = Literal["unknown", "up", "failing"]
"""What the last probe through the tunnel found; `unknown` until the first one is back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """One tunnel that stands: one service carried by one connection. Bytes and requests are since it was opened."""

    id: str
    service: str
    host: str
    url: str
    kind: str
    made: bool
    """Made on the spot: portward.toml has no such service."""
    key: str
    account: str
    fingerprint: str
    address: str
    """The client's, without the port."""
    version: str
    """How the client names itself: `SSH-2.0-OpenSSH_9.2p1`."""
    since: datetime
    bytes_in: int
    """From visitors to the service."""
    bytes_out: int
    requests: int
    """Of `http`, requests; of `tcp`, connections on which something was sent."""
    round_trip: float | None
    """Seconds, of the last answer to a keepalive."""
    health: Health


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """An unknown key that has proved itself, and waits for somebody to let it in. `code` is what the terminal shows."""

    code: str
    fingerprint: str
    public: str
    user: str
    address: str
    version: str
    wishes: tuple[str, ...]
    """What it asked for: `-R blog:80`, in the client's words."""
    since: datetime
    expires_at: datetime


class Control:
    """The keeper's side. Each call connects anew.

    Raises `NotRunning` when nobody answers, `Invalid` when the program refuses.
    """

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    async def live(self) -> tuple[Live, ...]:
        """Every tunnel that stands, oldest first."""
        return tuple(Live(**_times(fields)) for fields in await self._ask({"do": "list"}))

    async def cut(self, *, key: str = "", service: str = "") -> int:
        """Close the connections of a key (its fingerprint) or of a service. Returns how many were closed."""
        return int(await self._ask({"do": "cut", "key": key, "service": service}))

    async def pending(self) -> tuple[Pending, ...]:
        """Keys that wait for approval, oldest first."""
        return tuple(Pending(**_times(fields)) for fields in await self._ask({"do": "pending"}))

    async def approve(self, code: str) -> Pending:
        """Let a waiting connection go on: it has the rights that the rules give its key, which must be there by now.

        Raises `NotFound` when no key waits under this code, `Invalid` while the rules don't name the key.
        """
        return await self._settle("approve", code)

    async def refuse(self, code: str) -> Pending:
        """Close a waiting connection. Raises `NotFound` when no key waits under this code."""
        return await self._settle("refuse", code)

    async def ban(self, sources: Mapping[str, int]) -> None:
        """Shut networks out from now on, until then (seconds since 1970; 0: for good), and cut who is there from them.

        What the rules allow (`defence.allow`) comes in all the same.
        """
        for some in _batched(sources, _SOURCES):
            await self._ask({"do": "ban", "sources": {source: sources[source] for source in some}})

    async def lift(self, sources: Collection[str]) -> None:
        """Let networks come again; those that are not shut out don't matter."""
        for some in _batched(sources, _SOURCES):
            await self._ask({"do": "lift", "sources": some})

    async def count_bans(self) -> int:
        """How many networks the program shuts out."""
        return int(await self._ask({"do": "count-bans"}))

    async def bans(self) -> dict[str, int]:
        """Whom the program shuts out, and until when."""
        return dict(await self._ask({"do": "bans"}))

    async def _settle(self, verdict: str, code: str) -> Pending:
        settled = await self._ask({"do": verdict, "code": code})
        if settled is None:
            raise NotFound("waiting key", code, way_out="a code is good for ten minutes; connect again for a new one")
        return Pending(**_times(settled))

    async def _ask(self, question: Mapping[str, Any]) -> Any:
        try:
            async with asyncio.timeout(_SECONDS):
                line = await self._exchange(json.dumps(question).encode() + b"\n")
        except (OSError, TimeoutError) as error:
            raise NotRunning("the SSH server for tunnels does not answer", way_out="`portward status`") from error
        if not line.endswith(b"\n"):
            raise NotRunning("the SSH server for tunnels ended in the middle of an answer", way_out="`portward status`")
        answer = json.loads(line)
        if "error" in answer:
            raise Invalid(answer["error"])
        return answer["ok"]

    async def _exchange(self, question: bytes) -> bytes:
        reader, writer = await asyncio.open_unix_connection(self._socket, limit=_LINE_BYTES)
        with closing(writer):
            writer.write(question)
            return await reader.readline()


def _batched(items: Iterable[str], size: int) -> Iterator[list[str]]:
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some


def _times(fields: dict[str, Any]) -> dict[str, Any]:
    times: dict[str, Any] = {
        name: datetime.fromisoformat(fields[name]) for name in ("since", "expires_at") if name in fields
    }
    lists = {name: tuple(value) for name, value in fields.items() if isinstance(value, list)}
    return {**fields, **times, **lists}
