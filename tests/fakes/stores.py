"""Databases with all tables, made by copying one that was migrated: the migrations take longer than most tests.

Fixtures: a store with each database, PostgreSQL where it is installed. A conftest imports them.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Callable, Iterator
from functools import cache
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory

import pytest
import pytest_asyncio
from sqlalchemy import URL, create_engine, insert

from streamer.audience.identity import SECRET_NAME
from streamer.store.audience_tables import metadata
from streamer.store.database import Database, database_url, upgrade
from streamer.store.logins import SESSION_KEYS
from streamer.store.tables import secrets
from tests.checks import SHARED
from tests.fakes.postgres import Postgres, binaries, running_postgres

_SEEDED = ("revisions", "directors", "secrets")
"""Tables that the migrations put rows into."""
_REMEMBER = "CREATE SCHEMA first; " + "".join(f"CREATE TABLE first.{name} AS TABLE {name}; " for name in _SEEDED)
_RESET = " ".join(
    (
        "SET lock_timeout = '5s';",
        *(f'DELETE FROM "{table.name}";' for table in reversed(metadata.sorted_tables)),
        *(f"INSERT INTO {name} TABLE first.{name};" for name in _SEEDED),
    )
)


@cache
def migrated() -> bytes:
    """An SQLite file with all tables, empty. The workers of ``make test`` make one together."""
    folder = os.environ.get(SHARED)
    if folder is None:
        return _migrated()
    file = Path(folder) / "tables.sqlite3"
    with (Path(folder) / "tables.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.exists():
            file.write_bytes(_migrated())
        return file.read_bytes()


def _migrated() -> bytes:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "streamer.sqlite3"
        engine = create_engine(f"sqlite:///{file}")
        with engine.connect() as connection:
            # This, and the secrets below, each program would write at its first start.
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        with engine.begin() as connection:
            upgrade(connection)
            kept = [{"name": name, "value": token_hex(32)} for name in (SESSION_KEYS, SECRET_NAME)]
            connection.execute(insert(secrets), kept)
        engine.dispose()
        return file.read_bytes()


def with_tables(folder: Path) -> None:
    """Give a data folder a database with all tables, where it has none."""
    file = folder / "streamer.sqlite3"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.touch(0o600)
        file.write_bytes(migrated())


def sqlite_store(folder: Path, kind: Callable[[URL], Database] = Database) -> Database:
    """The database of a data folder, to be started. A new one has all tables."""
    with_tables(folder)
    return kind(database_url("", folder))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    folder = binaries()
    if folder is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    with running_postgres(folder) as running:
        yield running


@pytest.fixture(scope="session")
def postgres_with_tables(postgres: Postgres) -> str:
    """The URL of a database with all tables, which each test leaves as it was."""
    url = postgres.new_database()

    async def migrate() -> None:
        database = Database(database_url(url, Path()))
        await database.start()
        await database.close()

    asyncio.run(migrate())
    postgres.execute(url, _REMEMBER)
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The setting ``store.url`` of a new database: empty, but with all tables for a test that wants ``store``."""
    has_tables = "store" in request.fixturenames
    if request.param == "sqlite":
        if has_tables:
            (tmp_path / "data").mkdir()
            (tmp_path / "data" / "streamer.sqlite3").write_bytes(migrated())
        yield f"sqlite:///{tmp_path / 'data' / 'streamer.sqlite3'}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    if has_tables:
        # A fifth of the time that a copy of a template takes, and a tenth of TRUNCATE's.
        url = request.getfixturevalue("postgres_with_tables")
        yield url
        server.execute(url, _RESET)
        return
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
