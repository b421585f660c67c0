"""Fifty deaths of an archivist with work in its hands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.chance import dice
from tests.fakes.erasable import serving
from tests.fakes.killed_archivist import Archive
from tests.fakes.s3_store import running_s3_server

DEATHS = 50


@pytest.mark.timeout(1800)
async def test_nothing_that_an_archivist_acknowledged_dies_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, chance = await Archive.prepared(tmp_path / "data", DEATHS), dice()
    (tmp_path / "s3").mkdir()
    with running_s3_server(tmp_path / "s3") as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        for number in range(DEATHS):
            await archive.ends(number)
            archive.lives(server, chance)
            async with serving(archive.made) as web:
                assert await archive.looks(server, web, number + 1) == []
        async with serving(archive.made) as web:
            assert await archive.plays(web) == []
    print(f"{DEATHS} deaths, {archive.edits} edits, {len(archive.cuts)} recordings, {len(archive.kept)} files kept")
    assert archive.edits > 0
    assert archive.kept
