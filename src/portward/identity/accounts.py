"""Accounts: added, changed, disabled, removed; the last owner is never lost.

    token = await accounts.add("ann", email="ann@example.com", groups=["family"], by="cli")
    await accounts.disable("ann", by="cli")

Every change is stored, recorded as `AccountChanged`, and told to the gatekeeper, in this order.
"""

from collections.abc import Sequence

from portward.model import Account, Role


class Accounts:
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

    async def get(self, name: str) -> Account:
        """Raises `NotFound`."""

    async def list(self) -> Sequence[Account]:
        """All accounts by name."""

    async def change(
        self, name: str, *, by: str, email: str | None = None, display_name: str | None = None, role: Role | None = None
    ) -> Account:
        """Change what is given. Raises `NotFound`, `Invalid`, `Conflict` (taken address, last owner)."""

    async def set_groups(self, name: str, groups: Sequence[str], *, by: str) -> Account:
        """Replace the account's groups. Raises `NotFound` for the account or a group."""

    async def disable(self, name: str, *, by: str) -> Account:
        """Refuse every login and end all sessions. Raises `NotFound`, `Conflict` for the last owner."""

    async def enable(self, name: str, *, by: str) -> Account:
        """Let the account log in again. Raises `NotFound`."""

    async def remove(self, name: str, *, by: str) -> None:
        """End all sessions and forget the account. Raises `NotFound`, `Conflict` for the last owner."""
