"""The database: engine, transactions and migrations.

SQLite in the data folder by default: WAL, ``synchronous=FULL`` (a mark that was answered must survive a power
cut), foreign keys on. PostgreSQL by URL. All methods belong to one asyncio loop.

With either there is one writer at a time, and a reader sees one moment: what a transaction has read and checked
still holds when it is committed.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import event, text
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from streamer.errors import StreamerError

MIGRATIONS = Path(__file__).with_name("migrations")
_MIGRATION_LOCK_S = 60.0
_COMMAND_LIMIT_S = 60.0
_CONNECT_LIMIT_S = 10.0
_POSTGRES_LOCK_ID = 0x5374726D
"""Any constant: the advisory lock under which one process at a time migrates."""
_POSTGRES_WRITER_ID = 0x53747277
"""Another: the lock that a transaction holds which may write, as SQLite has it by itself."""


class StoreUnavailable(StreamerError):
    code, status = "store_unavailable", 503


def database_url(url: str, data: Path) -> URL:
    """The URL to use: the setting's with an async driver filled in, or SQLite in the data folder."""
    if not url:
        return URL.create("sqlite+aiosqlite", database=str((data / "streamer.sqlite3").absolute()))
    parsed = make_url(url)
    drivers = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}
    return parsed.set(drivername=drivers.get(parsed.drivername, parsed.drivername))


class Database:
    """Hands out transactions. ``start`` first; ``close`` last."""

    def __init__(self, url: URL, *, busy_limit_s: float = 5.0) -> None:
        """``busy_limit_s``: how long to wait for another writer before StoreUnavailable."""
        self.url = url
        self._busy_limit_ms = round(busy_limit_s * 1000)
        self._engine: AsyncEngine | None = None
        self._reader: AsyncEngine | None = None
        self._writer: AsyncEngine | None = None

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    async def start(self) -> None:
        """Bring the schema up to date (safe when several processes start) and open the pool.

        Raises StoreUnavailable when the database cannot be reached or is newer than this program.
        """
        try:
            if self.is_sqlite:
                await asyncio.to_thread(self._prepare_file)
            self._engine = self._make_engine()
            # SQLite: a transaction that reads and then writes cannot wait for another writer, it fails at
            # once. One that is going to write takes the write lock first.
            self._writer = self._engine.execution_options(streamer_write=True)
            self._reader = (
                self._engine if self.is_sqlite else self._engine.execution_options(isolation_level="REPEATABLE READ")
            )
            await self._migrate()
        except StreamerError:
            await self.close()
            raise
        except Exception as error:
            await self.close()
            raise StoreUnavailable(f"The database cannot be used: {error}") from error

    async def close(self) -> None:
        engine, self._engine, self._reader, self._writer = self._engine, None, None, None
        if engine is not None:
            await engine.dispose()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that only reads. Raises StoreUnavailable."""
        async with self._transaction(self._reader) as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that may write; committed at the end, rolled back on an exception.

        Raises StoreUnavailable when the database cannot be reached or another writer does not end.
        """
        async with self._transaction(self._writer) as connection:
            yield connection

    @asynccontextmanager
    async def _transaction(self, engine: AsyncEngine | None) -> AsyncIterator[AsyncConnection]:
        if engine is None:
            raise StoreUnavailable("The database is not open.")
        try:
            async with AsyncExitStack() as stack:
                try:
                    connection = await stack.enter_async_context(engine.begin())
                except (SQLAlchemyError, OSError) as error:
                    raise StoreUnavailable("The database is busy or cannot be reached.") from error
                yield connection
        except DBAPIError as error:
            # The disk is full, the server went away: nothing of the transaction holds.
            if isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated:
                raise StoreUnavailable("The database broke the transaction off.") from error
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

    def _prepare_file(self) -> None:
        if self.url.database and self.url.database != ":memory:":
            path = Path(self.url.database)
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Tokens' digests and people's names are in it: nobody else's business, whatever the umask is.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
                with suppress(FileNotFoundError, PermissionError):
                    file = path.with_name(name)
                    if file.stat().st_mode & 0o077:
                        file.chmod(0o600)

    def _make_engine(self) -> AsyncEngine:
        """Errors do not say the values: they are logged, and hold what people wrote."""
        if self.is_sqlite:
            engine = create_async_engine(self.url, hide_parameters=True)
            event.listen(engine.sync_engine, "connect", self._sqlite_connect)
            event.listen(engine.sync_engine, "begin", _sqlite_begin)
            return engine
        limits = {"timeout": _CONNECT_LIMIT_S, "command_timeout": _COMMAND_LIMIT_S}
        engine = create_async_engine(self.url, pool_pre_ping=True, connect_args=limits, hide_parameters=True)
        event.listen(engine.sync_engine, "begin", self._postgres_begin)
        return engine

    def _sqlite_connect(self, dbapi_connection: Any, _record: Any) -> None:
        # The driver would otherwise begin transactions by rules of its own and leave DDL outside them.
        dbapi_connection.isolation_level = None
        with _cursor(dbapi_connection) as cursor:
            cursor.execute(f"PRAGMA busy_timeout = {self._busy_limit_ms}")
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.execute("PRAGMA synchronous = FULL")
            cursor.execute("PRAGMA foreign_keys = ON")

    def _postgres_begin(self, connection: Connection) -> None:
        if connection.get_execution_options().get("streamer_write", False):
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {self._busy_limit_ms}")
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
    """Run the migrations that are missing up to ``revision``, in the caller's transaction."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _sqlite_begin(connection: Connection) -> None:
    write = connection.get_execution_options().get("streamer_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


@contextmanager
def _cursor(dbapi_connection: Any) -> Iterator[Any]:
    cursor = dbapi_connection.cursor()
    try:
        yield cursor
    finally:
        cursor.close()
