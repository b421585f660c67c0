"""Sessions without a room, and sessions that take place in several."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sessions", sa.Column("venue_id", sa.String(48)))
    op.add_column("sessions", sa.Column("also_in", sa.Text(), nullable=False, server_default="[]"))
    op.create_index("ix_sessions_venue_id", "sessions", ["venue_id"])
    if op.get_bind().dialect.name == "sqlite":
        _change_constraints()
    else:
        op.alter_column("sessions", "room_id", nullable=True)
        op.create_foreign_key(
            "fk_sessions_venue_id_venues", "sessions", "venues", ["venue_id"], ["id"], ondelete="RESTRICT"
        )


def _change_constraints() -> None:
    """SQLite has no ALTER for constraints, and to make the table anew would delete the rows of other tables that refer
    to it. This is its own way for changes that leave the rows as they are:
    https://www.sqlite.org/lang_altertable.html, section 7."""
    version = op.get_bind().execute(sa.text("PRAGMA schema_version")).scalar_one()
    op.execute("PRAGMA writable_schema = ON")
    op.execute(
        "UPDATE sqlite_schema SET sql = replace(substr(sql, 1, length(sql) - 1), "
        "'room_id VARCHAR(48) NOT NULL', 'room_id VARCHAR(48)') || ', CONSTRAINT fk_sessions_venue_id_venues "
        "FOREIGN KEY(venue_id) REFERENCES venues (id) ON DELETE RESTRICT)' WHERE type = 'table' AND name = 'sessions'"
    )
    op.execute(f"PRAGMA schema_version = {version + 1}")
    op.execute("PRAGMA writable_schema = RESET")
