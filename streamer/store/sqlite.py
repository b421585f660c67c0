"""SQLite's driver, with one visit to a connection's thread for each statement.

SQLAlchemy's adapter goes there four times: for a cursor, to execute, to fetch, to close. A visit costs more than most
statements cost SQLite. Here the statement is executed, read and closed in one visit, a transaction that only reads
begins in the visit of its first statement, and one that did nothing ends without a visit.

``tests/unit/store/test_sqlite.py`` counts visits: it fails with a version of SQLAlchemy or aiosqlite that has no longer
the private names that this relies on.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, MutableSet
from functools import partial
from typing import Any

import aiosqlite
from sqlalchemy.dialects.sqlite.aiosqlite import (
    AsyncAdapt_aiosqlite_connection,
    AsyncAdapt_aiosqlite_cursor,
    AsyncAdapt_aiosqlite_dbapi,
)

Run = Callable[[sqlite3.Connection], sqlite3.Cursor]
END_S = 2.0


class _Cursor(AsyncAdapt_aiosqlite_cursor):
    """One statement. The driver's cursor is made with it, and closed when all rows are here."""

    __slots__ = ()
    _awaitable_cursor_close = False
    _adapt_connection: SqliteConnection

    def _make_new_cursor(self, connection: Any) -> Any:
        return None

    def _aenter_cursor(self, cursor: Any) -> Any:
        return cursor

    async def _execute_async(self, operation: Any, parameters: Any) -> None:
        await self._run(lambda connection: connection.execute(operation, parameters or ()))

    async def _executemany_async(self, operation: Any, seq_of_parameters: Any) -> None:
        await self._run(lambda connection: connection.executemany(operation, seq_of_parameters))

    async def _run(self, statement: Run) -> None:
        async with self._adapt_connection._execute_mutex:
            self._cursor, self._rows = await self._adapt_connection.visit(statement)

    def close(self) -> None:
        self._rows.clear()


class SqliteConnection(AsyncAdapt_aiosqlite_connection):
    __slots__ = ("_begins", "_used")
    _cursor_cls = _Cursor

    def __init__(self, dbapi: Any, connection: Any) -> None:
        super().__init__(dbapi, connection)
        self._begins = False
        self._used = False
        """Whether a statement was sent since the last transaction ended. A cancelled one still runs to its end."""

    def begin(self) -> None:
        """Begin a transaction with the next statement: the moment that it sees is that of its first read anyway."""
        self._begins = True

    async def visit(self, statement: Run) -> tuple[Any, deque[Any]]:
        """The closed cursor and all rows of one statement."""
        begins, self._begins, self._used = self._begins, False, True

        def work(connection: sqlite3.Connection) -> tuple[Any, deque[Any]]:
            if begins:
                connection.execute("BEGIN")
            cursor = statement(connection)
            rows = deque(cursor.fetchall() if cursor.description else ())
            cursor.close()
            return cursor, rows

        found: tuple[Any, deque[Any]] = await self._connection._execute(work, self._connection._conn)
        return found

    def commit(self) -> None:
        if self._used:
            super().commit()
        self._begins = self._used = False

    def rollback(self) -> None:
        if self._used:
            super().rollback()
        self._begins = self._used = False


class _Driver(AsyncAdapt_aiosqlite_dbapi):
    def __init__(self, threads: MutableSet[threading.Thread]) -> None:
        super().__init__(aiosqlite, sqlite3)
        self._threads = threads

    def connect(self, *arg: Any, **kw: Any) -> SqliteConnection:
        made = super().connect(*arg, async_creator_fn=partial(_open, self._threads), **kw)
        return SqliteConnection(self, made._connection)


async def _open(threads: MutableSet[threading.Thread], *arg: Any, **kw: Any) -> aiosqlite.Connection:
    """aiosqlite forgets, and does not close, what its thread opens for somebody who waits no longer."""
    connection = aiosqlite.connect(*arg, **kw)
    # A thread that a disk holds does not keep the process.
    connection._thread.daemon = True
    threads.add(connection._thread)
    opening = asyncio.ensure_future(_opened(connection))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close)
        raise


async def _opened(connection: aiosqlite.Connection) -> aiosqlite.Connection:
    return await connection


def _close(opening: asyncio.Future[aiosqlite.Connection]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().stop()


def driver(threads: MutableSet[threading.Thread]) -> AsyncAdapt_aiosqlite_dbapi:
    """For ``create_async_engine(url, module=driver(threads))``. ``threads``: takes the threads of its connections."""
    return _Driver(threads)


async def ended(threads: MutableSet[threading.Thread]) -> None:
    """Wait until the threads have ended, those of cancelled statements too: each wants the loop to take its result. A
    thread that a disk holds is given up after :data:`END_S`."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(END_S):
            while any(thread.is_alive() for thread in threads):  # noqa: ASYNC110 - a thread ends without an event
                await asyncio.sleep(0.001)
