"""The look of venues and events."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("venues", sa.Column("colour", sa.Text(), nullable=False, server_default=""))
    for table in ("venues", "events"):
        op.add_column(table, sa.Column("typeface", sa.String(16), nullable=False, server_default=""))
        op.add_column(table, sa.Column("logo", sa.Text(), nullable=False, server_default=""))
        op.add_column(table, sa.Column("cover", sa.Text(), nullable=False, server_default=""))
