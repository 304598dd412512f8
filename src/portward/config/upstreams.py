"""How an upstream is spelt.

    parse_upstream("http://127.0.0.1:3000")     # Upstream("http", "127.0.0.1", 3000)

`str(upstream)` writes it back.
"""

import re
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from portward.config.spelling import Misspelt
from portward.model import Upstream

_PORTS: dict[str, int] = {"http": 80, "https": 443, "h2c": 80}
_EXPECTED = "http://HOST:PORT, https://HOST:PORT, h2c://HOST:PORT, tcp://HOST:PORT, unix:/PATH or demo"


def parse_upstream(value: object) -> Upstream:
    """Where a service lies; a bare `HOST:PORT` is http."""
    if isinstance(value, Upstream):
        return value
    if not isinstance(value, str):
        raise Misspelt("is not an upstream", expected=_EXPECTED)
    if value == "demo":
        return Upstream("demo")
    if value.startswith("unix:"):
        return Upstream("unix", path=_socket_path(value.removeprefix("unix:").removeprefix("//")))
    return _upstream_url(value)


def _socket_path(path: str) -> str:
    # Printable ASCII without blanks, quotes and what haproxy.cfg gives a meaning of its own.
    if not re.fullmatch(r"/[!-~]{1,99}", path) or re.search(r"[\"'\\#$]", path):
        raise Misspelt(
            "has no usable socket path",
            expected="unix: and an absolute path of at most 100 characters, without blanks and quotes",
        )
    return path


def _upstream_url(value: str) -> Upstream:
    url = _split(value if "://" in value else f"http://{value}")
    scheme = _scheme(url.scheme)
    if url.path not in ("", "/") or url.query or url.fragment or "@" in url.netloc:
        raise Misspelt(
            "must end after host and port",
            expected=_EXPECTED,
            way_out="a path is chosen with `path`, `strip` and `routes`; a login can't be part of an upstream",
        )
    if not url.hostname or not re.fullmatch(r"[a-z0-9._-]+|[0-9a-f:.]+", url.hostname):
        raise Misspelt("has no usable host", expected=_EXPECTED)
    return Upstream(scheme, host=url.hostname, port=_port(url))


def _scheme(scheme: str) -> Literal["http", "https", "h2c", "tcp"]:
    match scheme:
        case "http" | "https" | "h2c" | "tcp":
            return scheme
    raise Misspelt(f"has the unknown scheme {scheme!r}", expected=_EXPECTED)


def _split(text: str) -> SplitResult:
    try:
        return urlsplit(text)
    except ValueError:
        raise Misspelt("is not an upstream", expected=_EXPECTED) from None


def _port(url: SplitResult) -> int:
    try:
        port = _PORTS.get(url.scheme, 0) if url.port is None else url.port
    except ValueError:
        port = 0
    if port == 0:
        raise Misspelt("has no usable port", expected="a port from 1 to 65535")
    return port
