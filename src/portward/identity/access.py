"""May this account open this route? Pure rules, used by the portal and by the edge's grants.

may(ann, Access(groups=frozenset({"family"})))                      # True when ann belongs to family
decide(ann, session, access, now, second_factor_for=timedelta(hours=24))   # Allow() | Challenge(...) | Deny(...)
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from portward.model import Access, Account, Role, Session

STEP_UP_COUNTS_FOR = timedelta(minutes=10)
"""How long a second factor lets someone change what protects the account itself."""


@dataclass(frozen=True, slots=True)
class Allow:
    """The request may pass."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """Something must be shown first: a login, the second factor, or there is no second factor yet to show."""

    kind: Literal["login", "second-factor", "enrol-second-factor"]


@dataclass(frozen=True, slots=True)
class Deny:
    """Known, and not allowed. `reason` is `access` (no rule matches)."""

    reason: str


Decision = Allow | Challenge | Deny


def may(account: Account | None, access: Access) -> bool:
    """Whether a rule of `access` matches. Nobody and disabled accounts match `public` alone."""
    if access.public:
        return True
    if account is None or account.disabled:
        return False
    return (
        access.members
        or (access.owners and account.role is Role.OWNER)
        or account.name in access.accounts
        or not access.groups.isdisjoint(account.groups)
    )


def decide(
    account: Account | None, session: Session | None, access: Access, now: datetime, second_factor_for: timedelta
) -> Decision:
    """Judge one visit. A public route that asks for a second factor needs a login too."""
    if access.public and not access.second_factor:
        return Allow()
    if account is None or session is None or not _holds(account, session, now):
        return Challenge("login")
    if not may(account, access):
        return Deny("access")
    if access.second_factor and not stepped_up(session, now, second_factor_for):
        return Challenge("second-factor" if account.has_second_factor else "enrol-second-factor")
    return Allow()


def stepped_up(session: Session, now: datetime, within: timedelta = STEP_UP_COUNTS_FOR) -> bool:
    """Whether this session has shown a second factor less than `within` ago."""
    return session.second_factor_at is not None and session.second_factor_at <= now < session.second_factor_at + within


def _holds(account: Account, session: Session, now: datetime) -> bool:
    return session.account == account.name and not account.disabled and now < session.expires_at
