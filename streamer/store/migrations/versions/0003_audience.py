"""The audience: participants, chat, questions, polls, modes, moderation, watched minutes."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "participants",
        sa.Column("id", sa.String(48), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("seen_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_participants"),
    )
    op.create_index("ix_participants_seen_ms", "participants", ["seen_ms"])
    op.create_table(
        "chat_messages",
        sa.Column("id", sa.String(48), nullable=False),
        sa.Column("room_id", sa.String(48), nullable=False),
        sa.Column("scope", sa.String(64), nullable=False),
        sa.Column("session_id", sa.String(48)),
        sa.Column("participant_id", sa.String(48), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("media_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("reply_to_id", sa.String(48)),
        sa.Column("until_ms", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_chat_messages"),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name="fk_chat_messages_room_id_rooms", ondelete="CASCADE"),
    )
    op.create_index("ix_chat_messages_at_ms", "chat_messages", ["at_ms"])
    op.create_index("ix_chat_messages_participant_id", "chat_messages", ["participant_id"])
    op.create_index("ix_chat_messages_room_id", "chat_messages", ["room_id"])
    op.create_index("ix_chat_messages_scope_at_ms", "chat_messages", ["scope", "at_ms"])
    op.create_index("ix_chat_messages_session_id_media_at_ms", "chat_messages", ["session_id", "media_at_ms"])
    op.create_table(
        "questions",
        sa.Column("id", sa.String(48), nullable=False),
        sa.Column("room_id", sa.String(48), nullable=False),
        sa.Column("scope", sa.String(64), nullable=False),
        sa.Column("session_id", sa.String(48)),
        sa.Column("participant_id", sa.String(48)),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("media_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("anonymous", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("original", sa.Text()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("merged_into_id", sa.String(48)),
        sa.Column("staged_ms", sa.BigInteger()),
        sa.Column("answered_ms", sa.BigInteger()),
        sa.Column("withdrawn", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_questions"),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name="fk_questions_room_id_rooms", ondelete="CASCADE"),
    )
    op.create_index("ix_questions_at_ms_id", "questions", ["at_ms", "id"])
    op.create_index("ix_questions_participant_id", "questions", ["participant_id"])
    op.create_index("ix_questions_room_id", "questions", ["room_id"])
    op.create_index("ix_questions_scope_session_id", "questions", ["scope", "session_id"])
    op.create_index("ix_questions_session_id_media_at_ms", "questions", ["session_id", "media_at_ms"])
    op.create_table(
        "question_votes",
        sa.Column("question_id", sa.String(48), nullable=False),
        sa.Column("participant_id", sa.String(48), nullable=False),
        sa.PrimaryKeyConstraint("question_id", "participant_id", name="pk_question_votes"),
        sa.ForeignKeyConstraint(
            ["question_id"], ["questions.id"], name="fk_question_votes_question_id_questions", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_question_votes_participant_id", "question_votes", ["participant_id"])
    op.create_table(
        "polls",
        sa.Column("id", sa.String(48), nullable=False),
        sa.Column("room_id", sa.String(48), nullable=False),
        sa.Column("scope", sa.String(64), nullable=False),
        sa.Column("session_id", sa.String(48)),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("options", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("media_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("closed_ms", sa.BigInteger()),
        sa.Column("results_at_end", sa.Boolean(), nullable=False),
        sa.Column("removed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_polls"),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name="fk_polls_room_id_rooms", ondelete="CASCADE"),
    )
    op.create_index("ix_polls_at_ms_id", "polls", ["at_ms", "id"])
    op.create_index("ix_polls_room_id", "polls", ["room_id"])
    op.create_index("ix_polls_scope_at_ms", "polls", ["scope", "at_ms"])
    op.create_index("ix_polls_session_id_media_at_ms", "polls", ["session_id", "media_at_ms"])
    op.create_table(
        "poll_votes",
        sa.Column("poll_id", sa.String(48), nullable=False),
        sa.Column("participant_id", sa.String(48), nullable=False),
        sa.Column("options", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("poll_id", "participant_id", name="pk_poll_votes"),
        sa.ForeignKeyConstraint(["poll_id"], ["polls.id"], name="fk_poll_votes_poll_id_polls", ondelete="CASCADE"),
    )
    op.create_index("ix_poll_votes_participant_id", "poll_votes", ["participant_id"])
    op.create_table(
        "room_modes",
        sa.Column("scope", sa.String(64), nullable=False),
        sa.Column("room_id", sa.String(48), nullable=False),
        sa.Column("chat", sa.String(16), nullable=False),
        sa.Column("slow_seconds", sa.BigInteger(), nullable=False),
        sa.Column("questions", sa.String(16), nullable=False),
        sa.Column("anonymous", sa.Boolean(), nullable=False),
        sa.Column("order", sa.String(16), nullable=False),
        sa.Column("hold_seconds", sa.BigInteger(), nullable=False),
        sa.Column("shield", sa.Boolean(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("networks", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("scope", name="pk_room_modes"),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name="fk_room_modes_room_id_rooms", ondelete="CASCADE"),
    )
    op.create_index("ix_room_modes_room_id", "room_modes", ["room_id"])
    op.create_table(
        "sanctions",
        sa.Column("scope", sa.String(64), nullable=False),
        sa.Column("participant_id", sa.String(48), nullable=False),
        sa.Column("room_id", sa.String(48), nullable=False),
        sa.Column("muted_until_ms", sa.BigInteger(), nullable=False),
        sa.Column("banned", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "participant_id", name="pk_sanctions"),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name="fk_sanctions_room_id_rooms", ondelete="CASCADE"),
    )
    op.create_index("ix_sanctions_room_id", "sanctions", ["room_id"])
    op.create_table(
        "address_holds",
        sa.Column("scope", sa.String(64), nullable=False),
        sa.Column("prefix", sa.String(64), nullable=False),
        sa.Column("room_id", sa.String(48), nullable=False),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.Column("participant_id", sa.String(48), nullable=False),
        sa.PrimaryKeyConstraint("scope", "prefix", name="pk_address_holds"),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name="fk_address_holds_room_id_rooms", ondelete="CASCADE"),
    )
    op.create_index("ix_address_holds_room_id", "address_holds", ["room_id"])
    op.create_table(
        "moderation_actions",
        sa.Column("id", sa.String(48), nullable=False),
        sa.Column("room_id", sa.String(48), nullable=False),
        sa.Column("scope", sa.String(64), nullable=False),
        sa.Column("session_id", sa.String(48)),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.String(48), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("participant_id", sa.String(48)),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("changes", sa.Text(), nullable=False),
        sa.Column("undone_ms", sa.BigInteger()),
        sa.Column("undone_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_moderation_actions"),
        sa.ForeignKeyConstraint(
            ["room_id"], ["rooms.id"], name="fk_moderation_actions_room_id_rooms", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_moderation_actions_at_ms", "moderation_actions", ["at_ms"])
    op.create_index("ix_moderation_actions_participant_id", "moderation_actions", ["participant_id"])
    op.create_index("ix_moderation_actions_room_id", "moderation_actions", ["room_id"])
    op.create_index("ix_moderation_actions_scope_at_ms", "moderation_actions", ["scope", "at_ms"])
    op.create_table(
        "reports",
        sa.Column("id", sa.String(48), nullable=False),
        sa.Column("room_id", sa.String(48), nullable=False),
        sa.Column("scope", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("item_id", sa.String(48), nullable=False),
        sa.Column("participant_id", sa.String(48), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("resolved_ms", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_reports"),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name="fk_reports_room_id_rooms", ondelete="CASCADE"),
    )
    op.create_index("ix_reports_at_ms", "reports", ["at_ms"])
    op.create_index("ix_reports_participant_id", "reports", ["participant_id"])
    op.create_index("ix_reports_room_id", "reports", ["room_id"])
    op.create_index("ix_reports_scope_resolved_ms", "reports", ["scope", "resolved_ms"])
    op.create_table(
        "crew_lines",
        sa.Column("id", sa.String(48), nullable=False),
        sa.Column("room_id", sa.String(48), nullable=False),
        sa.Column("scope", sa.String(64), nullable=False),
        sa.Column("to", sa.String(16), nullable=False),
        sa.Column("who", sa.String(48), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("removed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_crew_lines"),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name="fk_crew_lines_room_id_rooms", ondelete="CASCADE"),
    )
    op.create_index("ix_crew_lines_at_ms", "crew_lines", ["at_ms"])
    op.create_index("ix_crew_lines_room_id", "crew_lines", ["room_id"])
    op.create_index("ix_crew_lines_scope_at_ms", "crew_lines", ["scope", "at_ms"])
    op.create_table(
        "notices",
        sa.Column("id", sa.String(48), nullable=False),
        sa.Column("room_id", sa.String(48), nullable=False),
        sa.Column("scope", sa.String(64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("until_ms", sa.BigInteger()),
        sa.Column("removed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_notices"),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name="fk_notices_room_id_rooms", ondelete="CASCADE"),
    )
    op.create_index("ix_notices_at_ms", "notices", ["at_ms"])
    op.create_index("ix_notices_room_id", "notices", ["room_id"])
    op.create_index("ix_notices_scope_at_ms", "notices", ["scope", "at_ms"])
    op.create_table(
        "watch_minutes",
        sa.Column("session_id", sa.String(48), nullable=False),
        sa.Column("minute_ms", sa.BigInteger(), nullable=False),
        sa.Column("viewers", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("session_id", "minute_ms", name="pk_watch_minutes"),
    )
