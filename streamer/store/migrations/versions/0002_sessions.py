"""Events, sessions and their marks, recordings, actions, logins, imports; scopes of grants."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("venues", sa.Column("logos", sa.Text(), nullable=False, server_default="[]"))
    op.add_column("rooms", sa.Column("aliases", sa.Text(), nullable=False, server_default="[]"))
    op.add_column("rooms", sa.Column("guid", sa.Text(), nullable=False, server_default=""))
    op.add_column("rooms", sa.Column("retention_days", sa.BigInteger()))
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, autoincrement=True),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.String(48), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("action", sa.String(48), nullable=False),
        sa.Column("target_kind", sa.String(32), nullable=False),
        sa.Column("target_id", sa.Text(), nullable=False),
        sa.Column("room_id", sa.String(48)),
        sa.Column("venue_id", sa.String(48)),
        sa.Column("details", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_at_ms", "audit", ["at_ms"])
    op.create_index("ix_audit_room_id_id", "audit", ["room_id", "id"])
    op.create_index("ix_audit_venue_id_id", "audit", ["venue_id", "id"])
    op.create_table(
        "import_previews",
        sa.Column("id", sa.String(48), nullable=False),
        sa.Column("event_id", sa.String(48), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_import_previews"),
    )
    op.create_index("ix_import_previews_expires_ms", "import_previews", ["expires_ms"])
    op.create_table(
        "revisions",
        sa.Column("id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_revisions"),
    )
    op.create_table(
        "secrets",
        sa.Column("name", sa.String(48), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_secrets"),
    )
    op.create_table(
        "events",
        sa.Column("id", sa.String(48), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("venue_id", sa.String(48)),
        sa.Column("start_ms", sa.BigInteger()),
        sa.Column("end_ms", sa.BigInteger()),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("acronym", sa.Text(), nullable=False),
        sa.Column("logos", sa.Text(), nullable=False),
        sa.Column("source_url", sa.Text(), nullable=False),
        sa.Column("colour", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sa.ForeignKeyConstraint(["venue_id"], ["venues.id"], name="fk_events_venue_id_venues", ondelete="RESTRICT"),
    )
    op.create_index("ix_events_venue_id", "events", ["venue_id"])
    op.create_table(
        "actions",
        sa.Column("id", sa.String(48), nullable=False),
        sa.Column("room_id", sa.String(48), nullable=False),
        sa.Column("session_id", sa.String(48)),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.String(32), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("undone_ms", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_actions"),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name="fk_actions_room_id_rooms", ondelete="CASCADE"),
    )
    op.create_index("ix_actions_at_ms", "actions", ["at_ms"])
    op.create_index("ix_actions_room_id_at_ms", "actions", ["room_id", "at_ms"])
    op.create_table(
        "alarm_acknowledgements",
        sa.Column("room_id", sa.String(48), nullable=False),
        sa.Column("alarm", sa.String(200), nullable=False),
        sa.Column("who", sa.String(32), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("room_id", "alarm", name="pk_alarm_acknowledgements"),
        sa.ForeignKeyConstraint(
            ["room_id"], ["rooms.id"], name="fk_alarm_acknowledgements_room_id_rooms", ondelete="CASCADE"
        ),
    )
    op.create_table(
        "room_states",
        sa.Column("room_id", sa.String(48), nullable=False),
        sa.Column("hold_since_ms", sa.BigInteger()),
        sa.Column("hold_message", sa.Text()),
        sa.Column("hold_until_ms", sa.BigInteger()),
        sa.Column("slate", sa.Boolean(), nullable=False),
        sa.Column("source", sa.String(32)),
        sa.Column("gain_db", sa.Float(), nullable=False),
        sa.Column("media_up_since_ms", sa.BigInteger()),
        sa.Column("media_stopped_ms", sa.BigInteger()),
        sa.PrimaryKeyConstraint("room_id", name="pk_room_states"),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name="fk_room_states_room_id_rooms", ondelete="CASCADE"),
    )
    op.create_table(
        "schedule_sources",
        sa.Column("event_id", sa.String(48), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text(), nullable=False),
        sa.Column("last_modified", sa.Text(), nullable=False),
        sa.Column("polled_ms", sa.BigInteger()),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("applied_sha256", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name="pk_schedule_sources"),
        sa.ForeignKeyConstraint(
            ["event_id"], ["events.id"], name="fk_schedule_sources_event_id_events", ondelete="CASCADE"
        ),
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(48), nullable=False),
        sa.Column("room_id", sa.String(48), nullable=False),
        sa.Column("event_id", sa.String(48)),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("end_ms", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("subtitle", sa.Text(), nullable=False),
        sa.Column("abstract", sa.Text(), nullable=False),
        sa.Column("speakers", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("track", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("capacity", sa.BigInteger()),
        sa.Column("visibility", sa.String(16), nullable=False),
        sa.Column("do_not_record", sa.String(16), nullable=False),
        sa.Column("do_not_stream", sa.String(16), nullable=False),
        sa.Column("replay", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("delay_ms", sa.BigInteger(), nullable=False),
        sa.Column("shortened_ms", sa.BigInteger(), nullable=False),
        sa.Column("started_ms", sa.BigInteger()),
        sa.Column("ended_ms", sa.BigInteger()),
        sa.Column("extended_until_ms", sa.BigInteger()),
        sa.Column("changed_ms", sa.BigInteger()),
        sa.Column("ad_hoc", sa.Boolean(), nullable=False),
        sa.Column("record_answer", sa.Boolean()),
        sa.Column("stream_answer", sa.Boolean()),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("guid", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name="fk_sessions_room_id_rooms", ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name="fk_sessions_event_id_events", ondelete="RESTRICT"),
    )
    op.create_index("ix_sessions_event_id", "sessions", ["event_id"])
    op.create_index("ix_sessions_room_id_start_ms", "sessions", ["room_id", "start_ms"])
    op.create_index("ix_sessions_start_ms_id", "sessions", ["start_ms", "id"])
    op.create_index("ix_sessions_state", "sessions", ["state"])
    op.create_table(
        "marks",
        sa.Column("id", sa.String(48), nullable=False),
        sa.Column("session_id", sa.String(48), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("until_ms", sa.BigInteger()),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("hidden", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_marks"),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name="fk_marks_session_id_sessions", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_marks_session_id_at_ms", "marks", ["session_id", "at_ms"])
    op.create_table(
        "recordings",
        sa.Column("session_id", sa.String(48), nullable=False),
        sa.Column("room_id", sa.String(48), nullable=False),
        sa.Column("broadcast", sa.Text(), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("end_ms", sa.BigInteger()),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("pinned", sa.Boolean(), nullable=False),
        sa.Column("published", sa.Boolean(), nullable=False),
        sa.Column("reviewed", sa.Boolean(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("session_id", name="pk_recordings"),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name="fk_recordings_session_id_sessions", ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name="fk_recordings_room_id_rooms", ondelete="RESTRICT"),
    )
    op.create_index("ix_recordings_room_id", "recordings", ["room_id"])
    op.create_index("ix_recordings_start_ms_session_id", "recordings", ["start_ms", "session_id"])
    op.create_table(
        "editions",
        sa.Column("id", sa.String(48), nullable=False),
        sa.Column("session_id", sa.String(48), nullable=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("end_ms", sa.BigInteger()),
        sa.Column("skips", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("replaced_ms", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_editions"),
        sa.ForeignKeyConstraint(
            ["session_id"], ["recordings.session_id"], name="fk_editions_session_id_recordings", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_editions_session_id_created_ms", "editions", ["session_id", "created_ms"])
    op.create_table(
        "logins",
        sa.Column("secret_sha256", sa.LargeBinary(32), nullable=False),
        sa.Column("grant_id", sa.String(32)),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("secret_sha256", name="pk_logins"),
        sa.ForeignKeyConstraint(["grant_id"], ["grants.id"], name="fk_logins_grant_id_grants", ondelete="CASCADE"),
    )
    op.create_index("ix_logins_expires_ms", "logins", ["expires_ms"])
    op.create_index("ix_logins_grant_id", "logins", ["grant_id"])
    op.execute("INSERT INTO revisions (id, value) VALUES (1, 1)")
    # No table refers to grants yet (logins, still empty, aside), so that SQLite may make it anew.
    with op.batch_alter_table("grants") as batch:
        batch.add_column(sa.Column("event_id", sa.String(48)))
        batch.add_column(sa.Column("session_id", sa.String(48)))
        batch.create_foreign_key("fk_grants_event_id_events", "events", ["event_id"], ["id"], ondelete="CASCADE")
        batch.create_foreign_key(
            "fk_grants_session_id_sessions", "sessions", ["session_id"], ["id"], ondelete="CASCADE"
        )
        batch.create_index("ix_grants_event_id", ["event_id"])
        batch.create_index("ix_grants_session_id", ["session_id"])
