"""The table of the archive's objects in a bucket. The rules of ``tables.py`` hold here."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Table

from streamer.store.tables import metadata as metadata
from streamer.store.text import String, UnboundedText

bucket_objects = Table(
    "bucket_objects",
    metadata,
    Column("key", String(400), primary_key=True),
    Column("address", UnboundedText, nullable=False),
    Column("file", String(200), nullable=False),
    Column("state", String(16), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("changed_ns", BigInteger, nullable=False),
    Column("digest", String(64), nullable=False),
)
