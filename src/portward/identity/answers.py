"""What a login step may answer. Refusals are values, and tell a stranger nothing.

match await identity.logins.password("ann", "…", address="203.0.113.7", user_agent="…"):
    case Started(token, session): ...
    case SecondFactorNeeded(ticket, account): ...
    case Refused(): ...
    case Wait(seconds): ...
"""

from dataclasses import dataclass
from datetime import datetime

from portward.model import Account, Session


@dataclass(frozen=True, slots=True)
class Started:
    """Logged in. `token` goes into the portal's cookie and nowhere else."""

    token: str
    session: Session


@dataclass(frozen=True, slots=True)
class SecondFactorNeeded:
    """The password was right. `ticket` is to be sent back with the code: 5 minutes, 5 attempts."""

    ticket: str
    account: Account


@dataclass(frozen=True, slots=True)
class Stepped:
    """The session has shown a second factor; its old token is dead, `token` replaces it."""

    token: str
    session: Session


@dataclass(frozen=True, slots=True)
class Refused:
    """Wrong, whatever was wrong. With `start_over` the ticket is spent: begin again with name and password."""

    start_over: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """Too many failures from this address; nothing was checked. `seconds` is at least 1."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Entered:
    """A host session exists and the edge knows it. `token` goes into that host's cookie."""

    token: str
    to: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a one-time link is for. `purpose` is `owner`, `enrol` or `reset`; `account` is empty for `owner`."""

    purpose: str
    account: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class TotpOffer:
    """A new secret for an authenticator app: `secret` in base32 to type in, `uri` for the QR code."""

    secret: str
    uri: str
