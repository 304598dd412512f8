"""The defence as a whole over the admin API.

GET /defence · GET /defence/detectors/NAME · GET /defence/lists · POST /defence/lists/NAME
"""

from collections.abc import Mapping
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from portward.defense.blocklists import Blocklists
from portward.defense.ledger import Ledger
from portward.errors import NotFound
from portward.portal import documents, orders
from portward.portal.orders import ListRefresh

_MOST = 5000


class Defence(Protocol):
    """What only the composition root can tell."""

    async def report(self) -> Mapping[str, Any]:
        """`bans`, `detectors` and whatever else takes part in the defence; as JSON can hold it."""


class DefenceApi:
    def __init__(self, defence: Defence, ledger: Ledger, lists: Blocklists) -> None:
        self._defence, self._ledger, self._lists = defence, ledger, lists

    def routes(self) -> list[Route]:
        return [
            Route("/defence", self.status),
            Route("/defence/detectors/{name}", self.detector),
            Route("/defence/lists", self.lists),
            Route("/defence/lists/{name}", self.refresh, methods=["POST"]),
        ]

    async def status(self, request: Request) -> Response:
        return JSONResponse({**await self._defence.report(), "lists": self._documents()})

    async def detector(self, request: Request) -> Response:
        """One detector and whom it has banned."""
        name = request.path_params["name"]
        for found in (await self._defence.report())["detectors"]:
            if found["detector"] == name:
                banned = await self._ledger.current(limit=_MOST, reason=name)
                return JSONResponse({**found, "list": [documents.ban(ban) for ban in banned if ban.by == "detector"]})
        raise NotFound("detector", name, way_out="`portward defence status` names those that are on")

    async def lists(self, request: Request) -> Response:
        return JSONResponse({"lists": self._documents()})

    async def refresh(self, request: Request) -> Response:
        """Look at a list now; with `force`, one that has shrunk is taken too. A failure is an answer."""
        order, name = await orders.read(request, ListRefresh), request.path_params["name"]
        done = await self._lists.refresh(name, force=order.force)
        found = next(one for one in self._documents() if one["name"] == name)
        return JSONResponse({"outcome": done.outcome, "added": done.added, "removed": done.removed, "list": found})

    def _documents(self) -> list[documents.Document]:
        return [documents.block_list(standing) for standing in self._lists.standings()]
