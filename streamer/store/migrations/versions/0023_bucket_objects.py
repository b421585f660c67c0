"""Objects of the archive in a bucket."""

import sqlalchemy as sa
from alembic import op

from streamer.store.text import String, UnboundedText

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "bucket_objects",
        sa.Column("key", String(400), nullable=False),
        sa.Column("address", UnboundedText, nullable=False),
        sa.Column("file", String(200), nullable=False),
        sa.Column("state", String(16), nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("changed_ns", sa.BigInteger, nullable=False),
        sa.Column("digest", String(64), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_bucket_objects"),
    )
