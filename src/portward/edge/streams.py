"""Open streams (WebSockets, server-sent events, gRPC) and the sessions that hold them.

    await Streams(runtime, map_file(state, "streams")).cut(lambda stream: stream.session_id == "s3ss10n")

Such a stream passes the gates once, when it opens. The edge notes its session in streams.map under the number that the
worker gave the stream, so that a logout or a change of access can cut it, and no other stream of the same connection:
a load balancer may carry many visitors over one.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from portward.edge.runtime import Runtime

_HEAD = re.compile(r"^(0x[0-9a-f]+): \[[^\]]*\] id=(\d+) ", re.MULTILINE)
_SERVER = re.compile(r"^\s+server=(\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Stream:
    """`pointer` is how HAProxy wants it named; `session_id` is `-` for a stream that nobody is logged in on."""

    pointer: str
    server: str
    session_id: str


class Streams:
    def __init__(self, runtime: Runtime, path: Path) -> None:
        self._runtime = runtime
        self._path = path

    async def cut(self, doomed: Callable[[Stream], bool]) -> int:
        """Cut every noted stream that `doomed` picks, in the current worker and those that drain. Returns how many."""
        count = 0
        for pid, dump in await self._runtime.ask_everywhere(f"show map {self._path}"):
            if not (owners := _owners(dump)):
                continue
            for stream in filter(doomed, _streams(await self._runtime.ask_worker(pid, "show sess all"), owners)):
                await self._runtime.ask_worker(pid, f"shutdown session {stream.pointer}")
                count += 1
        return count

    async def forget_closed(self) -> None:
        """Take entries out of streams.map whose stream is gone."""
        if owners := _owners(await self._runtime.ask(f"show map {self._path}")):
            alive = {number for _, number in _HEAD.findall(await self._runtime.ask("show sess all"))}
            await self._runtime.order_all(
                [f"del map {self._path} {number}" for number in owners if number not in alive]
            )


def _streams(dump: str, owners: dict[str, str]) -> list[Stream]:
    heads = list(_HEAD.finditer(dump))
    ends = [head.start() for head in heads[1:]] + [len(dump)]
    return [
        Stream(head[1], server[1] if (server := _SERVER.search(dump, head.end(), end)) else "", owners[head[2]])
        for head, end in zip(heads, ends, strict=True)
        if head[2] in owners
    ]


def _owners(dump: str) -> dict[str, str]:
    """Session ids by the number of their stream."""
    parts = (line.split(" ", 2) for line in dump.splitlines() if line.startswith("0x"))
    return {part[1]: part[2] for part in parts if len(part) == 3}
