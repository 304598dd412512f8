"""The types of single values of portward.toml, each with its own spelling and its own sentence when it is wrong.

UpstreamUrl     "http://127.0.0.1:3000"  "https://nas.lan"  "h2c://127.0.0.1:50051"  "unix:/run/app.sock"  "demo"
AccessRule      "public"  "members"  "owners"  "group:family"  ["group:family", "account:ann"]
Duration        "30s"  "15m"  "12h"  "30d"
"""

from collections.abc import Mapping
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, ValidationInfo, WithJsonSchema

from portward.config.spelling import (
    NAME_PATTERN,
    NETWORK_NAME_PATTERN,
    Address,
    Misspelt,
    NetworkName,
    parse_access,
    parse_address,
    parse_directory,
    parse_duration,
    parse_email,
    parse_host,
    parse_network,
    parse_network_name,
    parse_path,
    parse_resolver,
    parse_service_name,
    parse_size,
    parse_source,
    parse_word,
    spell_access,
    spell_duration,
    spell_size,
)
from portward.config.upstreams import parse_upstream
from portward.model import Access, Upstream

__all__ = [
    "AccessRule",
    "Address",
    "Authority",
    "BesideFile",
    "CertificateFile",
    "Count",
    "DirectoryUrl",
    "Duration",
    "Email",
    "Flag",
    "Host",
    "ListenAddress",
    "Network",
    "NetworkLabel",
    "PathPrefix",
    "Port",
    "ResolverAddress",
    "ServiceName",
    "Size",
    "Source",
    "Span",
    "Timeout",
    "UpstreamUrl",
    "Word",
    "beside",
    "parse_access",
    "parse_upstream",
    "spell_access",
    "spell_duration",
]

_LONGEST_TIMEOUT = timedelta(days=24)


def _positive(value: timedelta) -> timedelta:
    if not value:
        raise Misspelt("is no time at all", expected="at least 1s")
    return value


def _timeout(value: timedelta) -> timedelta:
    if value > _LONGEST_TIMEOUT:
        raise Misspelt("is more than HAProxy can count", expected="at most 24d")
    return value


def _authority(value: Any, info: ValidationInfo) -> bool | str:
    if isinstance(value, bool):
        return value
    if not isinstance(value, str) or not value or not value.isprintable():
        raise Misspelt("is no way to check a certificate", expected="true, false, or the path of a CA file")
    return beside(value, info)


def _list_file(value: Any, info: ValidationInfo) -> str:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise Misspelt("is no path", expected="the path of a file with a network on each line")
    return beside(value, info)


def _certificate_file(value: Any, info: ValidationInfo) -> str:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise Misspelt("is no path", expected="the path of a PEM file")
    return beside(value, info)


def _beside_file(value: Any, info: ValidationInfo) -> str:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise Misspelt("is no path", expected="the path of a file")
    return beside(value, info)


def beside(path: str, info: ValidationInfo) -> str:
    """A path as portward.toml means it: relative to the file itself."""
    context: Mapping[str, Path] = info.context or {}
    return str(context.get("directory", Path()) / path)


def _text(**schema: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", **schema})


_ACCESS_WORD = {
    "type": "string",
    "pattern": "^(public|members|owners|(group|account):[a-z0-9][a-z0-9._-]{0,31})$",
    "examples": ["members", "owners", "public", "group:family", "account:ann"],
}
_as_duration = (
    BeforeValidator(parse_duration),
    PlainSerializer(spell_duration),
    _text(pattern="^[0-9]{1,10}[smhd]$", examples=["30s", "15m", "12h", "30d"]),
)

Host = Annotated[str, BeforeValidator(parse_host), _text(format="hostname")]
ServiceName = Annotated[str, BeforeValidator(parse_service_name), _text(pattern=f"^{NAME_PATTERN}$")]
PathPrefix = Annotated[str, BeforeValidator(parse_path), _text(pattern="^/", examples=["/", "/app1"])]
Span = Annotated[timedelta, *_as_duration]
"""A length of time; nothing (`0s`) is allowed."""
Duration = Annotated[timedelta, *_as_duration, AfterValidator(_positive)]
"""A length of time of at least one second."""
Timeout = Annotated[timedelta, *_as_duration, AfterValidator(_positive), AfterValidator(_timeout)]
"""A length of time that HAProxy can count: its timers hold 2^31 ms."""
ListenAddress = Annotated[
    Address,
    BeforeValidator(parse_address),
    PlainSerializer(lambda value: value.text),
    _text(pattern=":[0-9]{1,5}$", examples=[":443", "127.0.0.1:8443", "[::1]:8443"]),
]
Network = Annotated[
    IPv4Network | IPv6Network,
    BeforeValidator(parse_network),
    PlainSerializer(str),
    _text(examples=["10.0.0.0/8", "2001:db8::/32", "192.0.2.7"]),
]
NetworkLabel = Annotated[NetworkName, BeforeValidator(parse_network_name), _text(pattern=f"^{NETWORK_NAME_PATTERN}$")]
Source = Annotated[
    IPv4Network | IPv6Network | NetworkName,
    BeforeValidator(parse_source),
    PlainSerializer(str),
    _text(examples=["office", "10.0.0.0/8", "2001:db8::/32", "192.0.2.7"]),
]
"""A network, or the name of several from the table [networks]; `Settings.networks_of` says which those are."""
UpstreamUrl = Annotated[
    Upstream,
    BeforeValidator(parse_upstream),
    PlainSerializer(str),
    _text(examples=["http://127.0.0.1:3000", "https://nas.lan", "h2c://127.0.0.1:50051", "unix:/run/app.sock", "demo"]),
]
AccessRule = Annotated[
    Access,
    BeforeValidator(parse_access),
    PlainSerializer(spell_access),
    WithJsonSchema({"anyOf": [_ACCESS_WORD, {"type": "array", "items": _ACCESS_WORD, "minItems": 1}]}),
]
Authority = Annotated[
    bool | str,
    BeforeValidator(_authority),
    WithJsonSchema({"anyOf": [{"type": "boolean"}, {"type": "string", "minLength": 1}]}),
]
"""`true`, `false`, or a CA file, whose path is relative to portward.toml."""
ListFile = Annotated[str, BeforeValidator(_list_file), _text(examples=["drop.txt", "/etc/portward/deny.txt"])]
"""A file of networks; its path is relative to portward.toml."""
CertificateFile = Annotated[
    str, BeforeValidator(_certificate_file), _text(examples=["corp-ca.pem", "/etc/ssl/corp.crl"])
]
"""A PEM file; its path is relative to portward.toml."""
Size = Annotated[
    int, BeforeValidator(parse_size), PlainSerializer(spell_size), _text(pattern="^[1-9][0-9]{0,5}(B|KB|MB|GB)$")
]
"""Bytes."""
Flag = Annotated[bool, Field(strict=True)]
Count = Annotated[int, Field(strict=True, ge=1, le=10_000_000)]
Port = Annotated[int, Field(strict=True, ge=1, le=65535)]
BesideFile = Annotated[str, BeforeValidator(_beside_file), _text(minLength=1)]
"""A file; its path is relative to portward.toml."""
DirectoryUrl = Annotated[str, BeforeValidator(parse_directory), _text(pattern="^https://", format="uri")]
Email = Annotated[str, BeforeValidator(parse_email), _text(format="email", examples=["ann@example.com"])]
ResolverAddress = Annotated[str, BeforeValidator(parse_resolver), _text(examples=["1.1.1.1", "10.0.0.1:5353"])]
"""A DNS server: an address, and a port where it is not 53."""
Word = Annotated[str, BeforeValidator(parse_word), _text(minLength=1)]
"""A name that somebody else gave: printable, up to 256 characters."""
