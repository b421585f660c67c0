"""A backup beside a running instance, and its way back: nothing is lost, and nothing that was erased comes back."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streamer.backup import restoring, saving
from streamer.backup.restoring import restore, verify
from streamer.backup.saving import backup, last_backup
from streamer.backup.target import MANIFEST, BackupFailed, BackupFolder
from streamer.cli.commands import app
from streamer.store.database import Database, database_url
from tests.fakes.erasable import KINDS, Erasable, Kind, age, erase, serving
from tests.fakes.postgres import Postgres
from tests.fakes.waiting import LIMIT_S


@pytest.fixture
def made(once: Erasable, tmp_path: Path) -> Erasable:
    return once.copied(tmp_path / "data")


def saved(made: Erasable, target: Path) -> saving.Saved:
    return backup(made.folder, database_url("", made.folder), str(target))


def put_back(made: Erasable, source: Path, folder: Path) -> Erasable:
    restore(str(source), folder, database_url("", folder))
    values = {name: getattr(made, name) for name in made.__dataclass_fields__ if name != "folder"}
    return Erasable(folder, **values)


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for name in ("rooms", "recordings")
        for path in sorted((folder / name).rglob("*"))
        if path.is_file()
    }


async def test_all_that_was_kept_comes_back_and_is_served(made: Erasable, tmp_path: Path) -> None:
    found = await asyncio.to_thread(saved, made, tmp_path / "backup")
    assert found.files == len(tree(made.folder))
    there = await asyncio.to_thread(put_back, made, tmp_path / "backup", tmp_path / "other")
    assert tree(there.folder) == tree(made.folder)
    for kind in KINDS:
        assert sorted(there.left(kind)) == [
            name.replace(str(made.folder), str(there.folder)) for name in sorted(made.left(kind))
        ]
    async with serving(there) as web:
        await web.recorded("talk", "other")
        assert (await web.api("GET", "/recordings/talk"))["editions"][-1]["id"] == there.edition


def test_a_recording_shares_its_files_with_its_room_again(made: Erasable, tmp_path: Path) -> None:
    saved(made, tmp_path / "backup")
    there = put_back(made, tmp_path / "backup", tmp_path / "other")
    links = list((there.folder / "recordings").glob("*/media/*.m4s"))
    assert links
    assert all(link.stat().st_nlink > 1 for link in links)
    objects = [path for path in (tmp_path / "backup" / "objects").rglob("*") if path.is_file()]
    assert all(path.stat().st_nlink == 1 for path in objects), "a forgotten minute is zeroed under all its names"


@pytest.mark.parametrize("kind", KINDS)
async def test_what_was_erased_after_the_backup_stays_erased(made: Erasable, tmp_path: Path, kind: Kind) -> None:
    await asyncio.to_thread(saved, made, tmp_path / "backup")
    async with serving(made) as web:
        await age(web, kind)
        await erase(made, web, kind)
    other = tmp_path / "other"
    other.mkdir()
    for name in ("erasures.log", "erasures.key"):
        shutil.copy(made.folder / name, other / name)
    there = await asyncio.to_thread(put_back, made, tmp_path / "backup", other)
    async with serving(there):
        pass
    assert there.left(kind) == []


async def test_the_next_backup_copies_what_is_new_and_keeps_nothing_that_was_erased(
    made: Erasable, tmp_path: Path
) -> None:
    target = tmp_path / "backup"
    first = await asyncio.to_thread(saved, made, target)
    second = await asyncio.to_thread(saved, made, target)
    database = (target / "databases").glob("*")
    assert second.copied < first.copied
    assert second.copied == sorted(database)[-1].stat().st_size, "the database only"
    forgotten = [Path(path).read_bytes() for path in made.on_disk()]
    assert forgotten
    async with serving(made) as web:
        await erase(made, web, "stretch")
    third = await asyncio.to_thread(saved, made, target)
    assert third.deleted > 0
    kept = {path.read_bytes() for path in (target / "objects").rglob("*") if path.is_file()}
    assert not kept & set(forgotten)
    assert await asyncio.to_thread(verify, str(target))


def test_a_file_that_is_missing_passes_only_if_it_was_erased(made: Erasable, tmp_path: Path) -> None:
    target = tmp_path / "backup"
    saved(made, target)
    manifest = BackupFolder(target).manifest()
    assert manifest is not None
    lost = next(file for file in manifest.files if file.path.startswith("recordings/talk/"))
    BackupFolder(target).object(lost.digest).unlink()
    with pytest.raises(BackupFailed, match=r"recordings/talk/.* is missing in the backup, and was not erased"):
        verify(str(target), tmp_path)

    async def erased() -> None:
        async with serving(made) as web:
            await erase(made, web, "recording")
            await erase(made, web, "stretch")

    asyncio.run(erased())
    BackupFolder(target).join_erasures(made.folder)
    assert verify(str(target), tmp_path).erased >= 1
    assert not list(tmp_path.glob("streamer-verify-*"))


def test_what_is_damaged_is_named(made: Erasable, tmp_path: Path) -> None:
    target = tmp_path / "backup"
    saved(made, target)
    victim = max((target / "objects").glob("??/*"), key=lambda path: path.stat().st_size)
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    victim.write_bytes(data)
    with pytest.raises(BackupFailed, match="damaged in the backup: its checksum differs"):
        verify(str(target), tmp_path)
    (target / MANIFEST).write_text('{"version": 1, "made')
    with pytest.raises(BackupFailed, match="cannot be read"):
        saved(made, target)


def test_keys_of_closed_sessions_do_not_come_back_and_the_next_director_is_newer(
    made: Erasable, tmp_path: Path
) -> None:
    def row(folder: Path, query: str) -> object:
        with closing(sqlite3.connect(folder / "streamer.sqlite3")) as database:
            return database.execute(query).fetchone()

    secret, epoch = "SELECT value FROM secrets WHERE name = 'session_keys'", "SELECT epoch, holder FROM directors"
    assert row(made.folder, secret) is not None
    before = row(made.folder, epoch)
    saved(made, tmp_path / "backup")
    there = put_back(made, tmp_path / "backup", tmp_path / "other")
    assert row(there.folder, secret) is None
    after = row(there.folder, epoch)
    assert isinstance(before, tuple)
    assert isinstance(after, tuple)
    assert after[0] > before[0] + 1000
    assert after[1] == ""


def test_a_backup_under_writes_is_one_moment(made: Erasable, tmp_path: Path) -> None:
    """A transaction writes the same number twice, without a pause."""
    ends, wrote = threading.Event(), threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(made.folder / "streamer.sqlite3", timeout=30)) as database:
            database.execute("CREATE TABLE pairs (a INTEGER, b INTEGER)")
            number = 0
            while not ends.is_set():
                number += 1
                with database:
                    database.execute("INSERT INTO pairs VALUES (?, 0)", (number,))
                    database.execute("UPDATE pairs SET b = a WHERE a = ?", (number,))
                wrote.set()

    writing = threading.Thread(target=write)
    writing.start()
    try:
        assert wrote.wait(LIMIT_S)
        for _ in range(5):
            saved(made, tmp_path / "backup")
    finally:
        ends.set()
        writing.join()
    counts = []
    for name in sorted((tmp_path / "backup" / "databases").glob("*.sqlite3")):
        with closing(sqlite3.connect(name)) as database:
            assert database.execute("SELECT count(*) FROM pairs WHERE a != b").fetchone() == (0,)
            counts.append(database.execute("SELECT count(*) FROM pairs").fetchone()[0])
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]


def test_only_so_many_copies_of_the_database_are_kept_and_an_earlier_one_can_be_chosen(
    made: Erasable, tmp_path: Path
) -> None:
    target, url = tmp_path / "backup", database_url("", made.folder)
    for _ in range(4):
        backup(made.folder, url, str(target), keep=3)
    names = sorted(path.name for path in (target / "databases").iterdir())
    assert len(names) == 3
    folder = tmp_path / "other"
    with pytest.raises(BackupFailed, match="has no database of 2001"):
        restore(str(target), folder, database_url("", folder), at="2001")
    restored = restore(str(target), folder, database_url("", folder), at=names[0])
    manifest = BackupFolder(target).manifest()
    assert manifest is not None
    assert restored.made_ms == manifest.databases[-1].made_ms


def test_wrong_folders_are_refused_before_anything_is_copied(made: Erasable, tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "holiday.jpg").touch()
    for target, why in (
        (full, "holds other things"),
        (made.folder / "backup", "does not lie in the data folder"),
        (tmp_path, "does not lie in the data folder"),
    ):
        with pytest.raises(BackupFailed, match=why):
            saved(made, target)
    assert sorted(path.name for path in full.iterdir()) == ["holiday.jpg"]
    target = tmp_path / "backup"
    saved(made, target)
    (made.folder / "erasures.key").write_bytes(os.urandom(32))
    with pytest.raises(BackupFailed, match="belongs to another instance"):
        saved(made, target)
    with pytest.raises(BackupFailed, match="is not empty"):
        restore(str(target), full, database_url("", full))
    with pytest.raises(BackupFailed, match="There is no whole backup"):
        verify(str(full))


def test_a_backup_of_a_newer_program_is_refused_in_words(
    made: Erasable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(made, tmp_path / "backup")
    monkeypatch.setattr(restoring, "revisions", lambda: ("0001", "0002"))
    with pytest.raises(BackupFailed, match="is of a newer Streamer"):
        verify(str(tmp_path / "backup"), tmp_path)


def test_the_commands_and_the_check_of_the_last_backup(made: Erasable, tmp_path: Path) -> None:
    run, target, other = CliRunner(), str(tmp_path / "backup"), str(tmp_path / "other")
    assert last_backup(made.folder) is None
    found = run.invoke(app, ["backup", target, "--data", str(made.folder)])
    assert (found.exit_code, "were new" in found.output) == (0, True), found.output
    last = last_backup(made.folder)
    assert last is not None
    assert last.target == target
    found = run.invoke(app, ["restore", target, "--verify"])
    assert (found.exit_code, "is whole" in found.output) == (0, True), found.output
    found = run.invoke(app, ["restore", target, "--data", other])
    assert (found.exit_code, "Restored to" in found.output) == (0, True), found.output
    assert isinstance(run.invoke(app, ["restore", target, "--data", other]).exception, BackupFailed)
    assert run.invoke(app, ["backup", target, "--data", str(tmp_path / "typo")]).exit_code == 2


async def test_postgresql_is_backed_up_by_its_own_programs(postgres: Postgres, made: Erasable, tmp_path: Path) -> None:
    url, empty = (database_url(postgres.new_database(), made.folder) for _ in range(2))
    database = Database(url)
    await database.start()
    async with database.write() as connection:
        await connection.exec_driver_sql(
            "INSERT INTO secrets (name, value) VALUES ('kept', '1'), ('session_keys', '2')"
        )
    await database.close()
    target = tmp_path / "backup"
    await asyncio.to_thread(backup, made.folder, url, str(target))
    assert await asyncio.to_thread(verify, str(target), tmp_path)
    with pytest.raises(BackupFailed, match="The database is not empty"):
        await asyncio.to_thread(restore, str(target), tmp_path / "full", url)
    with pytest.raises(BackupFailed, match=r"database is postgresql, and store\.url names sqlite"):
        await asyncio.to_thread(restore, str(target), tmp_path / "other", database_url("", tmp_path / "other"))
    await asyncio.to_thread(restore, str(target), tmp_path / "other", empty)
    database = Database(empty)
    await database.open()
    async with database.read() as connection:
        names = (await connection.exec_driver_sql("SELECT name FROM secrets")).scalars().all()
    await database.close()
    assert "kept" in names
    assert "session_keys" not in names
