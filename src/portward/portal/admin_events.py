"""Events over the admin API: listed, followed, explained.

GET /events?limit=20                      the newest 20, oldest first, one JSON object a line
GET /events?after=41&follow=1             what came after 41, and whatever comes, until the client leaves
GET /explain/REQUEST-ID                   what happened to a request, which rule refused it, and the way out
"""

import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any, TypedDict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from portward.errors import Invalid, NotFound
from portward.model import Event
from portward.portal import documents
from portward.portal.arrivals import Arrivals
from portward.store import Store

_MOST = 1000
_NDJSON = "application/x-ndjson"


class Wanted(TypedDict):
    """Which events a client asked for."""

    kind: str | None
    account: str | None
    since: datetime | None


class EventsApi:
    def __init__(self, store: Store, arrivals: Arrivals) -> None:
        self._store, self._arrivals = store, arrivals

    def routes(self) -> list[Route]:
        return [Route("/events", self.list), Route("/explain/{request_id}", self.explain)]

    async def list(self, request: Request) -> Response:
        query = request.query_params
        wanted = Wanted(kind=query.get("kind") or None, account=query.get("account") or None, since=_since(request))
        after, limit = _number(request, "after", 0), min(_number(request, "limit", 50), _MOST)
        count = self._arrivals.count
        newest = "after" not in query and query.get("since") is None
        found = await self._store.events.list(after, limit, newest=newest, **wanted)
        if query.get("follow") != "1":
            return Response(_lines(found), media_type=_NDJSON)
        last = found[-1].id if found else await self._last_id(after)
        return StreamingResponse(self._follow(found, last, count, wanted), media_type=_NDJSON)

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

    async def _last_id(self, after: int) -> int:
        newest = await self._store.events.list(after, 1, newest=True)
        return newest[0].id if newest else after

    async def _follow(self, found: Sequence[Event], last: int, count: int, wanted: Wanted) -> AsyncIterator[bytes]:
        """Ends when the server cancels it, which it does when the client leaves."""
        yield _lines(found)
        while True:
            more = await self._store.events.list(last, _MOST, **wanted)
            if more:
                last = more[-1].id
                yield _lines(more)
            else:
                await self._arrivals.wait_for_more(count)
                count = self._arrivals.count


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
