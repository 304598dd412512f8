"""PuTTY's `PortForwardings`: a list with commas of `[A|4|6]L|R|D[ADDRESS:]PORT=HOST:PORT`, as its wmap() writes it.

    read("4L8080=intranet:80,D1080=,R80=localhost:1313", …)

`\\\\` stands before a comma, an equals sign or a backslash that is part of a name (settings.c, gppmap).
"""

import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from portward.errors import Invalid
from portward.tunnels.profiles.profile import EVERYBODY, Forward, Profile, Tcp
from portward.tunnels.profiles.spelling import bracket

_SOURCE = re.compile(r"(?P<family>[A46]?)(?P<kind>[LRD]?)(?:(?P<host>\[[^\]]*\]|[^:\[\]]*):)?(?P<port>[^:]+)")
_PLACE = re.compile(r"(?P<host>\[[^\]]*\]|[^:]+):(?P<port>[^:]+)")
_LOOPBACK = {"4": "127.0.0.1", "6": "::1"}
_ALL = {"4": "0.0.0.0", "6": "::"}  # noqa: S104


@dataclass(slots=True)
class Forwards:
    """What a session forwards. `notes` names what PuTTY says and a tunnel has no word for."""

    local: list[Forward] = field(default_factory=list)
    remote: list[Forward] = field(default_factory=list)
    dynamic: list[Tcp] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read(text: str, *, local_open: bool, remote_open: bool) -> Forwards:
    """The forwards of a session; `local_open` and `remote_open` are LocalPortAcceptAll and RemotePortAcceptAll.

    Raises `Invalid`, which names the element.
    """
    found = Forwards()
    for source, target in _elements(text):
        _add(found, source, target, local_open=local_open, remote_open=remote_open)
    return found


def spell(profile: Profile) -> tuple[str, bool, bool]:
    """The value of PortForwardings, LocalPortAcceptAll and RemotePortAcceptAll. Sockets must be gone already."""
    local_open = any(map(_needs_open, _ends(profile, "local")))
    remote_open = any(end.host == EVERYBODY for end in _ends(profile, "remote"))
    elements = [
        *(_spell("L", forward.listen, forward.to, everybody=local_open) for forward in profile.local),
        *(_spell("R", forward.listen, forward.to, everybody=remote_open) for forward in profile.remote),
        *(_spell("D", end, None, everybody=local_open) for end in profile.dynamic),
    ]
    return ",".join(elements), local_open, remote_open


def _ends(profile: Profile, kind: Literal["local", "remote"]) -> Iterator[Tcp]:
    forwards = profile.local if kind == "local" else profile.remote
    yield from (forward.listen for forward in forwards if isinstance(forward.listen, Tcp))
    if kind == "local":
        yield from profile.dynamic


def _needs_open(end: Tcp) -> bool:
    """PuTTY turns others away from an IPv6 address, too, unless the session is open to all (unix/network.c)."""
    return end.host == EVERYBODY or (":" in end.host and end.host != "::1")


def _spell(kind: str, listen: object, to: object, *, everybody: bool) -> str:
    """Where the session is open to all, a listener for this machine alone has to say so."""
    assert isinstance(listen, Tcp)  # noqa: S101
    host = "" if listen.host == EVERYBODY else listen.host or ("localhost" if everybody else "")
    # PuTTY takes any D in this part for that of a dynamic forward.
    source = f"{bracket(host).lower()}{':' if host else ''}{listen.port}"
    return f"{kind}{_escape(source)}={_escape(_spell_target(to))}"


def _spell_target(to: object) -> str:
    return f"{bracket(to.host)}:{to.port}" if isinstance(to, Tcp) else ""


def _escape(text: str) -> str:
    return re.sub(r"([,=\\])", r"\\\1", text)


def _elements(text: str) -> Iterator[tuple[str, str]]:
    """Key and value of each element, without their escapes."""
    for element in re.findall(r"(?:[^\\,]|\\.?)+", text):
        key, _, value = re.sub(r"\\(.?)|=", _unescape, element).partition("\0")
        yield key, value


def _unescape(match: re.Match[str]) -> str:
    return "\0" if match[1] is None else match[1]


def _add(found: Forwards, source: str, target: str, *, local_open: bool, remote_open: bool) -> None:
    match = _SOURCE.fullmatch(source)
    if not match:
        raise Invalid(f"{source!r} is no source of a forward", way_out="as in L8080, 4R192.0.2.1:80 or D[::1]:1080")
    family, kind = match["family"], match["kind"] or "L"
    host = _listening_host(match, kind, open_to_all=remote_open if kind == "R" else local_open)
    listen = Tcp(host, _port(match["port"], source))
    if family in _LOOPBACK and (kind == "R" or match["host"]):
        found.notes.append(f"the {family} of the forward {source}: {_family_lost(kind)}")
    if kind == "D" or (kind == "L" and target == "D"):
        found.dynamic.append(listen)
    else:
        (found.remote if kind == "R" else found.local).append(Forward(listen, _target(source, target)))


def _family_lost(kind: str) -> str:
    if kind == "R":
        return "PuTTY doesn't tell the server either"
    return "the address that it listens at is used as it is written"


def _listening_host(match: re.Match[str], kind: str, *, open_to_all: bool) -> str:
    """The address; where there is none, the families' own ones. A remote forward's family has no effect in PuTTY."""
    if match["host"]:
        return match["host"].strip("[]")
    if kind == "R":
        return EVERYBODY if open_to_all else ""
    return (_ALL if open_to_all else _LOOPBACK).get(match["family"], EVERYBODY if open_to_all else "")


def _target(source: str, target: str) -> Tcp:
    match = _PLACE.fullmatch(target)
    if not match:
        raise Invalid(f"the forward {source} goes to {target!r}", way_out="it needs HOST:PORT, IPv6 in brackets")
    return Tcp(match["host"].strip("[]"), _port(match["port"], source))


def _port(text: str, source: str) -> int:
    """A number, or a service's name as /etc/services knows it, which PuTTY allows."""
    if re.fullmatch(r"[0-9]{1,5}", text):
        return int(text)
    try:
        return socket.getservbyname(text, "tcp")
    except OSError:
        raise Invalid(f"the forward {source}: {text!r} is no port") from None
