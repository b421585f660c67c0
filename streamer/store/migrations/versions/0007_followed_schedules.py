"""The grant with whose rights an event's schedule elsewhere is read."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The author of existing addresses is unknown: they are read with nobody's rights until somebody confirms them.
    op.add_column("schedule_sources", sa.Column("owner", sa.String(32), nullable=False, server_default=""))
