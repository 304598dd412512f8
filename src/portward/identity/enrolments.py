"""One-time links: with them an owner begins, a new account chooses its password, a forgotten one is replaced.

    token = await enrolments.reset("ann", by="cli")          # the link is https://auth.example.com/enrol?token=TOKEN
    account = await enrolments.enrol(token, "correct horse battery")

Then `logins.proceed(account, …)` starts the session, or asks for the second factor of an account that has one.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal

from portward.config import Settings
from portward.errors import Conflict, NotFound
from portward.identity import names
from portward.identity.answers import Invitation
from portward.identity.changes import Changes
from portward.identity.opaque import digest, new_token
from portward.identity.passwords import Passwords
from portward.identity.sessions import Sessions
from portward.model import Account, Role
from portward.store import Store
from portward.store.links import Link

Purpose = Literal["owner", "enrol", "reset"]
LIVES: dict[Purpose, timedelta] = {
    "owner": timedelta(hours=1),
    "enrol": timedelta(hours=24),
    "reset": timedelta(hours=24),
}
"""An owner's link opens everything, and its receiver sits before the terminal that printed it."""


def path_of(token: str) -> str:
    """Where the portal takes a link's token: in the query, because the access log keeps paths."""
    return f"/enrol?token={token}"


class Enrolments:
    def __init__(
        self,
        store: Store,
        passwords: Passwords,
        sessions: Sessions,
        changes: Changes,
        settings: Callable[[], Settings],
        clock: Callable[[], datetime],
    ) -> None:
        self._store, self._passwords, self._sessions = store, passwords, sessions
        self._changes, self._settings, self._clock = changes, settings, clock

    async def owner_link(self) -> str:
        """A link with which an owner enrols (1 h). Replaces an earlier one that was not used."""
        return await self._issue("owner", None)

    async def invite(self, account: str) -> str:
        """A link for an account that has no password yet (24 h). Replaces earlier links of that account."""
        return await self._issue("enrol", account)

    async def reset(self, account: str, *, by: str) -> str:
        """A link to choose a new password (24 h). The old one stays valid until the link is used.

        Raises `NotFound`, and `Conflict` for a disabled account.
        """
        found = await self._store.accounts.get(account)
        if found is None:
            raise NotFound("account", account, way_out="`portward account list` names those that exist")
        if found.disabled:
            raise Conflict(f"{account!r} is disabled", way_out="enable the account first")
        token = await self._issue("reset" if found.has_password else "enrol", account)
        await self._changes.note(account, "reset", by=by, detail="link issued")
        return token

    async def peek(self, token: str) -> Invitation | None:
        """What a link is for, without using it. None when it is unknown, used or too old."""
        link = await self._store.links.peek(digest(token), self._clock())
        return Invitation(link.purpose, link.account or "", link.expires_at) if link else None

    async def enrol(
        self,
        token: str,
        password: str,
        *,
        name: str = "owner",
        display_name: str | None = None,
        email: str | None = None,
    ) -> Account | None:
        """Use a link: set the password, end the account's sessions. `name` counts for an owner's link alone.

        `display_name` and `email` replace what is known where given. None when the link is unknown, used or too old.
        Raises `Invalid` for a weak password or a bad name, `Conflict` for a name that is taken; the link stays good.
        """
        link = await self._store.links.peek(digest(token), self._clock())
        if link is None:
            return None
        account = await self._planned(link, name, display_name, email)
        await self._passwords.require_good(password, [account.name, account.email, self._settings().domain])
        kept = await self._passwords.hash(password)
        if await self._store.links.take(digest(token), self._clock()) is None:
            return None
        await self._settle(link, account, kept)
        return await self._store.accounts.get(account.name)

    async def _issue(self, purpose: Purpose, account: str | None) -> str:
        token = new_token()
        await self._store.links.replace(digest(token), purpose, account, self._clock() + LIVES[purpose])
        return token

    async def _planned(self, link: Link, name: str, display_name: str | None, email: str | None) -> Account:
        """The account as it will be. Everything that can be refused is refused here, before the link is used."""
        account = await self._of(link, name)
        wanted: dict[str, Any] = {}
        if display_name is not None or not account.display_name:
            wanted["display_name"] = names.display_name(display_name or "", account.name)
        if email is not None:
            wanted["email"] = names.email_address(email)
            other = await self._store.accounts.by_email(wanted["email"])
            if other is not None and other.name != account.name:
                raise Conflict(f"another account has the address {email!r}")
        return replace(account, **wanted)

    async def _of(self, link: Link, name: str) -> Account:
        known = await self._store.accounts.get(link.account or names.account_name(name))
        if link.account is None:
            if known is not None:
                raise Conflict(f"there is an account named {name!r} already", way_out="choose another name")
            return Account(name, role=Role.OWNER, created_at=self._clock())
        if known is None:
            raise NotFound("account", link.account)
        return known

    async def _settle(self, link: Link, account: Account, kept: str) -> None:
        if link.account is None:
            await self._store.accounts.add(account)
        else:
            await self._store.accounts.change(account.name, display_name=account.display_name, email=account.email)
        await self._store.credentials.set_password(account.name, kept)
        try:
            await self._sessions.end_all(account.name, by=account.name, reason="password")
        finally:
            change = "password" if link.purpose == "reset" else "enrolled"
            await self._changes.made(account.name, change, by=account.name, detail=f"{link.purpose} link")
