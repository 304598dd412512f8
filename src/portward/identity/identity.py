"""The parts of identity, wired: one object that the keeper makes and the portal uses.

identity = Identity(store, state / "secret.key", lambda: settings, gatekeeper, record, clock)
await identity.logins.password(...)
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path

from portward.config import Settings
from portward.identity.accounts import Accounts
from portward.identity.credentials import Credentials
from portward.identity.enrolments import Enrolments
from portward.identity.gatekeeper import Gatekeeper, Record
from portward.identity.groups import Groups
from portward.identity.logins import Logins
from portward.identity.sessions import Sessions
from portward.store import Store


class Identity:
    """`accounts`, `groups`, `enrolments`, `credentials`, `sessions` and `logins` over one store."""

    accounts: Accounts
    groups: Groups
    enrolments: Enrolments
    credentials: Credentials
    sessions: Sessions
    logins: Logins

    def __init__(
        self,
        store: Store,
        secret_key: Path,
        settings: Callable[[], Settings],
        gatekeeper: Gatekeeper,
        record: Record,
        clock: Callable[[], datetime],
        pause: Callable[[float], Awaitable[None]] | None = None,
    ) -> None:
        """`secret_key` is made (32 random bytes, 0600) where it does not exist. `pause` is `asyncio.sleep` by default."""
