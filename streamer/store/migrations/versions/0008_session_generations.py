"""Keys of closed sessions are computed; sessions have a generation."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sessions", sa.Column("generation", sa.BigInteger(), nullable=False, server_default="1"))
    # Keys from before open nothing from now on.
    op.execute(sa.text("UPDATE sessions SET key = ''"))
