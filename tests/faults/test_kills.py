"""kill -9 of each process, with a camera on air and a viewer following: the broadcast goes on, and its files play."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.fakes import decoding
from tests.fakes.following import all_past, breaks, faultless, holes_ms, skipped
from tests.fakes.hls_client import HlsFollower
from tests.fakes.ports import free_port
from tests.fakes.publishing import Camera, camera
from tests.fakes.running import Running, serving
from tests.fakes.shared import ONE_SOUND, REAL, Servers
from tests.fakes.stored import Stored, read_stored
from tests.fakes.waiting import LIMIT_S, until, until_answered

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

PART_MS = 334
ENCODED = "v144"
LOOK_MS = 4_000
SETTINGS = REAL | ONE_SOUND | {"STREAMER_MEDIA__RUNGS": '[{"height": 144, "bitrate_kbps": 120}]'}


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest_asyncio.fixture(loop_scope="session")
async def server(servers: Servers) -> AsyncIterator[Running]:
    async with servers.lent(SETTINGS) as running:
        yield running


@contextlib.asynccontextmanager
async def on_air(server: Running, room: str) -> AsyncIterator[tuple[Camera, HlsFollower]]:
    """A camera that comes back by itself, and a viewer who tries failed requests again as players do."""
    await server.room(room, start="auto")
    async with (
        camera(server, room) as source,
        HlsFollower(f"{server.url}/live/{room}/index.m3u8", retry_s=LIMIT_S) as follower,
    ):
        await server.wait_state(room, "live")
        await follower.open()
        await follower.follow(until=all_past(0))
        yield source, follower


def shown_until_ms(follower: HlsFollower, name: str) -> float:
    """The media time at which the newest listed part of a rendition ends."""
    known = follower.tracks[name].reader.known
    newest = known[max(known)]
    assert newest.pdt_ms is not None
    seconds = sum(part.duration for part in newest.parts) if newest.parts else newest.known_duration
    return newest.pdt_ms + float(seconds) * 1000


async def files_play(server: Running, room: str, *, live: bool = False) -> Stored:
    stored = await asyncio.to_thread(read_stored, server.data / "rooms" / room, missing_tail=live)
    assert await asyncio.to_thread(stored.play_everything) > 0
    return stored


async def test_a_killed_room_process_goes_on_in_the_same_broadcast(server: Running) -> None:
    async with on_air(server, "crash") as (source, follower):
        broadcast = follower.tracks["v360"].url
        seen = {name: follower.edge(name) for name in follower.tracks}
        shown_ms = {name: shown_until_ms(follower, name) for name in follower.tracks}
        old = await server.kill("room-crash")
        await until(lambda: source.publisher.state.connections >= 2)
        await server.wait_state("crash", "live")
        assert server.pid("room-crash") != old
        await follower.follow(until=all_past(1))
        faultless(follower, crashed=True)

        async with HlsFollower(f"{server.url}/live/crash/index.m3u8?dvr=1") as newcomer:
            await newcomer.open()
            assert newcomer.tracks["v360"].url.partition("?")[0] == broadcast
            for name, edge in seen.items():
                known = newcomer.tracks[name].reader.known
                assert min(known) == 0
                crash = [m for m, s in known.items() if m >= edge[0] and s.discontinuity]
                assert crash, f"{name}: no discontinuity after the crash"
                last = known[crash[0] - 1]
                assert last.pdt_ms is not None
                kept_ms = last.pdt_ms + float(last.known_duration) * 1000
                # The newest part that viewers were shown may be lost.
                lost_ms = shown_ms[name] - kept_ms
                assert lost_ms < 2 * PART_MS, f"{name}: {lost_ms:.0f} ms that were shown are lost"
            shown = decoding.pictures(await newcomer.segment_bytes("v144", min(follower.edge("v144")[0] - 1, 99)))
            assert shown[-1].strip is not None
            faultless(newcomer)
    await files_play(server, "crash")


async def test_a_killed_web_process_costs_viewers_failed_requests_and_the_files_nothing(server: Running) -> None:
    async with on_air(server, "web") as (source, follower):
        room, media, web = server.pid("room-web"), server.pid("media"), server.pid("web")
        address = follower.tracks["v360"].url
        for _ in range(2):
            await server.kill("web")
            await follower.follow(until=all_past(1))
        assert (server.pid("room-web"), server.pid("media")) == (room, media)
        assert server.pid("web") != web
        assert source.publisher.state.connections == 1, "the camera goes straight to the room"
        await server.wait_state("web", "live")
        faultless(follower)
        for name in follower.tracks:
            assert holes_ms(follower, name) == []
            assert breaks(follower, name) == []
        async with HlsFollower(f"{server.url}/live/web/index.m3u8?dvr=1") as newcomer:
            await newcomer.open()
            assert newcomer.tracks["v360"].url.partition("?")[0] == address
            assert min(newcomer.tracks["v360"].reader.known) == 0
            first = decoding.pictures(await newcomer.segment_bytes("v144", 1))
            assert first[-1].strip is not None, "what the new web process never saw comes from the files"
            faultless(newcomer)
    stored = await files_play(server, "web", live=True)
    for name, segments in stored.segments.items():
        numbers = [segment.msn for segment in segments]
        lost = set(range(numbers[0], numbers[-1] + 1)) - set(numbers)
        # A busy machine may encode nothing of a segment, or our camera may send nothing: the rest is whole.
        known = follower.tracks[name].reader.known
        times = {msn: known[msn].pdt_ms or 0 for msn in lost if msn in known}
        lost -= {msn for msn, at_ms in times.items() if skipped(at_ms - LOOK_MS, at_ms + LOOK_MS)}
        assert not lost or name == ENCODED, f"{name} lacks {sorted(lost)}"


async def test_a_killed_media_host_leaves_the_rooms_to_the_next(server: Running) -> None:
    async with on_air(server, "host") as (source, follower):
        room, media = server.pid("room-host"), server.pid("media")
        await server.kill("media")

        async def another() -> bool:
            with contextlib.suppress(OSError, ValueError):
                return server.pid("media") != media
            return False

        await until_answered(another)
        await follower.follow(until=all_past(1))
        assert server.pid("room-host") == room
        assert source.publisher.state.connections == 1
        faultless(follower)
        assert follower.retried == 0
        # The new host watches the room that it found: killed, it comes back.
        await server.kill("room-host")
        await until(lambda: source.publisher.state.connections >= 2)
        await server.wait_state("host", "live")
        await follower.follow(until=all_past(1))
        faultless(follower, crashed=True)
    await files_play(server, "host")


async def test_a_killed_supervisor_leaves_the_broadcast_to_the_next_serve_and_sigterm_to_the_one_after(
    tmp_path: Path,
) -> None:
    port, data = free_port(), tmp_path / "data"
    async with contextlib.AsyncExitStack() as stack:
        first = await stack.enter_async_context(serving(data=data, port=port, environment=SETTINGS))
        source, follower = await stack.enter_async_context(on_air(first, "stage"))
        room, media = first.pid("room-stage"), first.pid("media")
        first.process.kill()
        await first.process.wait()
        assert alive(room)
        second = await stack.enter_async_context(serving(data=data, port=port, environment=SETTINGS))
        assert (second.pid("room-stage"), second.pid("media")) == (room, media)
        await follower.follow(until=all_past(1))
        faultless(follower)
        assert source.publisher.state.connections == 1
        assert holes_ms(follower, "v360") == []
        web = second.pid("web")
        await ends(second)
        assert not alive(web)
        await until(lambda: not alive(room) and not alive(media))
        assert list((data / "run").glob("*.pid")) == []

        third = await stack.enter_async_context(serving(data=data, port=port, environment=SETTINGS))
        await until(lambda: source.publisher.state.connections >= 2)
        await third.wait_state("stage", "live")
        await follower.follow(until=all_past(1))
        faultless(follower)
        stored = await files_play(third, "stage", live=True)
        assert stored.broadcast in follower.tracks["v360"].url
        pids = [third.pid(name) for name in ("web", "media", "room-stage")]
        await ends(third)
        assert not any(alive(pid) for pid in pids), "its own processes end before it"
        await files_play(third, "stage")


async def ends(server: Running) -> None:
    """In order, on SIGTERM."""
    server.process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(LIMIT_S):
        assert await server.process.wait() == 0
