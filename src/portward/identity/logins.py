"""Logging in, step by step; every wrong answer looks alike.

answer = await logins.password("ann", "correct horse battery", address="203.0.113.7", user_agent="…")
answer = await logins.second_factor(answer.ticket, "492039", address="203.0.113.7", user_agent="…")
"""

from portward.identity.answers import Refused, SecondFactorNeeded, Started, Stepped, Wait
from portward.model import Session


class Logins:
    async def password(
        self, name: str, password: str, *, address: str, user_agent: str
    ) -> Started | SecondFactorNeeded | Refused | Wait:
        """First step. `name` is an account's name or e-mail address, in any case.

        Unknown, disabled, password-less and wrong all take the same work and give the same answer.
        """

    async def second_factor(self, ticket: str, code: str, *, address: str, user_agent: str) -> Started | Refused | Wait:
        """Second step. `code` is six digits of TOTP or a recovery code; each works once."""

    async def step_up(self, session: Session, code: str, *, address: str) -> Stepped | Refused | Wait:
        """Show the second factor within a session. The token in `Stepped` replaces the portal's cookie."""
