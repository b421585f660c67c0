"""Since when somebody is muted or banned: a ban ends with what it is about."""

import time

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Those that are there count from today: when they were made is not known.
    now_ms = time.time_ns() // 1_000_000
    op.add_column("sanctions", sa.Column("since_ms", sa.BigInteger, nullable=False, server_default=str(now_ms)))
