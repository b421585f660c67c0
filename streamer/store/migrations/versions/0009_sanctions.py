"""The time since which somebody is muted or banned: a ban ends with its subject."""

import time

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Existing ones count from today, because the time when they were made is unknown.
    now_ms = time.time_ns() // 1_000_000
    op.add_column("sanctions", sa.Column("since_ms", sa.BigInteger, nullable=False, server_default=str(now_ms)))
