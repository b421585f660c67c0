"""Readers that do not read: of playlists, media, pictures and the MP4 of a recording. They cost little and are cut."""

from __future__ import annotations

import asyncio
import contextlib
import re
from pathlib import Path
from urllib.parse import urljoin

import pytest

from tests.fakes.idle_crowd import SETTINGS, Goes, many_descriptors
from tests.fakes.publishing import camera
from tests.fakes.running import Running, serving
from tests.fakes.slow_reader import SlowReader
from tests.fakes.waiting import until_answered

pytestmark = pytest.mark.slow

OF_EACH = 20
PIPELINED = 60
MIB = 1024 * 1024


def memory(server: Running) -> int:
    """Of the web process, bytes."""
    status = Path(f"/proc/{server.pid('web')}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024  # type: ignore[index]


async def test_readers_that_do_not_read_cost_little_are_cut_and_delay_nobody() -> None:
    environment = {
        "STREAMER_MEDIA__RUNGS": SETTINGS["STREAMER_MEDIA__RUNGS"],
        "STREAMER_SERVER__SLOW_READER_S": "3",
        "STREAMER_SERVER__MAX_UNSENT_BYTES": str(16 * MIB),
    }
    with many_descriptors():
        async with serving(environment=environment) as server:
            await server.room("hall", start="auto")
            async with camera(server, "hall"):
                await server.wait_state("hall", "live")
                index = f"{server.url}/live/hall/index.m3u8"

                async def text(url: str) -> str:
                    async with server.session.get(url) as response:
                        assert response.status == 200
                        return await response.text()

                playlist = urljoin(index, re.findall(r"^[\w/-]+\.m3u8", await text(index), re.M)[0])
                segment = urljoin(playlist, re.findall(r"[\w/~-]+/\d+\.m4s", await text(playlist))[-1])
                paths = [url.removeprefix(server.url) for url in (index, playlist, segment)]
                paths += ["/live/hall/still.jpg", "/api/v1/openapi.json"]
                viewer, enough = Goes(index, {}, "127.0.0.77"), asyncio.Event()
                quiet = memory(server)
                async with contextlib.AsyncExitStack() as stack, asyncio.TaskGroup() as group:
                    group.create_task(viewer.on(enough))
                    readers = []
                    for path in paths * OF_EACH:
                        reader = SlowReader(server.url)
                        stack.callback(reader.close)
                        readers.append(reader)
                        await reader.ask(path)
                        request = f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
                        await reader.send(request * PIPELINED)
                    most = 0

                    async def all_cut() -> bool:
                        nonlocal most
                        most = max(most, memory(server))
                        return all(reader.cut for reader in readers)

                    await until_answered(all_cut, limit_s=40, what=lambda: str([r.cut for r in readers].count(False)))
                    enough.set()
                assert most - quiet < 96 * MIB, f"{(most - quiet) / MIB:.0f} MiB"
                assert max(viewer.took_s) < 10
                metrics = await text(f"{server.url}/metrics")
                cut = re.search(r"^streamer_connections_cut_slow_total (\d+)", metrics, re.M)
                assert cut is not None
                assert int(cut[1]) > OF_EACH
