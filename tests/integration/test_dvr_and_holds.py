"""Beyond the live window, from the files; and what viewers may cost who wait, or who do not read: of playlists, media
and pictures. Bounds are small."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urljoin

import aiohttp
import pytest
import pytest_asyncio

from tests.fakes import decoding
from tests.fakes.following import faultless, whole
from tests.fakes.hls_client import HlsFollower
from tests.fakes.idle_crowd import Goes, many_descriptors
from tests.fakes.publishing import tiny_camera
from tests.fakes.running import Running, serving
from tests.fakes.shared import LOW, PATIENT, SMALL, TOP
from tests.fakes.slow_reader import SlowReader
from tests.fakes.waiting import SLOW_ANSWERS, until_answered

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

HELD = 6
WINDOW_S = 30
OF_EACH = 20
PIPELINED = 60
MIB = 1024 * 1024
SETTINGS = (
    SMALL
    | PATIENT
    | {
        # The least that they may be: what is older comes from the files.
        "STREAMER_HLS__CACHE_BYTES_PER_ROOM": "1000000",
        "STREAMER_HLS__LIVE_WINDOW_S": str(WINDOW_S),
        "STREAMER_ROOM__WARM_SPARE": "false",
        "STREAMER_HLS__MAX_HELD_PER_ADDRESS": str(HELD),
        "STREAMER_HLS__MAX_HELD_TOTAL": "10",
        "STREAMER_SERVER__TRUSTED_PROXIES": '["127.0.0.1"]',
        "STREAMER_SERVER__SLOW_READER_S": "3",
        "STREAMER_SERVER__MAX_UNSENT_BYTES": str(16 * MIB),
    }
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server() -> AsyncIterator[Running]:
    async with serving(environment=SETTINGS) as running:
        await running.room("archive", start="auto")
        async with tiny_camera(running, "archive"):
            await running.wait_state("archive", "live")
            yield running


async def playlist(server: Running) -> HlsFollower:
    follower = HlsFollower(f"{server.url}/live/archive/index.m3u8", session=server.session)
    await follower.open()
    return follower


async def plain_s(server: Running) -> float:
    """How long an answer takes that nothing holds up, on this machine and now."""
    began = time.monotonic()
    async with server.session.get(f"{server.url}/livez") as response:
        await response.read()
    return time.monotonic() - began


@contextlib.asynccontextmanager
async def at_once(server: Running, url: str) -> AsyncIterator[aiohttp.ClientResponse]:
    """An answer that is not held: it takes no second longer than any other."""
    idle_s, began = await plain_s(server), time.monotonic()
    async with server.session.get(url) as response:
        took_s = time.monotonic() - began
        yield response
    assert took_s < 1 + SLOW_ANSWERS * idle_s


async def test_directives_that_make_no_sense_are_refused_at_once(server: Running) -> None:
    follower = await playlist(server)
    edge = follower.edge(TOP)[0]
    url = follower.tracks[TOP].url
    for query in (
        "_HLS_msn=x",
        "_HLS_msn=-1",
        "_HLS_msn=1&_HLS_msn=2",
        "_HLS_part=1",
        f"_HLS_msn={edge + 9}",
        # The newest segment may end at any time: after its last part comes the next one's first.
        f"_HLS_msn={edge + 1}&_HLS_part=999",
        "_HLS_msn=99999999999999999999999999",
        "_HLS_skip=maybe",
    ):
        async with at_once(server, f"{url}?{query}") as response:
            assert response.status == 400, query
            assert (await response.json())["error"]["code"] == "bad_directive"


async def test_one_address_may_hold_so_many_and_others_go_on(server: Running) -> None:
    """A hall behind one address; the others come from elsewhere, as the trusted proxy tells."""
    follower = await playlist(server)
    url = follower.tracks[TOP].url
    ahead = follower.edge(TOP)[0] + 1
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, force_close=True)) as viewers:

        async def wait(address: str) -> int:
            headers = {"X-Forwarded-For": address}
            async with viewers.get(f"{url}?_HLS_msn={ahead}", headers=headers) as response:
                if response.status in (429, 503):
                    assert int(response.headers["Retry-After"]) >= 1
                return response.status

        hall = [asyncio.create_task(wait("192.0.2.1")) for _ in range(HELD + 3)]
        other = [asyncio.create_task(wait("192.0.2.2")) for _ in range(3)]
        began = time.monotonic()
        async with at_once(server, url) as response:
            assert response.status == 200, "a plain reload is never held"
        answers = await asyncio.gather(*hall)
        assert answers.count(200) == HELD
        assert all(status in (429, 503) for status in answers if status != 200)
        assert await asyncio.gather(*other) == [200, 200, 200]
        took_s, idle_s = time.monotonic() - began, await plain_s(server)
        assert took_s < 6.2 + SLOW_ANSWERS * idle_s, "every held request is answered within three target durations"


async def test_held_requests_are_bounded_in_all(server: Running) -> None:
    follower = await playlist(server)
    url = follower.tracks["a128"].url
    ahead = follower.edge("a128")[0] + 1
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, force_close=True)) as viewers:

        async def wait(number: int) -> int:
            headers = {"X-Forwarded-For": f"198.51.100.{number % 5}"}
            async with viewers.get(f"{url}?_HLS_msn={ahead}", headers=headers) as response:
                return response.status

        answers = await asyncio.gather(*(wait(n) for n in range(15)))
    assert answers.count(200) == 10
    assert answers.count(503) == 5


def memory(server: Running) -> int:
    """Of the web process, bytes."""
    status = Path(f"/proc/{server.pid('web')}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024  # type: ignore[index]


async def test_readers_that_do_not_read_cost_little_are_cut_and_delay_nobody(server: Running) -> None:
    index = f"{server.url}/live/archive/index.m3u8"

    async def text(url: str) -> str:
        async with server.session.get(url) as response:
            assert response.status == 200
            return await response.text()

    playlist = urljoin(index, re.findall(r"^[\w/-]+\.m3u8", await text(index), re.M)[0])
    segment = urljoin(playlist, re.findall(r"[\w/~-]+/\d+\.m4s", await text(playlist))[-1])
    paths = [url.removeprefix(server.url) for url in (index, playlist, segment)]
    paths += ["/live/archive/still.jpg", "/api/v1/openapi.json"]
    viewer, enough = Goes(index, {}, "127.0.0.77"), asyncio.Event()
    quiet = most = memory(server)
    with many_descriptors():
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

            async def all_cut() -> bool:
                nonlocal most
                most = max(most, memory(server))
                return all(reader.cut for reader in readers)

            await until_answered(all_cut, what=lambda: str([r.cut for r in readers].count(False)))
            enough.set()
    assert most - quiet < 96 * MIB, f"{(most - quiet) / MIB:.0f} MiB"
    assert max(viewer.took_s) < 10
    metrics = await text(f"{server.url}/metrics")
    cut = re.search(r"^streamer_connections_cut_slow_total (\d+)", metrics, re.M)
    assert cut is not None
    assert int(cut[1]) > OF_EACH


async def first_shown(follower: HlsFollower) -> None:
    for name in (TOP, LOW):
        shown = decoding.pictures(await follower.segment_bytes(name, 1))
        assert shown[-1].strip is not None


# The last: by now the window is nearly past.
async def test_the_whole_window_is_listed_and_plays_from_the_files(server: Running) -> None:
    async with HlsFollower(f"{server.url}/live/archive/index.m3u8?dvr=1") as follower:
        await follower.open()

        async def past_the_window() -> bool:
            await follower.reload()
            return min(follower.edge(name) for name in follower.tracks) >= (WINDOW_S + 3, 0)

        await until_answered(past_the_window, seldom_s=1.0)
        async with HlsFollower(f"{server.url}/live/archive/index.m3u8") as live:
            await live.open()
            listed = live.tracks[TOP].playlist
            assert listed is not None
            assert listed.first_msn > 0, "the live window is shorter"
            faultless(live)
        complete = follower.tracks[TOP].playlist
        assert complete is not None
        assert complete.first_msn == 0
        await first_shown(follower)
        old = await server.kill("web")

        async def another() -> bool:
            with contextlib.suppress(OSError, ValueError, aiohttp.ClientError):
                async with server.session.get(f"{server.url}/readyz") as response:
                    return response.status == 200 and server.pid("web") != old
            return False

        await until_answered(another)
        await first_shown(follower)
        async with HlsFollower(f"{server.url}/live/archive/index.m3u8?dvr=1") as again:
            await again.open()
            assert again.tracks[TOP].url == follower.tracks[TOP].url
            # Playlists are read one after the other: the newest segment may not be whole in the first of them.
            run = sorted(set.intersection(*(set(whole(again, name)) for name in again.tracks)))
            assert run == list(range(run[-1] + 1))
            for name in again.tracks:
                stretches = again.stretches(name, run[1], run[-1])
                data = [await again.run_bytes(name, *stretch) for stretch in stretches]
                if again.tracks[name].kind == "video":
                    strips = [p.strip for one in data for p in decoding.pictures(one) if p.strip is not None]
                    assert strips == sorted(strips)
                    assert strips[-1] - strips[0] > (WINDOW_S - 2) * 1000
                else:
                    # A beep may lie across the place where two of them meet.
                    heard = sum(len(decoding.beeps(decoding.sound(one))) for one in data)
                    assert heard > WINDOW_S - 2 - len(stretches)
            faultless(again)
        faultless(follower)
