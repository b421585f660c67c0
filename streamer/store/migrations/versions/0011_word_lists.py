"""Lists of words to tick, and polls that are prepared."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("room_modes", sa.Column("word_lists", sa.Text(), nullable=False, server_default="[]"))
    op.add_column("polls", sa.Column("prepared", sa.Boolean(), nullable=False, server_default=sa.false()))
