"""The ledger of bans, whether the keeper runs or not: whoever may read the state directory can always let somebody in.

    with ledger(state, config) as running:
        running.delete("/bans/203.0.113.7")

Without a keeper the same admin API answers from the store, in this process. What it lifts or bans is saved, and told to
whoever goes on without a keeper; whoever does not answer hears of it at the next start.
"""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from portward.cli.client import Keeper, keeper
from portward.cli.rescue import existing, settings_of
from portward.config import Settings
from portward.errors import NotRunning
from portward.host.paths import State
from portward.keeper.away import without_keeper


@contextmanager
def ledger(state: Path, config: Path) -> Iterator[Keeper]:
    """Raises `Environment` where there is neither a keeper nor a store."""
    with ExitStack() as stack:
        try:
            running = stack.enter_context(keeper(state))
        except NotRunning:
            place = existing(state)
            print("the keeper does not run; this is what its store says", file=sys.stderr)
            transport = _Store(place, settings_of(config, place) or Settings())
            http = stack.enter_context(httpx.Client(transport=transport, base_url="http://store", trust_env=False))
            running = Keeper(http)
        yield running


class _Store(httpx.BaseTransport):
    """Answers each request from the store, as the keeper would."""

    def __init__(self, place: State, settings: Settings) -> None:
        self._place, self._settings = place, settings

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        return asyncio.run(self._answer(request))

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        async with without_keeper(self._place, self._settings, changing=request.method != "GET") as app:
            transport = httpx.ASGITransport(app, raise_app_exceptions=False)
            asked = httpx.Request(request.method, request.url, headers=request.headers, content=request.content)
            answer = await transport.handle_async_request(asked)
            return httpx.Response(answer.status_code, headers=answer.headers, content=await answer.aread())
