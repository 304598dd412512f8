"""A saved tunnel: which SSH server, as whom, by which way, and what is forwarded. Nothing runs on the server.

    Profile(
        "database",
        host="bastion.example.com",
        user="ann",
        local=(Forward(Tcp("", 5432), Tcp("db.internal", 5432)),),
    )

Every value is checked when it is made: a profile that exists can be spelt in each format without harm.
Raises `Invalid` with a sentence otherwise.
"""

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import AddressValueError, IPv6Address, ip_address
from typing import Literal

from portward.errors import Invalid

Family = Literal["any", "ipv4", "ipv6"]
ProxyKind = Literal["socks4", "socks5", "http"]

EVERYBODY = "*"
"""The listening host for connections from everywhere. The empty one is for those from the same machine alone."""
KEEPALIVE = timedelta(seconds=15)
KEEPALIVE_COUNT = 3
"""A dead server is noticed after 45 s."""

_NAME_OR_IPV4 = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?")
_SCOPE = re.compile(r"(?:%[A-Za-z0-9_.-]+)?")
_USER = re.compile(r"(?![- ])[^'\"`$;&<>|(){}]*[^'\"`$;&<>|(){}\\ ]")
_LONGEST = 1024


@dataclass(frozen=True, slots=True)
class Tcp:
    """A port at a host. Where one listens, `host` may be empty (this machine alone), `*` (everybody), or an address;
    for a remote forward also a name, which Portward's gateway takes for the name of the service."""

    host: str
    port: int

    def __post_init__(self) -> None:
        if self.host not in {"", EVERYBODY}:
            require_host(self.host)
        _require_port(self.port, least=0)


@dataclass(frozen=True, slots=True)
class Unix:
    """A Unix socket, by its path on the machine where it lies."""

    path: str

    def __post_init__(self) -> None:
        require_text("a socket's path", self.path)
        if not self.path.startswith("/"):
            raise Invalid(f"{self.path!r} is no path of a socket", way_out="write it from the root: unix:/run/app.sock")


Endpoint = Tcp | Unix


@dataclass(frozen=True, slots=True)
class Forward:
    """What connects to `listen` is connected to `to`. For a local forward `listen` is here, and `to` is reached from
    the server; for a remote one the other way round."""

    listen: Endpoint
    to: Endpoint

    def __post_init__(self) -> None:
        if isinstance(self.listen, Tcp) and self.listen.host == "localhost":
            object.__setattr__(self, "listen", Tcp("", self.listen.port))
        if isinstance(self.to, Tcp) and (self.to.host in {"", EVERYBODY} or not self.to.port):
            raise Invalid(
                "a forward needs a host and a port to go to", way_out="as in `8080 -> intranet.example.com:80`"
            )


@dataclass(frozen=True, slots=True)
class Jump:
    """An SSH server on the way."""

    host: str
    port: int = 22
    user: str = ""

    def __post_init__(self) -> None:
        require_host(self.host)
        _require_port(self.port)
        if self.user:
            require_user(self.user)
        if set(self.user) & set(", #"):
            raise Invalid(f"{self.user!r} can't be the user at a jump host: OpenSSH reads it as something else")


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy on the way to the server. Its password is nowhere kept."""

    kind: ProxyKind
    host: str
    port: int
    user: str = ""

    def __post_init__(self) -> None:
        require_host(self.host)
        _require_port(self.port)
        if self.user:
            require_user(self.user)


@dataclass(frozen=True, slots=True)
class Profile:
    """A saved tunnel. Durations are whole seconds; `keepalive` of zero asks the server nothing.

    Of `jumps`, `proxy` and `proxy_command` (a shell command; `%h` and `%p` are host and port) at most one is used.
    """

    name: str
    host: str
    port: int = 22
    user: str = ""
    family: Family = "any"
    key_file: str = ""
    certificate_file: str = ""
    agent: bool = True
    jumps: tuple[Jump, ...] = ()
    proxy: Proxy | None = None
    proxy_command: str = ""
    compression: bool = False
    keepalive: timedelta = KEEPALIVE
    keepalive_count: int = KEEPALIVE_COUNT
    local: tuple[Forward, ...] = ()
    remote: tuple[Forward, ...] = ()
    dynamic: tuple[Tcp, ...] = ()
    start_at_login: bool = False

    def __post_init__(self) -> None:
        require_name(self.name)
        require_host(self.host)
        _require_port(self.port)
        if self.user:
            require_user(self.user)
        for noun, path in (("a key file", self.key_file), ("a certificate file", self.certificate_file)):
            if path:
                require_text(noun, path)
        if self.proxy_command:
            _require_command(self.proxy_command)
        if sum(map(bool, (self.jumps, self.proxy, self.proxy_command))) > 1:
            raise Invalid("a tunnel goes through jump hosts, a proxy or a proxy command, and not through two of them")
        _require_keepalive(self.keepalive, self.keepalive_count)
        local_only = tuple(Tcp("", end.port) if end.host == "localhost" else end for end in self.dynamic)
        object.__setattr__(self, "dynamic", local_only)
        _require_listeners([*(forward.listen for forward in self.local), *self.dynamic])
        _require_distinct(forward.listen for forward in self.remote)

    def open_to_others(self) -> tuple[Tcp, ...]:
        """Where this machine would listen for connections from other machines: what a warning has to name."""
        listeners = [*(forward.listen for forward in self.local), *self.dynamic]
        return tuple(end for end in listeners if isinstance(end, Tcp) and not _is_loopback(end.host))


def require_name(name: str) -> None:
    """Raises `Invalid` unless this can be a tunnel's name: 1 to 100 printable characters, no space at either end."""
    if not 1 <= len(name) <= 100 or not name.isprintable() or name != name.strip() or name.startswith("-"):
        raise Invalid(
            f"{name!r} can't be a tunnel's name",
            way_out="choose 1 to 100 printable characters, no dash in front, no space at either end",
        )


def require_host(host: str) -> None:
    """Raises `Invalid` unless this is a host: a name or an address, IPv6 without brackets."""
    if len(host) > 255 or not (_is_ipv6(host) if ":" in host else _NAME_OR_IPV4.fullmatch(host)):
        raise Invalid(
            f"{host!r} is no host",
            way_out="write a name or an address, such as gate.example.com; one with other letters as xn--…",
        )


def require_user(user: str) -> None:
    """Raises `Invalid` unless this can be a user's name; what OpenSSH refuses on its command line can't (ssh.c)."""
    require_text("a user's name", user)
    if not _USER.fullmatch(user) or " -" in user:
        raise Invalid(f"{user!r} can't be a user's name", way_out="quotes, shell characters and options are refused")


def require_text(noun: str, text: str) -> None:
    """Raises `Invalid` for text that is empty, endless, blank at an end, or would begin a new line somewhere."""
    if not 1 <= len(text) <= _LONGEST or not text.isprintable() or text != text.strip():
        raise Invalid(
            f"{text[:80]!r} can't be {noun}: it is empty, too long, begins or ends with a space, or holds a control "
            "character"
        )


def _require_command(command: str) -> None:
    require_text("a proxy command", command)
    if command.lower() == "none" or command.startswith("=") or "%" in re.sub(r"%[hp%]", "", command):
        raise Invalid(
            f"{command!r} can't be a proxy command",
            way_out="%h is the host, %p the port, %% a percent sign, and no other",
        )
    try:
        shlex.split(command)
    except ValueError as error:  # OpenSSH refuses a whole file for it
        raise Invalid(
            f"{command!r} can't be a proxy command: no shell can read it", way_out="close every quote"
        ) from error


def _require_port(port: int, least: int = 1) -> None:
    if not least <= port <= 65535:
        raise Invalid(f"{port} is no port", way_out=f"ports go from {least} to 65535")


def _require_keepalive(every: timedelta, count: int) -> None:
    seconds = every.total_seconds()
    if not 0 <= seconds <= 86400 or seconds != int(seconds):
        raise Invalid(f"{seconds} s is no interval for keepalives", way_out="choose whole seconds, from 0s to 24h")
    if not 1 <= count <= 1000:
        raise Invalid(f"{count} is no number of unanswered keepalives", way_out="choose 1 to 1000")


def _require_listeners(ends: list[Endpoint]) -> None:
    if any(isinstance(end, Tcp) and not end.port for end in ends):
        raise Invalid("a forward that listens here needs a port", way_out="0 is for remote forwards alone")
    _require_distinct(ends)


def _require_distinct(ends: Iterable[Endpoint]) -> None:
    seen: set[Endpoint] = set()
    for end in ends:
        if end in seen and end != Tcp("", 0):
            raise Invalid(f"two forwards listen at {end.path if isinstance(end, Unix) else end.port}")
        seen.add(end)


def _is_ipv6(host: str) -> bool:
    address, percent, scope = host.partition("%")
    try:
        IPv6Address(address)
    except AddressValueError:
        return False
    return bool(_SCOPE.fullmatch(percent + scope))


def _is_loopback(host: str) -> bool:
    try:
        return not host or ip_address(host).is_loopback
    except ValueError:
        return False
