"""Accounts and groups over the admin API.

GET|POST /accounts · GET|PATCH|DELETE /accounts/NAME · POST /accounts/NAME/reset
GET|POST /groups · DELETE /groups/NAME · PUT|DELETE /groups/NAME/members/ACCOUNT
"""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from portward.config import Settings
from portward.identity.enrolments import path_of
from portward.identity.identity import Identity
from portward.model import Account
from portward.portal import documents, orders
from portward.portal.orders import AccountChange, NewAccount, NewGroup, Reset

_BY = "cli"


class AccountsApi:
    def __init__(self, identity: Identity, settings: Callable[[], Settings]) -> None:
        self._identity, self._settings = identity, settings

    def routes(self) -> list[Route]:
        return [
            Route("/accounts", self.list),
            Route("/accounts", self.add, methods=["POST"]),
            Route("/accounts/{name}", self.show),
            Route("/accounts/{name}", self.change, methods=["PATCH"]),
            Route("/accounts/{name}", self.remove, methods=["DELETE"]),
            Route("/accounts/{name}/reset", self.reset, methods=["POST"]),
        ]

    async def list(self, request: Request) -> Response:
        found = await self._identity.accounts.list()
        return JSONResponse({"accounts": [documents.account(account) for account in found]})

    async def add(self, request: Request) -> Response:
        """Answers the account, and a one-time `link` unless a password was given."""
        order = await orders.read(request, NewAccount)
        accounts, details = self._identity.accounts, order.model_dump(exclude={"name", "password"})
        if order.password is not None:
            account = await accounts.add_with_password(order.name, order.password, by=_BY, **details)
            return JSONResponse({"account": documents.account(account)}, 201)
        token = await accounts.add(order.name, by=_BY, **details)
        account = await accounts.get(order.name)
        return JSONResponse({"account": documents.account(account), "link": self._link(token)}, 201)

    async def show(self, request: Request) -> Response:
        name = request.path_params["name"]
        account = await self._identity.accounts.get(name)
        sessions = await self._identity.sessions.list(name)
        return JSONResponse(
            {
                "account": documents.account(account),
                "sessions": [documents.session(session) for session in sessions],
                "recovery_codes_left": await self._identity.credentials.recovery_left(name),
            }
        )

    async def change(self, request: Request) -> Response:
        order, name = await orders.read(request, AccountChange), request.path_params["name"]
        account = await self._identity.accounts.get(name)
        details = order.model_dump(include={"email", "display_name", "role"}, exclude_none=True)
        if details:
            account = await self._identity.accounts.change(name, by=_BY, **details)
        if order.groups is not None:
            account = await self._identity.accounts.set_groups(name, order.groups, by=_BY)
        if order.disabled is not None:
            account = await self._turn(name, disabled=order.disabled)
        return JSONResponse({"account": documents.account(account)})

    async def remove(self, request: Request) -> Response:
        await self._identity.accounts.remove(request.path_params["name"], by=_BY)
        return Response(status_code=204)

    async def reset(self, request: Request) -> Response:
        """Answers a one-time `link` to choose a new password; the old one works until then."""
        order, name = await orders.read(request, Reset), request.path_params["name"]
        token = await self._identity.enrolments.reset(name, by=_BY)
        dropped = order.second_factor and await self._identity.credentials.drop_second_factor(name, by=_BY)
        return JSONResponse({"link": self._link(token), "second_factor_dropped": dropped})

    async def _turn(self, name: str, *, disabled: bool) -> Account:
        accounts = self._identity.accounts
        return await (accounts.disable(name, by=_BY) if disabled else accounts.enable(name, by=_BY))

    def _link(self, token: str) -> str:
        settings = self._settings()
        return settings.url(settings.portal_host, path_of(token))


class GroupsApi:
    def __init__(self, identity: Identity) -> None:
        self._groups = identity.groups

    def routes(self) -> list[Route]:
        return [
            Route("/groups", self.list),
            Route("/groups", self.add, methods=["POST"]),
            Route("/groups/{name}", self.remove, methods=["DELETE"]),
            Route("/groups/{name}/members/{account}", self.join, methods=["PUT"]),
            Route("/groups/{name}/members/{account}", self.leave, methods=["DELETE"]),
        ]

    async def list(self, request: Request) -> Response:
        return JSONResponse({"groups": [documents.group(group) for group in await self._groups.list()]})

    async def add(self, request: Request) -> Response:
        order = await orders.read(request, NewGroup)
        return JSONResponse({"group": documents.group(await self._groups.add(order.name, by=_BY))}, 201)

    async def remove(self, request: Request) -> Response:
        await self._groups.remove(request.path_params["name"], by=_BY)
        return Response(status_code=204)

    async def join(self, request: Request) -> Response:
        await self._groups.add_member(request.path_params["name"], request.path_params["account"], by=_BY)
        return Response(status_code=204)

    async def leave(self, request: Request) -> Response:
        await self._groups.remove_member(request.path_params["name"], request.path_params["account"], by=_BY)
        return Response(status_code=204)
