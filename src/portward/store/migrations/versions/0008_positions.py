"""How far each log of this machine was read."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "positions",
        sa.Column("log", sa.String(), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("slot", sa.String(), nullable=False),
        sa.Column("position", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("log", "place", "slot"),
    )
