"""The tables, as the newest migration leaves them. A test compares the two.

    select(accounts.c.name).where(accounts.c.disabled.is_(False))

Times are integers: microseconds since 1970 in UTC, which sort and compare as they are. What belongs to an account or
a session goes with it (ON DELETE CASCADE).
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    TypeDecorator,
    false,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class Moment(TypeDecorator[datetime]):
    """A timezone-aware datetime kept as microseconds since 1970. A naive one is a `TypeError`."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else (value - EPOCH) // MICROSECOND

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        return None if value is None else EPOCH + timedelta(microseconds=value)


class Span(TypeDecorator[timedelta]):
    """A length of time kept as microseconds."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: timedelta | None, dialect: Dialect) -> int | None:
        return None if value is None else value // MICROSECOND

    def process_result_value(self, value: Any | None, dialect: Dialect) -> timedelta | None:
        return None if value is None else value * MICROSECOND


def _of_account(*, key: bool = False, optional: bool = False) -> Column[str]:
    link = ForeignKey("accounts.name", ondelete="CASCADE")
    return Column("account", String, link, primary_key=key, nullable=optional)


def _of_session() -> Column[str]:
    return Column("session_id", String, ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False)


metadata = MetaData()

accounts = Table(
    "accounts",
    metadata,
    Column("name", String, primary_key=True),
    Column("role", String, nullable=False),
    Column("display_name", String, nullable=False),
    Column("email", String, nullable=False),
    Column("disabled", Boolean, nullable=False, server_default=false()),
    Column("created_at", Moment),
    Column("last_login_at", Moment),
)
Index("accounts_email", accounts.c.email, unique=True, sqlite_where=accounts.c.email != "")

groups = Table("groups", metadata, Column("name", String, primary_key=True))

members = Table(
    "members",
    metadata,
    Column("group_name", String, ForeignKey("groups.name", ondelete="CASCADE"), primary_key=True),
    _of_account(key=True),
)
Index("members_account", members.c.account)

credentials = Table(
    "credentials",
    metadata,
    _of_account(key=True),
    Column("password_hash", String),
    Column("totp_secret", LargeBinary),
    Column("totp_offer", LargeBinary),
    Column("totp_step", BigInteger, nullable=False, server_default="0"),
)

recovery_codes = Table(
    "recovery_codes",
    metadata,
    _of_account(key=True),
    Column("code_hash", String, primary_key=True),
)

passkeys = Table(
    "passkeys",
    metadata,
    Column("id", String, primary_key=True),
    _of_account(),
    Column("name", String, nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("handle", String, nullable=False),
    Column("sign_count", BigInteger, nullable=False),
    Column("verifies", Boolean, nullable=False),
    Column("synced", Boolean, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("used_at", Moment),
)
Index("passkeys_account", passkeys.c.account)

answered = Table(
    "answered",
    metadata,
    Column("challenge", String, primary_key=True),
    Column("expires_at", Moment, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", String, primary_key=True),
    Column("token_hash", String, nullable=False, unique=True),
    _of_account(),
    Column("created_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
    Column("renewed_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("second_factor_at", Moment),
    Column("address", String, nullable=False),
    Column("user_agent", String, nullable=False),
)
Index("sessions_account", sessions.c.account)
Index("sessions_expires_at", sessions.c.expires_at)
Index("sessions_seen_at", sessions.c.seen_at)

host_sessions = Table(
    "host_sessions",
    metadata,
    Column("key", String, primary_key=True),
    _of_session(),
    Column("host", String, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("second_factor_at", Moment),
)
Index("host_sessions_session_id", host_sessions.c.session_id)

publications = Table(
    "publications",
    metadata,
    Column("name", String, primary_key=True),
    _of_account(),
    Column("key", String, nullable=False),
    Column("made_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
)

links = Table(
    "links",
    metadata,
    Column("token_hash", String, primary_key=True),
    Column("purpose", String, nullable=False),
    _of_account(optional=True),
    Column("expires_at", Moment, nullable=False),
)
Index("links_account", links.c.account)

tickets = Table(
    "tickets",
    metadata,
    Column("token_hash", String, primary_key=True),
    _of_account(),
    Column("expires_at", Moment, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
)
Index("tickets_account", tickets.c.account)

handovers = Table(
    "handovers",
    metadata,
    Column("code_hash", String, primary_key=True),
    _of_session(),
    Column("host", String, nullable=False),
    Column("to", String, nullable=False),
    Column("nonce_hash", String, nullable=False),
    Column("expires_at", Moment, nullable=False),
)
Index("handovers_session_id", handovers.c.session_id)

keys = Table(
    "keys",
    metadata,
    Column("name", String, primary_key=True),
    _of_account(),
    Column("public", String, nullable=False),
    Column("fingerprint", String, nullable=False, unique=True),
    Column("comment", String, nullable=False),
    Column("publish", JSON, nullable=False),
    Column("reach", JSON, nullable=False),
    Column("sources", JSON, nullable=False),
    Column("created_at", Moment),
    Column("expires_at", Moment),
    Column("deadline", Span),
)
Index("keys_account", keys.c.account)

devices = Table(
    "devices",
    metadata,
    Column("id", String, primary_key=True),
    # Kept when the account is gone: what it held must stay on the revocation list until it expires.
    Column("account", String, ForeignKey("accounts.name", ondelete="SET NULL")),
    Column("name", String, nullable=False),
    Column("own_key", Boolean, nullable=False),
    Column("csr", String, nullable=False),
    Column("certificate", String, nullable=False),
    Column("fingerprint", String, nullable=False),
    Column("serial", String, nullable=False),
    Column("requested_at", Moment, nullable=False),
    Column("approved_at", Moment),
    Column("issued_at", Moment),
    Column("expires_at", Moment),
    Column("revoked_at", Moment),
    Column("used_at", Moment),
    Column("reminded", Integer),
)
Index("devices_account", devices.c.account)
Index("devices_fingerprint", devices.c.fingerprint, unique=True, sqlite_where=devices.c.fingerprint != "")

releases = Table(
    "releases",
    metadata,
    Column("source", String, primary_key=True),
    Column("since", Moment, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("freed", Integer, nullable=False),
)

release_links = Table(
    "release_links",
    metadata,
    Column("token_hash", String, primary_key=True),
    Column("source", String, nullable=False),
    _of_account(),
    Column("expires_at", Moment, nullable=False),
)
Index("release_links_account", release_links.c.account)

attempts = Table(
    "attempts",
    metadata,
    Column("key", String, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("tried_at", Moment, nullable=False),
    Column("not_before", Moment, nullable=False),
)
Index("attempts_tried_at", attempts.c.tried_at)

events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("time", Moment, nullable=False),
    Column("kind", String, nullable=False),
    Column("gate", String, nullable=False),
    Column("rule", String, nullable=False),
    Column("request_id", String, nullable=False),
    Column("address", String, nullable=False),
    Column("host", String, nullable=False),
    Column("sni", String, nullable=False),
    Column("account", String, nullable=False),
    Column("fields", JSON, nullable=False),
    sqlite_autoincrement=True,
)
Index("events_time", events.c.time)
Index("events_kind", events.c.kind, events.c.id)
Index("events_request_id", events.c.request_id, sqlite_where=events.c.request_id != "")
Index("events_account", events.c.account, events.c.id, sqlite_where=events.c.account != "")

positions = Table(
    "positions",
    metadata,
    Column("log", String, primary_key=True),
    Column("place", String, primary_key=True),
    Column("slot", String, primary_key=True),
    Column("position", JSON, nullable=False),
)

standings = Table(
    "standings",
    metadata,
    Column("name", String, primary_key=True),
    Column("outcome", String, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("problem", String, nullable=False),
    Column("way_out", String, nullable=False),
    Column("authority", String, nullable=False),
    Column("tried_at", Moment),
    Column("not_before", Moment),
    Column("renew_at", Moment),
    Column("ask_at", Moment),
)

bans = Table(
    "bans",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("source", String, nullable=False),
    # The first and the last address as 16 bytes, IPv4 as ::ffff:0:0/96, so that they sort and compare.
    Column("first", LargeBinary, nullable=False),
    Column("last", LargeBinary, nullable=False),
    Column("reason", String, nullable=False),
    Column("by", String, nullable=False),
    Column("since", Moment, nullable=False),
    Column("until", Moment),
    Column("count", Integer, nullable=False),
    Column("evidence", JSON, nullable=False),
    Column("lifted_at", Moment),
    Column("lifted_by", String, nullable=False),
)
Index("bans_current", bans.c.source, unique=True, sqlite_where=bans.c.lifted_at.is_(None))
Index("bans_source", bans.c.source, bans.c.id)
Index("bans_first", bans.c.first, sqlite_where=bans.c.lifted_at.is_(None))
Index("bans_until", bans.c.until, sqlite_where=bans.c.lifted_at.is_(None))
Index("bans_lifted_at", bans.c.lifted_at, sqlite_where=bans.c.lifted_at.is_not(None))
