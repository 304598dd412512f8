"""Answers on the control socket as the SSH server does, with what a test puts there.

async with SshServer.beside(world) as server:
    server.live.append(live(service="blog", account="ann"))
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import datetime
from typing import Any

from tests.unit.portal.world import World

from portward.tunnels.control import Live, Pending


def live(world: World, **more: Any) -> Live:
    plain: dict[str, Any] = {
        "id": "t1",
        "service": "ann-blog",
        "host": "ann-blog.example.com",
        "url": "https://ann-blog.example.com",
        "kind": "http",
        "made": True,
        "key": "laptop",
        "account": "ann",
        "fingerprint": "SHA256:abc",
        "address": "198.51.100.4",
        "version": "SSH-2.0-OpenSSH_9.2p1",
        "since": world.now,
        "bytes_in": 1,
        "bytes_out": 2,
        "requests": 3,
        "round_trip": 0.02,
        "health": "up",
    }
    return Live(**{**plain, **more})


class SshServer:
    """`rules_after` is how often `approve` is refused before the rules name the key; `gone` closes the waiting room."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.live: list[Live] = []
        self.pending: list[Pending] = []
        self.settled: list[tuple[str, str]] = []
        self.rules_after = 0
        self.gone = False

    @classmethod
    @asynccontextmanager
    async def beside(cls, world: World) -> AsyncIterator["SshServer"]:
        made = cls(world)
        listener = await asyncio.start_unix_server(made._talk, world.store.path.with_name("tunnels.sock"))
        async with listener:
            yield made

    def waits(self, public: str, **more: Any) -> Pending:
        plain: dict[str, Any] = {
            "code": "BCDF-GHJK",
            "fingerprint": "SHA256:pending",
            "public": public,
            "user": "ann",
            "address": "198.51.100.4",
            "version": "SSH-2.0-PuTTY_Release_0.78",
            "wishes": ("-R blog:80",),
            "since": self._world.now,
            "expires_at": self._world.now.replace(minute=self._world.now.minute + 10),
        }
        self.pending.append(Pending(**{**plain, **more}))
        return self.pending[-1]

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        question = json.loads(await reader.readline())
        writer.write(json.dumps(self._answer(question), default=_spell).encode() + b"\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    def _answer(self, question: dict[str, str]) -> dict[str, Any]:
        match question["do"]:
            case "list":
                return {"ok": [asdict(one) for one in self.live]}
            case "pending":
                return {"ok": [asdict(one) for one in self.pending]}
            case "approve" if self.rules_after:
                self.rules_after -= 1
                return {"error": "the rules don't name this key yet"}
        if self.gone:
            return {"ok": None}
        self.settled.append((question["do"], question["code"]))
        return {"ok": asdict(self.pending.pop())}


def _spell(value: Any) -> str:
    assert isinstance(value, datetime)
    return value.isoformat()
