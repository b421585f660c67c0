"""The visits of a statement to the thread of its connection; and what a visit leaves when nobody waits for it any more.

The counts hold the private names of SQLAlchemy and aiosqlite that ``streamer/store/sqlite.py`` relies on: a version
without one of them visits more often, or fails.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import IntegrityError, OperationalError

from streamer.store.database import Database
from streamer.store.sqlite import SqliteConnection
from streamer.store.tables import venues
from tests.fakes.stores import sqlite_store

ROWS = [{"id": f"v{number}", "name": "V", "timezone": "UTC", "language": "", "logos": "[]"} for number in range(3)]


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = sqlite_store(tmp_path)
    await database.start()
    yield database
    await database.close()


@pytest.fixture
async def visits(database: Database, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One name for each visit."""
    async with database.read() as connection:
        # The connection is there, and what follows does not open one.
        await connection.execute(text("SELECT 1"))
    found: list[str] = []
    execute = aiosqlite.Connection._execute

    async def counted(self: aiosqlite.Connection, function: Any, *arguments: Any) -> Any:
        found.append(function.__name__)
        return await execute(self, function, *arguments)

    monkeypatch.setattr(aiosqlite.Connection, "_execute", counted)
    return found


async def test_a_statement_is_one_visit_and_a_readers_transaction_begins_with_it(
    database: Database, visits: list[str]
) -> None:
    async with database.read() as connection:
        assert visits == []
        found = await connection.execute(text("SELECT 1 AS a, 2 AS b UNION SELECT 3, 4"))
        assert list(found.keys()) == ["a", "b"]
        assert found.all() == [(1, 2), (3, 4)]
        assert (await connection.execute(text("SELECT 5"))).scalar_one() == 5
        assert visits == ["work", "work"]
    assert visits == ["work", "work", "commit"]


async def test_a_transaction_that_did_nothing_is_no_visit(database: Database, visits: list[str]) -> None:
    async with database.read():
        pass
    assert visits == []


async def test_a_writer_has_the_lock_before_its_first_statement(database: Database, visits: list[str]) -> None:
    async with database.write() as connection:
        assert visits == ["work"]
        assert (await connection.execute(insert(venues).values(ROWS[0]))).rowcount == 1
        await connection.execute(insert(venues), ROWS[1:])
        assert (await connection.execute(text("DELETE FROM venues"))).rowcount == 3
    assert visits == ["work"] * 4 + ["commit"]


async def test_what_fails_is_rolled_back_and_the_connection_is_as_before(database: Database, visits: list[str]) -> None:
    with pytest.raises(IntegrityError):
        async with database.write() as connection:
            await connection.execute(insert(venues), [ROWS[0], ROWS[0]])
    assert visits[-1] == "rollback"
    with pytest.raises(OperationalError):
        async with database._engine.begin() as connection:  # type: ignore[union-attr]
            await connection.execute(text("SELECT no_such_column"))
    async with database.write() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM venues"))).scalar_one() == 0
        await connection.execute(insert(venues), ROWS)


async def test_a_cancelled_statement_holds_no_lock(database: Database) -> None:
    began = asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow() -> int:
        loop.call_soon_threadsafe(began.set)
        time.sleep(0.1)
        return 1

    async def write() -> None:
        async with database.write() as connection:
            raw = await connection.get_raw_connection()
            assert isinstance(raw.dbapi_connection, SqliteConnection)
            await raw.driver_connection.create_function("slow", 0, slow)  # type: ignore[union-attr]
            await connection.execute(insert(venues).values(ROWS[0]))
            await connection.execute(text("SELECT slow()"))

    writing = asyncio.create_task(write())
    await began.wait()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    async with database.write() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM venues"))).scalar_one() == 0
    with closing(sqlite3.connect(database.url.database or "")) as beside:
        beside.execute("BEGIN IMMEDIATE")


async def _cancelled_read(database: Database, began: threading.Event) -> None:
    """Cancel somebody who reads while the connection is being opened."""

    async def reads() -> None:
        async with database.read() as connection:
            await connection.execute(text("SELECT 1"))

    reading = asyncio.create_task(reads())
    assert await asyncio.to_thread(began.wait, 10)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading


async def test_a_connection_that_nobody_waits_for_any_more_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, goes_on, closed = threading.Event(), threading.Event(), threading.Event()

    class Noticed(sqlite3.Connection):
        def close(self) -> None:
            super().close()
            closed.set()

    def slow(*arguments: Any, **options: Any) -> sqlite3.Connection:
        began.set()
        assert goes_on.wait(10)
        return connect(*arguments, **options, factory=Noticed)

    database, connect = sqlite_store(tmp_path), sqlite3.connect
    await database.start()
    async with database.read() as held:
        await held.execute(text("SELECT 1"))
        monkeypatch.setattr(sqlite3, "connect", slow)
        await _cancelled_read(database, began)
        goes_on.set()
        assert await asyncio.to_thread(closed.wait, 10)
    await database.close()


async def test_closing_waits_for_threads_whose_statement_was_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread that comes back to a loop that is closed has nobody to give its result to."""
    began = threading.Event()

    def slow(*arguments: Any, **options: Any) -> sqlite3.Connection:
        began.set()
        time.sleep(0.1)
        return connect(*arguments, **options)

    database, connect = sqlite_store(tmp_path), sqlite3.connect
    before = set(threading.enumerate())
    await database.start()
    async with database.read() as held:
        await held.execute(text("SELECT 1"))
        monkeypatch.setattr(sqlite3, "connect", slow)
        await _cancelled_read(database, began)
    await database.close()
    assert [one for one in set(threading.enumerate()) - before if "connection_worker" in one.name] == []
