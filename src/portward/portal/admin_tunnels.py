"""Live tunnels over the admin API, for `portward tunnel list`.

GET /tunnels            {"running": true, "live": [{"service": "blog", "key": "laptop", …}]}, oldest first
"""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from portward.errors import NotRunning
from portward.portal import documents
from portward.tunnels.control import Control


class TunnelsApi:
    def __init__(self, control: Control) -> None:
        self._control = control

    def routes(self) -> list[Route]:
        return [Route("/tunnels", self.list)]

    async def list(self, request: Request) -> Response:
        """`running` is false where no SSH server answers, because none is wanted or it is just starting."""
        try:
            found = await self._control.live()
        except NotRunning:
            return JSONResponse({"running": False, "live": []})
        return JSONResponse({"running": True, "live": [documents.tunnel(live) for live in found]})
