"""A saved tunnel as a TOML table, and back.

    to_table(profile)            # {"host": "bastion.example.com", "local": ["5432 -> db.internal:5432"]}
    from_table("database", …)    # (Profile("database", …), [])

What has its default is left out, so that a table says only what somebody chose.
"""

from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass, fields
from typing import Any, get_args

from portward.errors import Invalid
from portward.tunnels.profiles.profile import Family, Forward, Profile, Tcp
from portward.tunnels.profiles.spelling import (
    parse_endpoint,
    parse_forward,
    parse_jump,
    parse_keepalive,
    parse_proxy,
    parse_target,
    parse_tcp,
    spell_endpoint,
    spell_forward,
    spell_jump,
    spell_keepalive,
    spell_proxy,
)

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at one key of the table; `path` is empty for the table as a whole."""

    path: Path
    problem: str
    way_out: str = ""


def from_table(name: str, table: object) -> tuple[Profile | None, list[Problem]]:
    """The tunnel of a table, or everything that is wrong with it."""
    if not isinstance(table, dict):
        return None, [Problem((), "is no table", "write [tunnels.NAME], and the keys below it")]
    values: dict[str, Any] = {}
    found: list[Problem] = []
    for key, value in table.items():
        if key not in KEYS:
            found.append(Problem((key,), "is not known", f"known are {', '.join(KEYS)}"))
            continue
        try:
            values[KEYS[key].field] = KEYS[key].parse(value)
        except _At as at:
            found.append(Problem((key, *at.path), at.reason.message, at.reason.way_out))
        except Invalid as error:
            found.append(Problem((key,), error.message, error.way_out))
    if "host" not in table:
        found.append(Problem((), "has no host", 'add host = "gate.example.com"'))
    if found:
        return None, found
    try:
        return Profile(name, **values), []
    except Invalid as error:
        return None, [Problem((), error.message, error.way_out)]


def to_table(profile: Profile) -> dict[str, Any]:
    """Plain values of TOML by key, in the order of the documentation."""
    chosen = {key: (spec, getattr(profile, spec.field)) for key, spec in KEYS.items()}
    return {key: spec.spell(value) for key, (spec, value) in chosen.items() if value != _DEFAULTS.get(spec.field)}


@dataclass(frozen=True, slots=True)
class _Key:
    field: str
    parse: Callable[[object], Any]
    spell: Callable[[Any], Any]


class _At(Exception):
    """An element of a list is wrong."""

    def __init__(self, path: Path, reason: Invalid) -> None:
        super().__init__(reason)
        self.path, self.reason = path, reason


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise Invalid("is no text", way_out='write it in quotes: "…"')
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise Invalid("is no whole number")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise Invalid("is neither true nor false")
    return value


def _family(value: object) -> Family:
    found: Iterator[Family] = (family for family in get_args(Family) if family == value)
    for family in found:
        return family
    raise Invalid("is no address family", way_out='write "ipv4", "ipv6" or "any"')


def _listener(value: object) -> Tcp:
    return Tcp("", value) if isinstance(value, int) and not isinstance(value, bool) else parse_tcp(_text(value))


def _forward(value: object) -> Forward:
    if not isinstance(value, dict):
        return parse_forward(_text(value))
    if set(value) != {"listen", "to"}:
        raise Invalid("is no forward", way_out='write "LISTEN -> TO", or { listen = "…", to = "…" }')
    return Forward(parse_endpoint(_text(value["listen"])), parse_target(_text(value["to"])))


def _spell_forward(forward: Forward) -> str | dict[str, str]:
    """One string; two where a socket's path could be mistaken for an arrow."""
    text = spell_forward(forward)
    if text.count("->") == 1:
        return text
    return {"listen": spell_endpoint(forward.listen), "to": spell_endpoint(forward.to)}


def _spell_listener(end: Tcp) -> int | str:
    return end.port if not end.host else spell_endpoint(end)


def _each(parse: Callable[[object], Any]) -> Callable[[object], tuple[Any, ...]]:
    def parse_all(value: object) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise Invalid("is no list", way_out="write it in brackets: […]")
        return tuple(_element(parse, number, element) for number, element in enumerate(value))

    return parse_all


def _element(parse: Callable[[object], Any], number: int, element: object) -> Any:
    try:
        return parse(element)
    except Invalid as error:
        raise _At((number,), error) from None


def _all(spell: Callable[[Any], Any]) -> Callable[[Any], list[Any]]:
    return lambda values: [spell(value) for value in values]


def _spelt(parse: Callable[[str], Any]) -> Callable[[object], Any]:
    return lambda value: parse(_text(value))


def _same(value: Any) -> Any:
    return value


KEYS: dict[str, _Key] = {
    "host": _Key("host", _text, _same),
    "port": _Key("port", _whole, _same),
    "user": _Key("user", _text, _same),
    "family": _Key("family", _family, _same),
    "key-file": _Key("key_file", _text, _same),
    "certificate-file": _Key("certificate_file", _text, _same),
    "agent": _Key("agent", _flag, _same),
    "jump": _Key("jumps", _each(_spelt(parse_jump)), _all(spell_jump)),
    "proxy": _Key("proxy", _spelt(parse_proxy), spell_proxy),
    "proxy-command": _Key("proxy_command", _text, _same),
    "compression": _Key("compression", _flag, _same),
    "keepalive": _Key("keepalive", _spelt(parse_keepalive), spell_keepalive),
    "keepalive-count": _Key("keepalive_count", _whole, _same),
    "local": _Key("local", _each(_forward), _all(_spell_forward)),
    "remote": _Key("remote", _each(_forward), _all(_spell_forward)),
    "dynamic": _Key("dynamic", _each(_listener), _all(_spell_listener)),
    "start-at-login": _Key("start_at_login", _flag, _same),
}
_DEFAULTS = {spec.name: spec.default for spec in fields(Profile) if spec.default is not MISSING}
