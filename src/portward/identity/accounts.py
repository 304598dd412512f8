"""Accounts: added, changed, disabled, removed; the last owner is never lost.

    token = await accounts.add("ann", email="ann@example.com", groups=["family"], by="cli")
    await accounts.disable("ann", by="cli")

Every change is stored, told to the gatekeeper, and recorded as `AccountChanged`.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from portward.config import Settings
from portward.errors import Conflict, NotFound
from portward.identity import names
from portward.identity.changes import Changes
from portward.identity.enrolments import Enrolments
from portward.identity.passwords import Passwords
from portward.identity.sessions import Sessions
from portward.model import Account, Role
from portward.store import Store


class Accounts:
    def __init__(
        self,
        store: Store,
        passwords: Passwords,
        enrolments: Enrolments,
        sessions: Sessions,
        changes: Changes,
        settings: Callable[[], Settings],
        clock: Callable[[], datetime],
    ) -> None:
        self._store, self._passwords, self._enrolments = store, passwords, enrolments
        self._sessions, self._changes = sessions, changes
        self._settings, self._clock = settings, clock

    async def add(
        self,
        name: str,
        *,
        by: str,
        email: str = "",
        display_name: str = "",
        groups: Sequence[str] = (),
        role: Role = Role.MEMBER,
    ) -> str:
        """Add an account and return its enrolment token.

        Raises `Invalid` for a bad name or address, `Conflict` when either is taken, `NotFound` for an unknown group.
        """
        await self._add(name, email, display_name, groups, role)
        await self._changes.made(name, "added", by=by)
        return await self._enrolments.invite(name)

    async def add_with_password(
        self,
        name: str,
        password: str,
        *,
        by: str,
        email: str = "",
        display_name: str = "",
        groups: Sequence[str] = (),
        role: Role = Role.MEMBER,
    ) -> Account:
        """Add an account that can log in at once; nothing is added when the password is weak."""
        await self._passwords.require_good(password, [name, email, self._settings().domain])
        kept = await self._passwords.hash(password)
        await self._add(name, email, display_name, groups, role)
        await self._store.credentials.set_password(name, kept)
        await self._changes.made(name, "added", by=by, detail="with a password")
        return await self.get(name)

    async def get(self, name: str) -> Account:
        """Raises `NotFound`."""
        account = await self._store.accounts.get(name)
        if account is None:
            raise NotFound("account", name, way_out="`portward account list` names those that exist")
        return account

    async def list(self) -> Sequence[Account]:
        """All accounts by name."""
        return await self._store.accounts.list()

    async def change(
        self, name: str, *, by: str, email: str | None = None, display_name: str | None = None, role: Role | None = None
    ) -> Account:
        """Change what is given. Raises `NotFound`, `Invalid`, `Conflict` (taken address, last owner)."""
        await self.get(name)
        fields: dict[str, Any] = {}
        if email is not None:
            fields["email"] = names.email_address(email)
        if display_name is not None:
            fields["display_name"] = names.display_name(display_name, name)
        if role is not None:
            fields["role"] = role.value
        if fields:
            await self._change(name, fields, guarded=role is Role.MEMBER)
            await self._changes.made(name, "details", by=by, detail=" ".join(sorted(fields)))
        return await self.get(name)

    async def set_groups(self, name: str, groups: Sequence[str], *, by: str) -> Account:
        """Replace the account's groups. Raises `NotFound` for the account or a group."""
        await self.get(name)
        await self._require_groups(groups)
        await self._store.groups.set_of(name, groups)
        await self._changes.made(name, "groups", by=by, detail=" ".join(sorted(set(groups))))
        return await self.get(name)

    async def disable(self, name: str, *, by: str) -> Account:
        """Refuse every login and end all sessions. Raises `NotFound`, `Conflict` for the last owner."""
        await self.get(name)
        await self._shut(name, by=by, reason="disabled")
        return await self.get(name)

    async def enable(self, name: str, *, by: str) -> Account:
        """Let the account log in again. Raises `NotFound`."""
        await self.get(name)
        await self._store.accounts.change(name, disabled=False)
        await self._changes.made(name, "enabled", by=by)
        return await self.get(name)

    async def remove(self, name: str, *, by: str) -> None:
        """End all sessions and forget the account. Raises `NotFound`, `Conflict` for the last owner."""
        await self.get(name)
        try:
            await self._shut(name, by=by, reason="removed")
        finally:
            gone = await self._store.accounts.remove(name)
        if gone:
            await self._changes.made(name, "removed", by=by)

    async def _add(self, name: str, email: str, shown: str, groups: Sequence[str], role: Role) -> None:
        account = Account(
            name=names.account_name(name),
            role=role,
            display_name=names.display_name(shown, name),
            email=names.email_address(email),
            groups=frozenset(groups),
            created_at=self._clock(),
        )
        await self._require_groups(groups)
        await self._store.accounts.add(account)

    async def _change(self, name: str, fields: dict[str, Any], *, guarded: bool) -> None:
        """With `guarded`, an owner must be left who can log in; the store decides it in one statement."""
        if not guarded:
            await self._store.accounts.change(name, **fields)
        elif not await self._store.accounts.change_unless_last_owner(name, **fields):
            raise Conflict(f"{name!r} is the last owner", way_out="make another account an owner first")

    async def _shut(self, name: str, *, by: str, reason: str) -> None:
        """Disabled first: no session can begin behind the back of `end_all`."""
        await self._change(name, {"disabled": True}, guarded=True)
        await self._store.links.drop(name)
        try:
            await self._sessions.end_all(name, by=by, reason=reason)
        finally:
            await self._changes.made(name, "disabled", by=by)

    async def _require_groups(self, groups: Sequence[str]) -> None:
        known = {group.name for group in await self._store.groups.list()}
        for name in groups:
            if name not in known:
                raise NotFound("group", name, way_out=f"`portward group add {name}` makes it")
