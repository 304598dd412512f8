"""Services that keys made on the spot, so that their routes outlive a restart.

await store.publications.keep(Publication("ann-blog", "ann", "laptop", made_at=now, seen_at=now))
await store.publications.forget_unseen(since)              # ['ann-blog']
"""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from portward.errors import NotFound
from portward.model import Publication
from portward.store.database import Database
from portward.store.tables import publications


class Publications:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, publication: Publication) -> None:
        """Keep it in the place of one with its name. Raises `NotFound` for an unknown account."""
        try:
            async with self._database.write() as connection:
                await connection.execute(delete(publications).where(publications.c.name == publication.name))
                await connection.execute(insert(publications).values(asdict(publication)))
        except IntegrityError as error:
            raise NotFound("account", publication.account) from error

    async def list(self) -> Sequence[Publication]:
        """All by name."""
        async with self._database.read() as connection:
            rows = await connection.execute(select(publications).order_by(publications.c.name))
            return [Publication(**row._mapping) for row in rows]

    async def see(self, names: Sequence[str], now: datetime) -> None:
        """A tunnel carries these now."""
        if names:
            async with self._database.write() as connection:
                await connection.execute(update(publications).where(publications.c.name.in_(names)).values(seen_at=now))

    async def forget_unseen(self, since: datetime) -> Sequence[str]:
        """Forget those that no tunnel has carried since then. Returns their names."""
        unseen = delete(publications).where(publications.c.seen_at < since).returning(publications.c.name)
        async with self._database.write() as connection:
            return sorted(await connection.scalars(unseen))
