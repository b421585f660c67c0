"""A room's public state, and its picture when the camera goes: slate, back, the end, and a new broadcast."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import numpy as np
import pytest
import pytest_asyncio

from tests.fakes import decoding
from tests.fakes.following import faultless
from tests.fakes.hls_client import HlsFollower
from tests.fakes.publishing import tiny_camera
from tests.fakes.running import Running
from tests.fakes.shared import LOW, SMALL, TOP, Servers
from tests.fakes.waiting import Pace, until_answered

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]


@pytest_asyncio.fixture(loop_scope="session")
async def server(servers: Servers) -> AsyncIterator[Running]:
    # On a busy machine the second camera comes some seconds after the first has gone.
    async with servers.lent(SMALL | {"STREAMER_ROOM__CLOSE_AFTER_S": "10"}) as running:
        yield running


async def get(server: Running, path: str) -> tuple[int, bytes]:
    async with server.session.get(f"{server.url}{path}") as response:
        return response.status, await response.read()


async def refused_as(server: Running, path: str) -> tuple[int, str]:
    async with server.session.get(f"{server.url}{path}") as response:
        body = await response.json()
        return response.status, body["error"]["code"]


async def test_a_room_that_is_off_shows_nothing_and_no_viewer_opens_it(server: Running) -> None:
    await server.room("dark", start="auto")
    for path in (
        "index.m3u8",
        "index.m3u8?dvr=1",
        "still.jpg",
        "abc/v360.m3u8",
        "abc/key/v360/0.m4s",
        "abc/k/a/init-0.mp4",
    ):
        assert await refused_as(server, f"/live/dark/{path}") == (404, "not_on_air"), path
    assert (await server.state("dark"))["state"] == "off"
    assert not (server.data / "run" / "room-dark.pid").exists()
    assert (await get(server, "/watch/dark"))[0] == 200


async def test_off_live_slate_live_and_off_in_one_broadcast_and_then_another(server: Running) -> None:
    await server.room("stage", start="auto")
    states: list[str] = []

    async def watch() -> None:
        while True:
            state = (await server.state("stage"))["state"]
            if states[-1:] != [state]:
                states.append(state)
                if state == "live":
                    await all_renditions_answer()
            await asyncio.sleep(0.1)

    async def all_renditions_answer() -> None:
        """``live`` only once every rendition's playlist answers with a whole segment."""
        async with HlsFollower(f"{server.url}/live/stage/index.m3u8") as first_look:
            await first_look.open()
            for track in first_look.tracks.values():
                assert track.playlist is not None
                assert any(s.complete for s in track.playlist.segments), f"{track.name} has no whole segment"

    watching = asyncio.create_task(watch())
    follower = HlsFollower(f"{server.url}/live/stage/index.m3u8", prefetch=True)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(watching.cancel)
        await stack.enter_async_context(follower)
        async with tiny_camera(server, "stage"):
            await server.wait_state("stage", "live")
            await follower.open()
            address = follower.tracks[TOP].url
            await follower.follow(until=lambda f: f.edge(TOP)[0] >= 3)
        gone_ms, pace = time.time() * 1000, Pace()
        took_s = await pace.until_answered(lambda: is_in(server, "stage", "slate"))
        assert took_s <= pace.allowed_s(3.0), pace
        edge = follower.edge(TOP)[0]
        await follower.follow(until=lambda f: f.edge(TOP)[0] >= edge + 2 and f.edge("a128")[0] >= edge + 2)
        assert slate_since_ms(follower) - gone_ms < 1000 * pace.allowed_s(3.0), pace
        async with tiny_camera(server, "stage"):
            await server.wait_state("stage", "live")
            edge = follower.edge(TOP)[0]
            await follower.follow(until=lambda f: min(f.edge(TOP), f.edge("a128")) >= (edge + 2, 0))
            assert (await get(server, "/live/stage/index.m3u8"))[1].count(address.split("/")[-2].encode()) > 0
        await follower.follow(until=lambda f: f.ended)
        watching.cancel()
    # Before the first whole segment the room may already show its slate.
    assert [s for s in states if s != "off"][-4:] == ["live", "slate", "live", "slate"]
    faultless(follower)
    check_one_timeline(follower)

    await server.wait_state("stage", "off")
    await until_answered(lambda: room_is_gone(server, "stage"))
    assert await refused_as(server, "/live/stage/index.m3u8") == (404, "not_on_air")
    assert await refused_as(server, "/live/stage/still.jpg") == (404, "not_on_air")
    async with tiny_camera(server, "stage"):
        await server.wait_state("stage", "live")
        async with HlsFollower(f"{server.url}/live/stage/index.m3u8") as again:
            await again.open()
            assert again.tracks[TOP].url != address
            faultless(again)


async def is_in(server: Running, room: str, state: str) -> bool:
    return bool((await server.state(room))["state"] == state)


async def is_down(server: Running, room: str) -> bool:
    return (await server.state(room))["sources"]["main"]["up"] is False


def slate_since_ms(follower: HlsFollower) -> int:
    """Media time of the last place where something else came on."""
    at = max(s.pdt_ms or 0 for s in follower.tracks[TOP].reader.known.values() if s.discontinuity)
    assert at, "there is no such place"
    return at


async def room_is_gone(server: Running, room: str) -> bool:
    return not (server.data / "run" / f"room-{room}.pid").exists()


def check_one_timeline(follower: HlsFollower) -> None:
    """Numbering goes on, and media time without a hole, through camera, slate and camera."""
    for track in follower.tracks.values():
        known = track.reader.known
        assert sorted(known) == list(range(min(known), max(known) + 1))
        last = 0.0
        for msn in sorted(known):
            pdt = known[msn].pdt_ms
            assert pdt is not None
            if last:
                assert abs(pdt - last) <= 2 or (track.kind == "audio" and abs(pdt - last) < 25), (track.name, msn)
            last = pdt + float(known[msn].duration) * 1000


async def test_the_slate_can_be_seen_and_the_still_shows_it(server: Running) -> None:
    await server.room("salle", name="Grande Salle", start="auto")
    async with tiny_camera(server, "salle"):
        await server.wait_state("salle", "live")
        _, still_live = await get(server, "/live/salle/still.jpg")
    await server.wait_state("salle", "slate")
    async with HlsFollower(f"{server.url}/live/salle/index.m3u8") as follower:
        await follower.open()
        edge = follower.edge(TOP)[0]
        await follower.follow(until=lambda f: min(f.edge(name) for name in f.tracks) >= (edge + 2, 0))
        for name, size in ((TOP, (320, 180)), (LOW, (256, 144))):
            (picture, *others) = decoding.pictures(await follower.segment_bytes(name, edge + 1))
            assert picture.shape == size
            assert picture.strip is None
            assert 10 < picture.luma.mean() < 200
            assert picture.luma.std() > 8, "a slate has writing on it"
            assert all(np.abs(o.luma.astype(int) - picture.luma).mean() < 4 for o in others)
        heard = decoding.sound(await follower.segment_bytes("a128", edge + 1))
        assert np.abs(heard.samples).max() < 0.01
        stills: list[bytes] = []

        async def shown() -> bool:
            status, still = await get(server, "/live/salle/still.jpg")
            stills.append(still)
            return status == 200

        # Drawn beside the media, when there is time.
        await until_answered(shown)
        assert stills[-1] != still_live
        faultless(follower)


async def test_a_camera_that_falls_silent_gives_way_to_the_slate_within_two_seconds(server: Running) -> None:
    await server.room("quiet", start="auto")
    async with tiny_camera(server, "quiet") as source:
        await server.wait_state("quiet", "live")
        async with HlsFollower(f"{server.url}/live/quiet/index.m3u8") as follower:
            await follower.open()
            silent_ms, pace = time.time() * 1000, Pace()
            source.fall_silent()
            took_s = await pace.until_answered(lambda: is_in(server, "quiet", "slate"))
            assert took_s <= pace.allowed_s(2.5), pace
            await until_answered(lambda: is_down(server, "quiet"))
            edge = follower.edge(TOP)[0]
            await follower.follow(until=lambda f: f.edge(TOP)[0] >= edge + 2)
            slate_ms = slate_since_ms(follower)
            assert slate_ms - silent_ms < 1000 * pace.allowed_s(2.5), pace
            source.speak_again()
            await server.wait_state("quiet", "live")
            await follower.follow(until=lambda f: slate_since_ms(f) > slate_ms)
            edge = follower.edge(TOP)[0]
            await follower.follow(until=lambda f: min(f.edge(n) for n in f.tracks) >= (edge + 2, 0))
            shown = decoding.pictures(await follower.segment_bytes(LOW, edge + 1))
            assert shown[-1].strip is not None
            check_one_timeline(follower)
            faultless(follower)
            assert source.publisher.state.connections == 1
