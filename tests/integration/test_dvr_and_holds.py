"""Beyond the live window, from the files; and what viewers may cost who wait, or who do not read: of playlists, media
and pictures. Bounds are small."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
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
ATTEMPTS = 5
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
    """The time of an answer that nothing holds up, on this machine and now."""
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
        # The newest segment may end at any time: after its last part comes the next one's first. It is asked for while
        # the edge is as it was read.
        f"_HLS_msn={edge + 1}&_HLS_part=999",
        f"_HLS_msn={edge + 9}",
        "_HLS_msn=x",
        "_HLS_msn=-1",
        "_HLS_msn=1&_HLS_msn=2",
        "_HLS_part=1",
        "_HLS_msn=99999999999999999999999999",
        "_HLS_skip=maybe",
    ):
        async with at_once(server, f"{url}?{query}") as response:
            assert response.status == 400, query
            assert (await response.json())["error"]["code"] == "bad_directive"


@dataclass
class Together:
    """``first``: the answers that came first."""

    answers: list[int]
    first: list[int]
    took_s: float


async def together(server: Running, name: str, addresses: list[str], refused: int) -> Together:
    """The answers to requests that wait for one segment at a time, ``refused`` of which are too many.

    On a busy machine the segment may come before all have asked, and its viewers are the first who are answered: then
    all ask again.
    """
    for _ in range(ATTEMPTS):
        follower = await playlist(server)
        url = f"{follower.tracks[name].url}?_HLS_msn={follower.edge(name)[0] + 1}"
        came: list[int] = []
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, force_close=True)) as viewers:

            async def wait(address: str) -> int:
                async with viewers.get(url, headers={"X-Forwarded-For": address}) as response:  # noqa: B023
                    if response.status in (429, 503):
                        assert int(response.headers["Retry-After"]) >= 1
                    came.append(response.status)  # noqa: B023
                    return response.status

            began = time.monotonic()
            answers = await asyncio.gather(*map(wait, addresses))
            found = Together(answers, came[:refused], time.monotonic() - began)
        if 200 not in found.first:
            break
    return found


async def test_one_address_may_hold_so_many_and_others_go_on(server: Running) -> None:
    """A hall behind one address; the others come from elsewhere, as the trusted proxy tells."""
    url = (await playlist(server)).tracks[TOP].url
    asking = asyncio.create_task(together(server, TOP, ["192.0.2.1"] * (HELD + 3) + ["192.0.2.2"] * 3, 3))
    async with at_once(server, url) as response:
        assert response.status == 200, "a plain reload is never held"
    found = await asking
    assert 200 not in found.first, "who is refused is so at once"
    assert set(found.answers) <= {200, 429, 503}
    assert found.answers[: HELD + 3].count(200) == HELD
    assert found.answers[HELD + 3 :] == [200, 200, 200]
    idle_s = await plain_s(server)
    assert found.took_s < 6.2 + SLOW_ANSWERS * idle_s, "every held request is answered within three target durations"


async def test_held_requests_are_bounded_in_all(server: Running) -> None:
    found = await together(server, "a128", [f"198.51.100.{number % 5}" for number in range(15)], 5)
    assert found.first == [503] * 5
    assert found.answers.count(200) == 10
    assert found.answers.count(503) == 5


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
