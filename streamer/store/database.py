"""The database: engine, transactions and migrations.

SQLite in the data folder by default: WAL, ``synchronous=FULL`` (a mark that was answered must survive a power cut),
foreign keys on. PostgreSQL by URL. All methods belong to one asyncio loop.

Both have one writer at a time, and a reader sees one moment: facts that a transaction has read and checked still hold
when it is committed. ``Database.guard`` checks in each of a web process's write transactions whether the process still
directs. Commands beside a running instance (``import``, ``grant``) have no guard, because they direct nothing.
"""

from __future__ import annotations

import asyncio
import fcntl
import functools
import os
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from weakref import WeakSet

from sqlalchemy import event, insert, inspect, select, text
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from streamer.errors import StreamerError
from streamer.store.sqlite import SqliteConnection, driver, ended
from streamer.store.tables import FIRST_ADMIN, directors, secrets

MIGRATIONS = Path(__file__).with_name("migrations")
_MIGRATION_LOCK_S = 60.0
_COMMAND_LIMIT_S = 60.0
_CONNECT_LIMIT_S = 10.0
_SIGN_LIMIT_S, _SIGN_POLL_S = 6.0, 0.25
"""A director's sign is watched for this long; a living director would have changed it by then."""
_IDLE_LIMIT_S = 15
"""A writer that stopped inside a transaction blocks the others no longer than this; then PostgreSQL rolls it back."""
_PASSING = ("08", "40", "53", "55P03", "57", "58")
"""SQLSTATE: the connection, a rollback for others' sake, no room, a lock that others hold, an operator, the system
(PostgreSQL, appendix A)."""
_POSTGRES_LOCK_ID = 0x5374726D
"""An arbitrary constant: the advisory lock under which one process at a time migrates."""
_POSTGRES_WRITER_ID = 0x53747277
"""Another one: the lock of a transaction that may write, as SQLite has it by itself."""


class StoreUnavailable(StreamerError):
    code, status = "store_unavailable", 503


class NotTheDirector(StoreUnavailable):
    """Another web process directs, so this one writes and orders nothing."""

    code = "not_the_director"


Guard = Callable[[AsyncConnection], Awaitable[None]]
"""Raises NotTheDirector."""


def database_url(url: str, data: Path) -> URL:
    """The URL to use: the setting's with an async driver, or SQLite in the data folder."""
    if not url:
        return URL.create("sqlite+aiosqlite", database=str((data / "streamer.sqlite3").absolute()))
    parsed = make_url(url)
    drivers = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}
    return parsed.set(drivername=drivers.get(parsed.drivername, parsed.drivername))


class Database:
    """Hands out transactions. ``start`` it first; ``close`` it last."""

    def __init__(self, url: URL, *, busy_limit_s: float = 5.0) -> None:
        """``busy_limit_s``: the wait for another writer before StoreUnavailable."""
        self.url = url
        self._busy_limit_ms = round(busy_limit_s * 1000)
        self._engine: AsyncEngine | None = None
        self._threads: WeakSet[threading.Thread] = WeakSet()
        self._reader: AsyncEngine | None = None
        self._writer: AsyncEngine | None = None
        self._aside: AsyncEngine | None = None
        """A separate pool for the director's row. If many requests take all other connections, the database must not
        look absent and the sign must still be written."""
        self.guard: Guard | None = None
        """Called first in every write transaction; None: this process writes beside the director."""
        self._away = False
        self._in_flight: set[asyncio.Timeout] = set()

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    async def start(self) -> None:
        """Bring the schema up to date (safe when several processes start) and open the pool.

        Raises StoreUnavailable if the database cannot be reached, is newer than this program, or is older and directed
        by another process.
        """
        await self.open()
        async with self._usable():
            async with self.read() as connection:
                if not await connection.run_sync(pending):
                    return
            if await self._is_directed_by_an_older():
                raise StoreUnavailable(
                    "An older Streamer directs this database. End it before this one brings the tables up to date."
                )
        await self.migrate()

    async def open(self) -> None:
        """Open the pool only, for a process that must not change the schema yet. Raises StoreUnavailable."""
        async with self._usable():
            if self.is_sqlite:
                await asyncio.to_thread(self._prepare_file)
            self._engine = self._make_engine()
            self._aside = self._make_engine(pool_size=1)
            # A SQLite transaction that reads and then writes cannot wait for another writer: it fails at once. So a
            # transaction that will write takes the write lock first.
            self._writer = self._engine.execution_options(streamer_write=True)
            self._reader = (
                self._engine if self.is_sqlite else self._engine.execution_options(isolation_level="REPEATABLE READ")
            )

    async def has_directors(self) -> bool:
        """Whether the schema is known, and new enough to be directed. Raises StoreUnavailable."""
        async with self._usable(), self.read() as connection:
            return await connection.run_sync(lambda sync: bool(pending(sync) is not None and _has_directors(sync)))

    async def _is_directed_by_an_older(self) -> bool:
        """Whether tables are missing and a holder's sign changes."""
        async with self.read() as connection:
            older = await connection.run_sync(lambda sync: pending(sync) and _has_directors(sync))
        if not older:
            return False
        before = await self._held_sign()
        deadline = asyncio.get_running_loop().time() + _SIGN_LIMIT_S
        while before is not None and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(_SIGN_POLL_S)
            if await self._held_sign() not in (before, None):
                return True
        return False

    async def _held_sign(self) -> int | None:
        """None: no process directs."""
        async with self.read() as connection:
            row = (await connection.execute(select(directors.c.holder, directors.c.sign))).one()
            return row.sign if row.holder else None

    async def migrate(self) -> None:
        """Bring the schema up to date. Raises StoreUnavailable."""
        async with self._usable():
            await self._migrate()

    @asynccontextmanager
    async def _usable(self) -> AsyncIterator[None]:
        try:
            yield
        except StreamerError as error:
            await self.close()
            if isinstance(error.__cause__, SQLAlchemyError | OSError):
                raise StoreUnavailable(f"The database cannot be used: {error.__cause__}") from error
            raise
        except ImportError as error:
            await self.close()
            text = f"{error.name} is not installed, which the database needs: pipx inject streamer {error.name}"
            raise StoreUnavailable(text) from error
        except Exception as error:
            await self.close()
            raise StoreUnavailable(f"The database cannot be used: {error}") from error

    async def close(self) -> None:
        engines = (self._engine, self._aside)
        self._engine = self._reader = self._writer = self._aside = None
        for engine in engines:
            if engine is not None:
                await engine.dispose()
        await ended(self._threads)

    @asynccontextmanager
    async def read(self, *, probe: bool = False) -> AsyncIterator[AsyncConnection]:
        """A transaction that only reads. ``probe``: also while the database is away. Raises StoreUnavailable."""
        async with self._transaction(self._aside if probe else self._reader, probe=probe) as connection:
            yield connection

    @asynccontextmanager
    async def write(self, *, guarded: bool = True) -> AsyncIterator[AsyncConnection]:
        """A transaction that may write; committed at the end, rolled back on an exception.

        ``guarded=False``: without the guard, for taking over the direction. Raises StoreUnavailable if the database
        cannot be reached or another writer does not end, NotTheDirector.
        """
        async with self._transaction(self._writer) as connection:
            if guarded and self.guard is not None:
                await self.guard(connection)
            yield connection

    @asynccontextmanager
    async def write_aside(self) -> AsyncIterator[AsyncConnection]:
        """For one statement that no other transaction depends on: it does not wait for other writers."""
        engine = self._aside
        if engine is not None:
            engine = engine.execution_options(streamer_write=self.is_sqlite, streamer_aside=True)
        async with self._transaction(engine) as connection:
            yield connection

    def note_away(self) -> None:
        """A probe had no answer in time: waiting calls fail now, and new ones at once, until the next probe."""
        self._away = True
        now = asyncio.get_running_loop().time()
        for limit in self._in_flight:
            limit.reschedule(now)
        self._in_flight.clear()

    def note_back(self) -> None:
        self._away = False

    @asynccontextmanager
    async def _transaction(self, engine: AsyncEngine | None, *, probe: bool = False) -> AsyncIterator[AsyncConnection]:
        if engine is None:
            raise StoreUnavailable("The database is not open.")
        if self._away and not probe:
            raise StoreUnavailable("The database does not answer.")
        limit = asyncio.timeout(None)
        try:
            async with limit, AsyncExitStack() as stack:
                if not probe:
                    self._in_flight.add(limit)
                    stack.callback(self._in_flight.discard, limit)
                try:
                    connection = await stack.enter_async_context(engine.begin())
                except (SQLAlchemyError, OSError) as error:
                    raise StoreUnavailable("The database is busy or cannot be reached.") from error
                yield connection
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise StoreUnavailable("The database does not answer.") from error
        except DBAPIError as error:
            # The disk is full, another holds the row, the server went away: no part of the transaction holds.
            if isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated or _may_pass(error):
                raise StoreUnavailable("The database ended the transaction.") from error
            raise

    async def ping(self, timeout_s: float = 2.0) -> None:
        """Raises StoreUnavailable when the database does not answer in time."""
        try:
            async with asyncio.timeout(timeout_s), self.read() as connection:
                await connection.execute(text("SELECT 1"))
        except StreamerError:
            raise
        except Exception as error:
            raise StoreUnavailable("The database does not answer.") from error

    async def clock_ahead_s(self) -> float:
        """By how much its server's clock is ahead of this machine's, seconds, to half the time of an answer. Raises
        StoreUnavailable."""
        async with self._usable(), self.read() as connection:
            asked_s = time.time()
            # now() is the transaction's beginning.
            told = await connection.execute(text("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS float)"))
            return float(told.scalar_one()) - (asked_s + time.time()) / 2

    def _prepare_file(self) -> None:
        if self.url.database and self.url.database != ":memory:":
            path = Path(self.url.database)
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # The file holds tokens' digests and people's names, so it is closed to others whatever the umask is.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            self._use_wal(path)
            for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
                with suppress(FileNotFoundError, PermissionError):
                    file = path.with_name(name)
                    if file.stat().st_mode & 0o077:
                        file.chmod(0o600)

    def _use_wal(self, path: Path) -> None:
        """The mode is stored in the file. The change needs the file alone and does not wait for others that open it."""
        deadline = time.monotonic() + self._busy_limit_ms / 1000
        while True:
            try:
                with closing(sqlite3.connect(path)) as connection:
                    connection.execute("PRAGMA journal_mode = WAL")
                    return
            except sqlite3.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def _make_engine(self, **pool: int) -> AsyncEngine:
        """Errors do not contain the values: they are logged, and the values are people's words."""
        if self.is_sqlite:
            engine = create_async_engine(self.url, module=driver(self._threads), hide_parameters=True, **pool)
            event.listen(engine.sync_engine, "connect", self._sqlite_connect)
            event.listen(engine.sync_engine, "begin", _sqlite_begin)
            return engine
        limits = {"timeout": _CONNECT_LIMIT_S, "command_timeout": _COMMAND_LIMIT_S}
        engine = create_async_engine(self.url, pool_pre_ping=True, connect_args=limits, hide_parameters=True, **pool)
        event.listen(engine.sync_engine, "begin", self._postgres_begin)
        return engine

    def _sqlite_connect(self, dbapi_connection: Any, _record: Any) -> None:
        # Otherwise the driver would begin transactions by rules of its own and leave DDL outside of them.
        dbapi_connection.isolation_level = None
        with _cursor(dbapi_connection) as cursor:
            cursor.execute(f"PRAGMA busy_timeout = {self._busy_limit_ms}")
            cursor.execute("PRAGMA synchronous = FULL")
            cursor.execute("PRAGMA foreign_keys = ON")

    def _postgres_begin(self, connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get("streamer_write", False) or options.get("streamer_aside", False):
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {self._busy_limit_ms}")
            connection.exec_driver_sql(f"SET LOCAL idle_in_transaction_session_timeout = '{_IDLE_LIMIT_S}s'")
        if options.get("streamer_write", False):
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_POSTGRES_WRITER_ID})")

    async def _migrate(self) -> None:
        assert self._engine is not None
        async with asyncio.timeout(_MIGRATION_LOCK_S):
            if not self.is_sqlite:
                async with self._engine.begin() as connection:
                    await connection.execute(text("SELECT pg_advisory_xact_lock(:id)"), {"id": _POSTGRES_LOCK_ID})
                    await connection.run_sync(upgrade)
                return
            assert self._writer is not None
            lock = Path(f"{self.url.database}.migrate")
            fd = await asyncio.to_thread(os.open, lock, os.O_CREAT | os.O_RDWR, 0o600)
            try:
                while True:
                    try:
                        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        break
                    except BlockingIOError:
                        await asyncio.sleep(0.05)
                async with self._writer.begin() as connection:
                    await connection.run_sync(upgrade)
            finally:
                os.close(fd)


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Run the missing migrations up to ``revision``, in the caller's transaction.

    Raises StoreUnavailable if the database belongs to a newer program.
    """
    if not pending(connection):
        return
    is_new = not inspect(connection).has_table("alembic_version")
    # Only here: a web process that starts again in the middle of a talk has no fifth of a second to spare for it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
    if is_new and revision == "head":
        connection.execute(insert(secrets).values(name=FIRST_ADMIN, value="open"))


def head() -> str:
    """The schema revision of this program."""
    return revisions()[-1]


@functools.cache
def revisions() -> tuple[str, ...]:
    """All that this program knows, the oldest first: one follows the other, and the file's name begins with it."""
    return tuple(sorted(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("*_*.py")))


def pending(connection: Connection) -> bool:
    """Whether migrations are missing. Raises StoreUnavailable where the database is of a newer program."""
    found: str | None = None
    if inspect(connection).has_table("alembic_version"):
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    if found is not None and found not in revisions():
        raise StoreUnavailable(
            f"The database is of a newer Streamer (it has revision {found}, this program knows up to "
            f"{head()}). Start that program, or restore a backup of before the update."
        )
    return found != head()


def _has_directors(connection: Connection) -> bool:
    return inspect(connection).has_table(directors.name)


def _may_pass(error: DBAPIError) -> bool:
    """Whether PostgreSQL refused because of its state, not of the statement. Its driver's errors have no class of
    their own for that."""
    return str(getattr(error.orig, "sqlstate", None) or "").startswith(_PASSING)


def _sqlite_begin(connection: Connection) -> None:
    if connection.get_execution_options().get("streamer_write", False):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        begun = connection.connection.dbapi_connection
        assert isinstance(begun, SqliteConnection)
        begun.begin()


@contextmanager
def _cursor(dbapi_connection: Any) -> Iterator[Any]:
    cursor = dbapi_connection.cursor()
    try:
        yield cursor
    finally:
        cursor.close()
