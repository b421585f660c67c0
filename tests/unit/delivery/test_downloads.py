"""A replay is downloaded as one file, and downloads hold nothing else back. Over a real server."""

from __future__ import annotations

import asyncio
import io
import threading
from pathlib import Path

import av
import pytest
from yarl import URL

from streamer.archive.catalogue import ReplayState
from streamer.archive.material import Span
from streamer.delivery import downloads
from streamer.errors import Unavailable
from tests.fakes.replaying import Replays, replays
from tests.fakes.slow_reader import SlowReader


async def test_it_is_downloaded_as_one_file(on: Replays, tmp_path: Path) -> None:
    on.begin(1.25)
    on.studio.run(12.5)
    async with on.http.get("/replay/talk/live-edition/download.mp4") as r:
        assert r.status == 409
    on.end(12, skips=(Span(on.studio.at(3.3), on.studio.at(7.7)),))
    address = "/replay/talk/vod/download.mp4"
    async with on.http.get(address) as r:
        assert r.status == 200
        data = await r.read()
        assert r.content_length == len(data)
        assert r.headers["Content-Disposition"] == (
            'attachment; filename="2026-11-24 - Zoe Dupont - Ete a Nantes.mp4"; '
            "filename*=UTF-8''2026-11-24%20-%20Zo%C3%A9%20Dupont%20-%20%C3%89t%C3%A9%20%C3%A0%20Nantes.mp4"
        )
        etag = r.headers["ETag"]
    with av.open(io.BytesIO(data), format="mp4") as container:
        assert container.metadata["title"] == "Été à Nantes"
        assert float(container.duration / av.time_base) == pytest.approx(6.35, abs=0.04)
        assert container.streams.video[0].width == 320
    async with on.http.get(address, headers={"Range": "bytes=100000-", "If-Range": etag}) as r:
        assert r.status == 206
        assert await r.read() == data[100_000:]
    async with on.http.head(address) as r:
        assert r.content_length == len(data)
    async with on.http.get(f"{address}?rendition=v90") as r:
        assert r.status == 200
        assert len(await r.read()) < len(data)
    async with on.http.get(f"{address}?rendition=nothing") as r:
        assert r.status == 404


async def test_a_download_whose_database_is_away_breaks_off_and_holds_nothing_else(
    on: Replays, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the head only bytes of the file may follow, never an error's text: the client asks for the rest."""
    on.begin(0.5)
    on.studio.run(24.5)
    on.end(24)
    path = "/replay/talk/vod/download.mp4"
    async with on.http.get(path) as r:
        whole = await r.read()
    find, asked = on.catalogue.find, 0

    async def away(session: str) -> ReplayState | None:
        nonlocal asked
        asked += 1
        if asked == 3:
            raise Unavailable("The database does not answer.")
        return await find(session)

    monkeypatch.setattr(on.catalogue, "find", away)
    base = URL(str(on.http._base_url))
    reader, writer = await asyncio.open_connection(base.host, base.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    assert head.split()[1] == b"200"
    assert asked >= 3
    assert whole.startswith(body)
    assert len(body) < len(whole)


async def test_a_disk_that_hangs_holds_back_downloads_alone(on: Replays, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that waits for it cannot be taken back. The loop's own threads write and read all else."""
    on.begin(0.5)
    on.studio.run(24.5)
    on.end(24)
    disk = threading.Event()
    monkeypatch.setattr(downloads, "PLAN_LIMIT_S", 0.05)
    monkeypatch.setattr(downloads, "_planned", lambda *_: disk.wait())
    try:
        for _ in range(40):
            async with on.http.get("/replay/talk/vod/download.mp4") as r:
                assert (r.status, (await r.json())["error"]["code"]) == (503, "disk_failed")
        async with asyncio.timeout(10):
            assert await asyncio.to_thread(lambda: "goes on") == "goes on"
    finally:
        disk.set()


async def test_slow_readers_of_one_household_leave_downloads_for_others_and_for_the_crew(tmp_path: Path) -> None:
    async with replays(tmp_path, archive={"max_downloads": 16}, crew="technician") as on:
        on.begin(0.5)
        on.studio.run(24.5)
        on.end(24)
        path = "/replay/talk/vod/download.mp4"
        slow = [SlowReader(str(on.http._base_url)) for _ in range(24)]
        for reader in slow:
            await reader.ask(path, ["X-Test-Address: stranger"])
        answers = sorted([await reader.first_line() for reader in slow])
        assert [line.split()[1] for line in answers] == ["200"] * 8 + ["503"] * 16
        for address in ("viewer", "another"):
            async with on.http.get(path, headers={"X-Test-Address": address}) as r:
                assert r.status == 200
                assert len(await r.read()) == r.content_length
        # Households without end: the crew's places are apart.
        more = [SlowReader(str(on.http._base_url)) for _ in range(40)]
        for number, reader in enumerate(more):
            await reader.ask(path, [f"X-Test-Address: {number}"])
            await reader.first_line()
        async with on.http.get(path, headers={"X-Test-Address": "viewer"}) as r:
            assert (r.status, r.headers["Retry-After"]) == (503, "60")
        async with on.http.get(path, headers={"X-Test-Address": "stranger", "X-Test-Role": "technician"}) as r:
            assert (r.status, len(await r.read())) == (200, r.content_length)
        for reader in slow + more:
            reader.close()
