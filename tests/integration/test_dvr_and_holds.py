"""Beyond the live window, from the files; and what waiting viewers may cost, with small bounds."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from tests.fakes import decoding
from tests.fakes.following import faultless, whole
from tests.fakes.hls_client import HlsFollower
from tests.fakes.publishing import camera
from tests.fakes.running import Running, serving
from tests.fakes.waiting import until_answered

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

HELD = 6
SETTINGS = {
    "STREAMER_MEDIA__RUNGS": '[{"height": 180, "bitrate_kbps": 150}]',
    # The least that they may be: what is older comes from the files.
    "STREAMER_HLS__RING_S": "9",
    "STREAMER_HLS__CACHE_BYTES_PER_ROOM": "1000000",
    "STREAMER_HLS__LIVE_WINDOW_S": "30",
    "STREAMER_HLS__MAX_HELD_PER_ADDRESS": str(HELD),
    "STREAMER_HLS__MAX_HELD_TOTAL": "10",
    "STREAMER_SERVER__TRUSTED_PROXIES": '["127.0.0.1"]',
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Running]:
    async with serving(environment=SETTINGS) as running:
        await running.room("archive", start="auto")
        async with camera(running, "archive"):
            await running.wait_state("archive", "live")
            yield running


async def test_the_whole_window_is_listed_and_plays_from_the_files(server: Running) -> None:
    async with HlsFollower(f"{server.url}/live/archive/index.m3u8?dvr=1") as follower:
        await follower.open()
        await follower.follow(until=lambda f: min(f.edge(n) for n in f.tracks) >= (17, 0), limit_s=60)
        async with HlsFollower(f"{server.url}/live/archive/index.m3u8") as live:
            await live.open()
            listed = live.tracks["v360"].playlist
            assert listed is not None
            assert listed.first_msn > 0, "the live window is shorter"
            faultless(live)
        complete = follower.tracks["v360"].playlist
        assert complete is not None
        assert complete.first_msn == 0
        for _ in range(2):
            for name in ("v360", "v180"):
                shown = decoding.pictures(await follower.segment_bytes(name, 1))
                assert shown[-1].strip is not None
            web = await server.kill("web")

            async def another(old: int = web) -> bool:
                with contextlib.suppress(OSError, ValueError, aiohttp.ClientError):
                    async with server.session.get(f"{server.url}/readyz") as response:
                        return response.status == 200 and server.pid("web") != old
                return False

            await until_answered(another, limit_s=15)
        async with HlsFollower(f"{server.url}/live/archive/index.m3u8?dvr=1") as again:
            await again.open()
            assert again.tracks["v360"].url == follower.tracks["v360"].url
            # Playlists are read one after the other: the newest segment may not be whole in the first of them.
            run = sorted(set.intersection(*(set(whole(again, name)) for name in again.tracks)))
            assert run == list(range(run[-1] + 1))
            for name in again.tracks:
                data = await again.run_bytes(name, run[1], run[-1])
                if again.tracks[name].kind == "video":
                    strips = [p.strip for p in decoding.pictures(data) if p.strip is not None]
                    assert strips == sorted(strips)
                    assert strips[-1] - strips[0] > 28_000
                else:
                    assert len(decoding.beeps(decoding.sound(data))) >= 28
            faultless(again)
        faultless(follower)


async def playlist(server: Running) -> HlsFollower:
    follower = HlsFollower(f"{server.url}/live/archive/index.m3u8", session=server.session)
    await follower.open()
    return follower


async def test_directives_that_make_no_sense_are_refused_at_once(server: Running) -> None:
    follower = await playlist(server)
    edge = follower.edge("v360")[0]
    url = follower.tracks["v360"].url
    for query in (
        "_HLS_msn=x",
        "_HLS_msn=-1",
        "_HLS_msn=1&_HLS_msn=2",
        "_HLS_part=1",
        f"_HLS_msn={edge + 9}",
        f"_HLS_msn={edge}&_HLS_part=999",
        "_HLS_msn=99999999999999999999999999",
        "_HLS_skip=maybe",
    ):
        began = time.monotonic()
        async with server.session.get(f"{url}?{query}") as response:
            assert response.status == 400, query
            assert (await response.json())["error"]["code"] == "bad_directive"
        assert time.monotonic() - began < 1


async def test_one_address_may_hold_so_many_and_others_go_on(server: Running) -> None:
    """A hall behind one address; the others come from elsewhere, as the trusted proxy tells."""
    follower = await playlist(server)
    url = follower.tracks["v360"].url
    ahead = follower.edge("v360")[0] + 1
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
        async with server.session.get(url) as response:
            assert response.status == 200, "a plain reload is never held"
        assert time.monotonic() - began < 1
        answers = await asyncio.wait_for(asyncio.gather(*hall), 12)
        assert answers.count(200) == HELD
        assert all(status in (429, 503) for status in answers if status != 200)
        assert await asyncio.gather(*other) == [200, 200, 200]
        assert time.monotonic() - began < 9.2, "every held request is answered within three target durations"


async def test_held_requests_are_bounded_in_all(server: Running) -> None:
    follower = await playlist(server)
    url = follower.tracks["a128"].url
    ahead = follower.edge("a128")[0] + 1
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, force_close=True)) as viewers:

        async def wait(number: int) -> int:
            headers = {"X-Forwarded-For": f"198.51.100.{number % 5}"}
            async with viewers.get(f"{url}?_HLS_msn={ahead}", headers=headers) as response:
                return response.status

        answers = await asyncio.wait_for(asyncio.gather(*(wait(n) for n in range(15))), 12)
    assert answers.count(200) == 10
    assert answers.count(503) == 5
