"""The running keeper, asked over its admin socket.

    with keeper(state) as running:
        running.get("/accounts")

Whatever the keeper refuses is raised here as the error that it raised there.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from socket import AF_UNIX
from socket import socket as unix_socket
from typing import Any

import httpx

from portward.errors import (
    ConfigError,
    Conflict,
    EdgeError,
    Environment,
    Invalid,
    Mistake,
    NotFound,
    NotRunning,
    PortwardError,
    StoreError,
)
from portward.host.paths import State

_PLAIN = {kind.__name__: kind for kind in (Conflict, EdgeError, Environment, Invalid, NotRunning, StoreError)}
_SECONDS = 60.0


class Keeper:
    """One conversation. Every method returns the JSON of the answer, None for an empty one."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def get(self, path: str, **parameters: Any) -> Any:
        return self._ask("GET", path, parameters)

    def post(self, path: str, body: Mapping[str, Any] | None = None, *, seconds: float = _SECONDS) -> Any:
        return self._ask("POST", path, body=body or {}, seconds=seconds)

    def put(self, path: str) -> Any:
        return self._ask("PUT", path)

    def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._ask("PATCH", path, body=body)

    def delete(self, path: str, **parameters: Any) -> Any:
        return self._ask("DELETE", path, parameters)

    def lines(self, path: str, **parameters: Any) -> Iterator[Any]:
        """The values of an NDJSON answer as they come, until the keeper ends it."""
        request = self._http.build_request("GET", path, params=_given(parameters), timeout=httpx.Timeout(None))
        return self._lines(request)

    def post_lines(self, path: str, body: Mapping[str, Any]) -> Iterator[Any]:
        """The same, of an order that takes its time."""
        return self._lines(self._http.build_request("POST", path, json=body, timeout=httpx.Timeout(None)))

    def _lines(self, request: httpx.Request) -> Iterator[Any]:
        with _trouble():
            answer = self._http.send(request, stream=True)
            try:
                if answer.is_error:
                    answer.read()
                    raise revived(answer)
                for line in answer.iter_lines():
                    if line.strip():
                        yield json.loads(line)
            finally:
                answer.close()

    def _ask(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        seconds: float = _SECONDS,
    ) -> Any:
        patience = httpx.Timeout(seconds, connect=5)
        with _trouble():
            answer = self._http.request(method, path, params=_given(parameters or {}), json=body, timeout=patience)
        if answer.is_error:
            raise revived(answer)
        return answer.json() if answer.content else None


@contextmanager
def keeper(state: Path) -> Iterator[Keeper]:
    """The keeper of a state directory. Raises `NotRunning` when it does not listen."""
    socket = State(state).admin_socket
    _knock(socket)
    transport = httpx.HTTPTransport(uds=str(socket))
    # trust_env=False: a proxy from the environment must never see what goes over the admin socket.
    with httpx.Client(transport=transport, base_url="http://keeper", timeout=_SECONDS, trust_env=False) as http:
        yield Keeper(http)


def revived(answer: httpx.Response) -> PortwardError:
    """The error that an answer carries, as the class that it had in the keeper."""
    try:
        found = answer.json()["error"]
        kind, message, way_out = str(found["type"]), str(found["message"]), str(found.get("way_out") or "")
    except (ValueError, KeyError, TypeError):
        return PortwardError(f"the keeper answered {answer.status_code} without a reason")
    if kind == NotFound.__name__ and "noun" in found:
        return NotFound(str(found["noun"]), str(found.get("name", "")), way_out=way_out)
    if kind == ConfigError.__name__ and isinstance(found.get("mistakes"), list):
        return ConfigError(tuple(Mistake(**mistake) for mistake in found["mistakes"]))
    if kind in _PLAIN:
        return _PLAIN[kind](message, way_out=way_out)
    return _Relayed(message, way_out=way_out, exit_code=int(found.get("exit_code", 1)))


class _Relayed(PortwardError):
    """An error whose class needs more than its message; the exit code is the one that it had."""

    def __init__(self, message: str, *, way_out: str, exit_code: int) -> None:
        super().__init__(message, way_out=way_out)
        self.exit_code = exit_code


@contextmanager
def _trouble() -> Iterator[None]:
    try:
        yield
    except httpx.TimeoutException:
        raise PortwardError(
            "the keeper took the request and does not answer", way_out="look at what `portward up` printed"
        ) from None
    except httpx.TransportError as error:
        raise NotRunning(
            f"the keeper went away while it was asked: {error}",
            way_out="`portward status` shows whether it is back",
        ) from None


def _knock(socket: Path) -> None:
    """Raise the error of our own where nobody listens; httpx would hide the reason, and leave its socket open."""
    with closing(unix_socket(AF_UNIX)) as probe:
        try:
            probe.connect(str(socket))
        except PermissionError:
            raise Environment(
                f"this user may not talk to the keeper at {socket}",
                way_out="run the command as the user that runs Portward, or as root",
            ) from None
        except OSError:
            raise NotRunning(
                f"no keeper listens at {socket}",
                way_out="start it with `portward up`, or name its state directory with --state or PORTWARD_STATE",
            ) from None


def _given(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in parameters.items() if value is not None}
