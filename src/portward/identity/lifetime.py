"""How long a session lives. Pure rules.

ends_at(session, policy)        # the earlier of: idle for too long, and old
"""

from datetime import datetime

from portward.config.settings import SessionPolicy
from portward.model import Session


def ends_at(session: Session, policy: SessionPolicy) -> datetime:
    """When the session is over, if it is not used again. A policy made shorter counts for older sessions too."""
    return min(session.expires_at, session.created_at + policy.absolute, session.seen_at + policy.idle)


def is_live(session: Session, policy: SessionPolicy, now: datetime) -> bool:
    return now < ends_at(session, policy)
