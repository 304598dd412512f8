"""How the parts of a saved tunnel are spelt, in its file and on the command line.

    parse_forward("8080 -> intranet:80")              # Forward(Tcp("", 8080), Tcp("intranet", 80))
    spell_jump(Jump("gate.example.com", 2222, "ann")) # 'ann@gate.example.com:2222'

Readers raise `Invalid`. What a writer spells, the reader reads back as the same value.
"""

import re
from datetime import timedelta
from typing import get_args

from portward.errors import Invalid
from portward.tunnels.profiles.profile import Endpoint, Forward, Jump, Proxy, ProxyKind, Tcp, Unix

ARROW = " -> "
_UNITS = {"h": 3600, "m": 60, "s": 1}


def parse_forward(text: str) -> Forward:
    """`LISTEN -> TO`. A lone port listens for this machine alone, and goes to `localhost`."""
    listen, arrow, to = text.partition(ARROW)
    if not arrow or ARROW in to:
        raise Invalid(f"{text!r} is no forward", way_out="write LISTEN -> TO, as in `8080 -> intranet.example.com:80`")
    return Forward(parse_endpoint(listen), parse_target(to))


def spell_forward(forward: Forward) -> str:
    """As `parse_forward` reads it; sockets whose path holds an arrow can't be told apart in it."""
    return f"{spell_endpoint(forward.listen)}{ARROW}{spell_endpoint(forward.to)}"


def parse_endpoint(text: str) -> Endpoint:
    """`8080`, `192.0.2.1:8080`, `[::1]:8080`, `*:8080` for everybody, `unix:/run/app.sock`."""
    path = text.strip().removeprefix("unix:")
    return Unix(path) if path != text.strip() else parse_tcp(text)


def parse_target(text: str) -> Endpoint:
    """An endpoint to go to: a lone port is one of `localhost`."""
    end = parse_endpoint(text)
    return Tcp("localhost", end.port) if isinstance(end, Tcp) and not end.host else end


def parse_tcp(text: str) -> Tcp:
    """`8080`, `192.0.2.1:8080`, `[::1]:8080` or `*:8080`."""
    host, colon, port = text.strip().rpartition(":")
    if not re.fullmatch(r"[0-9]{1,5}", port) or (colon and not host):
        raise Invalid(
            f"{text!r} is no place to connect to or to listen at",
            way_out="write 8080, intranet:80, [2001:db8::1]:80, *:8080 or unix:/run/app.sock",
        )
    return Tcp(_unbracket(host), int(port))


def spell_endpoint(end: Endpoint) -> str:
    if isinstance(end, Unix):
        return f"unix:{end.path}"
    return f"{bracket(end.host)}:{end.port}" if end.host else str(end.port)


def parse_jump(text: str) -> Jump:
    """`HOST`, `USER@HOST` or `USER@HOST:PORT`; IPv6 in brackets where a port follows."""
    user, _, place = text.strip().rpartition("@")
    host, port = _host_and_port(place, 22)
    return Jump(host, port, user)


def spell_jump(jump: Jump) -> str:
    return f"{jump.user}@" * bool(jump.user) + bracket(jump.host) + f":{jump.port}" * (jump.port != 22)


def parse_proxy(text: str) -> Proxy:
    """`socks5://HOST:PORT`, `socks4://…` or `http://…`, with `USER@` before the host where the proxy wants one."""
    kind, mark, rest = text.strip().partition("://")
    user, _, place = rest.rstrip("/").rpartition("@")
    host, port = _host_and_port(place, 8080 if kind == "http" else 1080)
    kinds: dict[str, ProxyKind] = {name: name for name in get_args(ProxyKind)}
    if not mark or kind not in kinds:
        raise Invalid(f"{text!r} is no proxy", way_out="write socks5://HOST:1080, socks4://… or http://…")
    return Proxy(kinds[kind], host, port, user)


def spell_proxy(proxy: Proxy) -> str:
    return f"{proxy.kind}://" + f"{proxy.user}@" * bool(proxy.user) + f"{bracket(proxy.host)}:{proxy.port}"


def parse_keepalive(text: str) -> timedelta:
    """`15s`, `2m`, `1h`; `off` asks nothing."""
    match = re.fullmatch(r"([0-9]{1,6})([smh])", text.strip())
    if text.strip() != "off" and not match:
        raise Invalid(f"{text!r} is no interval for keepalives", way_out="write 15s, 2m, 1h or off")
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]]) if match else timedelta()


def spell_keepalive(every: timedelta) -> str:
    seconds = int(every.total_seconds())
    unit = next(unit for unit in _UNITS if seconds % _UNITS[unit] == 0)
    return f"{seconds // _UNITS[unit]}{unit}" if seconds else "off"


def fill_in(command: str, host: str, port: int) -> str:
    """A profile's proxy command for this host and port: `%h`, `%p`, and `%%` for a percent sign."""
    values = {"%h": host, "%p": str(port), "%%": "%"}
    return re.sub(r"%[hp%]", lambda match: values[match[0]], command)


def bracket(host: str) -> str:
    """A host as it stands before a colon."""
    return f"[{host}]" if ":" in host else host


def _unbracket(host: str) -> str:
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


def _host_and_port(text: str, default: int) -> tuple[str, int]:
    match = re.fullmatch(r"(\[[^\]]*\]|[^:]*)(?::([0-9]{1,5}))?", text)
    if not match:
        return text, default
    return _unbracket(match[1]), int(match[2] or default)
