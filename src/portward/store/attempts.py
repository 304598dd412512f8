"""Failures that are remembered for a while, by a key such as `address:203.0.113.7`.

    before = await store.attempts.reserve("address:203.0.113.7", now, delay, forget_after=timedelta(hours=1))
    await store.attempts.release("address:203.0.113.7", now)    # it was no failure after all

An attempt counts as failed from the moment it begins, so that many at once can't slip by together.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, delete, select, update
from sqlalchemy.dialects.sqlite import insert as insert_or

from portward.store.database import Database
from portward.store.tables import attempts


@dataclass(frozen=True, slots=True)
class Standing:
    """What was known when an attempt began: earlier failures, and until when none may begin."""

    failures: int
    not_before: datetime


class Attempts:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def reserve(
        self, key: str, now: datetime, delay: Callable[[int], timedelta], forget_after: timedelta
    ) -> Standing:
        """Count an attempt and put off the next by `delay(failures)`, unless `not_before` lies ahead: then no change.

        Failures are forgotten when none was added for `forget_after`.
        """
        async with self._database.write() as connection:
            row = (await connection.execute(select(attempts).where(attempts.c.key == key))).first()
            if row is None or row.tried_at <= now - forget_after:
                before = Standing(0, now)
            else:
                before = Standing(row.failures, row.not_before)
            if before.not_before <= now:
                failures = before.failures + 1
                values = {"failures": failures, "tried_at": now, "not_before": now + delay(failures)}
                entry = insert_or(attempts).values(key=key, **values)
                await connection.execute(entry.on_conflict_do_update(index_elements=["key"], set_=values))
            return before

    async def release(self, key: str, now: datetime) -> None:
        """Take back one attempt that was no failure; what came before it stays counted."""
        counted = and_(attempts.c.key == key, attempts.c.failures > 0)
        change = update(attempts).where(counted).values(failures=attempts.c.failures - 1, not_before=now)
        async with self._database.write() as connection:
            await connection.execute(change)

    async def clear(self, key: str) -> None:
        """Forget all failures of a key."""
        async with self._database.write() as connection:
            await connection.execute(delete(attempts).where(attempts.c.key == key))

    async def forget_older_than(self, moment: datetime) -> int:
        async with self._database.write() as connection:
            return await connection.change(delete(attempts).where(attempts.c.tried_at < moment))
