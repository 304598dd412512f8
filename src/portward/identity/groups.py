"""Groups: named sets of accounts, used by access rules as `group:NAME`.

await groups.add("family", by="cli")
await groups.add_member("family", "ann", by="cli")
"""

from collections.abc import Sequence

from portward.model import Group


class Groups:
    async def add(self, name: str, *, by: str) -> Group:
        """Raises `Invalid` for a bad name, `Conflict` when it exists."""

    async def list(self) -> Sequence[Group]:
        """All groups by name, with their members."""

    async def remove(self, name: str, *, by: str) -> None:
        """Forget a group; its members lose what it opened. Raises `NotFound`."""

    async def add_member(self, name: str, account: str, *, by: str) -> None:
        """Raises `NotFound` for the group or the account; no error when it is a member already."""

    async def remove_member(self, name: str, account: str, *, by: str) -> None:
        """Raises `NotFound` for the group or the account; no error when it was no member."""
