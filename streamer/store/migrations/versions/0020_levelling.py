"""Levelling: a room may bring voices to one loudness."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("rooms", sa.Column("levelling", sa.Boolean(), nullable=False, server_default=sa.false()))
