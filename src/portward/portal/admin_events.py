"""Events over the admin API: listed, followed, explained.

GET /events?limit=20                      the newest 20, oldest first, one JSON object a line
GET /events?limit=0&follow=1              what comes from now on, until the client leaves
GET /events?after=41&follow=1             what came after 41, and whatever comes, until the client leaves
GET /explain/REQUEST-ID                   what happened to a request, which rule refused it, and the way out
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypedDict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from portward.errors import Invalid, NotFound
from portward.model import Event
from portward.portal import documents
from portward.store import Store
from portward.watch.journal import Journal

_MOST = 1000
_NDJSON = "application/x-ndjson"
More = Callable[[int], Awaitable[Sequence[Event]]]


class Wanted(TypedDict):
    """Which events a client asked for."""

    kind: str | None
    account: str | None
    since: datetime | None


class EventsApi:
    def __init__(self, store: Store, journal: Journal) -> None:
        self._store, self._journal = store, journal

    def routes(self) -> list[Route]:
        return [Route("/events", self.list), Route("/explain/{request_id}", self.explain)]

    async def list(self, request: Request) -> Response:
        query = request.query_params
        wanted = Wanted(kind=query.get("kind") or None, account=query.get("account") or None, since=_since(request))
        after, limit = _number(request, "after", 0), min(_number(request, "limit", 50), _MOST)
        newest = "after" not in query and query.get("since") is None
        found = await self._store.events.list(after, limit, newest=newest, **wanted)
        if query.get("follow") != "1":
            return Response(_lines(found), media_type=_NDJSON)
        last = found[-1].id if found else after if limit else await self._last_id()
        more = partial(self._store.events.list, limit=_MOST, **wanted)
        return EventStream(found, last, more, self._journal)

    async def explain(self, request: Request) -> Response:
        wanted = request.path_params["request_id"]
        found = await self._store.events.find(wanted)
        if not found:
            raise NotFound(
                "event of a request",
                wanted,
                way_out="only refusals and logins leave an event; the access log holds every request",
            )
        return JSONResponse(
            {
                "events": [
                    {**documents.event(event), "explanation": documents.explanation(event.rule)} for event in found
                ]
            }
        )

    async def _last_id(self) -> int:
        newest = await self._store.events.list(limit=1, newest=True)
        return newest[0].id if newest else 0


class EventStream(Response):
    """Lines until the client leaves. Reading the store is never cancelled halfway: only the waiting between is."""

    media_type = _NDJSON

    def __init__(self, found: Sequence[Event], last: int, more: More, journal: Journal) -> None:
        super().__init__()
        self._found, self._last, self._more, self._journal = found, last, more, journal
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": _lines(self._found), "more_body": True})
        leaving = asyncio.create_task(_wait_for_leaving(receive))
        try:
            await self._send_more(send, leaving)
        finally:
            leaving.cancel()

    async def _send_more(self, send: Send, leaving: asyncio.Task[None]) -> None:
        """The waiting begins before the reading, so that nothing that is recorded between goes unnoticed."""
        while not leaving.done():
            arriving = asyncio.create_task(self._journal.wait_for_more())
            try:
                if not await self._send_new(send):
                    await asyncio.wait({arriving, leaving}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                arriving.cancel()

    async def _send_new(self, send: Send) -> bool:
        more = await self._more(self._last)
        if more:
            self._last = more[-1].id
            await send({"type": "http.response.body", "body": _lines(more), "more_body": True})
        return bool(more)


async def _wait_for_leaving(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _explained(event: Event) -> dict[str, Any]:
    return {**documents.event(event), "explanation": documents.explanation(event.rule)}


def _lines(events: Sequence[Event]) -> bytes:
    return "".join(json.dumps(documents.event(event), ensure_ascii=False) + "\n" for event in events).encode()


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, str(default))
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise Invalid(f"{name} is not a number: {text!r}")
    return int(text)


def _since(request: Request) -> datetime | None:
    text = request.query_params.get("since")
    if not text:
        return None
    try:
        since = datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid(f"since is not a time: {text!r}", way_out="write it as 2026-11-20T13:00:00Z") from error
    return since if since.tzinfo else since.replace(tzinfo=UTC)
