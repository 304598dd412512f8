"""Who is banned, and who was."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "bans",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("first", sa.LargeBinary(), nullable=False),
        sa.Column("last", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger()),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("lifted_at", sa.BigInteger()),
        sa.Column("lifted_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    current = sa.text("lifted_at IS NULL")
    op.create_index("bans_current", "bans", ["source"], unique=True, sqlite_where=current)
    op.create_index("bans_source", "bans", ["source", "id"])
    op.create_index("bans_first", "bans", ["first"], sqlite_where=current)
    op.create_index("bans_until", "bans", ["until"], sqlite_where=current)
    op.create_index("bans_lifted_at", "bans", ["lifted_at"], sqlite_where=sa.text("lifted_at IS NOT NULL"))
