"""Block lists over the admin API.

GET /defence/lists · POST /defence/lists/NAME
"""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from portward.defense.blocklists import Blocklists
from portward.portal import documents, orders
from portward.portal.orders import ListRefresh


class DefenceApi:
    def __init__(self, lists: Blocklists) -> None:
        self._lists = lists

    def routes(self) -> list[Route]:
        return [
            Route("/defence/lists", self.lists),
            Route("/defence/lists/{name}", self.refresh, methods=["POST"]),
        ]

    async def lists(self, request: Request) -> Response:
        return JSONResponse({"lists": [documents.block_list(standing) for standing in self._lists.standings()]})

    async def refresh(self, request: Request) -> Response:
        """Look at a list now; with `force`, one that has shrunk is taken too. A failure is an answer."""
        order, name = await orders.read(request, ListRefresh), request.path_params["name"]
        done = await self._lists.refresh(name, force=order.force)
        standing = next(one for one in self._lists.standings() if one.wanted.name == name)
        changed = {"outcome": done.outcome, "added": done.added, "removed": done.removed}
        return JSONResponse({**changed, "list": documents.block_list(standing)})
