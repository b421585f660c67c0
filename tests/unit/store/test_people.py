"""Personal data in the database: every table is in one list, and the list is true."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import BigInteger, Boolean, Float, Integer, LargeBinary, Table, event, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from streamer.settings import ArchiveSettings, AudienceSettings
from streamer.store.audience_tables import metadata
from streamer.store.database import Database
from streamer.store.participants import Participants
from streamer.store.people import LIST, UNDO_DAYS, ErasureOutcome, Periods, TablePolicy, Until, sweep
from streamer.store.people_page import for_people

ROOT = Path(__file__).resolve().parents[3]
NOW_MS = 1_800_000_000_000
DAY_MS = 86_400_000
MARK = "Ann Unforgotten"
ANN = "p-ann"
PERIODS = Periods(keep_days=30, audit_days=60, speakers_days=90)
DAYS = {
    Until.KEEP_DAYS: 30,
    Until.AUDIT_DAYS: 60,
    Until.SPEAKERS_DAYS: 90,
    Until.RECORDING: 30,
    Until.UNDO: UNDO_DAYS,
    Until.OVER: 0,
    Until.REPEATS: 1 / 24,
}
BY_ITS_ROOM = {"room_states", "room_modes", "schedule_sources", "hooks"}
"""These end with what they are about, by hand or by the clock, and hold nothing that is old."""
WITH_ANOTHER = {"question_votes": "questions", "poll_votes": "polls"}


def ids(kept: TablePolicy) -> str:
    return kept.table.name


def test_every_table_and_every_column_is_in_the_list() -> None:
    """A new one has to say what of people it holds, for how long, and whether it is in an export of one's own data."""
    assert sorted(ids(kept) for kept in LIST) == sorted(metadata.tables)
    for kept in LIST:
        assert kept.names == set(kept.table.c.keys()), ids(kept)
        assert not set(kept.people.split()) & set(kept.plain.split()), ids(kept)


def test_what_holds_people_says_how_long_and_by_which_rule() -> None:
    for kept in LIST:
        if not kept.people:
            assert (kept.what, kept.until, kept.whose) == ("", None, ""), ids(kept)
            continue
        assert kept.what, ids(kept)
        assert kept.until is not None, ids(kept)
        assert kept.ends is not None or ids(kept) in {*BY_ITS_ROOM, *WITH_ANOTHER}, ids(kept)
        names_somebody = {"participant_id", "caller"} & set(kept.table.c.keys())
        assert bool(kept.whose) == bool(names_somebody or ids(kept) == "participants"), ids(kept)
        assert (kept.erased is ErasureOutcome.NOT_THEIRS) == (not kept.whose), ids(kept)


def test_the_usual_periods_are_the_settings() -> None:
    archive = ArchiveSettings()
    assert Periods() == Periods(AudienceSettings().keep_days, archive.audit_days, archive.speakers_days or None)


def test_the_page_for_people_is_the_list() -> None:
    # python -m streamer.store.people_page
    assert for_people() in (ROOT / "SECURITY.md").read_text("utf-8")


# --- rows ---------------------------------------------------------------------------------------------------


def row_of(kept: TablePolicy, at_ms: int, **values: Any) -> dict[str, Any]:
    """A row that is Ann's, with her name wherever words may stand."""
    row: dict[str, Any] = {}
    for column in kept.table.c:
        if column.name in ("participant_id", kept.whose):
            row[column.name] = ANN
        elif isinstance(column.type, Boolean):
            row[column.name] = column.name == "banned"
        elif isinstance(column.type, BigInteger | Integer):
            row[column.name] = at_ms if column.name.endswith("_ms") else 1
        elif isinstance(column.type, Float):
            row[column.name] = 0.0
        elif isinstance(column.type, LargeBinary):
            row[column.name] = b"x" * 32
        elif column.name in kept.people.split():
            row[column.name] = f'["{MARK}"]' if column.name in ("speakers", "options", "words") else MARK
        else:
            row[column.name] = "q-1" if (ids(kept), column.name) == ("marks", "id") else "x"
    if ids(kept) == "marks":
        row["kind"] = "chapter"
    if ids(kept) in ("actions", "import_previews", "audit", "moderation_actions"):
        for name in ("before", "after", "payload", "details", "changes"):
            if name in row:
                row[name] = f'[{{"participant": "{ANN}", "words": "{MARK}"}}]'
    if ids(kept) == "grants":
        row["session_id"] = None
    if ids(kept) == "moderation_actions":
        row |= {"who": "g-mo", "label": "Mo", "undone_by": "Mo"}
    if ids(kept) == "address_holds":
        row["prefix"] = "192.0.2.0/24"  # stays until its own end, without whom it is about
    if "staged_ms" in row:
        row |= {"staged_ms": None, "answered_ms": None}
    return {**row, **values}


async def put(connection: AsyncConnection, table: Table, row: dict[str, Any]) -> None:
    await connection.execute(insert(table).values(row))


async def without_keys(store: Database, connection: AsyncConnection) -> None:
    """Rows by themselves, without those that they name."""
    if not store.is_sqlite:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))


async def words_in(connection: AsyncConnection, table: Table, *words: str) -> bool:
    rows = repr((await connection.execute(select(table))).all())
    return any(word in rows for word in words)


@pytest.fixture
async def keyless(store: Database) -> Database:
    """A database in which a row stands by itself."""
    if store.is_sqlite:
        assert store._engine is not None

        def off(connection: Any, _record: Any, _proxy: Any) -> None:
            connection.execute("PRAGMA foreign_keys = OFF")

        event.listen(store._engine.sync_engine, "checkout", off)
    return store


def with_a_period() -> list[TablePolicy]:
    return [kept for kept in LIST if kept.people and kept.ends is not None]


@pytest.mark.parametrize("kept", with_a_period(), ids=ids)
async def test_nothing_is_left_of_it_after_its_period_and_everything_before(
    keyless: Database, kept: TablePolicy
) -> None:
    assert kept.until is not None
    days = DAYS[kept.until]
    async with keyless.write() as connection:
        await without_keys(keyless, connection)
        await put(connection, kept.table, row_of(kept, NOW_MS))
        period_ms = round(days * DAY_MS)
        young = max(0, period_ms - 1000)
        if days:
            await sweep(connection, PERIODS, NOW_MS + young)
            assert await words_in(connection, kept.table, MARK, ANN), "kept for as long as is said"
        gone = await sweep(connection, PERIODS, NOW_MS + period_ms + 1000)
        assert not await words_in(connection, kept.table, MARK, ANN), gone
        assert ids(kept) in gone


async def test_what_has_no_end_of_its_own_goes_with_what_it_belongs_to(store: Database) -> None:
    for name, owner in WITH_ANOTHER.items():
        (key,) = next(iter(metadata.tables[name].foreign_keys)).column.table.primary_key.columns
        assert key.table.name == owner
        (foreign,) = metadata.tables[name].foreign_keys
        assert foreign.ondelete == "CASCADE"


async def test_speakers_stay_where_nobody_has_said_how_long(keyless: Database) -> None:
    (kept,) = [one for one in LIST if ids(one) == "sessions"]
    async with keyless.write() as connection:
        await without_keys(keyless, connection)
        await put(connection, kept.table, row_of(kept, NOW_MS))
        assert "sessions" not in await sweep(connection, Periods(), NOW_MS + 10_000 * DAY_MS)
        assert await words_in(connection, kept.table, MARK)


@pytest.mark.parametrize("name", ["sessions", "marks", "captions"])
async def test_what_belongs_to_a_recording_stays_as_long_as_that(keyless: Database, name: str) -> None:
    found = {ids(one): one for one in LIST}
    kept = found[name]
    async with keyless.write() as connection:
        await without_keys(keyless, connection)
        recording = row_of(found["recordings"], NOW_MS, state="ready", end_ms=None)
        await put(connection, found["recordings"].table, recording)
        await put(connection, kept.table, row_of(kept, NOW_MS))
        assert name not in await sweep(connection, PERIODS, NOW_MS + 1000 * DAY_MS)
        await connection.execute(found["recordings"].table.update().values(state="deleted"))
        assert name in await sweep(connection, PERIODS, NOW_MS + 1000 * DAY_MS)


async def test_a_sessions_link_without_an_end_goes_so_long_after_the_session(keyless: Database) -> None:
    found = {ids(one): one for one in LIST}
    async with keyless.write() as connection:
        await without_keys(keyless, connection)
        await put(connection, found["sessions"].table, row_of(found["sessions"], NOW_MS, id="s", room_id="a"))
        await put(connection, found["grants"].table, row_of(found["grants"], NOW_MS, expires_ms=None, session_id="s"))
        await put(connection, found["grants"].table, row_of(found["grants"], NOW_MS, id="for ever", expires_ms=None))
        assert "grants" not in await sweep(connection, PERIODS, NOW_MS + 59 * DAY_MS)
        assert (await sweep(connection, PERIODS, NOW_MS + 61 * DAY_MS))["grants"] == 1
        assert await words_in(connection, found["grants"].table, "for ever")


# --- one's own data ---------------------------------------------------------------------------------------


async def test_an_export_has_each_table_that_names_them_and_erasing_leaves_none_of_their_words(
    keyless: Database,
) -> None:
    async with keyless.write() as connection:
        await without_keys(keyless, connection)
        theirs = [kept for kept in LIST if kept.whose]
        for kept in theirs:
            await put(connection, kept.table, row_of(kept, NOW_MS))
        people = Participants(connection)
        assert await people.everybody() == {ANN}
        exported = await people.everything(ANN)
        assert sorted(exported) == sorted(ids(kept) for kept in theirs)
        for kept in theirs:
            (row,) = exported[ids(kept)]
            assert set(row) == set(kept.table.c.keys()) - set(kept.untold.split()), ids(kept)
        await people.erase(ANN)
        for kept in theirs:
            rows = (await connection.execute(select(kept.table))).all()
            assert not await words_in(connection, kept.table, MARK), ids(kept)
            if kept.erased is ErasureOutcome.GONE:
                assert rows == [], ids(kept)
            else:
                assert len(rows) == 1, ids(kept)
                # A ban is no gift to be had by asking.
                assert await words_in(connection, kept.table, ANN) == (ids(kept) == "sanctions"), ids(kept)
