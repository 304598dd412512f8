"""Open streams (WebSockets, server-sent events, gRPC) and the sessions that hold them.

    await Streams(runtime, map_file(state, "streams")).cut(lambda stream: stream.session_id == "s3ss10n")

Such a stream passes the gates once, when it opens. The edge notes its session in streams.map, so that a logout or a
change of access can cut it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from portward.edge.runtime import Runtime

_ROW = re.compile(r"^(0x[0-9a-f]+): .*?src=(\S+) .*?be=(\S+) srv=(\S+)")


@dataclass(frozen=True, slots=True)
class Stream:
    """`session_id` is `-` for a stream that nobody is logged in on."""

    id: str
    source: str
    server: str
    session_id: str


class Streams:
    def __init__(self, runtime: Runtime, path: Path) -> None:
        self._runtime = runtime
        self._path = path

    async def cut(self, doomed: Callable[[Stream], bool]) -> int:
        """Cut every noted stream that `doomed` picks, in the current worker and those that drain. Returns how many."""
        count = 0
        for pid, rows in await self._runtime.ask_everywhere("show sess"):
            owners = _owners(await self._runtime.ask_worker(pid, f"show map {self._path}"))
            for stream in filter(doomed, _streams(rows, owners)):
                await self._runtime.ask_worker(pid, f"shutdown session {stream.id}")
                count += 1
        return count

    async def forget_closed(self) -> None:
        """Take entries out of streams.map whose connection is gone."""
        owners = _owners(await self._runtime.ask(f"show map {self._path}"))
        alive = {match[2] for row in (await self._runtime.ask("show sess")).splitlines() if (match := _ROW.match(row))}
        await self._runtime.order_all([f"del map {self._path} {source}" for source in owners if source not in alive])


def _streams(rows: str, owners: dict[str, str]) -> list[Stream]:
    matches = (match for row in rows.splitlines() if (match := _ROW.match(row)))
    return [Stream(m[1], m[2], m[4], owners[m[2]]) for m in matches if m[2] in owners]


def _owners(dump: str) -> dict[str, str]:
    parts = (line.split(" ", 2) for line in dump.splitlines() if line.startswith("0x"))
    return {part[1]: part[2] for part in parts if len(part) == 3}
