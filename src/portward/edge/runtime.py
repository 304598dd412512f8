"""HAProxy's runtime sockets: one command, one answer.

    runtime = Runtime(state.edge_socket, state.master_socket)
    await runtime.ask("show env PORTWARD_PLAN")
    await runtime.order_everywhere("del map /…/sessions.map 9F86…")

Commands and their answers: HAProxy's Management Guide, section 9.3.
"""

import asyncio
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from portward.errors import EdgeError

_TIMEOUT = 10.0
_CHUNK = 12_000
"""HAProxy reads a command into one buffer of 16 KB."""
_FINE = re.compile(
    r"^(|New server registered\.|Server deleted\.|New empty certificate store '.*'!"
    r"|[Tt]ransaction (created|updated) for (certificate|CRL) .*!|(Inserting|Deleting) .*|Success!|\.+|Committing .*"
    r"|(Certificate|Transaction aborted for certificate) '.*'( deleted)?!|Entry '.*' deleted in crtlist '.*'!"
    r"|IP changed from .*|no need to change .*)$"
)


class Runtime:
    """The current worker's socket, and the master's for workers that still drain. Raises `EdgeError` throughout."""

    def __init__(self, worker: Path, master: Path) -> None:
        self._worker = worker
        self._master = master

    async def ask(self, command: str) -> str:
        """Send one command, or several joined by `; `, to the current worker. Returns the stripped answer."""
        return await _converse(self._worker, command)

    async def order(self, command: str, payload: str = "") -> None:
        """Send a command that has no answer worth reading; anything but success raises."""
        _judge(command, await self.ask(_with_payload(command, payload)))

    async def order_all(self, commands: Sequence[str]) -> None:
        """Send many short commands in few conversations."""
        for chunk in _chunks(commands, separator="; "):
            _judge(chunk, await self.ask(chunk))

    async def order_everywhere(self, commands: Sequence[str]) -> None:
        """Like `order_all`, and to workers that still drain after a reload as well; those may vanish meanwhile."""
        await self.order_all(commands)
        for pid in await self.draining_workers():
            for chunk in _chunks(commands, separator="; "):
                await self.ask_worker(pid, chunk)

    async def ask_everywhere(self, command: str) -> list[tuple[int | None, str]]:
        """Ask the current worker (pid None) and those that drain."""
        answers: list[tuple[int | None, str]] = [(None, await self.ask(command))]
        return answers + [(pid, await self.ask_worker(pid, command)) for pid in await self.draining_workers()]

    async def ask_worker(self, pid: int | None, command: str) -> str:
        """Ask one worker. A draining one that is gone answers with nothing."""
        if pid is None:
            return await self.ask(command)
        parts = "; ".join(f"@!{pid} {part}" for part in command.split("; "))
        return await _converse(self._master, parts)

    async def add_entries(self, path: Path | str, entries: Iterable[tuple[str, str]]) -> None:
        """Add many map entries to the current worker (`add map FILE <<`); `@2 FILE` is a version in preparation."""
        for chunk in _chunks([f"{key} {value}" for key, value in entries], separator="\n"):
            await self.order(f"add map {path}", chunk)

    async def draining_workers(self) -> list[int]:
        """Process ids of old workers, from the master's `show proc`."""
        _, _, old = (await self.master("show proc")).partition("# old workers")
        return [int(match) for match in re.findall(r"^(\d+)\s+worker", old, re.MULTILINE)]

    async def failed_reloads(self) -> int:
        """How many reloads in a row the master could not do; 0 while it does not answer, since it may be reloading."""
        try:
            match = re.search(r"\[failed: (\d+)\]", await self.master("show proc"))
        except EdgeError:
            return 0
        return int(match[1]) if match else 0

    async def master_answers(self) -> bool:
        """Whether the master's socket is there; its workers serve a moment earlier."""
        try:
            await self.master("show proc")
        except EdgeError:
            return False
        return True

    async def master(self, command: str) -> str:
        """Ask the master process."""
        return await _converse(self._master, command)


async def _converse(socket: Path, command: str) -> str:
    try:
        async with asyncio.timeout(_TIMEOUT):
            reader, writer = await asyncio.open_unix_connection(str(socket), limit=1 << 24)
            try:
                writer.write(command.encode() + b"\n")
                writer.write_eof()
                return (await reader.read()).decode(errors="replace").strip()
            finally:
                writer.close()
                await writer.wait_closed()
    except (OSError, TimeoutError) as error:
        raise EdgeError(
            f"HAProxy does not answer `{command.splitlines()[0][:80]}` on {socket}: {str(error) or 'timeout'}",
            way_out="`portward status` tells whether the edge runs",
        ) from error


def _with_payload(command: str, payload: str) -> str:
    return f"{command} <<\n{payload.strip()}\n" if payload else command


def _chunks(parts: Sequence[str], *, separator: str) -> Iterable[str]:
    chunk: list[str] = []
    size = 0
    for part in parts:
        if chunk and size + len(part) > _CHUNK:
            yield separator.join(chunk)
            chunk, size = [], 0
        chunk.append(part)
        size += len(part) + len(separator)
    if chunk:
        yield separator.join(chunk)


def _judge(command: str, answer: str) -> None:
    bad = [line for line in answer.splitlines() if not _FINE.match(line.strip())]
    if bad:
        raise EdgeError(f"HAProxy refused `{command.splitlines()[0][:80]}`: {' '.join(bad)}")
