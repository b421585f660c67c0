"""Hall codes."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "hall_codes",
        sa.Column("code", sa.String(12), nullable=False),
        sa.Column("room_id", sa.String(48), nullable=False),
        sa.Column("place", sa.String(40), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("code", name="pk_hall_codes"),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name="fk_hall_codes_room_id_rooms", ondelete="CASCADE"),
        sa.UniqueConstraint("room_id", "place", name="uq_hall_codes_room_id_place"),
    )
