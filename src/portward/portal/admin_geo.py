"""Countries and networks over the admin API.

GET /geo · GET /geo/place?address=ADDRESS · POST /geo/update · POST /geo/shut-out
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Literal, Protocol

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from portward.config import Settings
from portward.defense.geo import order as orders_of_data
from portward.defense.geo.borders import Borders
from portward.defense.geo.describing import describe
from portward.defense.geo.geography import Geography
from portward.defense.geo.rules import Rule, read, rules_of
from portward.errors import Invalid
from portward.portal import orders
from portward.portal.orders import Order, Text

_Path = Annotated[str, Field(max_length=4096)]


class Update(Order):
    """One of `file`, which the gateway's own user must be able to read, and `url`; neither: what comes with Portward.

    `anyway` takes data with less than half of what is in use.
    """

    kind: Literal["countries", "networks"] = "countries"
    file: _Path = ""
    url: _Path = ""
    licence: Text = ""
    date: Text = ""
    anyway: bool = False


class Gateway(Order):
    """The rule of the whole gateway, as `Rule` has it."""

    rule: dict[str, Any]


class Countries(Protocol):
    """What only the composition root has."""

    geography: Geography

    @property
    def borders_in_force(self) -> Borders | None: ...

    async def update(self, order: orders_of_data.Order) -> Mapping[str, Any]: ...

    async def shut_out(self, rule: Rule) -> Mapping[tuple[str, str], str]: ...


class GeoApi:
    """`republish` brings new data into force."""

    def __init__(
        self, countries: Countries, settings: Callable[[], Settings], republish: Callable[[], Awaitable[None]]
    ) -> None:
        self._countries, self._settings, self._republish = countries, settings, republish

    def routes(self) -> list[Route]:
        return [
            Route("/geo", self.show),
            Route("/geo/place", self.place),
            Route("/geo/update", self.update, methods=["POST"]),
            Route("/geo/shut-out", self.shut_out, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        borders = self._countries.borders_in_force
        return JSONResponse(
            {
                "data": self._countries.geography.about(),
                "rules": sorted(name or "gateway" for name in rules_of(self._settings())),
                "networks_at_the_edge": borders.counts["networks"] if borders else 0,
            }
        )

    async def place(self, request: Request) -> Response:
        rules = rules_of(self._settings())
        return JSONResponse(describe(self._countries.geography, rules, request.query_params.get("address", "")))

    async def update(self, request: Request) -> Response:
        order = await orders.read(request, Update)
        about = await self._countries.update(_order(order))
        await self._republish()
        return JSONResponse({"about": about})

    async def shut_out(self, request: Request) -> Response:
        """The owners whom a rule would shut out, were it not for the session that they have."""
        order = await orders.read(request, Gateway)
        try:
            (rule,) = read({"": order.rule}).values()
        except TypeError as error:
            raise Invalid(f"this is no rule: {error}") from None
        found = await self._countries.shut_out(rule)
        owners = [{"account": account, "address": address, "why": why} for (account, address), why in found.items()]
        return JSONResponse({"owners": owners})


def _order(update: Update) -> orders_of_data.Order:
    if update.file and update.url:
        raise Invalid("data come from a file or from a URL", way_out="name one of the two")
    if update.file or update.url:
        return orders_of_data.Order(**update.model_dump())
    if update.kind != "countries":
        raise Invalid("no data about networks come with Portward", way_out="name a --file or a --url; see docs/geo.md")
    return orders_of_data.shipped()
