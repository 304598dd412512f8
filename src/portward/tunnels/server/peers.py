"""Everything that the connections share, and who comes and goes.

Peers(state, rules, exchange, reports)
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime

import asyncssh

from portward.facts import KeyRefused
from portward.host.networkfile import find
from portward.host.networks import NetworkMap
from portward.host.paths import State
from portward.tunnels.control import Pending
from portward.tunnels.rules import KeyRule, Rules
from portward.tunnels.server.admission import comes_from, judge
from portward.tunnels.server.approvals import Approvals, Entry
from portward.tunnels.server.exchange import Exchange
from portward.tunnels.server.peer import Peer
from portward.tunnels.server.publishing import Publish, Wish, decide
from portward.tunnels.server.quota import Quota
from portward.tunnels.server.reports import Reports
from portward.tunnels.server.screens import Screens
from portward.tunnels.server.startups import Startups, source_of

log = logging.getLogger(__name__)


class Peers:
    """`all` are all connections, also those that have not logged in yet."""

    def __init__(self, state: State, rules: Rules, exchange: Exchange, reports: Reports) -> None:
        self.rules, self.exchange, self.reports = rules, exchange, reports
        self.screens = Screens(state.access_log)
        self.approvals = Approvals()
        self.all: set[Peer] = set()
        self.banned: NetworkMap[int] = NetworkMap()
        self._listed, self._bans = state.listed, state.banned
        self._startups: Startups[Peer] = Startups()
        self._quota = Quota()

    # ---- coming and going ------------------------------------------------------------------------------------------

    def arrive(self, peer: Peer) -> None:
        self.all.add(peer)
        policy = self.rules.policy
        if policy.allow and comes_from(policy.allow, peer.address):
            return
        if self._is_banned(peer.address):
            peer.connection.drop("banned")
        elif (policy.deny and comes_from(policy.deny, peer.address)) or find(self._listed, peer.address):
            peer.connection.drop("denied")
        else:
            for one in self._startups.enter(peer, peer.address):
                one.connection.drop("startups")

    def admit(self, peer: Peer) -> None:
        """A peer has logged in."""
        self._startups.leave(peer, peer.address)

    def depart(self, peer: Peer) -> None:
        self._startups.leave(peer, peer.address)
        self.all.discard(peer)

    def recall_bans(self) -> None:
        """Know what the edge's file says: the keeper takes a moment until it sees that this program began anew."""
        with suppress(FileNotFoundError), self._bans.open(encoding="utf-8") as lines:
            for line in lines:
                source, _, rest = line.partition(" ")
                if not source.startswith("#"):
                    self._recall(source, rest.partition("|")[0])

    def _recall(self, source: str, until: str) -> None:
        try:
            self.banned[source] = int(until)
        except ValueError:  # the keeper died while it wrote; it writes the file anew when it is back
            log.error("a line of %s can't be read: %r", self._bans, source)

    def ban(self, sources: Mapping[str, int]) -> None:
        """Shut networks out until then (seconds since 1970; 0: for good), and drop who is there from them."""
        self.banned.update(sources)
        allowed = self.rules.policy.allow
        for peer in tuple(self.all):
            if self._is_banned(peer.address) and not (allowed and comes_from(allowed, peer.address)):
                peer.connection.drop("banned")

    def lift(self, sources: Iterable[str]) -> None:
        for source in sources:
            self.banned.pop(source, None)

    def count_bans(self) -> int:
        """How many there are, after those that are over are forgotten."""
        now = time.time()
        self.lift([source for source, until in self.banned.items() if until and until <= now])
        return len(self.banned)

    def _is_banned(self, address: str) -> bool:
        until = self.banned.find(address) if self.banned else None
        return until is not None and (not until or until > time.time())

    def refused_at_startup(self, peer: Peer, refusal: KeyRefused | None) -> None:
        """Tell of somebody who could not log in, unless it was told of that source and reason often enough just now."""
        if refusal is None:
            refusal = KeyRefused(
                time=datetime.now(UTC),
                address=peer.address,
                why=peer.reason if peer.reason in ("denied", "banned") else "silent",
                user=peer.user,
                version=peer.version,
            )
        if self._quota.spend((source_of(peer.address), refusal.why), time.monotonic()):
            self.reports.tell(refusal)

    # ---- rules that change -----------------------------------------------------------------------------------------

    async def follow(self, rules: Rules) -> None:
        """Take new rules: whom they no longer let in is cut, and who waits may go on."""
        self.rules = rules
        for peer in tuple(self.all):
            if peer.waiting is None and peer.key is not None:
                self._look_again(peer)
        for entry in tuple(self.approvals.entries):
            key = judge(rules, entry.pending.fingerprint, entry.pending.address, datetime.now(UTC))
            if isinstance(key, KeyRule):
                entry.settle(key)
        await self.exchange.follow(rules)

    def _look_again(self, peer: Peer) -> None:
        known = peer.known
        key = judge(self.rules, known.fingerprint, peer.address, datetime.now(UTC)) if known.public else known
        if not isinstance(key, KeyRule) or (not known.public and known.account not in self.rules.accounts):
            peer.dismiss("key", f"the key {known.name} is not let in any more")
            return
        peer.key = key
        for wish, tunnel in tuple(peer.tunnels.items()):
            again = decide(wish if not tunnel.made else Wish(tunnel.service.name, 80), key, self.rules, str)
            if not isinstance(again, Publish):
                peer.dismiss("key", f"the key {key.name} may not publish {tunnel.service.name} any more")
                return

    def expire(self, now: datetime) -> None:
        """Cut those whose key or whose time is over."""
        for peer in tuple(self.all):
            if peer.key is None:
                continue
            key = peer.known
            if key.expires_at is not None and key.expires_at <= now:
                peer.dismiss("key", f"the key {key.name} has expired")
            elif key.deadline is not None and peer.since + key.deadline <= now:
                peer.dismiss("deadline", f"a connection of the key {key.name} lasts {key.deadline} at most")
        self.approvals.expire(now)

    def cut(self, chosen: Callable[[Peer], bool], sentence: str) -> int:
        """Close the connections of those who are chosen. Returns their number."""
        those = [peer for peer in self.all if peer.key is not None and chosen(peer)]
        for peer in those:
            peer.dismiss("cut", sentence)
        return len(those)

    # ---- keys that nobody knows yet --------------------------------------------------------------------------------

    def may_wait(self, address: str) -> bool:
        """Whether an unknown key from this address may ask to be let in."""
        return self.rules.policy.approve_unknown_keys and self.approvals.has_room(address)

    def wait(self, peer: Peer, key: asyncssh.SSHKey) -> Entry:
        """Begin to wait."""
        return self.approvals.enter(
            fingerprint=key.get_fingerprint(),
            public=" ".join(key.export_public_key().decode().split()[:2]),
            user=peer.user,
            address=peer.address,
            version=peer.version,
            now=datetime.now(UTC),
        )

    def invitation(self, pending: Pending) -> str:
        """What the client shows of an unknown key, before anything else."""
        return (
            f"This gateway does not know your key yet. To let it in, open\n\n"
            f"  {self.rules.policy.portal}/ssh/{pending.code}\n\n"
            f"and compare: code {pending.code}, key {pending.fingerprint}. The code is good for ten minutes.\n"
        )
