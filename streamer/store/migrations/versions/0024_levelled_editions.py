"""Editions have a loudness, and may have sound of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("editions", sa.Column("sound", sa.String(32)))
    op.add_column("editions", sa.Column("loudness", sa.Float()))
