"""The store: migrations, durability settings, transactions."""

from __future__ import annotations

import asyncio
import re
import stat
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import uvloop
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from streamer.cli.check import _database as database_of
from streamer.conference.grants import Grant, Role, new_token
from streamer.conference.rooms import Between, Room, StartRule, Venue
from streamer.errors import Conflict, Unprocessable
from streamer.settings import load_settings
from streamer.store import revision
from streamer.store.audience_tables import metadata
from streamer.store.database import MIGRATIONS, Database, StoreUnavailable, database_url, revisions, upgrade
from streamer.store.directors import DirectorHolder, Directors
from streamer.store.grants import Grants, OpenConnection, WebRtcConnections
from streamer.store.marks import Marks
from streamer.store.room_states import RoomStates
from streamer.store.rooms import Rooms
from streamer.store.sessions import Sessions
from streamer.store.venues import Venues
from tests.fakes.postgres import Postgres


def opened(url: str) -> Database:
    return Database(database_url(url, Path("/nowhere")), busy_limit_s=0.2)


async def test_a_database_with_all_tables_opens_while_somebody_writes(store_url: str) -> None:
    first, second = opened(store_url), opened(store_url)
    await first.start()
    async with first.write() as connection:
        await Rooms(connection).add(Room("a", "A"))
        await second.start()
    async with second.read() as connection:
        assert [room.id for room in await Rooms(connection).all()] == ["a"]
    await second.close()
    await first.close()


async def test_tests_of_web_processes_run_on_their_loop() -> None:
    # The fixture of tests/fakes/loops.py has its name from pytest-asyncio, which may call its own otherwise one day.
    assert isinstance(asyncio.get_running_loop(), uvloop.Loop)


def test_the_check_tells_whether_postgresql_answers_and_has_the_time_of_this_machine(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(url: str) -> tuple[str, str]:
        (one,) = database_of(load_settings(None, data=tmp_path, store={"url": url}))
        return one.level, one.text

    url, now = postgres.new_database(), time.time
    assert found(url)[0] == "ok"
    with monkeypatch.context() as later:
        later.setattr("streamer.store.database.time.time", lambda: now() + 30)
        level, text = found(url)
    assert level == "warn"
    assert re.search(r"its clock and this one are (29|3[0-2]) s apart", text)
    level, text = found(url.replace("postgres@", "nobody:secret@"))
    assert (level, "secret" in text) == ("bad", False)
    assert "nobody" in text
    assert list(database_of(load_settings(None, data=tmp_path, store={"url": "sqlite:///x.sqlite3"}))) == []


async def test_processes_that_start_together_migrate_once(store_url: str) -> None:
    databases = [opened(store_url) for _ in range(4)]
    await asyncio.gather(*(database.start() for database in databases))
    async with databases[0].write() as connection:
        await Rooms(connection).add(Room("a", "A"))
    async with databases[3].read() as connection:
        assert await Rooms(connection).get("a") == Room("a", "A")
    for database in databases:
        await database.close()
    again = opened(store_url)
    await again.start()
    async with again.read() as connection:
        assert await Rooms(connection).find("a") is not None
    await again.close()


async def test_the_migrations_make_the_tables_of_the_model(store: Database) -> None:
    async with store.read() as connection:
        found = await connection.run_sync(
            lambda sync: compare_metadata(MigrationContext.configure(sync, opts={"compare_type": True}), metadata)
        )
    assert found == []


def test_the_names_of_the_migrations_tell_their_order() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert list(revisions()) == [each.revision for each in ScriptDirectory.from_config(config).walk_revisions()][::-1]


async def test_what_the_first_version_stored_is_still_there_after_the_migrations(store_url: str) -> None:
    url = database_url(store_url, Path("/nowhere"))
    if url.database and url.get_backend_name() == "sqlite":
        Path(url.database).parent.mkdir()
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(upgrade, "0001")
        for statement in (
            "INSERT INTO venues (id, name, timezone, language) VALUES ('v', 'V', 'Europe/Paris', 'fr')",
            "INSERT INTO rooms (id, name, venue_id, start, \"between\") VALUES ('a', 'A', 'v', 'auto', 'open')",
            "INSERT INTO grants (id, secret_sha256, role, room_id, label, created_ms) "
            "VALUES ('g', '12345678901234567890123456789012', 'technician', 'a', 'Ada', 5)",
            "INSERT INTO connections (resource, grant_id, room_id, kind, source, created_ms) "
            "VALUES ('p', 'g', 'a', 'publish', 'main', 6)",
        ):
            await connection.execute(text(statement))
    await engine.dispose()
    database = opened(store_url)
    await database.start()
    async with database.write() as connection:
        assert await Venues(connection).get("v") == Venue("v", "V", language="fr")
        assert await Rooms(connection).get("a") == Room("a", "A", "v", StartRule.AUTO, Between.OPEN)
        assert await Grants(connection).get("g") == Grant("g", Role.TECHNICIAN, "a", label="Ada", created_ms=5)
        assert len(await WebRtcConnections(connection).of_grants(("g",))) == 1
        # The grant still goes with its room.
        await Rooms(connection).remove("a")
        assert not await Grants(connection).exists("g")
    await database.close()


async def test_the_one_gain_of_a_room_becomes_that_of_the_source_that_was_taken(store_url: str) -> None:
    url = database_url(store_url, Path("/nowhere"))
    if url.database and url.get_backend_name() == "sqlite":
        Path(url.database).parent.mkdir()
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(upgrade, "0011")
        for room, source, gain_db in (("a", "NULL", -6), ("b", "'desk'", 3.5), ("c", "'slate'", 2), ("d", "NULL", 0)):
            await connection.execute(
                text(
                    'INSERT INTO rooms (id, name, start, "between", aliases, guid, caption_languages)'
                    f" VALUES ('{room}', 'R', 'tap', 'slate', '[]', '', '[]')"
                )
            )
            await connection.execute(
                text(
                    "INSERT INTO room_states (room_id, slate, source, gain_db)"
                    f" VALUES ('{room}', false, {source}, {gain_db})"
                )
            )
    await engine.dispose()
    database = opened(store_url)
    await database.start()
    async with database.read() as connection:
        states = await RoomStates(connection).all()
    assert {room: [(one.name, one.gain_db) for one in state.sources] for room, state in states.items()} == {
        "a": [("main", -6)],
        "b": [("desk", 3.5)],
        "c": [("main", 2)],
        "d": [],
    }
    await database.close()


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


async def test_writers_wait_for_each_other_instead_of_failing(store: Database, store_url: str) -> None:
    # Twenty writers of a busy machine, each of which waits for all before it.
    databases = [Database(database_url(store_url, Path("/nowhere")), busy_limit_s=60) for _ in range(2)]

    async def add_where_missing(database: Database, number: int) -> None:
        async with database.write() as connection:
            rooms = Rooms(connection)
            room = await rooms.find(f"r{number}")
            await asyncio.sleep(0)
            if room is None:
                await rooms.add(Room(f"r{number}", "x"))

    try:
        for database in databases:
            await database.start()
        await asyncio.gather(*(add_where_missing(database, n) for n in range(10) for database in databases))
    finally:
        for database in databases:
            await database.close()
    async with store.read() as connection:
        assert len((await Rooms(connection).page(100, None)).items) == 10


async def test_a_writer_that_waits_for_too_long_is_told_so_and_readers_do_not_wait(
    store: Database, store_url: str
) -> None:
    hasty = opened(store_url)
    await hasty.start()
    async with store.write() as connection:
        await Rooms(connection).add(Room("a", "A"))
        with pytest.raises(StoreUnavailable):
            async with hasty.write():
                pass
        async with hasty.read() as reading:
            assert await Rooms(reading).find("a") is None
    async with hasty.write() as connection:
        assert await Rooms(connection).find("a") is not None
    await hasty.close()


async def test_a_row_that_another_process_holds_is_a_database_that_is_busy(store: Database, store_url: str) -> None:
    me = DirectorHolder(epoch=1, holder="f", host="here", pid=1, folder="/data")
    hasty = opened(store_url)
    await hasty.start()

    async def take() -> bool:
        async with hasty.write() as connection:
            return await Directors(connection).take(await Directors(connection).holder(), me, idle=False)

    # Signs wait for no other writer: a process that was stopped in the middle of one holds the row.
    async with store.write_aside() as connection:
        await connection.execute(text("UPDATE directors SET sign = sign + 1"))
        if not store.is_sqlite:
            limit = await connection.execute(text("SHOW idle_in_transaction_session_timeout"))
            assert limit.scalar_one() == "15s"
        with pytest.raises(StoreUnavailable):
            await take()
    assert await take()
    await hasty.close()


async def test_a_database_that_breaks_off_says_so_and_nothing_of_the_transaction_holds(store: Database) -> None:
    async def broken_off() -> None:
        async with store.write() as connection:
            await Rooms(connection).add(Room("a", "A"))
            if store.is_sqlite:
                await connection.execute(text("PRAGMA max_page_count = 1"))
            else:
                pid = (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
                async with store.read() as other:
                    await other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
            for number in range(100):
                await Rooms(connection).add(Room(f"r{number}", "x", aliases=("x" * 5000,)))

    with pytest.raises(StoreUnavailable, match="ended the transaction"):
        await broken_off()
    async with store.read() as connection:
        assert await Rooms(connection).all() == []


async def test_a_reader_sees_one_moment(store: Database) -> None:
    async with store.read() as reading:
        before = await revision.current(reading)
        async with store.write() as connection:
            await Rooms(connection).add(Room("a", "A"))
        assert await Rooms(reading).find("a") is None
        assert await revision.current(reading) == before
    async with store.read() as reading:
        assert await revision.current(reading) > before


async def test_a_failed_transaction_leaves_nothing(store: Database) -> None:
    async def half() -> None:
        async with store.write() as connection:
            await Venues(connection).add(Venue("v", "V"))
            await Venues(connection).add(Venue("v", "again"))

    with pytest.raises(Conflict):
        await half()
    async with store.read() as connection:
        assert (await Venues(connection).page(10, None)).items == []


async def test_an_error_does_not_say_what_was_to_be_stored(store: Database) -> None:
    with pytest.raises((DBAPIError, StoreUnavailable)) as caught:
        async with store.read() as connection:
            await connection.execute(text("SELECT no_such_column, :said"), {"said": "what Ann said in private"})
    assert "what Ann said in private" not in f"{caught.value} {caught.value.__cause__}"


async def test_a_database_that_cannot_be_used_is_said_in_words(tmp_path: Path) -> None:
    broken = tmp_path / "streamer.sqlite3"
    broken.write_bytes(b"this is no database" * 100)
    with pytest.raises(StoreUnavailable, match="cannot be used"):
        await Database(database_url("", tmp_path)).start()
    with pytest.raises(StoreUnavailable):
        await Database(database_url("", tmp_path)).ping()


async def test_a_server_that_is_not_there_is_said_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = database_url(f"postgresql://nobody@/none?host={tmp_path}", tmp_path)
    with pytest.raises(StoreUnavailable, match="cannot be used"):
        await Database(url).start()
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    with pytest.raises(StoreUnavailable, match="pipx inject streamer asyncpg"):
        await Database(url).start()


async def test_a_source_has_one_publication_on_record(store: Database) -> None:
    token = new_token()
    async with store.write() as connection:
        await Rooms(connection).add(Room("a", "A"))
        await Grants(connection).add(Grant(token.grant_id, Role.TECHNICIAN, "a"), token.secret_sha256)
        connections = WebRtcConnections(connection)
        for number in range(3):
            await connections.add(OpenConnection(f"p{number}", token.grant_id, "a", "publish", "main", number))
        await connections.add(OpenConnection("w", token.grant_id, "a", "play", "main", 3))
        assert {item.resource for item in await connections.of_grants((token.grant_id,))} == {"p2", "w"}
        day_later = 3 + 25 * 3600 * 1000
        await connections.add(OpenConnection("w2", token.grant_id, "a", "play", "main", day_later))
        assert {item.resource for item in await connections.of_grants((token.grant_id,))} == {"p2", "w2"}


async def test_sessions_lose_nothing_when_a_room_becomes_optional(store_url: str) -> None:
    """SQLite's table is changed in place: made anew, marks, recordings and grants would go with the old one."""
    url = database_url(store_url, Path("/nowhere"))
    if url.database and url.get_backend_name() == "sqlite":
        Path(url.database).parent.mkdir(exist_ok=True)
    engine = create_async_engine(url)
    names = (
        "id, room_id, title, start_ms, end_ms, kind, subtitle, abstract, speakers, language, tags, track, url, "
        "visibility, do_not_record, do_not_stream, replay, state, delay_ms, shortened_ms, ad_hoc, guid, external_id, "
        "sequence, key"
    )
    async with engine.begin() as connection:
        await connection.run_sync(upgrade, "0016")
        for statement in (
            'INSERT INTO rooms (id, name, start, "between", caption_languages) '
            "VALUES ('a', 'A', 'tap', 'slate', '[]')",
            f"INSERT INTO sessions ({names}) VALUES ('s', 'a', 'T', 1, 2, 'social', '', '', '[]', '', '[]', '', '', "
            "'public', 'no', 'no', 'never', 'scheduled', 0, 0, false, '', '', 0, '')",
            "INSERT INTO marks (id, session_id, kind, at_ms, label, hidden) VALUES ('m', 's', 'chapter', 1, '', true)",
        ):
            await connection.execute(text(statement))
    await engine.dispose()
    database = opened(store_url)
    await database.start()
    async with database.write() as connection:
        sessions = Sessions(connection)
        kept = await sessions.get("s")
        assert (kept.room, kept.venue, kept.also_in) == ("a", None, ())
        assert len((await Marks(connection).of_sessions(["s"]))["s"]) == 1
        await sessions.save_many((replace(kept, room=""),))
        assert (await sessions.get("s")).room == ""
        assert (await connection.execute(text("SELECT room_id FROM sessions"))).scalar_one() is None
        with pytest.raises(Unprocessable):
            await sessions.save_many((replace(kept, room="", venue="none"),))
        await sessions.remove_many(("s",))
        assert await Marks(connection).of_sessions(["s"]) == {}
    if url.get_backend_name() == "sqlite":
        async with database.read() as connection:
            assert (await connection.execute(text("PRAGMA integrity_check"))).scalar_one() == "ok"
    await database.close()
