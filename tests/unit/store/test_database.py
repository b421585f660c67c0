"""The store: migrations, durability settings, transactions."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from streamer.conference.grants import Grant, Role, new_token
from streamer.conference.rooms import Room, Venue
from streamer.errors import Conflict
from streamer.store.database import Database, StoreUnavailable, database_url
from streamer.store.grants import Connections, Grants, OpenConnection
from streamer.store.rooms import Rooms
from streamer.store.tables import metadata
from streamer.store.venues import Venues


async def test_processes_that_start_together_migrate_once(tmp_path: Path) -> None:
    databases = [Database(database_url("", tmp_path / "data")) for _ in range(4)]
    await asyncio.gather(*(database.start() for database in databases))
    async with databases[0].write() as connection:
        await Rooms(connection).add(Room("a", "A"))
    async with databases[3].read() as connection:
        assert await Rooms(connection).get("a") == Room("a", "A")
    for database in databases:
        await database.close()
    again = Database(database_url("", tmp_path / "data"))
    await again.start()
    async with again.read() as connection:
        assert await Rooms(connection).find("a") is not None
    await again.close()


async def test_the_migrations_make_the_tables_of_the_model(tmp_path: Path) -> None:
    database = Database(database_url("", tmp_path))
    await database.start()
    async with database.read() as connection:
        found = await connection.run_sync(
            lambda sync: compare_metadata(MigrationContext.configure(sync, opts={"compare_type": True}), metadata)
        )
    await database.close()
    assert found == []


async def test_what_is_committed_survives_a_power_cut_and_is_for_us_alone(tmp_path: Path) -> None:
    database = Database(database_url("", tmp_path / "data"))
    await database.start()
    async with database.read() as connection:
        for pragma, value in (("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)):
            assert (await connection.execute(text(f"PRAGMA {pragma}"))).scalar() == value
    file = tmp_path / "data" / "streamer.sqlite3"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    await database.close()


async def test_writers_wait_for_each_other_instead_of_failing(tmp_path: Path) -> None:
    first, second = (Database(database_url("", tmp_path)) for _ in range(2))
    await first.start()
    await second.start()

    async def rename(database: Database, number: int) -> None:
        async with database.write() as connection:
            rooms = Rooms(connection)
            room = await rooms.find(f"r{number}")
            await asyncio.sleep(0)
            if room is None:
                await rooms.add(Room(f"r{number}", "x"))

    await asyncio.gather(*(rename(database, number) for number in range(10) for database in (first, second)))
    async with first.read() as connection:
        assert len((await Rooms(connection).page(100, None)).items) == 10
    await first.close()
    await second.close()


async def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    database = Database(database_url("", tmp_path))
    await database.start()

    async def half() -> None:
        async with database.write() as connection:
            await Venues(connection).add(Venue("v", "V"))
            await Venues(connection).add(Venue("v", "again"))

    with pytest.raises(Conflict):
        await half()
    async with database.read() as connection:
        assert (await Venues(connection).page(10, None)).items == []
    await database.close()


async def test_a_database_that_cannot_be_used_is_said_in_words(tmp_path: Path) -> None:
    broken = tmp_path / "streamer.sqlite3"
    broken.write_bytes(b"this is no database" * 100)
    with pytest.raises(StoreUnavailable, match="cannot be used"):
        await Database(database_url("", tmp_path)).start()
    with pytest.raises(StoreUnavailable):
        await Database(database_url("", tmp_path)).ping()


async def test_a_source_has_one_publication_on_record(tmp_path: Path) -> None:
    database = Database(database_url("", tmp_path))
    await database.start()
    token = new_token()
    async with database.write() as connection:
        await Rooms(connection).add(Room("a", "A"))
        await Grants(connection).add(Grant(token.grant_id, Role.TECHNICIAN, "a"), token.secret_sha256)
        connections = Connections(connection)
        for number in range(3):
            await connections.add(OpenConnection(f"p{number}", token.grant_id, "a", "publish", "main", number))
        await connections.add(OpenConnection("w", token.grant_id, "a", "play", "main", 3))
        assert {item.resource for item in await connections.of_grant(token.grant_id)} == {"p2", "w"}
        day_later = 3 + 25 * 3600 * 1000
        await connections.add(OpenConnection("w2", token.grant_id, "a", "play", "main", day_later))
        assert {item.resource for item in await connections.of_grant(token.grant_id)} == {"p2", "w2"}
    await database.close()
