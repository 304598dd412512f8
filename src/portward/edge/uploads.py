"""Bodies on their way in: those that come too slowly, or that turn out longer than they may be, are cut.

    uploads = Uploads(runtime, map_file(state, "streams"), lambda: policy_of(settings))
    await uploads.look()                    # every few seconds
    uploads.reason("9A3B-1765000000-42")    # Cut(rule='slow', detail='12 bytes per second …')

HAProxy asks no rule while a body passes, so its list of streams is looked at instead; a request costs nothing more for
that. A body is slow when it came with less than the minimum rate over a whole window, while nothing of it waited for
the service and the service had not begun to answer. WebSockets and gRPC streams are none of our business here.
"""

import re
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from portward.config import Settings
from portward.edge.plan import server_name
from portward.edge.runtime import Runtime
from portward.edge.servers import route_label

_CANDIDATE = re.compile(
    r"^(0x[0-9a-f]+): proto=\S+ src=\S+ fe=\S+ be=(?:services|portal)\S* .*? rq\[[^]]*?an=8000h", re.MULTILINE
)
"""A stream whose request's body is being forwarded, or has been (AN_REQ_HTTP_XFER_BODY), in the short list."""
_BLOCK = re.compile(r"^(?=0x[0-9a-f]+: \[)", re.MULTILINE)
_DETAILS = re.compile(
    r"^(0x[0-9a-f]+): \[.*? id=(\d+) .*?^\s+server=(\S+).*?req\.st=(\w+) rsp\.st=(\w+).*?"
    r"^\s+req=0x[0-9a-f]+ \(.*?total=(\d+)\).*?data=(\S+)",
    re.MULTILINE | re.DOTALL,
)
_MOST = 500
"""Streams that are looked at closely at one time."""
_PER_COMMAND = 50
_HEAD_BYTES = 32 * 1024
"""HAProxy's count of a request covers its headers, too."""
_REMEMBERED_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Upload:
    """`waits`: what has come waits for the service. `answered`: the service has begun its answer."""

    pointer: str
    number: str
    server: str
    total: int
    waits: bool
    answered: bool


@dataclass(frozen=True, slots=True)
class Policy:
    """`minimum` in bytes per second over `window` seconds; `longest` in bytes, by the label of a server's route."""

    minimum: int
    window: float
    longest: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Cut:
    """Why a body was cut; `rule` is one of `refusals.RULES`."""

    rule: str
    detail: str


def policy_of(settings: Settings) -> Policy:
    longest = {name: service.limits.body or settings.limits.body for name, service in settings.services.items()}
    return Policy(
        minimum=settings.limits.minimum_rate,
        window=settings.timeouts.client.total_seconds() / 2,
        longest={
            route_label(server_name(route)): most
            for route in settings.routes
            if (most := longest[route.service]) is not None
        },
    )


class Uploads:
    """Remembers, for each body, when its window began and how much had come by then."""

    def __init__(
        self,
        runtime: Runtime,
        streams: Path,
        policy: Callable[[], Policy],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._runtime, self._streams, self._policy, self._clock = runtime, streams, policy, clock
        self._since: dict[tuple[int | None, str], tuple[float, int]] = {}
        self._cut: dict[str, tuple[float, Cut]] = {}

    @property
    def pause(self) -> float:
        """Seconds until it is worth another look."""
        return min(5.0, self._policy().window / 4)

    def reason(self, request_id: str) -> Cut | None:
        """Why this request was cut here, a moment ago; the last part of its id is the number of its stream."""
        found = self._cut.get(request_id.rpartition("-")[2])
        return found[1] if found else None

    async def look(self) -> None:
        """Cut what is too slow or too long, in the current worker and those that drain. Raises `EdgeError`."""
        now, policy = self._clock(), self._policy()
        if not policy.minimum and not policy.longest:
            return
        seen = {}
        for pid, listed in await self._runtime.ask_everywhere("show sess"):
            pointers = _CANDIDATE.findall(listed)[:_MOST]
            async for upload in self._uploads(pid, pointers):
                key = pid, upload.number
                self._since.setdefault(key, (now, upload.total))
                if cut := self._judge(key, upload, policy, now):
                    self._cut[upload.number] = now, cut
                    await self._runtime.ask_worker(pid, f"shutdown session {upload.pointer}")
                else:
                    seen[key] = self._since[key]
        self._since = seen
        self._cut = {number: cut for number, cut in self._cut.items() if now - cut[0] < _REMEMBERED_SECONDS}

    def _judge(self, key: tuple[int | None, str], upload: Upload, policy: Policy, now: float) -> Cut | None:
        most = policy.longest.get(route_label(upload.server))
        if most is not None and upload.total > most + _HEAD_BYTES:
            return Cut("too_large", f"more than {most} bytes are taken, and no length was told")
        began, total = self._since[key]
        if upload.waits or upload.answered:
            self._since[key] = now, upload.total
        elif now - began >= policy.window:
            rate = (upload.total - total) / (now - began)
            if rate < policy.minimum:
                return Cut("slow", f"{rate:.0f} bytes per second, less than {policy.minimum}")
            self._since[key] = now, upload.total
        return None

    async def _uploads(self, pid: int | None, pointers: list[str]) -> AsyncIterator[Upload]:
        if not pointers:
            return
        exempt = _keys(await self._runtime.ask_worker(pid, f"show map {self._streams}"))
        for start in range(0, len(pointers), _PER_COMMAND):
            command = "; ".join(f"show sess {pointer}" for pointer in pointers[start : start + _PER_COMMAND])
            for upload in uploads_in(await self._runtime.ask_worker(pid, command)):
                if upload.number not in exempt:
                    yield upload


def uploads_in(dump: str) -> Iterator[Upload]:
    """Requests whose body is still coming, from the long list of streams."""
    for block in _BLOCK.split(dump):
        found = _DETAILS.match(block)
        if found and found[4] == "MSG_DATA":
            waits, answered = found[7] != "(nil)", found[5] != "MSG_RPBEFORE"
            yield Upload(found[1], found[2], found[3], int(found[6]), waits=waits, answered=answered)


def _keys(dump: str) -> set[str]:
    return {line.split(" ", 2)[1] for line in dump.splitlines() if line.startswith("0x")}
