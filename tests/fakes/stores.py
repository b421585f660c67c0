"""Fixtures: a store with each database, PostgreSQL where it is installed. A conftest imports them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from streamer.store.database import Database, database_url
from tests.fakes.postgres import Postgres, binaries, running_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    folder = binaries()
    if folder is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    with running_postgres(folder) as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The setting ``store.url`` of a new, empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'data' / 'streamer.sqlite3'}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    url = server.new_database()
    yield url
    server.drop(url)


@pytest_asyncio.fixture
async def store(store_url: str, tmp_path: Path) -> AsyncIterator[Database]:
    """Open, with all tables, and empty."""
    database = Database(database_url(store_url, tmp_path))
    await database.start()
    yield database
    await database.close()
