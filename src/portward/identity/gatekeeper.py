"""What identity asks of whoever guards the requests: let these sessions in, keep those out.

    await gatekeeper.admit([EdgeSession(key, "ann", session.id, expires_at, None)])

The edge implements `Gatekeeper`; `NullGatekeeper` stands in where there is none (tests, `portward recover`).
The order is always the same: the store first, then the gatekeeper. What gets lost between the two costs delay,
and the reconciler mends it.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from portward.facts import Fact
from portward.model import Account, EdgeSession

Record = Callable[[Fact], Awaitable[None]]
"""Keeps a fact. Returns when it is stored or safely queued."""

KeysChanged = Callable[[], Awaitable[None]]
"""Told after the store has a change of keys, or of the accounts they belong to: the SSH server's rules follow."""


class Gatekeeper(Protocol):
    """Raises `EdgeError` when the edge can't be reached; nothing is then known to be in force."""

    async def admit(self, sessions: Sequence[EdgeSession]) -> None:
        """Let these in. They are in force on the edge when this returns."""

    async def renew(self, sessions: Sequence[EdgeSession]) -> None:
        """The same keys with a new expiry or second factor. Keys that the edge does not have are added."""

    async def expel(self, keys: Sequence[str], session_ids: Sequence[str]) -> None:
        """Refuse the next request of these keys, and cut what `session_ids` hold open. Unknown ones are no error."""

    async def know(self, accounts: Sequence[Account], forgotten: Sequence[str] = ()) -> None:
        """Use these names, groups and roles from now on; `forgotten` accounts exist no more."""


class NullGatekeeper:
    """Guards nothing: there is no edge to tell."""

    async def admit(self, sessions: Sequence[EdgeSession]) -> None:
        """Nobody to tell."""

    async def renew(self, sessions: Sequence[EdgeSession]) -> None:
        """Nobody to tell."""

    async def expel(self, keys: Sequence[str], session_ids: Sequence[str]) -> None:
        """Nobody to tell."""

    async def know(self, accounts: Sequence[Account], forgotten: Sequence[str] = ()) -> None:
        """Nobody to tell."""


async def no_ssh_server() -> None:
    """The `KeysChanged` of where there is no SSH server to tell."""
