"""The single values of portward.toml, each with its own spelling and its own sentence when it is wrong.

UpstreamUrl     "http://127.0.0.1:3000"  "https://nas.lan"  "h2c://127.0.0.1:50051"  "unix:/run/app.sock"  "demo"
AccessRule      "public"  "members"  "owners"  "group:family"  ["group:family", "account:ann"]
Duration        "30s"  "15m"  "12h"  "30d"
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from portward.model import Access, Upstream

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})+")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
_PERSON = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")
_PORTS = {"http": 80, "https": 443, "h2c": 80}


@dataclass(frozen=True, slots=True)
class Address:
    """A listening address. `host` is empty for every address of the machine, IPv4 and IPv6."""

    text: str

    @property
    def host(self) -> str:
        return self.text.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.text.rpartition(":")[2])


def _host(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 253 or not _HOST.fullmatch(value.lower()):
        raise ValueError("is not a host name such as app.example.com")
    return value.lower()


def _service_name(value: Any) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError("is not a service name: lower-case letters, digits and dashes, 1 to 32")
    return value


def _path(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"/(?:[A-Za-z0-9._~-]+/?)*", value) or "/." in value:
        raise ValueError("is not a path prefix such as /app1")
    if value.count("/") > 8:
        raise ValueError("has more than 8 segments")
    return value if value.endswith("/") else f"{value}/"


def _duration(value: Any) -> timedelta:
    if isinstance(value, timedelta):
        return value
    match = re.fullmatch(r"(\d{1,9})([smhd])", value) if isinstance(value, str) else None
    if not match:
        raise ValueError("is not a duration such as 30s, 15m, 12h or 30d")
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]])


def spell_duration(value: timedelta) -> str:
    """The shortest exact spelling: 3600 s is `1h`."""
    seconds = int(value.total_seconds())
    unit = next(unit for unit in "dhms" if seconds % _UNITS[unit] == 0)
    return f"{seconds // _UNITS[unit]}{unit}" if seconds else "0s"


def _address(value: Any) -> Address:
    if isinstance(value, Address):
        return value
    match = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[0-9.]*):(\d{1,5})", value) if isinstance(value, str) else None
    if not match or not 1 <= int(match[2]) <= 65535:
        raise ValueError("is not a listening address such as :8443, 127.0.0.1:8443 or [::1]:8443")
    if match[1]:
        ip_address(match[1].strip("[]"))
    return Address(value)


def parse_upstream(value: Any) -> Upstream:
    """Read an upstream's spelling. Raises `ValueError` with a sentence that follows the value."""
    if isinstance(value, Upstream):
        return value
    if not isinstance(value, str):
        raise ValueError("is not an upstream such as http://127.0.0.1:3000")
    if value == "demo":
        return Upstream("demo")
    if value.startswith("unix:"):
        path = value.removeprefix("unix:").removeprefix("//")
        if not path.startswith("/") or len(path) > 100 or re.search(r"[\s\x00-\x1f]", path):
            raise ValueError("needs an absolute socket path of at most 100 characters after unix:")
        return Upstream("unix", path=path)
    url = urlsplit(value if "://" in value else f"http://{value}")
    if url.scheme not in _PORTS:
        raise ValueError(f"has the scheme {url.scheme!r}; known are http, https, h2c and unix")
    if url.path not in ("", "/") or url.query or url.fragment or url.username:
        raise ValueError("must end after host and port; a path belongs into `routes` or `strip`")
    if not url.hostname or not re.fullmatch(r"[A-Za-z0-9._:-]+", url.hostname):
        raise ValueError("has no host")
    return Upstream(url.scheme, host=url.hostname.lower(), port=url.port or _PORTS[url.scheme])  # type: ignore[arg-type]


def parse_access(value: Any) -> Access:
    """Read an access rule's spelling. Raises `ValueError` with a sentence that follows the value."""
    if isinstance(value, Access):
        return value
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, Iterable) or not all(isinstance(word, str) for word in words):
        raise ValueError("is not an access rule")
    known = list(words)
    groups = frozenset(word.removeprefix("group:") for word in known if word.startswith("group:"))
    accounts = frozenset(word.removeprefix("account:") for word in known if word.startswith("account:"))
    bad = [word for word in known if word not in {"public", "members", "owners"} and ":" not in word]
    bad += [word for word in known if ":" in word and word.partition(":")[0] not in {"group", "account"}]
    bad += [word for word in (*groups, *accounts) if not _PERSON.fullmatch(word)]
    if bad or not known:
        raise ValueError("is not an access rule: public, members, owners, group:NAME, account:NAME, or a list of these")
    if "public" in known and len(known) > 1:
        raise ValueError("mixes public with other rules; public lets everybody in")
    return Access(
        public="public" in known,
        members="members" in known,
        owners="owners" in known,
        groups=groups,
        accounts=accounts,
    )


def spell_access(access: Access) -> str | list[str]:
    """The spelling that `parse_access` reads back."""
    words = [word for word in ("public", "members", "owners") if getattr(access, word)]
    words += [f"group:{name}" for name in sorted(access.groups)]
    words += [f"account:{name}" for name in sorted(access.accounts)]
    return words[0] if len(words) == 1 else words


def _text(schema: dict[str, Any]) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", **schema})


Host = Annotated[str, BeforeValidator(_host), _text({"format": "hostname"})]
"""A DNS name in lower case, with at least two labels (RFC 1123 section 2.1)."""
ServiceName = Annotated[str, BeforeValidator(_service_name), _text({"pattern": f"^{_NAME.pattern}$"})]
"""Lower-case letters, digits and dashes; 1 to 32."""
PathPrefix = Annotated[str, BeforeValidator(_path), _text({"pattern": "^/"})]
"""A path that begins and ends with `/`; a missing last slash is added."""
Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    PlainSerializer(spell_duration),
    _text({"pattern": "^[0-9]+[smhd]$"}),
]
ListenAddress = Annotated[Address, BeforeValidator(_address), PlainSerializer(lambda value: value.text), _text({})]
UpstreamUrl = Annotated[Upstream, BeforeValidator(parse_upstream), PlainSerializer(str), _text({})]
AccessRule = Annotated[
    Access,
    BeforeValidator(parse_access),
    PlainSerializer(spell_access),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
]
