"""The tables. Changes go through a migration in ``migrations/versions``; a test compares the two.

Times are UTC milliseconds in integers: exact, ordered, and the same in SQLite and PostgreSQL.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, LargeBinary, MetaData, String, Table

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
)

rooms = Table(
    "rooms",
    metadata,
    Column("id", String(48), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("venue_id", String(48), ForeignKey("venues.id", ondelete="RESTRICT"), index=True),
    Column("start", String(16), nullable=False),
    Column("between", String(16), nullable=False),
)

grants = Table(
    "grants",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("secret_sha256", LargeBinary(32), nullable=False),
    Column("role", String(16), nullable=False),
    Column("room_id", String(48), ForeignKey("rooms.id", ondelete="CASCADE"), index=True),
    Column("venue_id", String(48), ForeignKey("venues.id", ondelete="CASCADE"), index=True),
    Column("label", String(200), nullable=False),
    Column("not_before_ms", BigInteger),
    Column("expires_ms", BigInteger),
    Column("created_ms", BigInteger, nullable=False),
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
"""WebRTC connections by the grant that opened them, so that a revocation finds them in any web process.

``grant_id`` is no foreign key: the row must outlive the grant until the connection is hung up.
"""
