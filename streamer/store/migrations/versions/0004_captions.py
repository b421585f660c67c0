"""Captions, and the languages that a room has them in."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("rooms", sa.Column("caption_languages", sa.Text(), nullable=False, server_default="[]"))
    op.create_table(
        "captions",
        sa.Column("id", sa.String(48), nullable=False),
        sa.Column("room_id", sa.String(48), nullable=False),
        sa.Column("session_id", sa.String(48)),
        sa.Column("lang", sa.String(35), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("live_from_ms", sa.BigInteger(), nullable=False),
        sa.Column("live_until_ms", sa.BigInteger(), nullable=False),
        sa.Column("live_text", sa.Text()),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("grant_id", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_captions"),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name="fk_captions_room_id_rooms", ondelete="CASCADE"),
    )
    op.create_index("ix_captions_created_ms", "captions", ["created_ms"])
    op.create_index("ix_captions_room_id_lang_at_ms", "captions", ["room_id", "lang", "at_ms"])
