"""Sessions: begun at the portal, handed over to hosts by one-time codes, ended at once.

token, session = await sessions.start(ann, second_factor=False, factors="password", address=…, user_agent=…)
code = await sessions.hand_over(session, "hello.example.com", "/inbox?page=2", nonce)
entered = await sessions.enter(code, "hello.example.com", nonce)
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from portward.config import Settings
from portward.config.settings import SessionPolicy
from portward.errors import NotFound
from portward.facts import LoggedIn, SessionRevoked
from portward.identity.access import may
from portward.identity.answers import Entered
from portward.identity.gatekeeper import Gatekeeper, Record
from portward.identity.lifetime import is_live
from portward.identity.opaque import digest, host_key, new_id, new_token
from portward.model import Account, EdgeSession, HostSession, Route, Session
from portward.store import Store
from portward.store.handovers import Handover
from portward.store.sessions import Removed, grain

CODE_LIVES = timedelta(seconds=30)
_LONGEST_AGENT = 256


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
        self, account: Account, *, second_factor: bool, address: str, user_agent: str, factors: str = "link"
    ) -> tuple[str, Session]:
        """Begin a session. Returns the token for the portal's cookie, and the session.

        `factors` says in the record what was shown: `link`, `password`, `password+totp`, `password+recovery`.
        """
        now, token = self._clock(), new_token()
        session = Session(
            id=new_id(),
            account=account.name,
            created_at=now,
            seen_at=now,
            expires_at=now + self._policy.absolute,
            second_factor_at=now if second_factor else None,
            address=address,
            user_agent=_printable(user_agent),
        )
        await self._store.sessions.add(session, self._token_hash(token))
        await self._store.accounts.logged_in(account.name, now)
        await self._record(
            LoggedIn(time=now, account=account.name, address=address, session=session.id, factors=factors)
        )
        return token, session

    async def find(self, token: str) -> tuple[Session, Account] | None:
        """The live session of a portal cookie, or None: unknown, idle too long, too old, or its account disabled."""
        session = await self._store.sessions.by_token(self._token_hash(token))
        account = await self._owner_of(session)
        if session is None or account is None:
            return None
        if session.seen_at < self._clock() - grain(self._policy):
            await self.touch([session.id], self._clock())
        return session, account

    async def rise(self, session: Session) -> tuple[str, Session]:
        """A second factor was shown: replace the token, so that a planted or stolen one gains nothing.

        The session keeps its id (under which open sockets are known and cut). Its host sessions stay as they were,
        without the second factor, until their hosts hand over anew. Raises `NotFound` when the session has ended.
        """
        now, token = self._clock(), new_token()
        if not await self._store.sessions.rise(session.id, self._token_hash(token), now):
            raise NotFound("session", session.id, way_out="log in again")
        return token, replace(session, second_factor_at=now)

    async def fall(self, account: str) -> None:
        """The account has no second factor any more, so none of its sessions counts as having shown one.

        What was entered with it is left, and has to be entered anew. Raises `EdgeError` as `end` does.
        """
        parts = await self._store.sessions.fall(account)
        if parts:
            await self._gatekeeper.expel([part.key for part in parts], sorted({part.session_id for part in parts}))

    async def hand_over(self, session: Session, host: str, to: str, nonce: str) -> str | None:
        """A code for `enter` (30 s, one use), or None when no route of `host` is open to the session's account.

        `to` must be a path as `enter` may return it; the caller has checked it.
        """
        account = await self._owner_of(session)
        if account is None or not self._opens(account, host):
            return None
        code = new_token()
        handover = Handover(session.id, host, to, digest(nonce), self._clock() + CODE_LIVES)
        return code if await self._store.handovers.add(handover, digest(code)) else None

    async def enter(self, code: str, host: str, nonce: str) -> Entered | None:
        """Turn a code into a host session; the edge knows it when this returns.

        None when the code is unknown, used, late, for another host or nonce, or the account may no longer open the
        host. Raises `EdgeError` when the edge could not be told: the visitor is then not let in.
        """
        handover = await self._store.handovers.take(digest(code), self._clock())
        if handover is None or handover.host != host or handover.nonce_hash != digest(nonce):
            return None
        session = await self._store.sessions.get(handover.session_id)
        account = await self._owner_of(session)
        if session is None or account is None or not self._opens(account, host):
            return None
        token = new_token()
        part = await self._admit(session, host, host_key(token, host))
        return Entered(token, handover.to, part.expires_at) if part else None

    async def end(self, session_id: str, *, by: str, reason: str) -> bool:
        """End one session everywhere. False when there is none.

        Raises `EdgeError` when the edge could not be told; the store has forgotten the session all the same.
        """
        removed = await self._store.sessions.remove(session_id)
        await self._expel(removed, by=by, reason=reason)
        return bool(removed.sessions)

    async def end_all(self, account: str, *, by: str, reason: str, except_id: str | None = None) -> int:
        """End every session of an account, save `except_id`. Returns how many. Raises `EdgeError` as `end` does."""
        removed = await self._store.sessions.remove_of(account, except_id)
        await self._expel(removed, by=by, reason=reason)
        return len(removed.sessions)

    async def list(self, account: str | None = None) -> Sequence[Session]:
        """Live sessions, newest first; of one account or of all."""
        now, policy = self._clock(), self._policy
        return [session for session in await self._store.sessions.list(account) if is_live(session, policy, now)]

    async def hosts_of(self, session_id: str) -> Sequence[HostSession]:
        """Where a session has gone in."""
        return await self._store.sessions.host_sessions(session_id)

    async def touch(self, ids: Sequence[str], now: datetime) -> Sequence[EdgeSession]:
        """These sessions were used. Renews those with less than half of the idle time left, and returns them."""
        due = await self._store.sessions.touch(ids, now, self._policy)
        parts = await self._store.sessions.edge_sessions(self._policy, now, session_ids=due) if due else []
        if parts:
            await self._gatekeeper.renew(parts)
            await self._expel_ended(parts)
        return parts

    async def expire(self, now: datetime) -> int:
        """Forget sessions whose time is over. Returns how many."""
        removed = await self._store.sessions.remove_expired(now, self._policy)
        await self._expel(removed, by="policy", reason="expired")
        return len(removed.sessions)

    async def enforce(self, routes: Sequence[Route], names: Sequence[str] | None = None) -> int:
        """End host sessions whose account may open no route of their host any more; of these accounts, or of all.

        Returns how many. To be called when routes or access rules change.
        """
        accounts = {account.name: account for account in await self._store.accounts.list()}
        pairs = await self._store.sessions.hosts_in_use(names)
        left = [pair for pair in pairs if not _opens(accounts.get(pair[0]), pair[1], routes)]
        parts = [part for account, host in left for part in await self._store.sessions.leave(account, host)]
        if parts:
            await self._gatekeeper.expel([part.key for part in parts], sorted({part.session_id for part in parts}))
        return len(parts)

    async def edge_sessions(self) -> Sequence[EdgeSession]:
        """What the edge should have: every live host session of every account that is not disabled."""
        return await self._store.sessions.edge_sessions(self._policy, self._clock())

    @property
    def _policy(self) -> SessionPolicy:
        return self._settings().sessions

    def _token_hash(self, token: str) -> str:
        return host_key(token, self._settings().portal_host)

    def _opens(self, account: Account, host: str) -> bool:
        return _opens(account, host, self._settings().routes)

    async def _owner_of(self, session: Session | None) -> Account | None:
        """The account of a live session, unless it is disabled."""
        if session is None or not is_live(session, self._policy, self._clock()):
            return None
        account = await self._store.accounts.get(session.account)
        return account if account and not account.disabled else None

    async def _admit(self, session: Session, host: str, key: str) -> EdgeSession | None:
        now = self._clock()
        await self.touch([session.id], now)
        superseded = await self._store.sessions.add_host(
            HostSession(key, session.id, host, now, session.second_factor_at)
        )
        parts = await self._store.sessions.edge_sessions(self._policy, now, key=key)
        if superseded is None or not parts:
            return None
        await self._gatekeeper.admit(parts)
        if superseded:
            await self._gatekeeper.expel(superseded, [])
        return None if await self._expel_ended(parts) else parts[0]

    async def _expel_ended(self, published: Sequence[EdgeSession]) -> bool:
        """Take back what was ended while it was being published: its end was told to the edge too early."""
        ids = sorted({part.session_id for part in published})
        alive = await self._store.sessions.edge_sessions(self._policy, self._clock(), session_ids=ids)
        ended = {part.key for part in published} - {part.key for part in alive}
        if ended:
            of_ended = {part.session_id for part in published if part.key in ended}
            await self._gatekeeper.expel(sorted(ended), sorted(of_ended))
        return bool(ended)

    async def _expel(self, removed: Removed, *, by: str, reason: str) -> None:
        """The edge first, then the record; what the edge did not hear is recorded too."""
        now = self._clock()
        try:
            if removed.sessions:
                await self._gatekeeper.expel(removed.keys, [session.id for session in removed.sessions])
        finally:
            for session in removed.sessions:
                await self._record(
                    SessionRevoked(time=now, account=session.account, session=session.id, by=by, reason=reason)
                )


def _opens(account: Account | None, host: str, routes: Sequence[Route]) -> bool:
    return account is not None and any(route.host == host and may(account, route.access) for route in routes)


def _printable(user_agent: str) -> str:
    return "".join(character for character in user_agent[:_LONGEST_AGENT] if character.isprintable())
