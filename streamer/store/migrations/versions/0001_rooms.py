"""Venues, rooms, grants and the connections that grants opened."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "venues",
        sa.Column("id", sa.String(48), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("timezone", sa.String(64), nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_venues"),
    )
    op.create_table(
        "rooms",
        sa.Column("id", sa.String(48), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("venue_id", sa.String(48)),
        sa.Column("start", sa.String(16), nullable=False),
        sa.Column("between", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rooms"),
        sa.ForeignKeyConstraint(["venue_id"], ["venues.id"], name="fk_rooms_venue_id_venues", ondelete="RESTRICT"),
    )
    op.create_index("ix_rooms_venue_id", "rooms", ["venue_id"])
    op.create_table(
        "grants",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("secret_sha256", sa.LargeBinary(32), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("room_id", sa.String(48)),
        sa.Column("venue_id", sa.String(48)),
        sa.Column("label", sa.String(200), nullable=False),
        sa.Column("not_before_ms", sa.BigInteger()),
        sa.Column("expires_ms", sa.BigInteger()),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_grants"),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name="fk_grants_room_id_rooms", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["venue_id"], ["venues.id"], name="fk_grants_venue_id_venues", ondelete="CASCADE"),
    )
    op.create_index("ix_grants_room_id", "grants", ["room_id"])
    op.create_index("ix_grants_venue_id", "grants", ["venue_id"])
    op.create_table(
        "connections",
        sa.Column("resource", sa.String(64), nullable=False),
        sa.Column("grant_id", sa.String(32), nullable=False),
        sa.Column("room_id", sa.String(48), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("source", sa.String(32), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("resource", name="pk_connections"),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name="fk_connections_room_id_rooms", ondelete="CASCADE"),
    )
    op.create_index("ix_connections_grant_id", "connections", ["grant_id"])
    op.create_index("ix_connections_room_id_source", "connections", ["room_id", "source"])
