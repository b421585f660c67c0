"""A program beside a database of another version: one sentence and exit code 1, or it works; nothing is harmed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from streamer.conference.rooms import Room
from streamer.control.server import wait_cancelled
from streamer.director.directorship import Directorship
from streamer.store.database import (
    Database,
    NotTheDirector,
    database_url,
    head,
    revisions,
    upgrade,
)
from streamer.store.directors import DirectorHolder
from streamer.store.rooms import Rooms
from tests.fakes.command import streamer
from tests.fakes.ports import free_port

NEWER = "9999"
Grant = Callable[[], Awaitable[tuple[int, str]]]


def former() -> str:
    """The revision before the last."""
    return revisions()[-2]


async def serve(data: Path, url: str) -> tuple[int, str]:
    """The command as a process. Exit code and output."""
    environment = {**os.environ, "STREAMER_STORE__URL": url, "STREAMER_LOG__FORMAT": "json"}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "streamer.cli", "serve", "--port", str(free_port()), "--data", str(data)),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


@pytest.fixture
def grant(monkeypatch: pytest.MonkeyPatch, store_url: str, tmp_path: Path) -> Grant:
    """``streamer grant``. Exit code and output."""
    monkeypatch.setenv("STREAMER_STORE__URL", store_url)
    # A folder that is not there is refused.
    (tmp_path / "d" / "run").mkdir(parents=True)

    async def run() -> tuple[int, str]:
        done = await asyncio.to_thread(streamer, "grant", "--role", "admin", "--data", str(tmp_path / "d"))
        return done.returncode, done.stdout + done.stderr

    return run


@contextlib.asynccontextmanager
async def engine_of(url: str, tmp_path: Path) -> AsyncEngine:  # type: ignore[misc]
    engine = create_async_engine(database_url(url, tmp_path))
    try:
        yield engine  # type: ignore[misc]
    finally:
        await engine.dispose()


async def test_an_old_program_refuses_a_newer_database_in_one_sentence(
    store_url: str, grant: Grant, tmp_path: Path
) -> None:
    database = Database(database_url(store_url, tmp_path))
    await database.start()
    async with database.write() as connection:
        await Rooms(connection).add(Room("a", "A"))
        await connection.execute(text(f"UPDATE alembic_version SET version_num = '{NEWER}'"))
    sentence = f"The database is of a newer Streamer (it has revision {NEWER}, this program knows up to {head()})"
    for code, said in await asyncio.gather(grant(), serve(tmp_path / "d", store_url)):
        assert code == 1, said
        assert sentence in said
        assert "Traceback" not in said
    async with database.read() as connection:
        assert (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar_one() == NEWER
        assert [room.id for room in await Rooms(connection).all()] == ["a"]
        assert (await connection.execute(text("SELECT count(*) FROM grants"))).scalar_one() == 0
    await database.close()


async def test_a_running_program_steps_down_from_a_database_that_a_newer_one_has_changed(
    store_url: str, tmp_path: Path
) -> None:
    database = Database(database_url(store_url, tmp_path))
    await database.start()
    directorship = Directorship(database, DirectorHolder(holder="x", host="x", pid=1), absent_s=20)
    await directorship.take()
    async with database.write() as connection:
        await Rooms(connection).add(Room("a", "A"))
    async with database.write(guarded=False) as connection:
        await connection.execute(text(f"UPDATE alembic_version SET version_num = '{NEWER}'"))
    with pytest.raises(NotTheDirector):
        async with database.write() as connection:
            await Rooms(connection).add(Room("b", "B"))
    assert directorship.lost is not None
    with pytest.raises(NotTheDirector):
        await directorship.order_epoch()
    async with database.read() as connection:
        assert [room.id for room in await Rooms(connection).all()] == ["a"]
    await database.close()


async def test_a_new_program_brings_an_old_database_up_to_date_once_nobody_directs_it(
    store_url: str, grant: Grant, tmp_path: Path
) -> None:
    url = database_url(store_url, tmp_path)
    if url.database and url.get_backend_name() == "sqlite":
        Path(url.database).parent.mkdir(exist_ok=True)
    async with engine_of(store_url, tmp_path) as engine:
        async with engine.begin() as connection:
            await connection.run_sync(upgrade, former())
            await connection.execute(text("UPDATE directors SET holder = 'old', epoch = 4"))

        async def signs() -> None:
            while True:
                async with engine.begin() as connection:
                    await connection.execute(text("UPDATE directors SET sign = sign + 1"))
                await asyncio.sleep(0.2)

        living = asyncio.create_task(signs())
        try:
            code, said = await grant()
            assert code == 1, said
            assert "An older Streamer directs this database" in said
            assert "Traceback" not in said
        finally:
            await wait_cancelled(living)
        async with engine.begin() as connection:
            found = (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar_one()
            assert found == former(), "the tables of a running program were changed"
            await connection.execute(text("UPDATE directors SET holder = ''"))
    code, said = await grant()
    assert code == 0, said
    database = Database(database_url(store_url, tmp_path))
    await database.start()
    async with database.read() as connection:
        assert (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar_one() == head()
        assert (await connection.execute(text("SELECT epoch FROM directors"))).scalar_one() == 4
    await database.close()
