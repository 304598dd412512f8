"""The table [tunnels] of portward.toml: services behind NAT that come in by SSH.

    Settings.model_validate({"tunnels": {"listen": ":22"}}).tunnels.listen       # (Address(":22"),)

The single values of this table are read here too, and those of a service's keys that concern tunnels and raw TCP.
"""

import re
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, ValidationInfo, WithJsonSchema

from portward.config.section import Section
from portward.config.spelling import Misspelt, parse_address
from portward.config.values import AccessRule, Address, Duration, Flag, ListenAddress, Network, Timeout, beside
from portward.model import Access

_PUBLISHED = re.compile(r"\*|(?:\{account\}|[a-z0-9])(?:\{account\}|[a-z0-9-])*\*?")
_DESTINATION = re.compile(
    r"(?:\*|(?:\*\.)?(?:[A-Za-z0-9_.-]|\{account\})+|[0-9.]+/[0-9]{1,2}|\[[0-9a-fA-F:.]+\](?:/[0-9]{1,3})?):(?:\*|[0-9]{1,5})"
)
_PORT = {"type": "integer", "minimum": 1, "maximum": 65535}
_ADDRESS = {"type": "string", "pattern": ":[0-9]{1,5}$"}


def _one_or_several(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _carried(value: Any) -> bool | int:
    if isinstance(value, bool):
        return value
    if not isinstance(value, int) or not 1 <= value <= 65535:
        raise Misspelt("is no way to come in by a tunnel", expected="true, or the port that `ssh -R PORT:…` names")
    return value


def _port_or_address(value: Any) -> Address:
    return parse_address(f":{value}" if isinstance(value, int) and not isinstance(value, bool) else value)


def _key_file(value: Any, info: ValidationInfo) -> str:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise Misspelt("is no path", expected="the path of a file with public keys as OpenSSH writes them, one a line")
    return beside(value, info)


def _published(value: Any) -> str:
    if not isinstance(value, str) or not _PUBLISHED.fullmatch(value):
        raise Misspelt("names no services", expected="a service's name, a prefix such as ann-* or {account}-*, or *")
    return value


def _destination(value: Any) -> str:
    if not isinstance(value, str) or not _DESTINATION.fullmatch(value):
        expected = "HOST:PORT, such as db.internal:5432, *.lab:22, 10.0.0.0/8:22 or [2001:db8::]/32:*"
        raise Misspelt("is not a destination", expected=expected)
    return value


Carried = Annotated[
    bool | int, BeforeValidator(_carried), WithJsonSchema({"anyOf": [{"type": "boolean"}, _PORT], "examples": [True]})
]
"""Whether a service comes in by a tunnel: `false`, `true`, or the port by which `ssh -R` means it."""
PortOrAddress = Annotated[
    Address,
    BeforeValidator(_port_or_address),
    PlainSerializer(lambda value: value.text),
    WithJsonSchema({"anyOf": [_PORT, _ADDRESS], "examples": [5432, "127.0.0.1:5432"]}),
]
"""A listening address; a plain port means every address."""
_Addresses = Annotated[
    tuple[ListenAddress, ...],
    Field(min_length=1),
    BeforeValidator(_one_or_several),
    WithJsonSchema(
        {"anyOf": [_ADDRESS, {"type": "array", "items": _ADDRESS, "minItems": 1}], "examples": [":2222", [":22"]]}
    ),
]
_KeyFile = Annotated[str, BeforeValidator(_key_file), WithJsonSchema({"type": "string", "examples": ["ssh-ca.pub"]})]
_Published = Annotated[str, BeforeValidator(_published), WithJsonSchema({"type": "string", "examples": ["ann-*"]})]
_Destination = Annotated[
    str, BeforeValidator(_destination), WithJsonSchema({"type": "string", "examples": ["db.internal:5432"]})
]


class TunnelAuthority(Section):
    """An authority whose OpenSSH certificates are let in, for principals that are names of accounts."""

    file: _KeyFile
    """Its public key, or several, as OpenSSH writes them, one a line. Relative to portward.toml."""
    publish: tuple[_Published, ...] = ("{account}-*",)
    """Services that its certificates may carry: a name, a prefix, or `*`; `{account}` stands for the account."""
    reach: tuple[_Destination, ...] = ()
    """Destinations that they may reach through the gateway, with -L, -J and -D."""
    sources: Annotated[tuple[Network, ...], Field(alias="from")] = ()
    """Networks that they may come from. Empty: any."""


class Tunnels(Section):
    """The SSH server for services that dial in. It runs when this table, a service or a key asks for it."""

    listen: _Addresses = (Address(":2222"),)
    """Addresses of the SSH server; none that HTTPS has, so 443 only on an address of its own."""
    naming: Literal["prefix", "any"] = "prefix"
    """How a key may call services that it makes on the spot: `ACCOUNT-…` only, or as the key permits."""
    default_access: AccessRule = Access(members=True)
    """Who may open a service that was made on the spot."""
    approve_unknown_keys: Flag = False
    """Whether an unknown key may wait for somebody who is logged in to let it in, in the browser."""
    hold: Timeout = timedelta(seconds=5)
    """How long a visitor waits for a tunnel that is away."""
    forget: Duration = timedelta(hours=24)
    """How long the route of a service that was made on the spot outlives its last tunnel."""
    authorities: tuple[TunnelAuthority, ...] = ()
    """Authorities whose OpenSSH certificates are let in."""
