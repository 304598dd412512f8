"""How it stands with each name that an ACME authority certifies."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "standings",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("problem", sa.String(), nullable=False),
        sa.Column("way_out", sa.String(), nullable=False),
        sa.Column("authority", sa.String(), nullable=False),
        sa.Column("tried_at", sa.BigInteger()),
        sa.Column("not_before", sa.BigInteger()),
        sa.Column("renew_at", sa.BigInteger()),
        sa.Column("ask_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("name"),
    )
