"""Keys over the admin API.

GET|POST /keys · GET|PATCH|DELETE /keys/NAME
"""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from portward.config.spelling import Misspelt, parse_duration
from portward.errors import Invalid
from portward.identity.identity import Identity
from portward.identity.rights import Rights, own_names
from portward.portal import documents, orders
from portward.portal.orders import KeyRights, NewKey

_BY = "cli"


class KeysApi:
    def __init__(self, identity: Identity) -> None:
        self._keys, self._accounts = identity.keys, identity.accounts

    def routes(self) -> list[Route]:
        return [
            Route("/keys", self.list),
            Route("/keys", self.add, methods=["POST"]),
            Route("/keys/{name}", self.show),
            Route("/keys/{name}", self.change, methods=["PATCH"]),
            Route("/keys/{name}", self.remove, methods=["DELETE"]),
        ]

    async def list(self, request: Request) -> Response:
        account = request.query_params.get("account")
        if account is not None:
            await self._accounts.get(account)
        return JSONResponse({"keys": [documents.key(key) for key in await self._keys.list(account)]})

    async def add(self, request: Request) -> Response:
        """A key that nothing is said of may publish the names that are its account's own."""
        order = await orders.read(request, NewKey)
        rights = _rights(Rights(publish=own_names(order.account)), order)
        key = await self._keys.add(order.name, order.key, account=order.account, rights=rights, by=_BY)
        return JSONResponse({"key": documents.key(key)}, 201)

    async def show(self, request: Request) -> Response:
        return JSONResponse({"key": documents.key(await self._keys.get(request.path_params["name"]))})

    async def change(self, request: Request) -> Response:
        order, name = await orders.read(request, KeyRights), request.path_params["name"]
        rights = _rights(Rights.of(await self._keys.get(name)), order)
        return JSONResponse({"key": documents.key(await self._keys.change(name, rights, by=_BY))})

    async def remove(self, request: Request) -> Response:
        await self._keys.remove(request.path_params["name"], by=_BY)
        return Response(status_code=204)


def _rights(rights: Rights, order: KeyRights) -> Rights:
    """What `order` says instead of what `rights` says; what it does not mention stays."""
    said: dict[str, Any] = order.model_dump(include=set(KeyRights.model_fields) & order.model_fields_set)
    if "deadline" in said:
        said["deadline"] = _deadline(said["deadline"])
    for name in {"publish", "reach", "sources"} & set(said):
        said[name] = tuple(said[name])
    return replace(rights, **said)


def _deadline(text: str | None) -> timedelta | None:
    try:
        return None if text is None else parse_duration(text)
    except Misspelt as error:
        raise Invalid(f"deadline: {text!r} {error.problem}", way_out=f"write {error.expected}") from None
