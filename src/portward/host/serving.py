"""Web apps on Unix sockets that only their owner may open.

async with serving(app, state.admin_socket): ...
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from portward.host.listeners import BACKLOG, listening

_DATE = 0
"""A tick at which uvicorn looks at the time, for the header `Date`."""


class _Server(uvicorn.Server):
    """Signals belong to the program, not to one of its apps; and it wakes up once a second, instead of ten times."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        self.should_exit = True
        self._stopping.set()

    async def main_loop(self) -> None:
        while not await self.on_tick(_DATE):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self._stopping.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


@asynccontextmanager
async def serving(app: ASGIApp, path: Path) -> AsyncIterator[None]:
    """Serve `app` (0600) while the block runs; requests under way get two seconds to end."""
    with listening(path) as listener:
        server = _Server(
            uvicorn.Config(
                app,
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                backlog=BACKLOG,
                timeout_graceful_shutdown=2,
            )
        )
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            await _wait_for_start(server, task)
            yield
        finally:
            server.stop()
            await task


async def _wait_for_start(server: uvicorn.Server, task: "asyncio.Task[None]") -> None:
    while not server.started and not task.done():
        await asyncio.sleep(0.005)
