"""Ways to reach the crew, what is sent by them, duty lists, alarms as people were told of them, keys of messages."""

import sqlalchemy as sa
from alembic import op

from streamer.store.text import String, UnboundedText

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "hooks",
        sa.Column("id", String(48), nullable=False),
        sa.Column("grant_id", String(32)),
        sa.Column("kind", String(16), nullable=False),
        sa.Column("label", String(200), nullable=False),
        sa.Column("address", UnboundedText, nullable=False),
        sa.Column("secret", UnboundedText, nullable=False),
        sa.Column("language", String(8), nullable=False),
        sa.Column("always", sa.Boolean, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("sent_ms", sa.BigInteger),
        sa.Column("failed_ms", sa.BigInteger),
        sa.Column("error", UnboundedText, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_hooks"),
        sa.ForeignKeyConstraint(["grant_id"], ["grants.id"], name="fk_hooks_grant_id_grants", ondelete="CASCADE"),
    )
    op.create_index("ix_hooks_grant_id", "hooks", ["grant_id"])
    op.create_table(
        "hook_messages",
        sa.Column("id", String(48), nullable=False),
        sa.Column("hook_id", String(48), nullable=False),
        sa.Column("kind", String(16), nullable=False),
        sa.Column("alarm", String(200), nullable=False),
        sa.Column("facts", UnboundedText, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("due_ms", sa.BigInteger),
        sa.Column("attempts", sa.BigInteger, nullable=False),
        sa.Column("sent_ms", sa.BigInteger),
        sa.Column("error", UnboundedText, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_hook_messages"),
        sa.ForeignKeyConstraint(["hook_id"], ["hooks.id"], name="fk_hook_messages_hook_id_hooks", ondelete="CASCADE"),
    )
    op.create_index("ix_hook_messages_hook_id_created_ms", "hook_messages", ["hook_id", "created_ms"])
    op.create_index("ix_hook_messages_due_ms", "hook_messages", ["due_ms"])
    op.create_index("ix_hook_messages_created_ms", "hook_messages", ["created_ms"])
    op.create_table(
        "shifts",
        sa.Column("id", String(48), nullable=False),
        sa.Column("venue_id", String(48)),
        sa.Column("grant_id", String(32)),
        sa.Column("label", String(200), nullable=False),
        sa.Column("since_ms", sa.BigInteger, nullable=False),
        sa.Column("until_ms", sa.BigInteger, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("accepted_ms", sa.BigInteger),
        sa.Column("follows", String(48)),
        sa.Column("anybody", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_shifts"),
        sa.ForeignKeyConstraint(["venue_id"], ["venues.id"], name="fk_shifts_venue_id_venues", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["grant_id"], ["grants.id"], name="fk_shifts_grant_id_grants", ondelete="CASCADE"),
    )
    op.create_index("ix_shifts_venue_id", "shifts", ["venue_id"])
    op.create_index("ix_shifts_grant_id", "shifts", ["grant_id"])
    op.create_index("ix_shifts_until_ms", "shifts", ["until_ms"])
    op.create_table(
        "rings",
        sa.Column("alarm", String(200), nullable=False),
        sa.Column("room_id", String(48), nullable=False),
        sa.Column("began_ms", sa.BigInteger, nullable=False),
        sa.Column("ended_ms", sa.BigInteger),
        sa.Column("due_ms", sa.BigInteger),
        sa.Column("rung", UnboundedText, nullable=False),
        sa.Column("told", UnboundedText, nullable=False),
        sa.Column("held", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("alarm", name="pk_rings"),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name="fk_rings_room_id_rooms", ondelete="CASCADE"),
    )
    op.create_index("ix_rings_room_id", "rings", ["room_id"])
    op.create_table(
        "alarm_keys",
        sa.Column("secret_sha256", sa.LargeBinary(32), nullable=False),
        sa.Column("grant_id", String(32)),
        sa.Column("purpose", String(8), nullable=False),
        sa.Column("alarm", String(200), nullable=False),
        sa.Column("room_id", String(48), nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("expires_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("secret_sha256", name="pk_alarm_keys"),
        sa.ForeignKeyConstraint(["grant_id"], ["grants.id"], name="fk_alarm_keys_grant_id_grants", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name="fk_alarm_keys_room_id_rooms", ondelete="CASCADE"),
    )
    op.create_index("ix_alarm_keys_grant_id", "alarm_keys", ["grant_id"])
    op.create_index("ix_alarm_keys_room_id", "alarm_keys", ["room_id"])
    op.create_index("ix_alarm_keys_expires_ms", "alarm_keys", ["expires_ms"])
