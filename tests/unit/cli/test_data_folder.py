"""The data folder is closed to other users, also if it is older than the service."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamer import data_folder
from streamer.cli.check import check
from streamer.data_folder import Loose, loose, tighten
from streamer.serve import ServeError, close_data
from streamer.settings import Settings
from streamer.store.database import Database, database_url


@pytest.fixture
def careless(tmp_path: Path) -> Iterator[Path]:
    """A folder that somebody made by hand with an umask of zero, and a database that was copied into it."""
    folder = tmp_path / "data"
    before = os.umask(0)
    try:
        for name in ("", "run", "recordings/talk/media", "rooms/hall", "logos"):
            (folder / name).mkdir(parents=True)
        for name in ("streamer.sqlite3", "streamer.sqlite3-wal", "streamer.sqlite3-shm", "logos/one.png"):
            (folder / name).touch()
        yield folder
    finally:
        os.umask(before)


def open_to_others(folder: Path) -> list[str]:
    """The files that another user can reach; a closed folder ends the search."""
    if folder.stat().st_mode & 0o077:
        inside = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.lstat().st_mode & 0o077]
        return [".", *inside]
    named = [path for path in folder.iterdir() if path.lstat().st_mode & 0o077]
    return [str(path.relative_to(folder)) for path in named]


def finding(settings: Settings) -> tuple[str, str]:
    (found,) = [one for one in check(settings) if one.subject == "data folder"]
    return found.level, found.text


def test_a_folder_that_was_there_is_closed(careless: Path) -> None:
    settings = Settings.model_validate({"data": careless})
    assert finding(settings)[0] == "warn"
    close_data(settings)
    assert open_to_others(careless) == []
    for path in (careless / "recordings/talk", careless / "rooms/hall", careless / "logos/one.png"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    assert list(loose(careless)) == []
    assert finding(settings)[0] == "ok"


async def test_a_database_elsewhere_is_closed_too(tmp_path: Path) -> None:
    file = tmp_path / "elsewhere.sqlite3"
    file.touch()
    file.chmod(0o666)
    database = Database(database_url(f"sqlite:///{file}", tmp_path))
    await database.start()
    try:
        names = [file, *tmp_path.glob("elsewhere.sqlite3-*")]
        assert [oct(name.stat().st_mode & 0o077) for name in names] == ["0o0"] * len(names)
    finally:
        await database.close()


def test_a_folder_of_somebody_else_that_all_may_read_is_refused(
    careless: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_folder.os, "geteuid", lambda: os.getuid() + 1)
    settings = Settings.model_validate({"data": careless})
    assert finding(settings)[0] == "bad"
    with pytest.raises(ServeError, match="another user's"):
        close_data(settings)


def test_a_link_in_the_folder_leads_to_nobody_elses_files(careless: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    theirs.chmod(0o755)
    (careless / "recordings/link").symlink_to(theirs)
    (careless / "of-mine").symlink_to(theirs)
    tighten(careless)
    assert stat.S_IMODE(theirs.stat().st_mode) == 0o755
    assert not any(isinstance(one, Loose) for one in loose(careless))
