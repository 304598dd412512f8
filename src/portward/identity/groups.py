"""Groups: named sets of accounts, used by access rules as `group:NAME`.

await groups.add("family", by="cli")
await groups.add_member("family", "ann", by="cli")
"""

from collections.abc import Sequence

from portward.errors import NotFound
from portward.identity.changes import Changes
from portward.identity.names import group_name
from portward.model import Group
from portward.store import Store


class Groups:
    def __init__(self, store: Store, changes: Changes) -> None:
        self._store, self._changes = store, changes

    async def add(self, name: str, *, by: str) -> Group:
        """Raises `Invalid` for a bad name, `Conflict` when it exists."""
        await self._store.groups.add(group_name(name))
        await self._changes.note("", "groups", by=by, detail=f"{name} added")
        return Group(name)

    async def list(self) -> Sequence[Group]:
        """All groups by name, with their members."""
        return await self._store.groups.list()

    async def remove(self, name: str, *, by: str) -> None:
        """Forget a group; its members lose what it opened. Raises `NotFound`."""
        group = await self._get(name)
        await self._store.groups.remove(name)
        try:
            await self._changes.tell(sorted(group.members))
        finally:
            await self._changes.note("", "groups", by=by, detail=f"{name} removed")

    async def add_member(self, name: str, account: str, *, by: str) -> None:
        """Raises `NotFound` for the group or the account; no error when it is a member already."""
        await self._require(name, account)
        if await self._store.groups.add_member(name, account):
            await self._changes.made(account, "groups", by=by, detail=f"into {name}")

    async def remove_member(self, name: str, account: str, *, by: str) -> None:
        """Raises `NotFound` for the group or the account; no error when it was no member."""
        await self._require(name, account)
        if await self._store.groups.remove_member(name, account):
            await self._changes.made(account, "groups", by=by, detail=f"out of {name}")

    async def _get(self, name: str) -> Group:
        group = await self._store.groups.get(name)
        if group is None:
            raise NotFound("group", name, way_out="`portward group list` names those that exist")
        return group

    async def _require(self, name: str, account: str) -> None:
        await self._get(name)
        if await self._store.accounts.get(account) is None:
            raise NotFound("account", account, way_out="`portward account list` names those that exist")
