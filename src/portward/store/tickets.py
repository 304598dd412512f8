"""Tickets: between the right password and the second factor, kept as hashes.

await store.tickets.add(digest(ticket), "ann", expires_at)
await store.tickets.spend_attempt(digest(ticket), now, limit=5)     # ("ann", 4), at most five times
"""

from datetime import datetime

from sqlalchemy import and_, delete, insert, select, update

from portward.store.database import Database
from portward.store.tables import tickets


class Tickets:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, token_hash: str, account: str, expires_at: datetime) -> None:
        async with self._database.write() as connection:
            row = insert(tickets).values(token_hash=token_hash, account=account, expires_at=expires_at)
            await connection.execute(row)

    async def account_of(self, token_hash: str, now: datetime) -> str | None:
        """Whose ticket it is, as long as it holds."""
        holds = and_(tickets.c.token_hash == token_hash, tickets.c.expires_at > now)
        async with self._database.read() as connection:
            account: str | None = await connection.scalar(select(tickets.c.account).where(holds))
            return account

    async def spend_attempt(self, token_hash: str, now: datetime, limit: int) -> tuple[str, int] | None:
        """Count an attempt before it is checked. Returns account and attempts left; None when there is none left."""
        holds = and_(tickets.c.token_hash == token_hash, tickets.c.expires_at > now, tickets.c.attempts < limit)
        spent = update(tickets).where(holds).values(attempts=tickets.c.attempts + 1)
        async with self._database.write() as connection:
            row = (await connection.execute(spent.returning(tickets.c.account, tickets.c.attempts))).first()
            return (row.account, limit - row.attempts) if row else None

    async def take(self, token_hash: str) -> bool:
        """Use a ticket up. True for exactly one caller."""
        async with self._database.write() as connection:
            return await connection.change(delete(tickets).where(tickets.c.token_hash == token_hash)) == 1

    async def forget_expired(self, now: datetime) -> int:
        async with self._database.write() as connection:
            return await connection.change(delete(tickets).where(tickets.c.expires_at <= now))
