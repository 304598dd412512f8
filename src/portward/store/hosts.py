"""Host sessions: the part of a session that holds at one host. `store.sessions` calls these in its transactions.

await hosts.add(connection, HostSession(key, session_id, "hello.example.com", now, second_factor_at=None))
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, insert, select
from sqlalchemy.exc import IntegrityError

from portward.config.settings import SessionPolicy
from portward.model import EdgeSession, HostSession
from portward.store.connection import Connection
from portward.store.tables import accounts, host_sessions, sessions

_PAGE = 5000
_KEPT = 4
"""A browser holds one cookie for a host; requests in flight may still carry an earlier one."""


async def add(connection: Connection, part: HostSession) -> Sequence[str] | None:
    """Returns the keys of older ones that make room, or None when the session has ended."""
    try:
        await connection.execute(insert(host_sessions).values(_row(part)))
    except IntegrityError:
        return None
    same = and_(host_sessions.c.session_id == part.session_id, host_sessions.c.host == part.host)
    newest = select(host_sessions.c.key).where(same).order_by(host_sessions.c.created_at.desc()).limit(_KEPT)
    older = delete(host_sessions).where(and_(same, host_sessions.c.key.not_in(newest)))
    return list(await connection.scalars(older.returning(host_sessions.c.key)))


async def add_many(connection: Connection, parts: Sequence[HostSession]) -> None:
    if parts:
        await connection.execute(insert(host_sessions), [_row(part) for part in parts])


async def list_of(connection: Connection, session_id: str | None) -> Sequence[HostSession]:
    """Those of one session, or all."""
    query = select(host_sessions).order_by(host_sessions.c.created_at)
    if session_id is not None:
        query = query.where(host_sessions.c.session_id == session_id)
    return [HostSession(**row._mapping) for row in await connection.execute(query)]


async def in_use(connection: Connection, owners: Sequence[str] | None) -> Sequence[tuple[str, str]]:
    """Pairs of account and host; of some accounts, or of all."""
    joined = host_sessions.join(sessions, sessions.c.id == host_sessions.c.session_id)
    query = select(sessions.c.account, host_sessions.c.host).select_from(joined).distinct()
    if owners is not None:
        query = query.where(sessions.c.account.in_(owners))
    return [(account, host) for account, host in await connection.execute(query)]


async def fall(connection: Connection, account: str) -> Sequence[HostSession]:
    """Forget an account's that were entered with a second factor."""
    return await _forget(connection, account, host_sessions.c.second_factor_at.is_not(None))


async def leave(connection: Connection, account: str, host: str) -> Sequence[HostSession]:
    """Forget an account's at one host."""
    return await _forget(connection, account, host_sessions.c.host == host)


async def _forget(connection: Connection, account: str, condition: ColumnElement[bool]) -> Sequence[HostSession]:
    mine = select(sessions.c.id).where(sessions.c.account == account)
    which = and_(condition, host_sessions.c.session_id.in_(mine))
    rows = await connection.execute(delete(host_sessions).where(which).returning(*host_sessions.c))
    return [HostSession(**row._mapping) for row in rows]


async def for_edge(
    connection: Connection, condition: ColumnElement[bool], policy: SessionPolicy
) -> AsyncIterator[list[EdgeSession]]:
    """In pages, so that 100,000 of them do not hold up the event loop; no account or session is made of a row."""
    joined = host_sessions.join(sessions, sessions.c.id == host_sessions.c.session_id).join(
        accounts, accounts.c.name == sessions.c.account
    )
    query = select(
        host_sessions.c.key,
        sessions.c.account,
        sessions.c.id,
        sessions.c.expires_at,
        sessions.c.created_at,
        sessions.c.renewed_at,
        host_sessions.c.second_factor_at,
    ).select_from(joined)
    query = query.where(condition, accounts.c.disabled.is_(False)).order_by(host_sessions.c.key).limit(_PAGE)
    last = ""
    while rows := (await connection.execute(query.where(host_sessions.c.key > last))).all():
        yield [_for_edge(*row, policy=policy) for row in rows]
        last = rows[-1].key


def _row(part: HostSession) -> dict[str, str | datetime | None]:
    return {column.name: getattr(part, column.name) for column in host_sessions.c}


def _for_edge(
    key: str,
    account: str,
    session_id: str,
    expires_at: datetime,
    created_at: datetime,
    renewed_at: datetime,
    second_factor_at: datetime | None,
    policy: SessionPolicy,
) -> EdgeSession:
    end = min(expires_at, created_at + policy.absolute, renewed_at + policy.idle)
    until = second_factor_at + policy.second_factor if second_factor_at else None
    return EdgeSession(key, account, session_id, end, until)
