"""One-time links: with them an owner begins, a new account chooses its password, a forgotten one is replaced.

token = await enrolments.reset("ann", by="cli")          # the link is https://auth.example.com/enrol/TOKEN
account = await enrolments.enrol(token, "correct horse battery")
"""

from portward.identity.answers import Invitation
from portward.model import Account


class Enrolments:
    async def owner_link(self) -> str:
        """A link with which an owner enrols (1 h). Replaces an earlier one that was not used."""

    async def invite(self, account: str) -> str:
        """A link for an account that has no password yet (24 h). Replaces earlier links of that account."""

    async def reset(self, account: str, *, by: str) -> str:
        """A link to choose a new password (24 h). The old one stays valid until the link is used.

        Raises `NotFound`.
        """

    async def peek(self, token: str) -> Invitation | None:
        """What a link is for, without using it. None when it is unknown, used or too old."""

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
