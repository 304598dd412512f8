"""Forwards in the words of ssh(1), which people know by heart: `-L 8080:intranet:80`, `-R /run/app.sock:localhost:80`.

    forward("127.0.0.1:8080:intranet:80")     # Forward(Tcp("127.0.0.1", 8080), Tcp("intranet", 80))
    forward("8080 -> intranet:80")            # as in the file of saved tunnels: the same

Raises `Invalid`.
"""

import re

from portward.errors import Invalid
from portward.tunnels.profiles.profile import EVERYBODY, Endpoint, Forward, Jump, Tcp, Unix
from portward.tunnels.profiles.spelling import ARROW, parse_forward, parse_jump, parse_tcp

_PIECE = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(?::|$)")


def forward(text: str) -> Forward:
    """`[BIND:]PORT:HOST:PORT`; in place of either half a path. An empty BIND and `*` are for everybody."""
    if ARROW in text:
        return parse_forward(text)
    match pieces(text):
        case [path, to] if path.startswith("/"):
            return Forward(Unix(path), _target(text, to))
        case [path, host, port] if path.startswith("/"):
            return Forward(Unix(path), _tcp(text, host, port))
        case [*bind, port, to] if to.startswith("/") and len(bind) < 2:
            return Forward(_listener(text, bind, port), Unix(to))
        case [*bind, port, host, host_port] if len(bind) < 2:
            return Forward(_listener(text, bind, port), _tcp(text, host, host_port))
    raise _no_forward(text)


def dynamic(text: str) -> Tcp:
    """`[BIND:]PORT`."""
    match pieces(text):
        case [*bind, port] if len(bind) < 2:
            return _listener(text, bind, port)
    raise _no_forward(text)


def destination(text: str, port: int | None, user: str) -> Jump:
    """`[USER@]HOST[:PORT]`; options of their own say port and user as well, and win."""
    said = parse_jump(text.removeprefix("ssh://"))
    return Jump(said.host, port or said.port, user or said.user)


def jumps(texts: list[str]) -> tuple[Jump, ...]:
    """`USER@HOST:PORT,…`, several times for several."""
    return tuple(parse_jump(text) for line in texts for text in line.split(",") if text.strip())


def pieces(text: str) -> list[str]:
    """What stands between the colons, those in brackets left alone."""
    found, position = [], 0
    while position <= len(text):
        match = _PIECE.match(text, position)
        if not match:
            raise _no_forward(text)
        found.append(match[1].removeprefix("[").removesuffix("]"))
        if not match[0].endswith(":"):
            break
        position = match.end()
    return found


def _listener(text: str, bind: list[str], port: str) -> Tcp:
    host = bind[0] or EVERYBODY if bind else ""
    return Tcp("" if host == "localhost" else host, _port(text, port))


def _target(text: str, to: str) -> Endpoint:
    if not to.startswith("/"):
        raise _no_forward(text)
    return Unix(to)


def _tcp(text: str, host: str, port: str) -> Tcp:
    return Tcp(host, _port(text, port))


def _port(text: str, port: str) -> int:
    try:
        return parse_tcp(port).port
    except Invalid:
        raise _no_forward(text) from None


def _no_forward(text: str) -> Invalid:
    return Invalid(
        f"{text!r} is no forward",
        way_out="write [BIND:]PORT:HOST:PORT as for ssh, or LISTEN -> TO; -D takes [BIND:]PORT",
    )
