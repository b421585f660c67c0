"""The tables of the audience: people, chat, questions, polls, moderation. The rules of ``tables.py`` hold here."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Table,
    UniqueConstraint,
)

from streamer.store.archive_tables import metadata as metadata
from streamer.store.text import String, UnboundedText

participants = Table(
    "participants",
    metadata,
    Column("id", String(48), primary_key=True),
    Column("name", UnboundedText, nullable=False),
    Column("place", UnboundedText, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("seen_ms", BigInteger, nullable=False),
    Index("ix_participants_seen_ms", "seen_ms"),
)
"""Participants who have said something. ``participant_id`` elsewhere is no foreign key: old items are deleted one by
one, and all of them when a participant asks for it."""

chat_messages = Table(
    "chat_messages",
    metadata,
    Column("id", String(48), primary_key=True),
    Column("room_id", String(48), ForeignKey("rooms.id", ondelete="CASCADE"), nullable=False),
    Column("scope", String(64), nullable=False),
    Column("session_id", String(48)),
    Column("participant_id", String(48), nullable=False),
    Column("name", UnboundedText, nullable=False),
    Column("role", String(16), nullable=False),
    Column("text", UnboundedText, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("media_at_ms", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", UnboundedText, nullable=False),
    Column("reply_to_id", String(48)),
    Column("until_ms", BigInteger),
    Index("ix_chat_messages_scope_at_ms", "scope", "at_ms"),
    Index("ix_chat_messages_session_id_media_at_ms", "session_id", "media_at_ms"),
    Index("ix_chat_messages_participant_id", "participant_id"),
    Index("ix_chat_messages_room_id", "room_id"),
    Index("ix_chat_messages_at_ms", "at_ms"),
)

questions = Table(
    "questions",
    metadata,
    Column("id", String(48), primary_key=True),
    Column("room_id", String(48), ForeignKey("rooms.id", ondelete="CASCADE"), nullable=False),
    Column("scope", String(64), nullable=False),
    Column("session_id", String(48)),
    Column("participant_id", String(48)),
    Column("name", UnboundedText, nullable=False),
    Column("role", String(16), nullable=False),
    Column("place", UnboundedText, nullable=False),
    Column("text", UnboundedText, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("media_at_ms", BigInteger, nullable=False),
    Column("anonymous", Boolean, nullable=False),
    Column("state", String(16), nullable=False),
    Column("original", UnboundedText),
    Column("reason", UnboundedText, nullable=False),
    Column("merged_into_id", String(48)),
    Column("staged_ms", BigInteger),
    Column("answered_ms", BigInteger),
    Column("withdrawn", Boolean, nullable=False),
    Index("ix_questions_scope_session_id", "scope", "session_id"),
    Index("ix_questions_session_id_media_at_ms", "session_id", "media_at_ms"),
    Index("ix_questions_participant_id", "participant_id"),
    Index("ix_questions_room_id", "room_id"),
    Index("ix_questions_at_ms_id", "at_ms", "id"),
)

question_votes = Table(
    "question_votes",
    metadata,
    Column("question_id", String(48), ForeignKey("questions.id", ondelete="CASCADE"), primary_key=True),
    Column("participant_id", String(48), primary_key=True),
    Index("ix_question_votes_participant_id", "participant_id"),
)

polls = Table(
    "polls",
    metadata,
    Column("id", String(48), primary_key=True),
    Column("room_id", String(48), ForeignKey("rooms.id", ondelete="CASCADE"), nullable=False),
    Column("scope", String(64), nullable=False),
    Column("session_id", String(48)),
    Column("kind", String(16), nullable=False),
    Column("question", UnboundedText, nullable=False),
    Column("options", UnboundedText, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("media_at_ms", BigInteger, nullable=False),
    Column("closed_ms", BigInteger),
    Column("results_at_end", Boolean, nullable=False),
    Column("removed", Boolean, nullable=False),
    Column("prepared", Boolean, nullable=False),
    Index("ix_polls_scope_at_ms", "scope", "at_ms"),
    Index("ix_polls_session_id_media_at_ms", "session_id", "media_at_ms"),
    Index("ix_polls_room_id", "room_id"),
    Index("ix_polls_at_ms_id", "at_ms", "id"),
)

poll_votes = Table(
    "poll_votes",
    metadata,
    Column("poll_id", String(48), ForeignKey("polls.id", ondelete="CASCADE"), primary_key=True),
    Column("participant_id", String(48), primary_key=True),
    Column("options", UnboundedText, nullable=False),
    Index("ix_poll_votes_participant_id", "participant_id"),
)

room_modes = Table(
    "room_modes",
    metadata,
    Column("scope", String(64), primary_key=True),
    Column("room_id", String(48), ForeignKey("rooms.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("chat", String(16), nullable=False),
    Column("slow_seconds", BigInteger, nullable=False),
    Column("questions", String(16), nullable=False),
    Column("anonymous", Boolean, nullable=False),
    Column("order", String(16), nullable=False),
    Column("hold_seconds", BigInteger, nullable=False),
    Column("shield", Boolean, nullable=False),
    Column("words", UnboundedText, nullable=False),
    Column("networks", UnboundedText, nullable=False),
    Column("word_lists", UnboundedText, nullable=False),
)
"""The rules of an audience. An audience without a row has the defaults."""

sanctions = Table(
    "sanctions",
    metadata,
    Column("scope", String(64), primary_key=True),
    Column("participant_id", String(48), primary_key=True),
    Column("room_id", String(48), ForeignKey("rooms.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("muted_until_ms", BigInteger, nullable=False),
    Column("banned", Boolean, nullable=False),
    Column("reason", UnboundedText, nullable=False),
    Column("name", UnboundedText, nullable=False),
    Column("since_ms", BigInteger, nullable=False),
)

address_holds = Table(
    "address_holds",
    metadata,
    Column("scope", String(64), primary_key=True),
    Column("prefix", String(64), primary_key=True),
    Column("room_id", String(48), ForeignKey("rooms.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("since_ms", BigInteger, nullable=False),
    Column("until_ms", BigInteger, nullable=False),
    Column("participant_id", String(48), nullable=False),
)

moderation_actions = Table(
    "moderation_actions",
    metadata,
    Column("id", String(48), primary_key=True),
    Column("room_id", String(48), ForeignKey("rooms.id", ondelete="CASCADE"), nullable=False),
    Column("scope", String(64), nullable=False),
    Column("session_id", String(48)),
    Column("at_ms", BigInteger, nullable=False),
    Column("who", String(48), nullable=False),
    Column("label", UnboundedText, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("target", UnboundedText, nullable=False),
    Column("participant_id", String(48)),
    Column("reason", UnboundedText, nullable=False),
    Column("changes", UnboundedText, nullable=False),
    Column("undone_ms", BigInteger),
    Column("undone_by", UnboundedText, nullable=False),
    Index("ix_moderation_actions_scope_at_ms", "scope", "at_ms"),
    Index("ix_moderation_actions_participant_id", "participant_id"),
    Index("ix_moderation_actions_room_id", "room_id"),
    Index("ix_moderation_actions_at_ms", "at_ms"),
)

reports = Table(
    "reports",
    metadata,
    Column("id", String(48), primary_key=True),
    Column("room_id", String(48), ForeignKey("rooms.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("scope", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("item_id", String(48), nullable=False),
    Column("participant_id", String(48), nullable=False),
    Column("reason", UnboundedText, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("resolved_ms", BigInteger),
    Index("ix_reports_scope_resolved_ms", "scope", "resolved_ms"),
    Index("ix_reports_participant_id", "participant_id"),
    Index("ix_reports_at_ms", "at_ms"),
)

crew_lines = Table(
    "crew_lines",
    metadata,
    Column("id", String(48), primary_key=True),
    Column("room_id", String(48), ForeignKey("rooms.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("scope", String(64), nullable=False),
    Column("to", String(16), nullable=False),
    Column("who", String(48), nullable=False),
    Column("label", UnboundedText, nullable=False),
    Column("text", UnboundedText, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("removed", Boolean, nullable=False),
    Index("ix_crew_lines_scope_at_ms", "scope", "at_ms"),
    Index("ix_crew_lines_at_ms", "at_ms"),
)

notices = Table(
    "notices",
    metadata,
    Column("id", String(48), primary_key=True),
    Column("room_id", String(48), ForeignKey("rooms.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("scope", String(64), nullable=False),
    Column("text", UnboundedText, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("until_ms", BigInteger),
    Column("removed", Boolean, nullable=False),
    Index("ix_notices_scope_at_ms", "scope", "at_ms"),
    Index("ix_notices_at_ms", "at_ms"),
)

watch_minutes = Table(
    "watch_minutes",
    metadata,
    Column("session_id", String(48), primary_key=True),
    Column("minute_ms", BigInteger, primary_key=True),
    Column("viewers", BigInteger, nullable=False),
)
"""The number of viewers of a session in each minute, without names."""

hall_codes = Table(
    "hall_codes",
    metadata,
    Column("code", String(12), primary_key=True),
    Column("room_id", String(48), ForeignKey("rooms.id", ondelete="CASCADE"), nullable=False),
    Column("place", String(40), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    UniqueConstraint("room_id", "place"),
)

command_answers = Table(
    "command_answers",
    metadata,
    Column("caller", String(64), primary_key=True),
    Column("id", String(128), primary_key=True),
    Column("part", String(64), primary_key=True),
    Column("fingerprint", String(32), nullable=False),
    Column("answer", UnboundedText, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""First answers to commands. No index by time: it would cost each message more than the deletion of old ones costs."""
