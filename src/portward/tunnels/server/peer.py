"""Who is at the other end of one connection, what it may do, and what it has.

asyncssh asks a peer about everything that its client wants. What is not a tunnel, a permitted jump or a look at one's
own tunnels is refused, told to the client in a sentence, and kept as a fact.
"""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

import asyncssh
from asyncssh.public_key import SSHOpenSSHCertificate

from portward.facts import KeyRefused, TunnelRefused
from portward.tunnels.rules import KeyRule
from portward.tunnels.server.admission import Denied, judge, judge_certificate
from portward.tunnels.server.approvals import Entry
from portward.tunnels.server.claims import certified
from portward.tunnels.server.connection import Connection
from portward.tunnels.server.jump import jump
from portward.tunnels.server.loop import loop_back
from portward.tunnels.server.printable import printable
from portward.tunnels.server.publishing import Loop, Refused, Wish
from portward.tunnels.server.terminal import Terminal
from portward.tunnels.server.tunnel import Tunnel

if TYPE_CHECKING:
    from portward.tunnels.server.peers import Peers

_SESSION_SECONDS = 0.5
"""A client that wants a session asks for one right after its forwards."""
_TUNNELS = 50
"""So many may one connection carry."""
_JUMPS = 500
"""So many connections may one client have through the gateway at once."""
_CHANNELS = 5000
"""So many channels may one connection have before its client gets no more; those of visitors count."""


class Peer(asyncssh.SSHServer):
    """`key` is there after the login; `reason` says why the connection ended; `present` is False from then on."""

    connection: Connection

    def __init__(self, peers: "Peers") -> None:
        self.peers = peers
        self.address = self.version = self.user = ""
        self.key: KeyRule | None = None
        self.since = datetime.now(UTC)
        self.tunnels: dict[Wish, Tunnel] = {}
        self.loops: dict[int, Wish] = {}
        self.jumps = 0
        self.reason = "client"
        self.present = True
        self.waiting: Entry | None = None
        self._candidate: KeyRule | Denied = Denied("unknown")
        self._offered: asyncssh.SSHKey | None = None
        self._denied: KeyRefused | None = None
        self._terminals: list[Terminal] = []
        self._sayings: list[str] = []
        self._session = asyncio.Event()
        self._settled = asyncio.Event()
        self._unnamed = 0

    @property
    def known(self) -> KeyRule:
        """The key's rule. Only after the login."""
        assert self.key is not None  # noqa: S101 - asyncssh lets nothing through before
        return self.key

    @property
    def owner(self) -> str:
        """Whose a name is that this peer makes: its key's or, since certificates come and go, its account's."""
        return self.known.fingerprint if self.known.public else certified(self.known.account)

    # ---- coming and going ------------------------------------------------------------------------------------------

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self.connection = cast("Connection", conn)
        self.address = str(conn.get_extra_info("peername")[0])
        self.peers.arrive(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.key is None:
            self.peers.refused_at_startup(self, self._denied)
        self.leave()

    def leave(self) -> None:
        """Give everything back. May be called again."""
        self.present = False
        self._settled.set()
        if self.waiting is not None:
            self.peers.approvals.leave(self.waiting)
        for wish in tuple(self.tunnels):
            self.withdraw(wish)
        self.peers.depart(self)

    def dismiss(self, reason: str, sentence: str) -> None:
        """End the connection with a sentence, which most clients show."""
        if self.present:
            self.reason = reason
            self.connection.disconnect(asyncssh.DISC_BY_APPLICATION, sentence)
            self.leave()

    # ---- the login -------------------------------------------------------------------------------------------------

    def begin_auth(self, username: str) -> bool:
        self.version = printable(str(self.connection.get_extra_info("client_version", "")), most=80)
        self.user = printable(username, most=80)
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        fingerprint = key.get_fingerprint()
        self._offered = key
        self._candidate = judge(self.peers.rules, fingerprint, self.address, datetime.now(UTC))
        if isinstance(self._candidate, KeyRule):
            return True
        self._deny(self._candidate, fingerprint)
        return self._candidate.why == "unknown" and self.peers.may_wait(self.address)

    def accepts_certificate(self, username: str, certificate: SSHOpenSSHCertificate) -> bool:
        """Whether a certificate's authority, principals and source are good; asyncssh looks at the rest."""
        fingerprint = certificate.key.get_fingerprint()
        self._offered = None
        self._candidate = judge_certificate(
            self.peers.rules,
            certificate.signing_key.get_fingerprint(),
            username,
            certificate.principals,
            self.address,
            str(certificate._key_id),
            fingerprint,
        )
        if isinstance(self._candidate, Denied):
            self._deny(self._candidate, fingerprint)
        return isinstance(self._candidate, KeyRule)

    def validate_ca_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return True

    def proved(self, username: str) -> None:
        """The owner of the candidate is there. An unknown one is shown how to be let in."""
        if isinstance(self._candidate, KeyRule):
            self.key = self._candidate
        elif self._offered is not None:
            self.waiting = self.peers.wait(self, self._offered)
            self.key = KeyRule(
                name="unknown",
                account="",
                fingerprint=self.waiting.pending.fingerprint,
                public=self.waiting.pending.public,
            )
            self.connection.send_auth_banner(self.peers.invitation(self.waiting.pending))

    def auth_completed(self) -> None:
        self.peers.admit(self)
        self.connection.watch()
        if self.waiting is not None:
            self.connection.create_task(self._wait_for_approval(self.waiting))

    async def _wait_for_approval(self, entry: Entry) -> None:
        key = await entry.verdict
        if key is None:
            self.peers.refused_at_startup(self, self._refusal("disapproved", entry.pending.fingerprint))
            self.dismiss("disapproved", "nobody has let this key in; connect again for a new code")
            return
        self.key, self.waiting = key, None
        self._settled.set()
        self.peers.approvals.leave(entry)
        self.say(f"This key is {key.name} of {key.account} now.")

    def _deny(self, denied: Denied, fingerprint: str) -> None:
        self._denied = self._refusal(denied.why, fingerprint)

    def _refusal(self, why: str, fingerprint: str) -> KeyRefused:
        return KeyRefused(
            time=datetime.now(UTC),
            address=self.address,
            why=why,
            user=self.user,
            fingerprint=fingerprint,
            version=self.version,
        )

    # ---- publishing ------------------------------------------------------------------------------------------------

    async def forward(self, wish: Wish) -> int | None:
        """Publish what the client asks for. Returns the port to tell it, None when it is refused."""
        if self.waiting is not None:
            self.waiting.wish(printable(str(wish)))
            await self._settled.wait()
        if not self.present or self.waiting is not None:
            return None
        verdict = await self._judge(wish)
        if isinstance(verdict, Tunnel):
            return self._carry(wish, verdict)
        if isinstance(verdict, Loop):
            self.loops[verdict.port] = wish
            return verdict.port
        self.refuse(str(wish), verdict.why)
        await self._explain(verdict.why)
        return None

    def withdraw(self, wish: Wish) -> bool:
        """Stop publishing. Returns whether it was published."""
        tunnel = self.tunnels.pop(wish, None)
        if tunnel is None:
            return self.loops.pop(wish.port, None) is not None
        self.peers.exchange.remove(tunnel, self.reason)
        return True

    async def _judge(self, wish: Wish) -> Tunnel | Loop | Refused:
        if wish in self.tunnels or len(self.tunnels) >= _TUNNELS:
            return Refused(f"this connection has {wish} already, or {_TUNNELS} others")
        if not self.connection.check_certificate_permission("port-forwarding"):
            return Refused("this certificate does not permit port forwarding")
        verdict = await self.peers.exchange.grant(self, wish, self._unnamed)
        if isinstance(verdict, Loop) and not await self._may_loop():
            return Refused(
                f"no service has tunnel = {verdict.port}; name one: -R NAME:80:…, or -R 0:… for a random name"
            )
        return verdict

    async def _may_loop(self) -> bool:
        """autossh -M watches over a port that leads back to itself; alone it would be a mistake in writing -R."""
        if not self.tunnels and not self.known.reach and self.connection.requests_waiting < 2:
            await asyncio.sleep(_SESSION_SECONDS)
        return bool(self.tunnels or self.known.reach or self.connection.requests_waiting > 1)

    def _carry(self, wish: Wish, tunnel: Tunnel) -> int:
        self._unnamed += wish.port == 0 and tunnel.made
        self.tunnels[wish if wish.port or wish.path else replace(wish, port=tunnel.port)] = tunnel
        for terminal in self._terminals:
            terminal.announce(tunnel)
        return tunnel.port

    # ---- refusing --------------------------------------------------------------------------------------------------

    def refuse(self, what: str, why: str) -> None:
        """Keep a refusal as a fact."""
        key, what, why = self.known, printable(what), printable(why)
        self.peers.reports.tell(
            TunnelRefused(
                time=datetime.now(UTC),
                address=self.address,
                account=key.account,
                key=key.name,
                what=what,
                why=why,
            )
        )

    def prohibited(self, what: str, why: str) -> asyncssh.ChannelOpenError:
        """The same, as what asyncssh sends to the client."""
        self.refuse(what, why)
        return asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, why)

    def say(self, sentence: str) -> None:
        """Tell the person, on every terminal or, for lack of one, as a debug message."""
        self.connection.send_debug(sentence, always_display=True)
        for terminal in self._terminals:
            terminal.say(sentence)
        if not self._terminals:
            self._sayings.append(sentence)

    async def _explain(self, why: str) -> None:
        """Say why a forward is refused; where nobody has a terminal, and nothing else is carried, by hanging up."""
        self.say(why)
        if self._terminals or self.tunnels or self.connection.requests_waiting > 1:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(_SESSION_SECONDS):
                await self._session.wait()
        if not (self._terminals or self.tunnels or self.jumps):
            self.dismiss("refused", "; ".join(self._sayings))

    # ---- whatever else SSH can do ----------------------------------------------------------------------------------

    def session_requested(self) -> Terminal | bool:
        return Terminal(self) if self.connection.channels < _CHANNELS else False

    def open_terminal(self, terminal: Terminal) -> None:
        """A session begins: it hears what was said before, and of the tunnels that stand."""
        self._terminals.append(terminal)
        if terminal.shows_requests:
            self.peers.screens.add(terminal)
        self._session.set()
        for sentence in self._sayings:
            terminal.say(sentence)
        self._sayings.clear()
        for tunnel in self.tunnels.values():
            terminal.announce(tunnel)

    def close_terminal(self, terminal: Terminal) -> None:
        if terminal in self._terminals:
            self._terminals.remove(terminal)
            self.peers.screens.remove(terminal)

    def connection_requested(
        self, dest_host: str, dest_port: int, orig_host: str, orig_port: int
    ) -> "Awaitable[asyncssh.SSHTCPSession[bytes]]":
        if self.waiting is not None:
            raise self.prohibited(f"-L {dest_host}:{dest_port}", "this key is not let in yet")
        if not self.connection.check_certificate_permission("port-forwarding"):
            raise self.prohibited(f"-L {dest_host}:{dest_port}", "this certificate does not permit port forwarding")
        if self.jumps >= _JUMPS or self.connection.channels >= _CHANNELS:
            raise self.prohibited(f"-L {dest_host}:{dest_port}", f"no more than {_JUMPS} connections at once")
        if dest_port in self.loops and dest_host in ("127.0.0.1", "localhost", "::1"):
            return loop_back(self, self.loops[dest_port])
        return jump(self, dest_host, dest_port)

    def unix_connection_requested(self, dest_path: str) -> bool:
        raise self.prohibited(f"-L {dest_path}", "sockets of the gateway are out of reach")

    def tun_requested(self, unit: int | None) -> bool:
        raise self.prohibited("-w", "no network devices here")

    def tap_requested(self, unit: int | None) -> bool:
        raise self.prohibited("-w", "no network devices here")
