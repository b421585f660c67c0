"""The list of erasures beside the database: what is in it, what a crash leaves of it, and when it is followed."""

from __future__ import annotations

import errno
import os
import random
import stat
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from streamer.formats.erasures import (
    HEADER,
    KEY_FILE,
    LOG_FILE,
    Erasure,
    ErasureLog,
    PersonErasure,
    RecordingErasure,
    StretchErasure,
    decoded,
    read_stretches,
)
from streamer.store.database import Database, StoreUnavailable
from streamer.store.erasing import Erasing, NotErased
from tests.fakes.stores import sqlite_store

NOW_MS = 1_800_000_000_000


def opened(folder: Path) -> ErasureLog:
    log = ErasureLog(folder)
    log.open()
    return log


def test_what_is_written_is_read_again_by_anybody_with_the_folder(tmp_path: Path) -> None:
    log = opened(tmp_path)
    who = log.hashed("person", "p-ann")
    written = [
        PersonErasure(NOW_MS, who),
        RecordingErasure(NOW_MS, "talk", "hall"),
        StretchErasure(NOW_MS, "hall", 5, 9),
    ]
    for one in written:
        log.add(one)
    again = opened(tmp_path)
    assert [noted.erasure for noted in again.read().records] == written
    assert again.hashed("person", "p-ann") == who
    assert again.hashed("grant", "p-ann") != who
    assert read_stretches(tmp_path, "hall") == [StretchErasure(NOW_MS, "hall", 5, 9)]
    assert read_stretches(tmp_path, "other") == []
    for name in (LOG_FILE, KEY_FILE):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_nobody_is_named_in_it(tmp_path: Path) -> None:
    log = opened(tmp_path)
    log.add(PersonErasure(NOW_MS, log.hashed("person", "p-ann")))
    assert b"p-ann" not in (tmp_path / LOG_FILE).read_bytes()
    (tmp_path / "other").mkdir()
    assert opened(tmp_path / "other").hashed("person", "p-ann") != log.hashed("person", "p-ann"), "a key of its own"


def test_a_torn_record_is_dropped_and_written_over(tmp_path: Path) -> None:
    log = opened(tmp_path)
    log.add(RecordingErasure(NOW_MS, "one"))
    whole = log.add(RecordingErasure(NOW_MS, "two")).end
    path = tmp_path / LOG_FILE
    chance = random.Random(5)
    for _ in range(20):
        data = path.read_bytes()[:whole]
        path.write_bytes(data + chance.randbytes(chance.randrange(1, 60)))
        assert [noted.end for noted in log.read().records][-1] == whole
    added = log.add(RecordingErasure(NOW_MS, "three"))
    assert added.begin == whole
    content = log.read()
    assert [noted.erasure for noted in content.records][2:] == [RecordingErasure(NOW_MS, "three")]
    assert content.torn_bytes == 0


def test_any_bytes_are_read_without_an_error(tmp_path: Path) -> None:
    chance = random.Random(6)
    for _ in range(300):
        assert decoded(HEADER + chance.randbytes(chance.randrange(200))).good_bytes >= len(HEADER)
    with pytest.raises(ValueError, match="not a list"):
        decoded(b"something else")


# --- following -----------------------------------------------------------------------------------------


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = sqlite_store(tmp_path)
    await database.start()
    yield database
    await database.close()


class Doer:
    def __init__(self) -> None:
        self.done: list[Erasure] = []
        self.refuses: Exception | None = None

    async def __call__(self, records: Sequence[Erasure]) -> None:
        if self.refuses is not None:
            raise self.refuses
        self.done += records


def erasing(folder: Path, database: Database, doer: Doer) -> Erasing:
    made = Erasing(folder, database, clock=lambda: NOW_MS)
    made.does(RecordingErasure, doer)
    return made


async def nothing() -> None:
    pass


async def test_what_is_done_is_not_done_again_at_the_next_start(tmp_path: Path, database: Database) -> None:
    doer = Doer()
    first = erasing(tmp_path, database, doer)
    await first.follow()
    await first.carry_out(RecordingErasure(NOW_MS, "one"), nothing)
    await erasing(tmp_path, database, doer).follow()
    assert doer.done == []


async def test_a_database_of_before_is_told_the_rest(tmp_path: Path, database: Database) -> None:
    doer = Doer()
    made = erasing(tmp_path, database, doer)
    await made.carry_out(RecordingErasure(NOW_MS, "one"), nothing)
    older = tmp_path / "older"
    await database.close()
    older.mkdir()
    os.rename(tmp_path / "streamer.sqlite3", older / "streamer.sqlite3")
    await database.start()
    await made.carry_out(RecordingErasure(NOW_MS, "two"), nothing)
    await database.close()
    os.rename(older / "streamer.sqlite3", tmp_path / "streamer.sqlite3")
    await database.start()
    await erasing(tmp_path, database, doer).follow()
    assert doer.done == [RecordingErasure(NOW_MS, "two")]
    await erasing(tmp_path, database, doer).follow()
    assert len(doer.done) == 1


async def test_another_files_mark_counts_for_nothing(tmp_path: Path, database: Database) -> None:
    doer = Doer()
    await erasing(tmp_path, database, doer).carry_out(RecordingErasure(NOW_MS, "one"), nothing)
    # Two copies of the list were joined.
    (tmp_path / LOG_FILE).unlink()
    log = opened(tmp_path)
    for name in ("two", "one"):
        log.add(RecordingErasure(NOW_MS, name))
    await erasing(tmp_path, database, doer).follow()
    assert [one.session for one in doer.done if isinstance(one, RecordingErasure)] == ["two", "one"]


@pytest.mark.parametrize("problem", [OSError(errno.EROFS, "read-only"), StoreUnavailable("away")])
async def test_what_fails_is_told_and_done_again(tmp_path: Path, database: Database, problem: Exception) -> None:
    doer = Doer()
    made = erasing(tmp_path, database, doer)
    record = RecordingErasure(NOW_MS, "one", "hall")

    async def refused() -> None:
        raise problem

    with pytest.raises(NotErased) as told:
        await made.carry_out(record, refused)
    assert (told.value.status, told.value.code) == (503, "not_erased_yet")
    assert [one.erasure for one in made.unfinished("hall")] == [record]
    assert made.unfinished("elsewhere") == []
    assert made.faults == 1
    doer.refuses = OSError(errno.EIO, "broken")
    await made.again()
    assert (len(made.unfinished()), made.faults) == (1, 2)
    doer.refuses = None
    await made.again()
    assert (doer.done, made.unfinished()) == ([record], [])
    await erasing(tmp_path, database, doer).follow()
    assert len(doer.done) == 1, "and it is remembered"


async def test_one_that_failed_is_done_at_the_next_start(tmp_path: Path, database: Database) -> None:
    doer = Doer()

    async def refused() -> None:
        raise OSError(errno.EROFS, "read-only")

    made = erasing(tmp_path, database, doer)
    with pytest.raises(NotErased):
        await made.carry_out(RecordingErasure(NOW_MS, "one"), refused)
    # A later record does not hide it.
    await made.carry_out(RecordingErasure(NOW_MS, "two"), nothing)
    await erasing(tmp_path, database, doer).follow()
    assert RecordingErasure(NOW_MS, "one") in doer.done


async def test_it_is_erased_though_it_cannot_be_written_down_and_then_not_acknowledged(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    doer = Doer()
    made = erasing(tmp_path, database, doer)
    await made.follow()
    full = True
    add = ErasureLog.add

    def add_or_not(log: ErasureLog, erasure: Erasure) -> object:
        if full:
            raise OSError(errno.ENOSPC, "full")
        return add(log, erasure)

    monkeypatch.setattr(ErasureLog, "add", add_or_not)
    erased = []

    async def erase() -> None:
        erased.append(1)

    with pytest.raises(NotErased):
        await made.carry_out(RecordingErasure(NOW_MS, "one"), erase)
    assert erased == [1]
    full = False
    await made.again()
    assert made.unfinished() == []
    assert [noted.erasure for noted in made.log.read().records] == [RecordingErasure(NOW_MS, "one")]


async def test_one_that_is_broken_off_is_done_again(tmp_path: Path, database: Database) -> None:
    doer = Doer()
    made = erasing(tmp_path, database, doer)

    async def broken() -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await made.carry_out(RecordingErasure(NOW_MS, "one"), broken)
    await made.again()
    assert doer.done == [RecordingErasure(NOW_MS, "one")]
