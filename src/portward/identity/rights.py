"""What a key may be allowed, as people spell it.

rights = Rights(publish=own_names("ann"), reach=("db.internal:5432",), sources=("192.0.2.7",))
rights.checked(now).sources               # ('192.0.2.7/32',), or Invalid
str(rights)                               # 'publish ann-*, reach db.internal:5432, from 192.0.2.7'
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from ipaddress import ip_network

from portward.config.spelling import NAME_PATTERN, Misspelt, parse_network, spell_duration
from portward.errors import Invalid
from portward.model import Key, own_prefix

MOST = 100
_LONGEST_DEADLINE = timedelta(days=3650)
_SERVICE = re.compile(rf"{NAME_PATTERN}|[a-z0-9][a-z0-9-]{{0,31}}-\*")
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"\*|(?:\*\.)?{_LABEL}(?:\.{_LABEL})*")
_DESTINATION = re.compile(r"(?P<host>\[[0-9a-f:.]+\](?:/[0-9]{1,3})?|[^\[\]:]+):(?P<port>[0-9]{1,5}|\*)")


@dataclass(frozen=True, slots=True)
class Rights:
    """What a key may do, and until when; see `Key`. Nothing at all is the default."""

    publish: tuple[str, ...] = ()
    reach: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    expires_at: datetime | None = None
    deadline: timedelta | None = None

    @classmethod
    def of(cls, key: Key) -> "Rights":
        return cls(key.publish, key.reach, key.sources, key.expires_at, key.deadline)

    def checked(self, now: datetime) -> "Rights":
        """The same, spelt as it is kept. Raises `Invalid`."""
        if self.expires_at is not None and self.expires_at <= now:
            raise Invalid(
                f"the key would have expired at {self.expires_at:%Y-%m-%d %H:%M} UTC", way_out="give a later time"
            )
        if self.deadline is not None and not timedelta(seconds=1) <= self.deadline <= _LONGEST_DEADLINE:
            raise Invalid("a connection must be allowed to last from a second to ten years", way_out="write 8h")
        return replace(
            self,
            publish=services(self.publish),
            reach=destinations(self.reach),
            sources=networks(self.sources),
        )

    def __str__(self) -> str:
        words = (("publish", self.publish), ("reach", self.reach), ("from", self.sources))
        parts = [f"{word} {' '.join(values)}" for word, values in words if values]
        parts += [f"until {self.expires_at.isoformat()}"] if self.expires_at else []
        parts += [f"deadline {spell_duration(self.deadline)}"] if self.deadline else []
        return ", ".join(parts) or "nothing"


def own_names(account: str) -> tuple[str, ...]:
    """The names that an account's keys may publish unless somebody says otherwise: `ACCOUNT-*`."""
    return (f"{own_prefix(account)}*",)


def services(words: Iterable[str]) -> tuple[str, ...]:
    """Names of services, `prefix-*`, or `*` for every name."""
    return _each(words, _service)


def destinations(words: Iterable[str]) -> tuple[str, ...]:
    """`HOST:PORT`, where HOST is a name, `*.domain`, `*` for every name, an address, or a network; PORT may be `*`.

    IPv6 stands in brackets: `[2001:db8::]/32:22`.
    """
    return _each((word.lower() for word in words), _destination)


def networks(words: Iterable[str]) -> tuple[str, ...]:
    """IPv4 and IPv6 networks; an address is a network of one."""
    return _each(words, _network)


def _each(words: Iterable[str], check: Callable[[str], str]) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(check(word) for word in words))
    if len(found) > MOST:
        raise Invalid(f"that are more than {MOST}", way_out="a pattern or a network stands for many")
    return found


def _service(word: str) -> str:
    if word != "*" and not _SERVICE.fullmatch(word):
        raise Invalid(f"{word!r} is no name of a service", way_out="give names, `prefix-*`, or `*` for every name")
    return word


def _destination(word: str) -> str:
    match = _DESTINATION.fullmatch(word)
    if not match or not (match["port"] == "*" or 1 <= int(match["port"]) <= 65535) or not _is_place(match["host"]):
        raise Invalid(
            f"{word!r} is no destination",
            way_out="write db.internal:5432, *.lab:22, 10.0.0.0/8:22, [2001:db8::1]:22, or :* for every port",
        )
    return word


def _is_place(host: str) -> bool:
    """A name or an address or a network with no bit right of its mask."""
    plain = host.replace("[", "").replace("]", "")
    if host.startswith("[") or re.fullmatch(r"[0-9./]+", host):
        try:
            return ip_network(plain).version == (6 if host.startswith("[") else 4)
        except ValueError:
            return False
    return len(host) <= 253 and bool(_NAME.fullmatch(host))


def _network(word: str) -> str:
    try:
        return str(parse_network(word))
    except Misspelt as error:
        raise Invalid(f"{word!r} {error.problem}", way_out=error.way_out or f"write {error.expected}") from None
