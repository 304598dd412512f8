"""Whose devices the edge believes, and which hosts ask for one.

    trust = Trust(authorities=pem, issuer="Portward devices 1f2e3d4c")
    asking_hosts(settings.routes)                      # {'vault.example.com': 'optional'}
    trust.options("optional", bundle, lists)           # '[verify optional ca-file … crl-file …] ', for the crt-list

A host that asks for none has no such options: its visitors' handshakes are as they were.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from portward.host.paths import State
from portward.model import Route

Manner = Literal["optional", "required"]
"""As HAProxy's `verify` has it: without a certificate the handshake goes on, or ends."""


@dataclass(frozen=True, slots=True)
class Trust:
    """`authorities` is PEM, ours first; `issuer` is the common name under which ours signs.

    `others` says that there are more than ours, `lists` that each of them has a revocation list. TLS checks lists only
    where all authorities have one, since it refuses the devices of one that has none.
    """

    authorities: bytes = b""
    issuer: str = ""
    others: bool = False
    lists: bool = True

    def options(self, manner: Manner, bundle: Path, revoked: Path) -> str:
        """What stands before a host in the crt-list, with a space at its end."""
        crl = f" crl-file {revoked}" if self.lists else ""
        return f"[verify {manner} ca-file {bundle}{crl}] "


NOBODY = Trust()


def asks(route: Route) -> bool:
    return route.device != "ignored"


def asking_hosts(routes: Iterable[Route]) -> dict[str, Manner]:
    """Every host with a route that asks for a device. One that refuses handshakes has no other (config/devices.py)."""
    return {
        route.host: "required" if route.device_refusal == "handshake" else "optional" for route in routes if asks(route)
    }


def flag(route: Route) -> str:
    """The fourth letter of a route's line; none where no device is asked for (see haproxy.cfg.j2)."""
    if route.device == "required":
        return "h" if route.device_refusal == "handshake" else "r"
    return "f" if route.device == "second-factor" else ""


def reserved_flag(routes: Collection[Route]) -> str:
    """The same for what a host has under /.portward/: where a handshake is refused, nothing is served at all."""
    return "h" if any(flag(route) == "h" for route in routes) else ""


def revoked_file(state: State) -> Path:
    """Revocation lists of all authorities, PEM."""
    return state.edge / "devices.crl"
