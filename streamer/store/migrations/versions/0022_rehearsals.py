"""Findings in the sources of rooms, before sessions."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rehearsals",
        sa.Column("room_id", sa.String(48), nullable=False),
        sa.Column("source", sa.String(32), nullable=False),
        sa.Column("publication", sa.String(64), nullable=False),
        sa.Column("devices", sa.Text(), nullable=False),
        sa.Column("heard", sa.Text(), nullable=False),
        sa.Column("seen", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("room_id", name="pk_rehearsals"),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name="fk_rehearsals_room_id_rooms", ondelete="CASCADE"),
    )
