"""Organisers' defaults for new sessions, and the modes with which a session's audience begins."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sessions", sa.Column("chat", sa.String(16)))
    op.add_column("sessions", sa.Column("questions", sa.String(16)))
    op.create_table(
        "session_templates",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("venue_id", sa.String(48)),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("visibility", sa.String(16)),
        sa.Column("do_not_record", sa.String(16)),
        sa.Column("do_not_stream", sa.String(16)),
        sa.Column("replay", sa.String(16)),
        sa.Column("minutes", sa.BigInteger()),
        sa.Column("chat", sa.String(16)),
        sa.Column("questions", sa.String(16)),
        sa.PrimaryKeyConstraint("id", name="pk_session_templates"),
        sa.ForeignKeyConstraint(
            ["venue_id"], ["venues.id"], name="fk_session_templates_venue_id_venues", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_session_templates_venue_id", "session_templates", ["venue_id"])
