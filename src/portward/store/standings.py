"""How it stands with each name that an ACME authority certifies: failures, and when to try again.

await store.standings.keep(Standing("wiki.example.com", failures=2, not_before=soon, problem="…"))
await store.standings.all()              # {'wiki.example.com': Standing(…)}
"""

from collections.abc import Collection
from dataclasses import asdict

from sqlalchemy import delete, select
from sqlalchemy.dialects.sqlite import insert as insert_or

from portward.model import Standing
from portward.store.database import Database
from portward.store.tables import standings


class Standings:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> dict[str, Standing]:
        async with self._database.read() as connection:
            rows = await connection.execute(select(standings))
            return {row.name: Standing(**row._mapping) for row in rows}

    async def keep(self, standing: Standing) -> None:
        """Put this in the place of what was kept for the name."""
        values = asdict(standing)
        entry = insert_or(standings).values(values).on_conflict_do_update(index_elements=["name"], set_=values)
        async with self._database.write() as connection:
            await connection.execute(entry)

    async def retain(self, names: Collection[str]) -> None:
        """Forget every other name."""
        async with self._database.write() as connection:
            await connection.execute(delete(standings).where(standings.c.name.not_in(names)))
