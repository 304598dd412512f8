"""Bans over the admin API.

GET|POST|DELETE /bans · POST /bans/import · GET|DELETE /bans/SOURCE

GET /bans?limit=1000&after=SOURCE lists those that hold, the newest first; `search`, `reason` and `past=1` choose.
GET /bans/ADDRESS tells what shuts an address or network out, why it may not be banned, and what it was banned for.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from ipaddress import ip_network
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from portward.config.spelling import Misspelt, parse_duration
from portward.defense.exempt import Exemptions, Network, canonical, network_of, spell, why_exempt
from portward.defense.ledger import Ledger, Wish
from portward.errors import Invalid
from portward.model import Ban
from portward.portal import documents, orders
from portward.portal.orders import Import, NewBan

_BY = "cli"
_LARGEST_IMPORT = 4 * 1024 * 1024
_MOST = 5000


class BansApi:
    """`lists_of` names the block lists that an address stands on, each with the network there.

    `logged_in_from` names the accounts that are logged in from within a network.
    """

    def __init__(
        self,
        ledger: Ledger,
        exemptions: Callable[[], Exemptions],
        lists_of: Callable[[str], Mapping[str, str]],
        logged_in_from: Callable[[Network], Awaitable[Sequence[str]]],
    ) -> None:
        self._ledger, self._exemptions, self._lists_of = ledger, exemptions, lists_of
        self._logged_in_from = logged_in_from

    def routes(self) -> list[Route]:
        return [
            Route("/bans", self.list),
            Route("/bans", self.add, methods=["POST"]),
            Route("/bans", self.flush, methods=["DELETE"]),
            Route("/bans/import", self.take, methods=["POST"]),
            Route("/bans/{source:path}", self.show),
            Route("/bans/{source:path}", self.remove, methods=["DELETE"]),
        ]

    async def list(self, request: Request) -> Response:
        query = request.query_params
        found = await self._ledger.current(
            limit=_number(query.get("limit", "1000")),
            after=query.get("after", ""),
            search=query.get("search", ""),
            reason=query.get("reason", ""),
            past=query.get("past") == "1",
        )
        return JSONResponse({"bans": [documents.ban(ban) for ban in found], "total": await self._ledger.count()})

    async def add(self, request: Request) -> Response:
        order = await orders.read(request, NewBan)
        ban = await self._ledger.ban(
            order.source, until=order.until, for_=_length(order.for_), reason=order.reason, by=_BY
        )
        hit = await self._logged_in_from(network_of(ban.source))
        return JSONResponse({"ban": documents.ban(ban), "logged_in": list(hit)}, 201)

    async def take(self, request: Request) -> Response:
        """What is refused is told with its reason, and does not hold up the rest."""
        order = await orders.read(request, Import, largest=_LARGEST_IMPORT)
        wishes = [Wish(one.source, one.reason, one.until, tuple(one.evidence)) for one in order.bans]
        outcome = await self._ledger.ban_all(wishes, "import")
        refused = [{"source": source, "why": why} for source, why in outcome.refused]
        return JSONResponse({"banned": [ban.source for ban in outcome.bans], "refused": refused})

    async def show(self, request: Request) -> Response:
        network = network_of(request.path_params["source"])
        source = spell(network)
        around = await self._ledger.find(str(network.network_address))
        history = await self._ledger.history(source)
        return JSONResponse(
            {
                "source": source,
                "bans": [documents.ban(ban, evidence=True) for ban in around if _holds(ban, network)],
                "history": [documents.ban(ban, evidence=True) for ban in history if ban.lifted_at],
                "exempt": why_exempt(network, self._exemptions()),
                "lists": dict(self._lists_of(source)),
            }
        )

    async def remove(self, request: Request) -> Response:
        ban = await self._ledger.lift(canonical(request.path_params["source"]), by=_BY)
        return JSONResponse({"ban": documents.ban(ban)})

    async def flush(self, request: Request) -> Response:
        return JSONResponse({"lifted": await self._ledger.lift_all(_BY)})


def _holds(ban: Ban, network: Network) -> bool:
    return ip_network(ban.source).prefixlen <= network.prefixlen


def _length(text: str | None) -> Any:
    try:
        return None if text is None else parse_duration(text)
    except Misspelt as error:
        raise Invalid(f"{text!r} {error.problem}", way_out=f"write {error.expected}") from None


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise Invalid(f"{text[:20]!r} is no number of bans")
    return min(int(text), _MOST)
