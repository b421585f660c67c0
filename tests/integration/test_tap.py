"""What a tap puts on air, and what a person leaves out of a replay, on a whole server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin

import pytest
import pytest_asyncio

from tests.fakes.hls_client import HlsFollower
from tests.fakes.publishing import camera
from tests.fakes.replaying import Player
from tests.fakes.running import Running, serving
from tests.fakes.waiting import until, until_answered

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

SETTINGS = {"STREAMER_MEDIA__RUNGS": '[{"height": 90, "bitrate_kbps": 80}]'}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Running]:
    async with serving(environment=SETTINGS) as running:
        yield running


def now_ms() -> int:
    return time.time_ns() // 1_000_000


async def comes_in(server: Running, room: str) -> None:
    async def up() -> bool:
        return bool((await server.state(room)).get("media_up"))

    await until_answered(up, limit_s=20)


async def test_a_camera_in_an_empty_room_is_a_preview_until_somebody_puts_it_on_air(server: Running) -> None:
    await server.room("empty")
    async with camera(server, "empty"):
        await comes_in(server, "empty")
        watched = now_ms() + 4_000
        while now_ms() < watched:
            state = await server.state("empty")
            assert (state["state"], state["session"], state["word"]) == ("slate", None, "free")
            await asyncio.sleep(0.1)
        for kind in ("sessions", "recordings"):
            assert (await server.api("GET", f"/{kind}?room=empty", status=200))["items"] == [], kind
        asked = time.monotonic()
        done = await server.api("POST", "/rooms/empty/ad_hoc", {}, status=200)

        async def shown() -> bool:
            return bool((await server.state("empty"))["shows"] == {"public": "programme"})

        await until_answered(shown, limit_s=3)
        print(f"shown {time.monotonic() - asked:.2f} s after the tap")
        told = await server.wait_state("empty", "live", within_s=10)
        print(f"live {time.monotonic() - asked:.2f} s after the tap")
        assert told["session"]["ad_hoc"]
        assert told["session"]["id"] == done["sessions"][0]["id"]
        await server.api("POST", f"/sessions/{told['session']['id']}/end", {}, status=200)
        # The camera is still there: nobody knows of a microphone that was left on.
        await server.wait_state("empty", "slate", within_s=5)
    async with camera(server, "empty"):
        await comes_in(server, "empty")
        assert (await server.state("empty"))["state"] == "slate"


async def plan(server: Running, **fields: Any) -> dict[str, Any]:
    start, end = (datetime.fromtimestamp(now_ms() / 1000 + s, UTC).isoformat() for s in (0, 3600))
    body = {"room": "cut", "title": "T", "start": start, "end": end, **fields}
    return dict(await server.api("POST", "/sessions", body, status=201))


async def listed(server: Running, path: str) -> dict[str, tuple[int, int]]:
    """What every rendition of an output's whole window lists: address -> its media times."""
    found: dict[str, tuple[int, int]] = {}
    async with HlsFollower(f"{server.url}{path}?dvr=1", session=server.session) as follower:
        await follower.open()
        for track in follower.tracks.values():
            assert track.playlist is not None
            for segment in track.playlist.segments:
                assert segment.pdt_ms is not None
                if segment.complete:
                    span = (segment.pdt_ms, segment.pdt_ms + round(float(segment.duration) * 1000))
                    found[urljoin(track.url, segment.uri)] = span
    return found


async def replay(server: Running, session: str) -> dict[str, tuple[int, int]]:
    """The same of the current edition; what is a gap is not there."""
    player = Player(server.session, f"{server.url}/replay/{session}/index.m3u8")
    await player.open()
    await player.reload()
    return {
        f"{name} {segment.msn}": (segment.pdt_ms or 0, (segment.pdt_ms or 0) + round(float(segment.duration) * 1000))
        for name, playlist in player.playlists.items()
        for segment in playlist.segments
        if not segment.gap
    }


def touching(listed: dict[str, tuple[int, int]], stretch: tuple[int, int]) -> set[str]:
    return {address for address, (begin, end) in listed.items() if begin < stretch[1] and end > stretch[0]}


async def test_what_is_left_out_of_a_replay_is_in_no_live_window_any_more(server: Running) -> None:
    await server.room("cut")
    async with camera(server, "cut"):
        await comes_in(server, "cut")
        begun: dict[str, int] = {}
        for visibility in ("public", "private", "public"):
            # One after the other: the room is kept for a closed one whose time it is.
            session = await plan(server, visibility=visibility)
            told = await server.api("POST", f"/sessions/{session['id']}/start", {}, status=200)
            begun[session["id"]] = told["started_at_ms"]
            enough = now_ms() + 7_000
            await until(lambda enough=enough: now_ms() > enough)  # type: ignore[misc]
        talk, board, _ = begun
        crew = await server.api("GET", f"/sessions/{board}", status=200)
        for name, output in ((board, crew["live_url"]), (talk, "/live/cut/index.m3u8")):
            await _left_out(server, name, output, begun[name])
        await server.wait_state("cut", "live")
        # *Forget* stands beside it: another stretch, from the live window, the replay and the disk.
        stretch = (begun[talk] + 5_000, begun[talk] + 5_500)
        assert touching(await replay(server, talk), stretch)
        await server.api("POST", "/rooms/cut/forget", {"from_ms": stretch[0], "to_ms": stretch[1]}, status=200)
        assert not touching(await listed(server, "/live/cut/index.m3u8"), stretch)

        async def forgotten() -> bool:
            return not touching(await replay(server, talk), stretch)

        await until_answered(forgotten, limit_s=5)


async def _left_out(server: Running, session: str, output: str, begun_ms: int) -> None:
    stretch = (begun_ms + 3_000, begun_ms + 4_500)
    gone = touching(await listed(server, output), stretch)
    assert len(gone) >= 4, "every rendition lists it"
    for address in gone:
        async with server.session.get(address) as response:
            assert response.status == 200, address

    async def ready() -> bool:
        return bool((await server.api("GET", f"/recordings/{session}")).get("state") == "ready")

    await until_answered(ready, limit_s=15)
    skips = [{"from_ms": stretch[0], "to_ms": stretch[1]}]
    await server.api("PATCH", f"/recordings/{session}", {"skips": skips}, status=200)
    for _ in range(2):

        async def left() -> bool:
            return not touching(await listed(server, output), stretch)

        await until_answered(left, limit_s=2)
        for address in gone:
            async with server.session.get(address) as response:
                assert response.status == 404, address
        # Shown again, it is in the replay only.
        await server.api("PATCH", f"/recordings/{session}", {"skips": []}, status=200)
