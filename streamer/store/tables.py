"""The tables. Changes go through a migration in ``migrations/versions``; a test compares the two.

Times are UTC milliseconds in integers: exact, ordered, and the same in SQLite and PostgreSQL. Lists and objects are
JSON in text: no query looks into them. A column ``{word}_id`` names a row of another table; if it is no foreign key,
the row must outlive the row that it names.

More are in ``archive_tables.py`` and ``audience_tables.py``; ``metadata`` has them all if it is imported from the
latter.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
)

from streamer.store.text import String, UnboundedText

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

venues = Table(
    "venues",
    metadata,
    Column("id", String(48), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("timezone", String(64), nullable=False),
    Column("language", String(8), nullable=False),
    Column("logos", UnboundedText, nullable=False),
    Column("colour", UnboundedText, nullable=False, server_default=""),
    Column("typeface", String(16), nullable=False, server_default=""),
    Column("logo", UnboundedText, nullable=False, server_default=""),
    Column("cover", UnboundedText, nullable=False, server_default=""),
)

rooms = Table(
    "rooms",
    metadata,
    Column("id", String(48), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("venue_id", String(48), ForeignKey("venues.id", ondelete="RESTRICT"), index=True),
    Column("start", String(16), nullable=False),
    Column("between", String(16), nullable=False),
    Column("aliases", UnboundedText, nullable=False),
    Column("guid", UnboundedText, nullable=False),
    Column("retention_days", BigInteger),
    Column("caption_languages", UnboundedText, nullable=False),
    Column("levelling", Boolean, nullable=False),
)

room_states = Table(
    "room_states",
    metadata,
    Column("room_id", String(48), ForeignKey("rooms.id", ondelete="CASCADE"), primary_key=True),
    Column("hold_since_ms", BigInteger),
    Column("hold_message", UnboundedText),
    Column("hold_until_ms", BigInteger),
    Column("slate", Boolean, nullable=False),
    Column("source", String(32)),
    Column("gain_db", Float, nullable=False),
    Column("media_up_since_ms", BigInteger),
    Column("media_stopped_ms", BigInteger),
    Column("sources", UnboundedText, nullable=False),
)
"""The part of a room's state that no session has. A room without a row has the defaults."""

alarm_acknowledgements = Table(
    "alarm_acknowledgements",
    metadata,
    Column("room_id", String(48), ForeignKey("rooms.id", ondelete="CASCADE"), primary_key=True),
    Column("alarm", String(200), primary_key=True),
    Column("who", String(32), nullable=False),
    Column("label", UnboundedText, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)

alarm_memories = Table(
    "alarm_memories",
    metadata,
    Column("room_id", String(48), ForeignKey("rooms.id", ondelete="CASCADE"), primary_key=True),
    Column("memory", UnboundedText, nullable=False),
)
"""A room's memory of its alarms as JSON: those that were silenced, are normal, or may come back."""

rehearsals = Table(
    "rehearsals",
    metadata,
    Column("room_id", String(48), ForeignKey("rooms.id", ondelete="CASCADE"), primary_key=True),
    Column("source", String(32), nullable=False),
    Column("publication", String(64), nullable=False),
    Column("devices", UnboundedText, nullable=False),
    Column("heard", UnboundedText, nullable=False),
    Column("seen", UnboundedText, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)
"""The findings in a room's source, as JSON: they hold until it or its device changes."""

events = Table(
    "events",
    metadata,
    Column("id", String(48), primary_key=True),
    Column("name", UnboundedText, nullable=False),
    Column("venue_id", String(48), ForeignKey("venues.id", ondelete="RESTRICT"), index=True),
    Column("start_ms", BigInteger),
    Column("end_ms", BigInteger),
    Column("language", UnboundedText, nullable=False),
    Column("url", UnboundedText, nullable=False),
    Column("acronym", UnboundedText, nullable=False),
    Column("logos", UnboundedText, nullable=False),
    Column("source_url", UnboundedText, nullable=False),
    Column("colour", UnboundedText, nullable=False),
    Column("typeface", String(16), nullable=False, server_default=""),
    Column("logo", UnboundedText, nullable=False, server_default=""),
    Column("cover", UnboundedText, nullable=False, server_default=""),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", String(48), primary_key=True),
    # Null: the venue's, without a room.
    Column("room_id", String(48), ForeignKey("rooms.id", ondelete="RESTRICT")),
    Column("event_id", String(48), ForeignKey("events.id", ondelete="RESTRICT"), index=True),
    Column("title", UnboundedText, nullable=False),
    Column("start_ms", BigInteger, nullable=False),
    Column("end_ms", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("subtitle", UnboundedText, nullable=False),
    Column("abstract", UnboundedText, nullable=False),
    Column("speakers", UnboundedText, nullable=False),
    Column("portraits", UnboundedText, nullable=False, server_default="[]"),
    Column("language", UnboundedText, nullable=False),
    Column("tags", UnboundedText, nullable=False),
    Column("track", UnboundedText, nullable=False),
    Column("url", UnboundedText, nullable=False),
    Column("capacity", BigInteger),
    Column("visibility", String(16), nullable=False),
    Column("do_not_record", String(16), nullable=False),
    Column("do_not_stream", String(16), nullable=False),
    Column("replay", String(16), nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("delay_ms", BigInteger, nullable=False),
    Column("shortened_ms", BigInteger, nullable=False),
    Column("started_ms", BigInteger),
    Column("ended_ms", BigInteger),
    Column("extended_until_ms", BigInteger),
    Column("changed_ms", BigInteger),
    Column("ad_hoc", Boolean, nullable=False),
    Column("record_answer", Boolean),
    Column("stream_answer", Boolean),
    Column("generation", BigInteger, nullable=False, server_default="1"),
    # From versions that kept one key for each closed session; nothing reads it.
    Column("key", String(64), nullable=False, default=""),
    Column("guid", UnboundedText, nullable=False),
    Column("external_id", UnboundedText, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("venue_id", String(48), ForeignKey("venues.id", ondelete="RESTRICT"), index=True),
    Column("chat", String(16)),
    Column("questions", String(16)),
    # Ids of rooms, in JSON: the few sessions that have some are found by their text.
    Column("also_in", UnboundedText, nullable=False, server_default="[]"),
    Index("ix_sessions_room_id_start_ms", "room_id", "start_ms"),
    Index("ix_sessions_start_ms_id", "start_ms", "id"),
)

session_templates = Table(
    "session_templates",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("venue_id", String(48), ForeignKey("venues.id", ondelete="CASCADE"), index=True),
    Column("kind", String(16), nullable=False),
    Column("visibility", String(16)),
    Column("do_not_record", String(16)),
    Column("do_not_stream", String(16)),
    Column("replay", String(16)),
    Column("minutes", BigInteger),
    Column("chat", String(16)),
    Column("questions", String(16)),
)

marks = Table(
    "marks",
    metadata,
    Column("id", String(48), primary_key=True),
    Column("session_id", String(48), ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("until_ms", BigInteger),
    Column("label", UnboundedText, nullable=False),
    Column("hidden", Boolean, nullable=False),
    Index("ix_marks_session_id_at_ms", "session_id", "at_ms"),
)

actions = Table(
    "actions",
    metadata,
    Column("id", String(48), primary_key=True),
    Column("room_id", String(48), ForeignKey("rooms.id", ondelete="CASCADE"), nullable=False),
    Column("session_id", String(48)),
    Column("at_ms", BigInteger, nullable=False),
    Column("who", String(32), nullable=False),
    Column("label", UnboundedText, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("before", UnboundedText, nullable=False),
    Column("after", UnboundedText, nullable=False),
    Column("undone_ms", BigInteger),
    Index("ix_actions_room_id_at_ms", "room_id", "at_ms"),
    Index("ix_actions_at_ms", "at_ms"),
)

recordings = Table(
    "recordings",
    metadata,
    Column("session_id", String(48), ForeignKey("sessions.id", ondelete="RESTRICT"), primary_key=True),
    Column("room_id", String(48), ForeignKey("rooms.id", ondelete="RESTRICT"), nullable=False),
    Column("broadcast", UnboundedText, nullable=False),
    Column("folder", UnboundedText, nullable=False),
    Column("start_ms", BigInteger, nullable=False),
    Column("end_ms", BigInteger),
    Column("size_bytes", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("pinned", Boolean, nullable=False),
    Column("published", Boolean, nullable=False),
    Column("reviewed", Boolean, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Index("ix_recordings_room_id", "room_id"),
    Index("ix_recordings_start_ms_session_id", "start_ms", "session_id"),
)

editions = Table(
    "editions",
    metadata,
    Column("id", String(48), primary_key=True),
    Column("session_id", String(48), ForeignKey("recordings.session_id", ondelete="CASCADE"), nullable=False),
    Column("start_ms", BigInteger, nullable=False),
    Column("end_ms", BigInteger),
    Column("skips", UnboundedText, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("replaced_ms", BigInteger),
    Column("sound", String(32)),
    Column("loudness", Float),
    Index("ix_editions_session_id_created_ms", "session_id", "created_ms"),
)

approvals = Table(
    "approvals",
    metadata,
    Column("session_id", String(48), ForeignKey("recordings.session_id", ondelete="CASCADE"), primary_key=True),
    Column("grant_id", String(32), nullable=False),
    Column("label", String(200), nullable=False),
    Column("publish", Boolean, nullable=False),
    Column("asked_ms", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("edition_id", String(48), nullable=False),
    Column("note", UnboundedText, nullable=False),
    Column("answered_ms", BigInteger),
)
"""A speaker's approval of a replay's cut. ``grant_id`` is no foreign key: the answer outlives the link."""

captions = Table(
    "captions",
    metadata,
    Column("id", String(48), primary_key=True),
    Column("room_id", String(48), ForeignKey("rooms.id", ondelete="CASCADE"), nullable=False),
    Column("session_id", String(48)),
    Column("lang", String(35), nullable=False),
    Column("text", UnboundedText, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("live_from_ms", BigInteger, nullable=False),
    Column("live_until_ms", BigInteger, nullable=False),
    Column("live_text", UnboundedText),
    Column("created_ms", BigInteger, nullable=False),
    Column("grant_id", String(32), nullable=False),
    Index("ix_captions_room_id_lang_at_ms", "room_id", "lang", "at_ms"),
    Index("ix_captions_created_ms", "created_ms"),
)
"""The captions of a room. ``session_id`` and ``grant_id`` are no foreign keys: the text stays with the recording."""

grants = Table(
    "grants",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("secret_sha256", LargeBinary(32), nullable=False),
    Column("role", String(16), nullable=False),
    Column("room_id", String(48), ForeignKey("rooms.id", ondelete="CASCADE"), index=True),
    Column("venue_id", String(48), ForeignKey("venues.id", ondelete="CASCADE"), index=True),
    Column("event_id", String(48), ForeignKey("events.id", ondelete="CASCADE"), index=True),
    Column("session_id", String(48), ForeignKey("sessions.id", ondelete="CASCADE"), index=True),
    Column("label", String(200), nullable=False),
    Column("not_before_ms", BigInteger),
    Column("expires_ms", BigInteger),
    Column("created_ms", BigInteger, nullable=False),
    Column("made_by", String(32), index=True),
)

connections = Table(
    "connections",
    metadata,
    Column("resource", String(64), primary_key=True),
    Column("grant_id", String(32), nullable=False),
    Column("room_id", String(48), ForeignKey("rooms.id", ondelete="CASCADE"), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("source", String(32), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Index("ix_connections_grant_id", "grant_id"),
    Index("ix_connections_room_id_source", "room_id", "source"),
)
"""WebRTC connections with the grant that opened them, so that a revocation finds them in any web process.

``grant_id`` is no foreign key: the row must outlive the grant until the connection is closed.
"""

logins = Table(
    "logins",
    metadata,
    Column("secret_sha256", LargeBinary(32), primary_key=True),
    Column("grant_id", String(32), ForeignKey("grants.id", ondelete="CASCADE"), index=True),
    Column("created_ms", BigInteger, nullable=False),
    Column("last_seen_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("agent", UnboundedText, nullable=False),
    Index("ix_logins_expires_ms", "expires_ms"),
)
"""Login sessions. Without ``grant_id``: the admin's, by password. The deletion of a grant deletes its logins."""

secrets = Table(
    "secrets",
    metadata,
    Column("name", String(48), primary_key=True),
    Column("value", UnboundedText, nullable=False),
)
FIRST_ADMIN = "first_admin"
"""A secret of this name means that no admin has ever been made. A new database has it. Whatever makes an admin or sets
the admin's password takes it away, for good: a database of an older program has none."""

audit = Table(
    "audit",
    metadata,
    # SQLite counts up by itself only in an INTEGER PRIMARY KEY, and reuses numbers without AUTOINCREMENT.
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("who", String(48), nullable=False),
    Column("label", UnboundedText, nullable=False),
    Column("action", String(48), nullable=False),
    Column("target_kind", String(32), nullable=False),
    Column("target_id", UnboundedText, nullable=False),
    Column("room_id", String(48)),
    Column("venue_id", String(48)),
    Column("details", UnboundedText, nullable=False),
    Index("ix_audit_room_id_id", "room_id", "id"),
    Index("ix_audit_venue_id_id", "venue_id", "id"),
    Index("ix_audit_at_ms", "at_ms"),
    sqlite_autoincrement=True,
)

schedule_sources = Table(
    "schedule_sources",
    metadata,
    Column("event_id", String(48), ForeignKey("events.id", ondelete="CASCADE"), primary_key=True),
    Column("url", UnboundedText, nullable=False),
    Column("owner", String(32), nullable=False),
    Column("etag", UnboundedText, nullable=False),
    Column("last_modified", UnboundedText, nullable=False),
    Column("polled_ms", BigInteger),
    Column("error", UnboundedText, nullable=False),
    Column("applied_sha256", String(64), nullable=False),
)

import_previews = Table(
    "import_previews",
    metadata,
    Column("id", String(48), primary_key=True),
    Column("event_id", String(48), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("payload", UnboundedText, nullable=False),
    Index("ix_import_previews_expires_ms", "expires_ms"),
)
"""Imports that were shown and not applied yet. ``event_id`` is no foreign key: the event may be new."""

revisions = Table(
    "revisions",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("value", BigInteger, nullable=False),
)
"""One row, 1: grows with each change of data in the director's memory."""

directors = Table(
    "directors",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
    Column("holder", String(64), nullable=False),
    Column("sign", BigInteger, nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    Column("host", UnboundedText, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("folder", UnboundedText, nullable=False),
)
"""One row, 1: the web process that directs. ``holder`` is empty if none does."""

hooks = Table(
    "hooks",
    metadata,
    Column("id", String(48), primary_key=True),
    Column("grant_id", String(32), ForeignKey("grants.id", ondelete="CASCADE"), index=True),
    Column("kind", String(16), nullable=False),
    Column("label", String(200), nullable=False),
    Column("address", UnboundedText, nullable=False),
    Column("secret", UnboundedText, nullable=False),
    Column("language", String(8), nullable=False),
    Column("always", Boolean, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("sent_ms", BigInteger),
    Column("failed_ms", BigInteger),
    Column("error", UnboundedText, nullable=False),
)
"""Ways to reach somebody. Without ``grant_id``: the admin. They go with their grant."""

hook_messages = Table(
    "hook_messages",
    metadata,
    Column("id", String(48), primary_key=True),
    Column("hook_id", String(48), ForeignKey("hooks.id", ondelete="CASCADE"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("alarm", String(200), nullable=False),
    Column("facts", UnboundedText, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("due_ms", BigInteger),
    Column("attempts", BigInteger, nullable=False),
    Column("sent_ms", BigInteger),
    Column("error", UnboundedText, nullable=False),
    Index("ix_hook_messages_hook_id_created_ms", "hook_id", "created_ms"),
    Index("ix_hook_messages_due_ms", "due_ms"),
    Index("ix_hook_messages_created_ms", "created_ms"),
)
"""Messages that are sent by hooks, and were: the queue and the log. Without ``due_ms`` it is not tried any more."""

shifts = Table(
    "shifts",
    metadata,
    Column("id", String(48), primary_key=True),
    Column("venue_id", String(48), ForeignKey("venues.id", ondelete="CASCADE"), index=True),
    Column("grant_id", String(32), ForeignKey("grants.id", ondelete="CASCADE"), index=True),
    Column("label", String(200), nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    Column("until_ms", BigInteger, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("accepted_ms", BigInteger),
    Column("follows", String(48)),
    Column("anybody", Boolean, nullable=False),
    Index("ix_shifts_until_ms", "until_ms"),
)
"""The duty lists of venues. ``follows`` is no foreign key: a shift that was handed over may be deleted."""

rings = Table(
    "rings",
    metadata,
    Column("alarm", String(200), primary_key=True),
    Column("room_id", String(48), ForeignKey("rooms.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("began_ms", BigInteger, nullable=False),
    Column("ended_ms", BigInteger),
    Column("due_ms", BigInteger),
    Column("rung", UnboundedText, nullable=False),
    Column("told", UnboundedText, nullable=False),
    Column("held", Boolean, nullable=False),
)
"""Alarms as people were told of them, so that a restart tells nothing twice."""

alarm_keys = Table(
    "alarm_keys",
    metadata,
    Column("secret_sha256", LargeBinary(32), primary_key=True),
    Column("grant_id", String(32), ForeignKey("grants.id", ondelete="CASCADE"), index=True),
    Column("purpose", String(8), nullable=False),
    Column("alarm", String(200), nullable=False),
    Column("room_id", String(48), ForeignKey("rooms.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Index("ix_alarm_keys_expires_ms", "expires_ms"),
)
"""Keys in links of messages: for one person, one alarm, one purpose and some minutes."""
