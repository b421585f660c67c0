"""Encoders' grants and the grants that made them."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("grants", sa.Column("made_by", sa.String(32)))
    op.create_index(op.f("ix_grants_made_by"), "grants", ["made_by"])
