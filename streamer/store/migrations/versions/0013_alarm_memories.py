"""Alarm memories: the rooms' memory of their alarms."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alarm_memories",
        sa.Column("room_id", sa.String(48), nullable=False),
        sa.Column("memory", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("room_id", name="pk_alarm_memories"),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name="fk_alarm_memories_room_id_rooms", ondelete="CASCADE"),
    )
