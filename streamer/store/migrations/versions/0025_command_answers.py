"""First answers to commands, for clients that send one again."""

import sqlalchemy as sa
from alembic import op

from streamer.store.text import String, UnboundedText

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "command_answers",
        sa.Column("caller", String(64), nullable=False),
        sa.Column("id", String(128), nullable=False),
        sa.Column("part", String(64), nullable=False),
        sa.Column("fingerprint", String(32), nullable=False),
        sa.Column("answer", UnboundedText, nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("caller", "id", "part", name="pk_command_answers"),
        sqlite_with_rowid=False,
    )
