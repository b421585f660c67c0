"""Erased data stays erased: after an old database was restored, and when a disk refuses; and the right people are
told."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from streamer.api import edges
from streamer.api.edges import EVERYTHING
from streamer.archive import files
from tests.fakes.edges import SECRET, stand_in
from tests.fakes.erasable import BEARER, KINDS, ROOM, Erasable, Kind, age, erase, prepare, serving
from tests.fakes.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def prepared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Erasable]:
    yield await prepare(tmp_path_factory.mktemp("prepared") / "data")


@pytest.fixture
def made(prepared: Erasable, tmp_path: Path) -> Erasable:
    return prepared.copied(tmp_path / "data")


def database_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("streamer.sqlite3*"))


async def test_a_database_of_before_brings_nothing_back(made: Erasable, tmp_path: Path) -> None:
    kinds: tuple[Kind, ...] = ("stretch", "person", "grant")
    backup = tmp_path / "backup"
    backup.mkdir()
    for file in database_files(made.folder):
        shutil.copy2(file, backup)
    async with serving(made) as web:
        for kind in kinds:
            await erase(made, web, kind)
    assert [made.left(kind) for kind in kinds] == [[], [], []]
    async with serving(made) as web:
        await erase(made, web, "recording")
    for file in database_files(made.folder):
        file.unlink()
    for file in backup.iterdir():
        shutil.copy2(file, made.folder)
    assert made.left("person"), "it is the old one"
    async with serving(made) as web:
        assert await web.status("GET", "/replay/talk/index.m3u8") in (404, 410)
        assert await web.status("GET", f"/replay/talk/{made.edition}/index.m3u8") in (404, 410)
        shown = await web.api("GET", "/recordings/talk")
        assert (shown["state"], shown["published"]) == ("deleted", False)
        assert await web.status("GET", "/api/v1/me", headers={"Authorization": f"Bearer {made.token}"}) == 401
        assert (await web.api("GET", "/questions"))["items"][0]["text"] == "Another?"
        assert len((await web.api("GET", "/questions"))["items"]) == 1
        assert await web.status("GET", "/replay/other/index.m3u8") == 200, "what was not erased is there"
    for kind in ("person", "grant", "recording"):
        assert made.left(kind) == [], kind  # type: ignore[arg-type]
    assert made.in_database("caption-to-forget") == []
    assert made.in_database("caption-to-keep") == ["captions"]


@pytest.mark.parametrize("kind", ["stretch", "recording"])
async def test_media_that_were_put_back_as_well_are_erased_again(made: Erasable, tmp_path: Path, kind: Kind) -> None:
    backup = tmp_path / "backup"
    shutil.copytree(made.folder, backup, ignore=shutil.ignore_patterns("erasures.*", "run"))
    async with serving(made) as web:
        await erase(made, web, kind)
    for name in ("rooms", "recordings"):
        shutil.rmtree(made.folder / name)
    for file in database_files(made.folder):
        file.unlink()
    shutil.copytree(backup, made.folder, dirs_exist_ok=True)
    assert made.left(kind)
    async with serving(made):
        pass
    assert made.left(kind) == []


async def test_a_disk_that_refuses_is_told_and_tried_again(made: Erasable, monkeypatch: pytest.MonkeyPatch) -> None:
    remove = files.remove

    def refused(folder: Path) -> int:
        raise PermissionError(13, "read-only")

    async with serving(made) as web:
        monkeypatch.setattr(files, "remove", refused)
        for _ in range(2):
            async with web.client.delete("/api/v1/recordings/talk", headers=BEARER) as response:
                assert response.status == 503
                assert (await response.json())["error"]["code"] == "not_erased_yet"
                assert int(response.headers["Retry-After"]) > 0
        assert await web.status("GET", f"/replay/talk/{made.edition}/index.m3u8") in (404, 410), "nobody is served it"
        rings = web.services.director.room_alarms.found(web.services.director.day(ROOM), None, 0, 0)
        assert [(alarm.code, alarm.owner) for alarm in rings if alarm.code == "not_erased"] == [
            ("not_erased", "operator")
        ]
        async with web.client.get("/metrics", headers=BEARER) as response:
            assert "streamer_erasing_faults_total 2.0" in await response.text()
        monkeypatch.setattr(files, "remove", remove)
        await web.services.erasing.again()
        assert web.services.erasing.unfinished() == []
        assert await web.status("DELETE", "/api/v1/recordings/talk", headers=BEARER) == 404
    assert made.left("recording") == []


async def test_a_deletion_that_an_older_program_left_is_finished(made: Erasable) -> None:
    """It marked first, and was killed before it deleted."""
    kept = made.folder.with_name("kept")
    shutil.copytree(made.folder / "recordings/talk", kept)
    async with serving(made) as web:
        await erase(made, web, "recording")
    (made.folder / "erasures.log").unlink()
    kept.rename(made.folder / "recordings/talk")
    async with serving(made) as web:
        assert not (made.folder / "recordings/talk").exists()
        assert await web.status("GET", "/replay/talk/index.m3u8") in (404, 410)


async def test_a_forgotten_stretch_is_in_no_cut_while_the_disk_refuses(
    made: Erasable, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = files.write

    def refused(path: Path, value: object) -> None:
        if path.parent.name == "talk" and path.name == files.MATERIAL_FILE:
            raise PermissionError(13, "read-only")
        write(path, value)  # type: ignore[arg-type]

    async with serving(made) as web:
        monkeypatch.setattr(files, "write", refused)
        minutes = {"minutes": 5}
        async with web.client.post(f"/api/v1/rooms/{ROOM}/forget", json=minutes, headers=BEARER) as response:
            assert response.status == 503, await response.text()
        assert await web.status("GET", f"/replay/talk/{made.edition}/index.m3u8") in (404, 410)
        await asyncio.sleep(0.1)
        assert await web.status("GET", "/replay/talk/index.m3u8") in (404, 410)
        monkeypatch.setattr(files, "write", write)
        await web.services.erasing.again()
        assert web.services.erasing.unfinished() == []
    assert made.left("stretch") == []


@pytest.mark.parametrize("kind", KINDS)
async def test_each_kind_is_gone_once_it_is_acknowledged(made: Erasable, kind: Kind) -> None:
    async with serving(made) as web:
        await age(web, kind)
        await erase(made, web, kind)
    assert made.left(kind) == []


@pytest.mark.usefixtures("impatient")
async def test_a_stretch_is_not_forgotten_before_every_edge_has_acknowledged_it(
    made: Erasable, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stand_in() as edge:
        monkeypatch.setenv("STREAMER_EDGES__ADDRESSES", f'["{edge.address}"]')
        monkeypatch.setenv("STREAMER_EDGES__SECRET", SECRET)
        async with serving(made) as web:
            await until(lambda: edge.told == [EVERYTHING] * 2)
            edge.status = 500
            with pytest.raises(AssertionError, match="not_erased_yet"):
                await erase(made, web, "stretch")
            assert made.left("stretch") == [], "the disk does not wait for an edge"
            rings = web.services.director.room_alarms.found(web.services.director.day(ROOM), None, 0, 0)
            assert [alarm.code for alarm in rings if alarm.code == "not_erased"] == ["not_erased"]
            edge.status = 204
            monkeypatch.setattr(edges, "TOLD_WITHIN_S", 60)  # The answer of a busy machine comes late.
            await web.services.erasing.again()
            assert web.services.erasing.unfinished() == []
            assert f"live/{ROOM}" in edge.told
