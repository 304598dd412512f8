"""How the verbs speak with tunnels that are up: one JSON object a line over a Unix socket (0600), one answer a line.

async with Control(socket, {"status": statuses, "stop": stop}):
    ...
ask(socket, {"do": "status"})                        # what `statuses` returned
ask(socket, {"do": "stop", "name": "database"})
"""

import asyncio
import json
import socket as sockets
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from portward.errors import Invalid, NotRunning
from portward.host.files import private_directory
from portward.tunnels.client.binding import bind
from portward.tunnels.profiles.profile import Unix

_PATIENCE = 5.0
_LONGEST = 64 * 1024
_ANSWER = 1024 * 1024

Answer = Callable[[dict[str, Any]], Any]


class Control:
    """Listens as long as the block lasts; `answers` has a function for each thing to do."""

    def __init__(self, socket: Path, answers: Mapping[str, Answer]) -> None:
        self._socket, self._answers = socket, answers

    async def __aenter__(self) -> Self:
        private_directory(self._socket.parent)
        (listener,) = bind(Unix(str(self._socket)))
        self._server = await asyncio.start_unix_server(self._serve, sock=listener, limit=_LONGEST)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        self._socket.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            try:
                async with asyncio.timeout(_PATIENCE):
                    line = await reader.readline()
                    writer.write(json.dumps(self._answer(line)).encode() + b"\n")
                    await writer.drain()
            except (OSError, ValueError):
                return

    def _answer(self, line: bytes) -> dict[str, Any]:
        question = json.loads(line)
        answer = self._answers.get(question.get("do", "")) if isinstance(question, dict) else None
        return {"ok": answer(question)} if answer else {"error": "nothing like that can be done"}


def ask(socket: Path, question: Mapping[str, Any]) -> Any:
    """Raises `NotRunning` when nobody answers."""
    try:
        with sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM) as connection:
            connection.settimeout(_PATIENCE)
            connection.connect(str(socket))
            connection.sendall(json.dumps(question).encode() + b"\n")
            with connection.makefile("rb") as stream:
                answer = json.loads(stream.readline(_ANSWER))
    except (OSError, ValueError) as error:
        raise NotRunning(f"what keeps the tunnel up does not answer at {socket}") from error
    if "error" in answer:
        raise Invalid(answer["error"])
    return answer["ok"]
