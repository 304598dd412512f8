"""One-time links, kept as hashes.

await store.links.add(digest(token), "reset", "ann", expires_at)
await store.links.take(digest(token), now)                  # Link(...) once, then None
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, insert, select

from portward.store.database import Database
from portward.store.tables import links


@dataclass(frozen=True, slots=True)
class Link:
    """`account` is None where the link makes a new one (`purpose` is `owner`)."""

    purpose: str
    account: str | None
    expires_at: datetime


_COLUMNS = (links.c.purpose, links.c.account, links.c.expires_at)


class Links:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def replace(self, token_hash: str, purpose: str, account: str | None, expires_at: datetime) -> None:
        """Keep a link, and forget those that this account has; for no account, those of this purpose."""
        former = links.c.account == account if account is not None else links.c.purpose == purpose
        row = insert(links).values(token_hash=token_hash, purpose=purpose, account=account, expires_at=expires_at)
        async with self._database.write() as connection:
            await connection.execute(delete(links).where(former))
            await connection.execute(row)

    async def peek(self, token_hash: str, now: datetime) -> Link | None:
        """A link that still holds; it goes on holding."""
        async with self._database.read() as connection:
            row = (await connection.execute(select(*_COLUMNS).where(_holds(token_hash, now)))).first()
            return Link(*row) if row else None

    async def take(self, token_hash: str, now: datetime) -> Link | None:
        """Use a link. It is returned to exactly one caller."""
        taken = delete(links).where(_holds(token_hash, now)).returning(*_COLUMNS)
        async with self._database.write() as connection:
            row = (await connection.execute(taken)).first()
            return Link(*row) if row else None

    async def drop(self, account: str) -> int:
        """Forget the links of an account. Returns how many."""
        async with self._database.write() as connection:
            return await connection.change(delete(links).where(links.c.account == account))

    async def forget_expired(self, now: datetime) -> int:
        async with self._database.write() as connection:
            return await connection.change(delete(links).where(links.c.expires_at <= now))


def _holds(token_hash: str, now: datetime) -> ColumnElement[bool]:
    return and_(links.c.token_hash == token_hash, links.c.expires_at > now)
