"""Public keys of accounts, with which tunnels come in.

await store.keys.add(Key("laptop", "ann", "ssh-ed25519 AAAA…", "SHA256:…", publish=("ann-*",)))
await store.keys.by_fingerprint("SHA256:…")
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from portward.errors import Conflict, NotFound
from portward.model import Key
from portward.store.database import Database
from portward.store.tables import keys

_LISTS = ("publish", "reach", "sources")


class Keys:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, key: Key) -> None:
        """Raises `Conflict` for a name or a fingerprint that is kept already, `NotFound` for an unknown account."""
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(keys).values(_row(asdict(key))))
        except IntegrityError as error:
            raise _refused(error, key) from error

    async def get(self, name: str) -> Key | None:
        found = await self._where(keys.c.name == name)
        return found[0] if found else None

    async def by_fingerprint(self, fingerprint: str) -> Key | None:
        found = await self._where(keys.c.fingerprint == fingerprint)
        return found[0] if found else None

    async def list(self, account: str | None = None) -> Sequence[Key]:
        """All by name, or those of one account; those whose time is over too."""
        return await self._where(keys.c.account == account if account is not None else None)

    async def change(self, name: str, **fields: Any) -> bool:
        """Change columns of one key. False when it does not exist."""
        async with self._database.write() as connection:
            return await connection.change(update(keys).where(keys.c.name == name).values(_row(fields))) == 1

    async def remove(self, name: str) -> bool:
        """Forget a key. False when it does not exist."""
        async with self._database.write() as connection:
            return await connection.change(delete(keys).where(keys.c.name == name)) == 1

    async def _where(self, condition: ColumnElement[bool] | None) -> Sequence[Key]:
        query = select(keys).order_by(keys.c.name)
        async with self._database.read() as connection:
            rows = await connection.execute(query if condition is None else query.where(condition))
            return [_key(row) for row in rows.mappings()]


def _row(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: list(value) if name in _LISTS else value for name, value in fields.items()}


def _key(row: Mapping[Any, Any]) -> Key:
    values: dict[str, Any] = {name: tuple(value) if name in _LISTS else value for name, value in row.items()}
    return Key(**values)


def _refused(error: IntegrityError, key: Key) -> Conflict | NotFound:
    if "FOREIGN KEY" in str(error.orig):
        return NotFound("account", key.account, way_out="`portward account list` names those that exist")
    if "keys.fingerprint" in str(error.orig):
        return Conflict(
            f"the key {key.fingerprint} is known already", way_out="make another one with `ssh-keygen -t ed25519`"
        )
    return Conflict(f"there is a key named {key.name!r} already", way_out="give this one another name")
