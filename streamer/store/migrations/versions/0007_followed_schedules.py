"""With whose rights an event's schedule elsewhere is read."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Who set the addresses that are there is not known: nobody's rights hold until somebody confirms them.
    op.add_column("schedule_sources", sa.Column("owner", sa.String(32), nullable=False, server_default=""))
