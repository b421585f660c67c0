"""Approvals of replays by their speakers."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "approvals",
        sa.Column("session_id", sa.String(48), nullable=False),
        sa.Column("grant_id", sa.String(32), nullable=False),
        sa.Column("label", sa.String(200), nullable=False),
        sa.Column("publish", sa.Boolean(), nullable=False),
        sa.Column("asked_ms", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("edition_id", sa.String(48), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("answered_ms", sa.BigInteger()),
        sa.PrimaryKeyConstraint("session_id"),
        sa.ForeignKeyConstraint(["session_id"], ["recordings.session_id"], ondelete="CASCADE"),
    )
