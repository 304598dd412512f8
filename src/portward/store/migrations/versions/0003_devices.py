"""Devices of accounts, and the certificates that they hold."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "devices",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("account", sa.String()),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("own_key", sa.Boolean(), nullable=False),
        sa.Column("csr", sa.String(), nullable=False),
        sa.Column("certificate", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("serial", sa.String(), nullable=False),
        sa.Column("requested_at", sa.BigInteger(), nullable=False),
        sa.Column("approved_at", sa.BigInteger()),
        sa.Column("issued_at", sa.BigInteger()),
        sa.Column("expires_at", sa.BigInteger()),
        sa.Column("revoked_at", sa.BigInteger()),
        sa.Column("used_at", sa.BigInteger()),
        sa.Column("reminded", sa.Integer()),
        sa.ForeignKeyConstraint(["account"], ["accounts.name"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("devices_account", "devices", ["account"])
    op.create_index(
        "devices_fingerprint", "devices", ["fingerprint"], unique=True, sqlite_where=sa.text("fingerprint != ''")
    )
