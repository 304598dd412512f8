"""Events: facts as they are kept, in the order in which they came.

await store.events.add([LoginFailed(time=now, account="ann", reason="password")])
await store.events.list(after_id=41)
await store.events.find("a81f3c")                           # by the beginning of a request id
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, delete, insert, select

from portward.errors import Invalid
from portward.facts import Fact
from portward.model import Event
from portward.store.database import Database
from portward.store.tables import events

_SHORTEST = 6
_TEXTS = ("gate", "rule", "request_id", "address", "host", "sni", "account")


class Events:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, facts: Sequence[Fact]) -> None:
        """Keep facts, in this order, in one transaction."""
        if facts:
            async with self._database.write() as connection:
                await connection.execute(insert(events), [row_of(fact) for fact in facts])

    async def list(
        self,
        after_id: int = 0,
        limit: int = 500,
        *,
        kind: str | None = None,
        account: str | None = None,
        since: datetime | None = None,
        newest: bool = False,
    ) -> Sequence[Event]:
        """The first `limit` after `after_id`, or with `newest` the last ones; oldest first in both cases."""
        wanted = [events.c.id > after_id]
        if kind is not None:
            wanted.append(events.c.kind == kind)
        if account is not None:
            wanted += [events.c.account == account, events.c.account != ""]
        if since is not None:
            wanted.append(events.c.time >= since)
        order = events.c.id.desc() if newest else events.c.id
        async with self._database.read() as connection:
            rows = (await connection.execute(select(events).where(and_(*wanted)).order_by(order).limit(limit))).all()
        return [Event(**row._mapping) for row in (reversed(rows) if newest else rows)]

    async def find(self, request_id: str, limit: int = 100) -> Sequence[Event]:
        """Events whose request id begins so, oldest first. Raises `Invalid` for less than 6 characters."""
        if len(request_id) < _SHORTEST:
            raise Invalid(
                f"{request_id!r} is too short for a request id",
                way_out=f"give at least its first {_SHORTEST} characters",
            )
        column = events.c.request_id
        begins = and_(column >= request_id, column < request_id + "\U0010ffff", column != "")
        async with self._database.read() as connection:
            rows = await connection.execute(select(events).where(begins).order_by(events.c.id).limit(limit))
            return [Event(**row._mapping) for row in rows]

    async def prune(self, before: datetime) -> int:
        """Forget older ones. Returns how many. Ids are never used again."""
        async with self._database.write() as connection:
            return await connection.change(delete(events).where(events.c.time < before))


def row_of(fact: Fact) -> dict[str, Any]:
    """A fact as the table of events keeps it."""
    return {**dict.fromkeys(_TEXTS, ""), **fact.columns(), "kind": fact.kind, "fields": fact.fields()}
