"""Settings of each source of a room; the room's one gain becomes that of the source that is taken."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("room_states", sa.Column("sources", sa.Text(), nullable=False, server_default="[]"))
    states = sa.table("room_states", *(sa.column(name) for name in ("room_id", "source", "gain_db", "sources")))
    connection = op.get_bind()
    set_rooms = connection.execute(sa.select(states).where(states.c.gain_db != 0)).all()
    for row in set_rooms:
        name = row.source if row.source not in (None, "slate") else "main"
        sources = json.dumps([{"name": name, "gain_db": row.gain_db}])
        connection.execute(states.update().where(states.c.room_id == row.room_id).values(sources=sources))
