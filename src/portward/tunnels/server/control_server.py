"""Answers the keeper on the control socket; control.py has the other side, and says what may be asked."""

import asyncio
import json
import logging
from contextlib import ExitStack
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from portward.host.listeners import listening
from portward.tunnels.control import Live, Pending
from portward.tunnels.rules import KeyRule
from portward.tunnels.server.admission import judge
from portward.tunnels.server.approvals import Entry
from portward.tunnels.server.peers import Peers

_LINE_BYTES = 64 * 1024

log = logging.getLogger(__name__)


class ControlServer:
    """Serves `socket` while it is open."""

    def __init__(self, socket: Path, peers: Peers) -> None:
        self._socket, self._peers = socket, peers

    async def __aenter__(self) -> Self:
        with ExitStack() as stack:
            listener = stack.enter_context(listening(self._socket))
            self._server = await asyncio.start_unix_server(self._serve, sock=listener, limit=_LINE_BYTES)
            self._closing = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        self._closing.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(json.dumps(self._answer(line), default=_spell).encode() + b"\n")
                await writer.drain()
        except (ValueError, ConnectionError) as error:
            log.warning("a question on the control socket broke off: %s", error)
        finally:
            writer.close()

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            question = json.loads(line)
            return {"ok": self._do(question["do"], question)}
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            return {"error": f"not a question: {error}"}

    def _do(self, what: str, question: dict[str, Any]) -> Any:
        match what:
            case "list":
                return [asdict(live) for live in self._live()]
            case "cut":
                return self._cut(question["key"], question["service"])
            case "pending":
                return [asdict(_pending(entry)) for entry in self._peers.approvals.entries]
            case "ban":
                return self._peers.ban(question["sources"])
            case "lift":
                return self._peers.lift(question["sources"])
            case "count-bans":
                return self._peers.count_bans()
            case "bans":
                return dict(self._peers.banned)
            case "approve" | "refuse":
                return self._settle(question["code"], approve=what == "approve")
        raise ValueError(what)

    def _live(self) -> list[Live]:
        return sorted((tunnel.live() for tunnel in self._peers.exchange.tunnels()), key=lambda live: live.since)

    def _cut(self, key: str, service: str) -> int:
        return self._peers.cut(
            lambda peer: (
                peer.known.fingerprint == key if key else any(t.service.name == service for t in peer.tunnels.values())
            ),
            "cut by the gateway",
        )

    def _settle(self, code: str, *, approve: bool) -> dict[str, Any] | None:
        now = datetime.now(UTC)
        entry = self._peers.approvals.find(code, now)
        if entry is None:
            return None
        key = judge(self._peers.rules, entry.pending.fingerprint, entry.pending.address, now) if approve else None
        if approve and not isinstance(key, KeyRule):
            raise ValueError("the rules don't name this key yet")
        entry.settle(key if isinstance(key, KeyRule) else None)
        return asdict(_pending(entry))


def _pending(entry: Entry) -> Pending:
    return replace(entry.pending, wishes=tuple(entry.wishes))


def _spell(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"not a value of an answer: {value!r}")
