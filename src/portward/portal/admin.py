"""The admin API on STATE/run/admin.sock, to which the CLI talks. The socket's mode (0600) is what guards it.

    app = create_admin(portal, journal, status, configuration)

GET /status · GET /services · POST /reload · GET /sessions · DELETE /sessions/ID · DELETE /sessions?account=NAME, and
what admin_accounts.py, admin_devices.py, admin_keys.py, admin_tunnels.py and admin_events.py list. An error is
{"error": {"type", "message", "way_out", "exit_code"}}.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from portward.errors import ConfigError, Conflict, Invalid, NotFound, PortwardError
from portward.identity.identity import Identity
from portward.portal import documents
from portward.portal.admin_accounts import AccountsApi, GroupsApi
from portward.portal.admin_devices import DevicesApi
from portward.portal.admin_events import EventsApi
from portward.portal.admin_keys import KeysApi
from portward.portal.admin_tunnels import TunnelsApi
from portward.portal.portal import Portal
from portward.watch.journal import Journal

_BY = "cli"
_STATUSES: tuple[tuple[type[PortwardError], int], ...] = (
    (NotFound, 404),
    (Conflict, 409),
    (Invalid, 422),
    (ConfigError, 422),
)


class Status(Protocol):
    """What only the composition root can tell."""

    async def report(self) -> Mapping[str, Any]:
        """State of the edge and of the configuration, counts, certificates, versions; as JSON can hold it."""


class Outcome(Protocol):
    """What became of an attempt to apply portward.toml. `error` is None where it is in force."""

    @property
    def how(self) -> str | None: ...

    @property
    def summary(self) -> str: ...

    @property
    def error(self) -> PortwardError | None: ...


class Publications(Protocol):
    """What only the composition root can tell of services."""

    def source(self, service: str) -> str:
        """Where a service comes from: `portward.toml`, or the key that made it."""


class Configuration(Protocol):
    """What only the composition root can do."""

    async def reload(self) -> Outcome:
        """Apply portward.toml as it is now."""


def create_admin(
    portal: Portal,
    journal: Journal,
    status: Status,
    configuration: Configuration,
    publications: Publications,
    more: Iterable[Route] = (),
) -> Starlette:
    """The ASGI application for the admin socket. `more` are routes of what only the composition root has."""
    return serve(
        [
            *GatewayApi(portal, status, configuration, publications).routes(),
            *AccountsApi(portal.identity, portal.settings).routes(),
            *GroupsApi(portal.identity).routes(),
            *KeysApi(portal.identity).routes(),
            *DevicesApi(portal.devices).routes(),
            *TunnelsApi(portal.control).routes(),
            *SessionsApi(portal.identity).routes(),
            *EventsApi(portal.store, journal).routes(),
            *more,
        ]
    )


def serve(routes: Sequence[Route]) -> Starlette:
    """An application with these routes, that tells errors as the CLI reads them."""
    return Starlette(routes=list(routes), exception_handlers=_handlers())


class GatewayApi:
    def __init__(
        self, portal: Portal, status: Status, configuration: Configuration, publications: Publications
    ) -> None:
        self._portal, self._status, self._configuration = portal, status, configuration
        self._publications = publications

    def routes(self) -> list[Route]:
        return [
            Route("/status", self.status),
            Route("/services", self.services),
            Route("/reload", self.reload, methods=["POST"]),
        ]

    async def status(self, request: Request) -> Response:
        return JSONResponse(await self._status.report())

    async def services(self, request: Request) -> Response:
        settings = self._portal.settings()
        rows = [documents.route(route, settings) for route in settings.routes]
        rows += [documents.tcp(name, service, settings) for name, service in settings.tcp_services.items()]
        return JSONResponse(
            {"services": [{**row, "source": self._publications.source(row["service"])} for row in rows]}
        )

    async def reload(self, request: Request) -> Response:
        outcome = await self._configuration.reload()
        if outcome.error is not None:
            raise outcome.error
        return JSONResponse({"how": outcome.how, "summary": outcome.summary})


class SessionsApi:
    def __init__(self, identity: Identity) -> None:
        self._sessions, self._accounts = identity.sessions, identity.accounts

    def routes(self) -> list[Route]:
        return [
            Route("/sessions", self.list),
            Route("/sessions", self.end_all, methods=["DELETE"]),
            Route("/sessions/{id}", self.end, methods=["DELETE"]),
        ]

    async def list(self, request: Request) -> Response:
        found = await self._sessions.list(request.query_params.get("account"))
        return JSONResponse({"sessions": [documents.session(session) for session in found]})

    async def end(self, request: Request) -> Response:
        wanted = request.path_params["id"]
        if not await self._sessions.end(wanted, by=_BY, reason="revoked"):
            raise NotFound("session", wanted, way_out="`portward session list` names those that live")
        return JSONResponse({"ended": 1})

    async def end_all(self, request: Request) -> Response:
        name = request.query_params.get("account")
        if not name:
            raise Invalid("whose sessions are to end was not said", way_out="name an account, or a session's id")
        await self._accounts.get(name)
        return JSONResponse({"ended": await self._sessions.end_all(name, by=_BY, reason="revoked")})


def _handlers() -> dict[Any, Callable[[Request, Any], Awaitable[Response]]]:
    return {PortwardError: _failed, HTTPException: _unknown, Exception: _broken}


async def _failed(request: Request, error: PortwardError) -> Response:
    status = next((status for kind, status in _STATUSES if isinstance(error, kind)), 503)
    mistakes = [asdict(mistake) for mistake in error.mistakes] if isinstance(error, ConfigError) else None
    return _error(status, type(error).__name__, error.message, error.way_out, error.exit_code, mistakes)


async def _unknown(request: Request, error: HTTPException) -> Response:
    return _error(error.status_code, "NotFound", f"the admin API has no {request.method} {request.url.path}", "", 1)


async def _broken(request: Request, error: Exception) -> Response:
    return _error(500, type(error).__name__, "the keeper made a mistake", "its log holds the traceback", 1)


def _error(
    status: int, kind: str, message: str, way_out: str, exit_code: int, mistakes: list[dict[str, Any]] | None = None
) -> Response:
    body = {"type": kind, "message": message, "way_out": way_out, "exit_code": exit_code}
    return JSONResponse({"error": body if mistakes is None else {**body, "mistakes": mistakes}}, status)
