"""Sessions: one row for each login of an account in a browser.

    await store.sessions.add(session, token_hash)
    await store.sessions.by_token(token_hash)

`seen_at` is when a session was last used; `renewed_at` is that time as the edge last heard of it. Both grow, the
second in larger steps, so that the use of a session seldom costs a word to the edge.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, insert, or_, select, update

from portward.config.settings import SessionPolicy
from portward.model import EdgeSession, HostSession, Session
from portward.store import hosts
from portward.store.database import Database
from portward.store.tables import host_sessions, sessions

_BATCH = 1000
_COLUMNS = [column for column in sessions.c if column.name not in {"token_hash", "renewed_at"}]
_GRAIN = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Removed:
    """Sessions that are gone, and the keys of their host sessions, which the edge must forget."""

    sessions: tuple[Session, ...] = ()
    keys: tuple[str, ...] = ()


class Sessions:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, session: Session, token_hash: str) -> None:
        await self.add_many([(session, token_hash)])

    async def add_many(self, pairs: Sequence[tuple[Session, str]], host_parts: Sequence[HostSession] = ()) -> None:
        """Many sessions with their token hashes, and host sessions of theirs, in one transaction."""
        async with self._database.write() as connection:
            await connection.execute(insert(sessions), [_row(session, token_hash) for session, token_hash in pairs])
            await hosts.add_many(connection, host_parts)

    async def get(self, session_id: str) -> Session | None:
        found = await self._where(sessions.c.id == session_id)
        return found[0] if found else None

    async def by_token(self, token_hash: str) -> Session | None:
        found = await self._where(sessions.c.token_hash == token_hash)
        return found[0] if found else None

    async def list(self, account: str | None = None) -> Sequence[Session]:
        """All, or those of one account, newest first; those whose time is over too."""
        return await self._where(sessions.c.account == account if account is not None else None)

    async def addresses(self) -> Sequence[tuple[str, str]]:
        """Every pair of account and address from which a session of it was last used."""
        query = select(sessions.c.account, sessions.c.address).distinct().order_by(sessions.c.account)
        async with self._database.read() as connection:
            return [(row.account, row.address) for row in await connection.execute(query)]

    async def count(self) -> int:
        """How many are kept; those whose time is over count until they are removed."""
        async with self._database.read() as connection:
            return int(await connection.scalar(select(func.count()).select_from(sessions)) or 0)

    async def rise(self, session_id: str, token_hash: str, second_factor_at: datetime) -> bool:
        """Replace the token and note the second factor in one step. False when the session has ended."""
        change = update(sessions).where(sessions.c.id == session_id)
        async with self._database.write() as connection:
            return await connection.change(change.values(token_hash=token_hash, second_factor_at=second_factor_at)) == 1

    async def fall(self, account: str) -> Sequence[HostSession]:
        """Forget that sessions of an account have shown a second factor; what they entered with it is returned."""
        async with self._database.write() as connection:
            risen = update(sessions).where(sessions.c.account == account)
            await connection.execute(risen.values(second_factor_at=None))
            return await hosts.fall(connection, account)

    async def touch(self, ids: Sequence[str], now: datetime, policy: SessionPolicy) -> Sequence[str]:
        """Note the use of these sessions, as far as they live. Returns those of which the edge must hear."""
        renewed: list[str] = []
        live = _live(now, policy)
        for start in range(0, len(ids), _BATCH):
            which = and_(sessions.c.id.in_(ids[start : start + _BATCH]), live)
            half_gone = and_(which, sessions.c.renewed_at < now - policy.idle / 2)
            stale = and_(which, sessions.c.seen_at < now - grain(policy))
            async with self._database.write() as connection:
                renewal = update(sessions).where(half_gone).values(renewed_at=now).returning(sessions.c.id)
                renewed += await connection.scalars(renewal)
                await connection.execute(update(sessions).where(stale).values(seen_at=now))
        return renewed

    async def remove(self, session_id: str) -> Removed:
        return await self._remove(sessions.c.id == session_id)

    async def remove_of(self, account: str, except_id: str | None = None) -> Removed:
        """All of one account, save one."""
        mine = sessions.c.account == account
        return await self._remove(mine if except_id is None else and_(mine, sessions.c.id != except_id))

    async def remove_expired(self, now: datetime, policy: SessionPolicy) -> Removed:
        """All whose idle or absolute time is over."""
        return await self._remove(~_live(now, policy))

    async def add_host(self, part: HostSession) -> Sequence[str] | None:
        """Keep a host session. Returns the keys it supersedes, or None when the session has ended."""
        async with self._database.write() as connection:
            return await hosts.add(connection, part)

    async def host_sessions(self, session_id: str | None = None) -> Sequence[HostSession]:
        async with self._database.read() as connection:
            return await hosts.list_of(connection, session_id)

    async def hosts_in_use(self, accounts: Sequence[str] | None = None) -> Sequence[tuple[str, str]]:
        """Every pair of account and host for which there is a host session; of these accounts, or of all."""
        async with self._database.read() as connection:
            return await hosts.in_use(connection, accounts)

    async def leave(self, account: str, host: str) -> Sequence[HostSession]:
        """Forget an account's host sessions at one host, and return them; the sessions themselves go on."""
        async with self._database.write() as connection:
            return await hosts.leave(connection, account, host)

    async def edge_sessions(
        self,
        policy: SessionPolicy,
        now: datetime,
        *,
        key: str | None = None,
        session_ids: Sequence[str] | None = None,
    ) -> Sequence[EdgeSession]:
        """What the edge should have: the live host sessions of accounts that are not disabled; all, or those asked."""
        live = _live(now, policy)
        if key is not None:
            return await self._for_edge(and_(live, host_sessions.c.key == key), policy, now)
        if session_ids is None:
            return await self._for_edge(live, policy, now)
        found: list[EdgeSession] = []
        for start in range(0, len(session_ids), _BATCH):
            some = sessions.c.id.in_(session_ids[start : start + _BATCH])
            found += await self._for_edge(and_(live, some), policy, now)
        return found

    async def _for_edge(
        self, condition: ColumnElement[bool], policy: SessionPolicy, now: datetime
    ) -> Sequence[EdgeSession]:
        found: list[EdgeSession] = []
        async with self._database.read() as connection:
            async for page in hosts.for_edge(connection, condition, policy):
                found += (part for part in page if part.expires_at > now)
        return found

    async def _where(self, condition: ColumnElement[bool] | None) -> Sequence[Session]:
        query = select(*_COLUMNS).order_by(sessions.c.created_at.desc(), sessions.c.id)
        async with self._database.read() as connection:
            rows = await connection.execute(query if condition is None else query.where(condition))
            return [Session(**row._mapping) for row in rows]

    async def _remove(self, condition: ColumnElement[bool]) -> Removed:
        keys = select(host_sessions.c.key).join(sessions, sessions.c.id == host_sessions.c.session_id).where(condition)
        async with self._database.write() as connection:
            gone = tuple(await connection.scalars(keys))
            rows = await connection.execute(delete(sessions).where(condition).returning(*_COLUMNS))
            return Removed(tuple(Session(**row._mapping) for row in rows), gone)


def grain(policy: SessionPolicy) -> timedelta:
    """Use within this time of the last is not written down."""
    return min(_GRAIN, policy.idle / 4)


def _live(now: datetime, policy: SessionPolicy) -> ColumnElement[bool]:
    return ~or_(
        sessions.c.expires_at <= now,
        sessions.c.seen_at <= now - policy.idle,
        sessions.c.created_at <= now - policy.absolute,
    )


def _row(session: Session, token_hash: str) -> dict[str, Any]:
    values = {column.name: getattr(session, column.name) for column in _COLUMNS}
    return {**values, "token_hash": token_hash, "renewed_at": session.seen_at}
