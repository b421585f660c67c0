"""Chapters of questions that were asked in a closed session's own audience say so in their ids."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "UPDATE marks SET id = 'cq-' || substr(id, 3) WHERE substr(id, 1, 2) = 'q-'"
        " AND substr(id, 3) IN (SELECT id FROM questions WHERE substr(scope, 1, 8) = 'session:')"
    )
