"""A store to test with: each test of it runs once with each database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from streamer.store.database import Database, database_url


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    """The setting ``store.url`` of a new, empty database."""
    return f"sqlite:///{tmp_path / 'data' / 'streamer.sqlite3'}"


@pytest_asyncio.fixture
async def store(store_url: str, tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(database_url(store_url, tmp_path))
    await database.start()
    yield database
    await database.close()
