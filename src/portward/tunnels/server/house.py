"""Everything that the connections share, and who comes and goes.

House(state, rules, exchange, reports)
"""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

import asyncssh

from portward.facts import KeyRefused
from portward.host.paths import State
from portward.tunnels.control import Pending
from portward.tunnels.rules import KeyRule, Rules
from portward.tunnels.server.admission import comes_from, judge
from portward.tunnels.server.door import Door, source_of
from portward.tunnels.server.exchange import Exchange
from portward.tunnels.server.guest import Guest
from portward.tunnels.server.publishing import Publish, Wish, decide
from portward.tunnels.server.reports import Reports
from portward.tunnels.server.screens import Screens
from portward.tunnels.server.waiting import Entry, WaitingRoom

_TOLD_EVERY_SECONDS = 60.0
_TOLD_SOURCES = 1000

log = logging.getLogger(__name__)


class House:
    """`guests` are all connections, those at the door included."""

    def __init__(self, state: State, rules: Rules, exchange: Exchange, reports: Reports) -> None:
        self.rules, self.exchange, self.reports = rules, exchange, reports
        self.screens = Screens(state.access_log)
        self.room = WaitingRoom()
        self.guests: set[Guest] = set()
        self._door: Door[Guest] = Door()
        self._told: dict[tuple[str, str], float] = {}

    # ---- coming and going ------------------------------------------------------------------------------------------

    def arrive(self, guest: Guest) -> None:
        self.guests.add(guest)
        policy = self.rules.policy
        if policy.allow and comes_from(policy.allow, guest.address):
            return
        if policy.deny and comes_from(policy.deny, guest.address):
            guest.connection.drop("denied")
        else:
            for one in self._door.enter(guest, guest.address):
                one.connection.drop("door")

    def admit(self, guest: Guest) -> None:
        """A guest has logged in."""
        self._door.leave(guest, guest.address)

    def depart(self, guest: Guest) -> None:
        self._door.leave(guest, guest.address)
        self.guests.discard(guest)

    def refused_at_door(self, guest: Guest, refusal: KeyRefused | None) -> None:
        """Tell of somebody who could not log in: of each source and reason once a minute."""
        if refusal is None:
            refusal = KeyRefused(
                time=datetime.now(UTC),
                address=guest.address,
                why="denied" if guest.reason == "denied" else "silent",
                user=guest.user,
                version=guest.version,
            )
        source, now = (source_of(guest.address), refusal.why), time.monotonic()
        if now - self._told.get(source, -_TOLD_EVERY_SECONDS) < _TOLD_EVERY_SECONDS:
            return
        if len(self._told) >= _TOLD_SOURCES:
            self._told = {key: at for key, at in self._told.items() if now - at < _TOLD_EVERY_SECONDS}
        self._told[source] = now
        self.reports.tell(refusal)

    # ---- rules that change -----------------------------------------------------------------------------------------

    async def follow(self, rules: Rules) -> None:
        """Take new rules: whom they no longer let in is cut, and who waits may go on."""
        self.rules = rules
        for guest in tuple(self.guests):
            if guest.waiting is None and guest.key is not None:
                self._look_again(guest)
        for entry in tuple(self.room.entries):
            key = judge(rules, entry.pending.fingerprint, entry.pending.address, datetime.now(UTC))
            if isinstance(key, KeyRule):
                entry.settle(key)
        await self.exchange.follow(rules)

    def _look_again(self, guest: Guest) -> None:
        known = guest.known
        key = judge(self.rules, known.fingerprint, guest.address, datetime.now(UTC)) if known.public else known
        if not isinstance(key, KeyRule) or (not known.public and known.account not in self.rules.accounts):
            guest.dismiss("key", f"the key {known.name} is not let in any more")
            return
        guest.key = key
        for wish, tunnel in tuple(guest.tunnels.items()):
            again = decide(wish if not tunnel.made else Wish(tunnel.service.name, 80), key, self.rules, str)
            if not isinstance(again, Publish):
                guest.dismiss("key", f"the key {key.name} may not publish {tunnel.service.name} any more")
                return

    def expire(self, now: datetime) -> None:
        """Cut those whose key or whose time is over."""
        for guest in tuple(self.guests):
            if guest.key is None:
                continue
            key = guest.known
            if key.expires_at is not None and key.expires_at <= now:
                guest.dismiss("key", f"the key {key.name} has expired")
            elif key.deadline is not None and guest.since + key.deadline <= now:
                guest.dismiss("deadline", f"a connection of the key {key.name} lasts {key.deadline} at most")
        self.room.expire(now)

    def cut(self, chosen: Callable[[Guest], bool], sentence: str) -> int:
        """Close the connections of those who are chosen. Returns their number."""
        those = [guest for guest in self.guests if guest.key is not None and chosen(guest)]
        for guest in those:
            guest.dismiss("cut", sentence)
        return len(those)

    # ---- keys that nobody knows yet --------------------------------------------------------------------------------

    def may_wait(self, address: str) -> bool:
        """Whether an unknown key from this address may ask to be let in."""
        return self.rules.policy.approve_unknown_keys and self.room.has_room(address)

    def wait(self, guest: Guest, key: asyncssh.SSHKey) -> Entry:
        """Begin to wait."""
        return self.room.enter(
            fingerprint=key.get_fingerprint(),
            public=" ".join(key.export_public_key().decode().split()[:2]),
            user=guest.user,
            address=guest.address,
            version=guest.version,
            now=datetime.now(UTC),
        )

    def invitation(self, pending: Pending) -> str:
        """What the client shows of an unknown key, before anything else."""
        return (
            f"This gateway does not know your key yet. To let it in, open\n\n"
            f"  {self.rules.policy.portal}/ssh/{pending.code}\n\n"
            f"and compare: code {pending.code}, key {pending.fingerprint}. The code is good for ten minutes.\n"
        )
