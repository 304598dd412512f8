"""A steady load on a gateway, from a thread of its own: it notes every request that was not answered with 200.

with Load(gateway, "wiki", cookie=ann.cookie("wiki")) as load:
    ...                                 # what must not disturb anybody
    load.wait_for_progress()            # requests that began after this call were answered
assert load.failures == []

Half of the clients keep their connection, as browsers do; the others open a new one for each request. A connection
that the gateway ended politely (`Connection: close`) is opened anew; one that ends in the middle is a failure.
"""

import asyncio
import time
from collections import Counter
from contextlib import suppress
from threading import Event, Thread
from types import TracebackType
from typing import TYPE_CHECKING, Self

from tests.lives.visitor import COOKIE
from tests.lives.waiting import wait_for

if TYPE_CHECKING:
    from tests.lives.gateway import Gateway

_KEEPING, _OPENING = 3, 2
_PAUSE = 0.004
_PATIENCE = 15.0


class Load:
    """`failures` holds a line for each request that failed; `slowest` is the longest that one took, in seconds.

    `wait`: until requests are answered, before the block begins.
    """

    def __init__(self, gateway: "Gateway", host: str, *, cookie: str | None = None, wait: bool = True) -> None:
        self._gateway, self._host = gateway, gateway.host(host)
        self._request = _request(self._host, cookie)
        self._tls = gateway.tls()
        self._wait = wait
        self._stop = Event()
        self._thread = Thread(target=lambda: asyncio.run(self._run()))
        self._began = time.monotonic()
        self.failures: list[str] = []
        self.answered = 0
        self.slowest = 0.0

    def __enter__(self) -> Self:
        self._thread.start()
        if self._wait:
            self.wait_for_progress()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def wait_for_progress(self, count: int = 30) -> None:
        """Return when so many more requests were answered."""
        goal = self.answered + count
        wait_for(lambda: self.answered >= goal, f"{count} more answers under load; failed: {self.failures[-3:]}")

    @property
    def summary(self) -> str:
        kinds = Counter(line.partition(": ")[2] for line in self.failures)
        return f"{self.answered} answered, {len(self.failures)} failed {dict(kinds)}, slowest {self.slowest:.2f} s"

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(_KEEPING):
                group.create_task(self._go_on(keep=True))
            for _ in range(_OPENING):
                group.create_task(self._go_on(keep=False))

    async def _go_on(self, *, keep: bool) -> None:
        while not self._stop.is_set():
            try:
                await self._use_one_connection(keep=keep)
            except (OSError, EOFError, TimeoutError, AssertionError) as error:
                at = time.monotonic() - self._began
                self.failures.append(f"{at:.2f} s, {'kept' if keep else 'new'}: {type(error).__name__} {error}")
                await asyncio.sleep(0.02)

    async def _use_one_connection(self, *, keep: bool) -> None:
        connecting = asyncio.open_connection(
            "127.0.0.1", self._gateway.https_port, ssl=self._tls, server_hostname=self._host
        )
        reader, writer = await asyncio.wait_for(connecting, _PATIENCE)
        try:
            open_still = True
            while open_still and not self._stop.is_set():
                open_still = await asyncio.wait_for(self._ask(reader, writer), _PATIENCE) and keep
                await asyncio.sleep(_PAUSE)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request. Returns whether the connection stays open."""
        started = time.monotonic()
        writer.write(self._request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = int(head.partition("content-length:")[2].split("\r\n")[0])
        body = await reader.readexactly(length)
        assert head.startswith("http/1.1 200 "), f"{head.splitlines()[0]} {body[:80]!r}"
        self.answered += 1
        self.slowest = max(self.slowest, time.monotonic() - started)
        return "connection: close" not in head


def _request(host: str, cookie: str | None) -> bytes:
    lines = ["GET /load HTTP/1.1", f"Host: {host}"]
    if cookie:
        lines.append(f"Cookie: {COOKIE}={cookie}")
    return "\r\n".join([*lines, "", ""]).encode()
