"""How far each log of this machine was read.

await store.positions.keep({("auth", "/var/log/auth.log", "now"): {"offset": 4096}}, facts)
await store.positions.all()

What was read and what it told of are kept together, so that no kill makes a line count twice, or never.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.dialects.sqlite import insert as insert_or

from portward.facts import Fact
from portward.store.database import Database
from portward.store.events import row_of
from portward.store.tables import events, positions

Key = tuple[str, str, str]
"""The log's name, the place (a path, or `journal`), and which of several readings of that place."""


class Positions:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> dict[Key, dict[str, Any]]:
        """Every position that is kept."""
        async with self._database.read() as connection:
            rows = await connection.execute(select(positions))
            return {(row.log, row.place, row.slot): row.position for row in rows}

    async def keep(self, reached: Mapping[Key, Mapping[str, Any]], facts: Sequence[Fact]) -> None:
        """Keep positions, and the facts of the lines before them as events, in one transaction."""
        rows = [
            {"log": log, "place": place, "slot": slot, "position": dict(value)}
            for (log, place, slot), value in reached.items()
        ]
        async with self._database.write() as connection:
            if rows:
                entry = insert_or(positions)
                update = entry.on_conflict_do_update(
                    index_elements=["log", "place", "slot"], set_={"position": entry.excluded.position}
                )
                await connection.execute(update, rows)
            if facts:
                await connection.execute(insert(events), [row_of(fact) for fact in facts])

    async def retain(self, logs: Collection[str]) -> None:
        """Forget how far other logs were read."""
        async with self._database.write() as connection:
            await connection.execute(delete(positions).where(positions.c.log.not_in(logs)))
