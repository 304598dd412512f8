"""Banned sources that want to get free: how often they tried and were freed, and the links that were mailed.

await store.releases.try_("203.0.113.7", now)                   # 1, then 2, …
await store.releases.claim("203.0.113.7", now, most=3)          # True three times a day
await store.releases.take(digest(token), "203.0.113.7", now)    # 'ann' once, then None
"""

from datetime import datetime, timedelta

from sqlalchemy import and_, case, delete, func, insert, or_, select
from sqlalchemy.dialects.sqlite import insert as insert_or

from portward.store.database import Database
from portward.store.tables import release_links, releases

DAY = timedelta(days=1)
"""After this long, a source begins at nought."""


class Releases:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def try_(self, source: str, now: datetime) -> int:
        """Count a try before it is judged. Returns which one it is."""
        stale = releases.c.since <= now - DAY
        row = insert_or(releases).values(source=source, since=now, tries=1, freed=0)
        counted = row.on_conflict_do_update(
            index_elements=["source"],
            set_={
                "tries": case((stale, 1), else_=releases.c.tries + 1),
                "freed": case((stale, 0), else_=releases.c.freed),
                "since": case((stale, now), else_=releases.c.since),
            },
        )
        async with self._database.write() as connection:
            return int(await connection.scalar(counted.returning(releases.c.tries)) or 0)

    async def claim(self, source: str, now: datetime, *, most: int) -> bool:
        """Free a source once more, and forget its tries. False when it was freed so often since the first of them."""
        row = insert_or(releases).values(source=source, since=now, tries=0, freed=1)
        stale = releases.c.since <= now - DAY
        again = row.on_conflict_do_update(
            index_elements=["source"],
            set_={
                "tries": 0,
                "freed": case((stale, 1), else_=releases.c.freed + 1),
                "since": case((stale, now), else_=releases.c.since),
            },
            where=or_(stale, releases.c.freed < most),
        )
        async with self._database.write() as connection:
            return await connection.change(again) == 1

    async def freed(self, source: str, now: datetime) -> int:
        """How often it was freed since its first try, unless that is a day ago."""
        recent = and_(releases.c.source == source, releases.c.since > now - DAY)
        async with self._database.read() as connection:
            return int(await connection.scalar(select(releases.c.freed).where(recent)) or 0)

    async def add_link(
        self, token_hash: str, source: str, account: str, now: datetime, expires_at: datetime, *, most: int
    ) -> bool:
        """Keep a link in the place of the source's earlier one. False when the account has so many of other sources."""
        theirs = and_(release_links.c.account == account, release_links.c.expires_at > now)
        waiting = select(func.count()).select_from(release_links).where(theirs, release_links.c.source != source)
        former = and_(release_links.c.account == account, release_links.c.source == source)
        async with self._database.write() as connection:
            if int(await connection.scalar(waiting) or 0) >= most:
                return False
            await connection.execute(delete(release_links).where(former))
            row = {"token_hash": token_hash, "source": source, "account": account, "expires_at": expires_at}
            await connection.execute(insert(release_links).values(row))
            return True

    async def take(self, token_hash: str, source: str, now: datetime) -> str | None:
        """Use a link of this source. Its account is returned to exactly one caller."""
        holds = and_(
            release_links.c.token_hash == token_hash,
            release_links.c.source == source,
            release_links.c.expires_at > now,
        )
        async with self._database.write() as connection:
            account: str | None = await connection.scalar(
                delete(release_links).where(holds).returning(release_links.c.account)
            )
            return account

    async def forget_old(self, now: datetime) -> None:
        """Drop links that are late, and counters that no longer count."""
        async with self._database.write() as connection:
            await connection.execute(delete(release_links).where(release_links.c.expires_at <= now))
            await connection.execute(delete(releases).where(releases.c.since <= now - DAY))
