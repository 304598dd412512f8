"""What HAProxy and the program `tunnels` tell: one JSON object a line over a local stream socket.

    async with EventListener(state.events_socket, guard.hear, record, hosts=lambda: plan.hosts) as listener: ...

The ring in HAProxy keeps lines while the keeper is away. Every fact is heard at once. A flood is kept up to a rate; the
rest is counted, so that a scanner can't fill the store.
"""

import asyncio
import json
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from portward.edge.allowance import Allowance
from portward.edge.doors import OWN_SOURCE
from portward.edge.refusals import RULES, rule_of_line
from portward.edge.uploads import Cut
from portward.facts import ErrorAnswered, EventsDropped, Fact, RequestRefused, from_line
from portward.host.listeners import listening

_BATCH_SECONDS = 0.2
_KEPT_PER_BATCH = 200
_SURPLUS_SECONDS = 5.0
"""How often at most a flood is told of."""
_LINE_BYTES = 64 * 1024
_OF_TUNNELS = b'{"fact": "'
"""How a line of the program `tunnels` begins; HAProxy's begin with their time."""

_KILLED = "K"
"""A termination state that begins so: somebody ended the stream over the runtime socket."""

log = logging.getLogger(__name__)
Hear = Callable[[Sequence[Fact]], None]
Record = Callable[[Sequence[Fact]], Awaitable[None]]


def _nothing_cut(_: str) -> Cut | None:
    return None


class EventListener:
    """Serves the events socket while it is open; has each fact heard, and passes on in batches what is to be kept."""

    def __init__(
        self,
        socket: Path,
        hear: Hear,
        record: Record,
        hosts: Callable[[], Collection[str]],
        cut: Callable[[str], Cut | None] = _nothing_cut,
    ) -> None:
        self._socket = socket
        self._hear = hear
        self._record = record
        self._hosts = hosts
        self._cut = cut
        self._pending: list[Fact] = []
        self._surplus: Counter[str] = Counter()
        self._allowance = Allowance()
        self._told_at = 0.0
        self._wake = asyncio.Event()
        self._begun = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        with ExitStack() as stack:
            listener = stack.enter_context(listening(self._socket))
            self._server = await asyncio.start_unix_server(self._receive, sock=listener, limit=_LINE_BYTES)
            self._closing = stack.pop_all()
        self._flusher = asyncio.create_task(self._flush_forever())
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._server.close()
        self._begun.set()
        for writer in self._writers:
            writer.close()
        self._flusher.cancel()
        with suppress(asyncio.CancelledError):
            await self._flusher
        await self._flush(surplus=True)
        self._closing.close()

    def begin(self) -> None:
        """The hosts are known now. Until then lines wait, since any host would look unknown."""
        self._begun.set()

    async def _receive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            await self._begun.wait()
            while line := await reader.readline():
                self._take(line)
        except (ValueError, ConnectionError) as error:
            log.warning("the event stream broke off: %s", error)
        finally:
            self._writers.discard(writer)
            writer.close()

    def _take(self, line: bytes) -> None:
        fact = fact_of_line(line, self._hosts(), self._cut)
        if fact is None:
            return
        self._hear((fact,))
        if isinstance(fact, ErrorAnswered):
            return
        if len(self._pending) < _KEPT_PER_BATCH and self._allowance.spend(fact.address, time.monotonic()):
            self._pending.append(fact)
        else:
            self._surplus[fact.rule if isinstance(fact, RequestRefused) else fact.kind] += 1
        self._wake.set()

    async def _flush_forever(self) -> None:
        while True:
            await self._wake.wait()
            await asyncio.sleep(_BATCH_SECONDS)
            self._wake.clear()
            await self._flush(surplus=time.monotonic() - self._told_at >= _SURPLUS_SECONDS)
            if self._surplus:
                self._wake.set()

    async def _flush(self, *, surplus: bool) -> None:
        facts, self._pending = self._pending, []
        if self._surplus and surplus:
            self._told_at = time.monotonic()
            rules = ", ".join(f"{rule} {count}" for rule, count in self._surplus.most_common())
            facts.append(EventsDropped(time=datetime.now(UTC), count=self._surplus.total(), rules=rules))
            self._surplus.clear()
        if facts:
            await self._record(facts)


def fact_of_line(line: bytes, hosts: Collection[str], cut: Callable[[str], Cut | None] = _nothing_cut) -> Fact | None:
    """One line as a fact. None for lines that tell of nothing, and for those that can't be read.

    `cut` says why a request was cut off in its middle, by its id, if it was.
    """
    try:
        if line.startswith(_OF_TUNNELS):
            return from_line(line)
        fields: dict[str, Any] = {key: "" if value == "-" else value for key, value in json.loads(line).items()}
        if "code" in fields and fields.get("ip") == OWN_SOURCE:
            return None  # our own look at what is shown; a host that refuses handshakes refuses this one too
        if str(fields.get("state", "")).startswith(_KILLED) and (why := cut(str(fields["id"]))):
            fields |= {"why": why.rule, "error": why.detail}
        if "errors" in fields and not fields.get("why"):
            return _answered(fields)
        rule = rule_of_line(fields, hosts)
        return _fact(fields, rule) if rule is not None and rule in RULES else None
    except (ValueError, TypeError, AttributeError, KeyError, ArithmeticError, RecursionError):
        log.warning("not an event: %r", line[:200])
        return None


def _fact(fields: Mapping[str, Any], rule: str) -> RequestRefused:
    return RequestRefused(
        **_common(fields),
        gate=RULES[rule].gate,
        rule=rule,
        account=_text(fields, "account"),
        host=_text(fields, "asked") or _text(fields, "host"),
        sni=_text(fields, "sni") or (_text(fields, "host") if "route" in fields else ""),
        detail=_text(fields, "tls") or _text(fields, "error") or _text(fields, "service"),
    )


def _answered(fields: Mapping[str, Any]) -> ErrorAnswered:
    return ErrorAnswered(
        **_common(fields),
        host=_text(fields, "host"),
        errors=int(fields["errors"] or 0),
        requests=int(fields["requests"] or 0),
    )


def _common(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "time": datetime.fromtimestamp(float(fields["time"]), UTC),
        "request_id": _text(fields, "id"),
        "address": _plain(_text(fields, "ip")),
        "method": _text(fields, "method"),
        "path": _text(fields, "path"),
        "status": int(fields.get("status") or 0),
        "credential": _text(fields, "credential"),
    }


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name) or ""
    if not isinstance(value, str):
        raise TypeError(name)
    return value


def _plain(address: str) -> str:
    return address.removeprefix("::ffff:")
