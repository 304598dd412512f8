"""Sessions: begun at the portal, handed over to hosts by one-time codes, ended at once.

token, session = await sessions.start(ann, second_factor=False, address="203.0.113.7", user_agent="…")
code = await sessions.hand_over(session, "hello.example.com", "/inbox?page=2", nonce)
entered = await sessions.enter(code, "hello.example.com", nonce)
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from portward.config import Settings
from portward.identity.answers import Entered
from portward.identity.gatekeeper import Gatekeeper, Record
from portward.model import Account, EdgeSession, Route, Session
from portward.store import Store


class Sessions:
    """All sessions. `settings` is asked anew each time, so that a reload takes effect at once."""

    def __init__(
        self,
        store: Store,
        gatekeeper: Gatekeeper,
        settings: Callable[[], Settings],
        record: Record,
        clock: Callable[[], datetime],
    ) -> None:
        self._store, self._gatekeeper, self._settings = store, gatekeeper, settings
        self._record, self._clock = record, clock

    async def start(
        self, account: Account, *, second_factor: bool, address: str, user_agent: str
    ) -> tuple[str, Session]:
        """Begin a session. Returns the token for the portal's cookie, and the session. Records nothing."""

    async def find(self, token: str) -> tuple[Session, Account] | None:
        """The live session of a portal cookie, or None: unknown, idle too long, too old, or its account disabled."""

    async def rise(self, session: Session) -> tuple[str, Session]:
        """A second factor was shown: replace the token, so that a planted or stolen one gains nothing.

        The session keeps its id (under which open sockets are known and cut). Its host sessions stay as they were,
        without the second factor, until their hosts hand over anew. Raises `NotFound` when the session has ended.
        """

    async def hand_over(self, session: Session, host: str, to: str, nonce: str) -> str | None:
        """A code for `enter` (30 s, one use), or None when no route of `host` is open to the session's account.

        `to` must be a path as `enter` may return it; the caller has checked it.
        """

    async def enter(self, code: str, host: str, nonce: str) -> Entered | None:
        """Turn a code into a host session; the edge knows it when this returns.

        None when the code is unknown, used, late, for another host or nonce, or the account may no longer open the
        host. Raises `EdgeError` when the edge could not be told: the visitor is then not let in.
        """

    async def end(self, session_id: str, *, by: str, reason: str) -> bool:
        """End one session everywhere. False when there is none. Raises `EdgeError` after the store has forgotten it."""

    async def end_all(self, account: str, *, by: str, reason: str, except_id: str | None = None) -> int:
        """End every session of an account, save `except_id`. Returns how many."""

    async def list(self, account: str | None = None) -> Sequence[Session]:
        """Live sessions, newest first; of one account or of all."""

    async def touch(self, ids: Sequence[str], now: datetime) -> Sequence[EdgeSession]:
        """These sessions were used. Renews on the edge those with less than half of the idle time left; returns them."""

    async def expire(self, now: datetime) -> int:
        """Forget sessions whose time is over. Returns how many."""

    async def enforce(self, routes: Sequence[Route]) -> int:
        """End host sessions whose account may open no route of their host any more. Returns how many."""

    async def edge_sessions(self) -> Sequence[EdgeSession]:
        """What the edge should have: every live host session of every account that is not disabled."""
