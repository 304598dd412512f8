"""Groups and who belongs to them.

await store.groups.add("family")
await store.groups.add_member("family", "ann")
"""

from collections.abc import Sequence

from sqlalchemy import and_, delete, insert, select
from sqlalchemy.dialects.sqlite import insert as insert_or
from sqlalchemy.exc import IntegrityError

from portward.errors import Conflict, NotFound
from portward.model import Group
from portward.store.database import Database
from portward.store.tables import groups, members


class Groups:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, name: str) -> None:
        """Raises `Conflict` when it exists."""
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(groups).values(name=name))
        except IntegrityError as error:
            raise Conflict(f"there is a group named {name!r} already") from error

    async def get(self, name: str) -> Group | None:
        return next((group for group in await self.list() if group.name == name), None)

    async def list(self) -> Sequence[Group]:
        """All by name, with their members."""
        async with self._database.read() as connection:
            found: dict[str, set[str]] = {name: set() for name in await connection.scalars(select(groups.c.name))}
            for group, account in await connection.execute(select(members.c.group_name, members.c.account)):
                found[group].add(account)
        return [Group(name, frozenset(found[name])) for name in sorted(found)]

    async def remove(self, name: str) -> bool:
        """Forget a group. False when it does not exist."""
        async with self._database.write() as connection:
            return await connection.change(delete(groups).where(groups.c.name == name)) == 1

    async def add_member(self, name: str, account: str) -> bool:
        """False when the account belongs to it already. Raises `NotFound` when either does not exist."""
        try:
            async with self._database.write() as connection:
                row = insert_or(members).values(group_name=name, account=account).on_conflict_do_nothing()
                return await connection.change(row) == 1
        except IntegrityError as error:
            raise NotFound("group or account", f"{name} or {account}") from error

    async def remove_member(self, name: str, account: str) -> bool:
        """False when the account did not belong to it."""
        which = and_(members.c.group_name == name, members.c.account == account)
        async with self._database.write() as connection:
            return await connection.change(delete(members).where(which)) == 1

    async def set_of(self, account: str, names: Sequence[str]) -> None:
        """Replace the groups of one account. Raises `NotFound` when the account or one of them does not exist."""
        try:
            async with self._database.write() as connection:
                await connection.execute(delete(members).where(members.c.account == account))
                for name in sorted(set(names)):
                    await connection.execute(insert(members).values(group_name=name, account=account))
        except IntegrityError as error:
            raise NotFound("group", ", ".join(sorted(names))) from error
