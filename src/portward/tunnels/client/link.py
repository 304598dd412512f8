"""One SSH connection, through its jump hosts, to a server whose host key is the known one.

door = Door(KnownHosts(own_known_hosts()), credentials(profile))
async with door.open(profile) as link:
    await link.connection.create_connection(far, "db.internal", 5432)

Raises `NotTrusted` and `NotAdmitted`, which no further try will mend, and `Unreachable`, which one may.
"""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import asyncssh

from portward.errors import NotAdmitted, NotTrusted, Unreachable
from portward.tunnels.client import trust
from portward.tunnels.client.dial import dial
from portward.tunnels.client.knownhosts import Known, KnownHosts, spell_host
from portward.tunnels.client.proxy import pass_through
from portward.tunnels.profiles.profile import Jump, Profile
from portward.tunnels.profiles.spelling import fill_in

_LOGIN_PATIENCE = 30.0
_FAREWELL = 2.0
"""Seconds for a connection to close in order."""
_COMPRESSION = ["zlib@openssh.com", "none"]
_CIPHERS = "^aes128-gcm@openssh.com,aes256-gcm@openssh.com"
"""Before the others: a packet costs this process less than with ChaCha20-Poly1305, which asyncssh puts first."""
_TOO_MANY_KEYS = "oo many authentication failures"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Link:
    """An open connection. `way` is the first hop's, whose socket is ours."""

    connection: asyncssh.SSHClientConnection
    way: asyncssh.SSHClientConnection
    _visitor: "_Visitor"

    async def wait_for_end(self) -> str:
        """Return when the connection has ended, with the reason."""
        await self.connection.wait_closed()
        return _spell(self._visitor.lost) if self._visitor.lost else "the server closed the connection"

    async def round_trip(self) -> float:
        """Ask the server to answer, which every one does, if only by a refusal (RFC 4254, section 4). Seconds."""
        begun = time.monotonic()
        # asyncssh has keepalives of its own, and no public way to time one.
        await self.connection._make_global_request(b"keepalive@openssh.com")
        return time.monotonic() - begun

    def is_stranded(self) -> bool:
        """Whether the address that the connection comes from is no longer one of this machine."""
        name = self.way.get_extra_info("sockname")
        return bool(name) and not _can_bind(name)

    def has_route(self) -> bool:
        """Whether this machine knows a way to the first hop at all."""
        name = self.way.get_extra_info("peername")
        return not name or _can_route(name)


@dataclass(frozen=True, slots=True)
class Door:
    """How to come in: the known hosts, what asyncssh is to show, and who hears what a server says before login.

    `options` go to every hop alike.
    """

    hosts: KnownHosts
    options: Mapping[str, Any]
    say: Say = lambda text: None
    login_patience: float = _LOGIN_PATIENCE

    @asynccontextmanager
    async def open(self, profile: Profile) -> AsyncIterator[Link]:
        server = Jump(profile.host, profile.port, profile.user)
        async with AsyncExitStack() as stack:
            hops: list[asyncssh.SSHClientConnection] = []
            for hop in (*profile.jumps, server):
                via = hops[-1] if hops else None
                visitor = _Visitor(self.hosts.of(hop.host, hop.port), self.say)
                hops.append(await stack.enter_async_context(self._hop(hop, profile, via, visitor)))
            yield Link(hops[-1], hops[0], visitor)

    @asynccontextmanager
    async def _hop(
        self, hop: Jump, profile: Profile, via: asyncssh.SSHClientConnection | None, visitor: "_Visitor"
    ) -> AsyncIterator[asyncssh.SSHClientConnection]:
        try:
            connection = await self._connect(hop, profile, via, visitor)
        except (OSError, asyncssh.Error, ValueError) as error:
            raise self._reason(hop, visitor, error) from None
        try:
            yield connection
        finally:
            connection.close()
            with suppress(TimeoutError):
                async with asyncio.timeout(_FAREWELL):
                    await connection.wait_closed()

    async def _connect(
        self, hop: Jump, profile: Profile, via: asyncssh.SSHClientConnection | None, visitor: "_Visitor"
    ) -> asyncssh.SSHClientConnection:
        way: dict[str, Any] = {"tunnel": via} if via else await _way(hop, profile)
        user = {"username": hop.user} if hop.user else {}
        return await asyncssh.connect(
            hop.host,
            hop.port,
            config=None,
            client_factory=lambda: visitor,
            client_version="Portward",
            known_hosts=lambda host, address, port: ((), visitor.known.authorities, visitor.known.revoked),
            server_host_key_algs=trust.algorithms(visitor.known),
            login_timeout=self.login_patience,
            encryption_algs=_CIPHERS,
            compression_algs=_COMPRESSION if profile.compression else None,
            keepalive_interval=profile.keepalive.total_seconds(),
            # asyncssh waits for one more than it is told before it gives up.
            keepalive_count_max=max(1, profile.keepalive_count - 1),
            gss_kex=False,
            gss_auth=False,
            **user,
            **way,
            **self.options,
        )

    def _reason(self, hop: Jump, visitor: "_Visitor", error: Exception) -> Exception:
        place = spell_host(hop.host, hop.port)
        if isinstance(error, asyncssh.HostKeyNotVerifiable):
            if visitor.presented:
                verdict = trust.judge(visitor.known, visitor.presented)
                return trust.refusal(verdict, hop.host, hop.port, visitor.presented, self.hosts)
            return NotTrusted(f"{place}: {error.reason}", way_out="ask whoever runs that server")
        if isinstance(error, asyncssh.PermissionDenied) or _TOO_MANY_KEYS in str(error):
            return NotAdmitted(
                f"{place} does not let {hop.user or 'this user'} in with any key that was offered",
                way_out="name the right one with --user and --key, load it with ssh-add, or have it added there",
            )
        if isinstance(error, asyncssh.KeyExchangeFailed):
            return NotAdmitted(f"{place} speaks no algorithm that is good enough: {error.reason}")
        return Unreachable(f"{place}: {_spell(error)}")


@dataclass(slots=True)
class _Visitor(asyncssh.SSHClient):
    """asyncssh asks it about host keys, and tells it what the server says."""

    known: Known
    say: Say
    presented: asyncssh.SSHKey | None = field(default=None, init=False)
    lost: Exception | None = field(default=None, init=False)

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        self.presented = key
        return trust.judge(self.known, key) == "trusted"

    def auth_banner_received(self, msg: str, lang: str) -> None:
        self.say(msg)

    def debug_msg_received(self, msg: str, lang: str, always_display: bool) -> None:
        if always_display:
            self.say(msg)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = exc


async def _way(hop: Jump, profile: Profile) -> dict[str, Any]:
    if profile.proxy_command:
        command = fill_in(profile.proxy_command, hop.host, hop.port)
        return {"proxy_command": ["/bin/sh", "-c", f"exec {command}"]}
    if not profile.proxy:
        return {"sock": await dial(hop.host, hop.port, family=profile.family)}
    sock = await dial(profile.proxy.host, profile.proxy.port, family=profile.family)
    try:
        await pass_through(sock, profile.proxy, hop.host, hop.port)
    except BaseException:
        sock.close()
        raise
    return {"sock": sock}


def _can_bind(name: tuple[Any, ...]) -> bool:
    with socket.socket(_family(name), socket.SOCK_STREAM) as probe:
        try:
            probe.bind((name[0], 0, *name[2:]))
        except OSError:
            return False
        return True


def _can_route(name: tuple[Any, ...]) -> bool:
    """A datagram socket that is connected sends nothing, and yet needs a route (connect(2))."""
    with socket.socket(_family(name), socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(name)
        except OSError:
            return False
        return True


def _family(name: tuple[Any, ...]) -> socket.AddressFamily:
    return socket.AF_INET6 if len(name) == 4 else socket.AF_INET


def _spell(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, asyncssh.DisconnectError):
        return error.reason
    if isinstance(error, OSError) and (error.errno or 0) > 0:
        # asyncio puts words of its own in the place of the system's.
        return os.strerror(error.errno or 0)
    if isinstance(error, socket.gaierror):
        return error.strerror or "the name does not resolve"
    return str(error) or type(error).__name__
