"""Accounts as rows: who exists, with which groups and which credentials.

await store.accounts.add(Account("ann", email="ann@example.com"))
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from portward.errors import Conflict
from portward.model import Account, Role
from portward.store.database import Database
from portward.store.tables import accounts, credentials, members, passkeys

_OTHER_OWNERS = accounts.alias("other")


class Accounts:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, account: Account) -> None:
        """Keep a new account with its groups. Raises `Conflict` for a taken name or address or an unknown group."""
        row = {
            "name": account.name,
            "role": account.role.value,
            "display_name": account.display_name,
            "email": account.email,
            "disabled": account.disabled,
            "created_at": account.created_at,
            "last_login_at": account.last_login_at,
        }
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(accounts).values(row))
                for group in sorted(account.groups):
                    await connection.execute(insert(members).values(group_name=group, account=account.name))
        except IntegrityError as error:
            raise _conflict(error, account.name, account.email) from error

    async def get(self, name: str) -> Account | None:
        found = await self._where(accounts.c.name == name)
        return found[0] if found else None

    async def by_email(self, email: str) -> Account | None:
        """The account with this address; an empty one finds none."""
        found = await self._where(accounts.c.email == email) if email else []
        return found[0] if found else None

    async def list(self) -> Sequence[Account]:
        """All by name."""
        return await self._where(None)

    async def change(self, name: str, **fields: Any) -> bool:
        """Change columns of one account. False when it does not exist. Raises `Conflict` for a taken address."""
        try:
            async with self._database.write() as connection:
                return await connection.change(update(accounts).where(accounts.c.name == name).values(fields)) == 1
        except IntegrityError as error:
            raise _conflict(error, name, str(fields.get("email", ""))) from error

    async def change_unless_last_owner(self, name: str, **fields: Any) -> bool:
        """As `change`, but nothing happens, and False, when this is the only owner who can log in."""
        condition = and_(accounts.c.name == name, _spared())
        async with self._database.write() as connection:
            return await connection.change(update(accounts).where(condition).values(fields)) == 1

    async def remove(self, name: str) -> bool:
        """Forget an account and all it has. False when there is none, or it is the only owner who can log in."""
        async with self._database.write() as connection:
            return await connection.change(delete(accounts).where(and_(accounts.c.name == name, _spared()))) == 1

    async def owners(self) -> int:
        """How many owners can log in: enrolled, and not disabled."""
        async with self._database.read() as connection:
            count = await connection.scalar(select(func.count()).select_from(accounts).where(_is_owner(accounts.c)))
            return int(count or 0)

    async def logged_in(self, name: str, now: datetime) -> None:
        await self.change(name, last_login_at=now)

    async def _where(self, condition: ColumnElement[bool] | None) -> Sequence[Account]:
        names = select(members.c.account, members.c.group_name)
        query = _complete()
        if condition is not None:
            query = query.where(condition)
            names = names.join(accounts, accounts.c.name == members.c.account).where(condition)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
            groups: dict[str, set[str]] = {}
            for account, group in await connection.execute(names):
                groups.setdefault(account, set()).add(group)
        return [_account(row, frozenset(groups.get(row.name, ()))) for row in rows]


def _complete() -> Select[Any]:
    return (
        select(
            accounts,
            credentials.c.password_hash.is_not(None).label("has_password"),
            credentials.c.totp_secret.is_not(None).label("has_totp"),
            select(func.count()).where(passkeys.c.account == accounts.c.name).scalar_subquery().label("passkeys"),
        )
        .outerjoin(credentials, credentials.c.account == accounts.c.name)
        .order_by(accounts.c.name)
    )


def _account(row: Any, groups: frozenset[str]) -> Account:
    return Account(
        name=row.name,
        role=Role(row.role),
        display_name=row.display_name,
        email=row.email,
        groups=groups,
        disabled=row.disabled,
        has_password=bool(row.has_password),
        has_totp=bool(row.has_totp),
        passkeys=row.passkeys,
        created_at=row.created_at,
        last_login_at=row.last_login_at,
    )


def _is_owner(columns: Any) -> ColumnElement[bool]:
    """An owner who can log in."""
    enrolled = select(credentials.c.account).where(
        and_(credentials.c.account == columns.name, credentials.c.password_hash.is_not(None))
    )
    return and_(columns.role == Role.OWNER.value, columns.disabled.is_(False), enrolled.exists())


def _spared() -> ColumnElement[bool]:
    """Another owner is left, or this one could not log in anyway. Decided in the statement that changes the row."""
    other = _OTHER_OWNERS.c
    another = select(other.name).where(and_(_is_owner(other), other.name != accounts.c.name)).exists()
    return another | ~_is_owner(accounts.c)


def _conflict(error: IntegrityError, name: str, email: str) -> Conflict:
    text = str(error.orig)
    if "accounts.email" in text:
        return Conflict(f"another account has the address {email!r}")
    if "FOREIGN KEY" in text:
        return Conflict(f"a group of {name!r} does not exist", way_out="`portward group list` names those that do")
    return Conflict(f"there is an account named {name!r} already", way_out="choose another name")
