"""A late start puts minutes on air, and a person leaves some out of a replay, on a whole server."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import urljoin

import pytest
from aiohttp import ClientError

from tests.fakes.following import all_past
from tests.fakes.hls_client import HlsFollower
from tests.fakes.publishing import tiny_camera
from tests.fakes.replaying import Player
from tests.fakes.running import Running
from tests.fakes.waiting import until, until_answered, until_answered_within

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

LONG_MS = 3_500
"""Of each session: long enough to leave a stretch out, and to forget another."""


def now_ms() -> int:
    return time.time_ns() // 1_000_000


async def comes_in(server: Running, room: str) -> None:
    async def up() -> bool:
        return bool((await server.state(room)).get("media_up"))

    await until_answered(up)


async def test_a_camera_in_an_empty_room_is_a_preview_until_somebody_puts_it_on_air(server: Running) -> None:
    await server.room("empty")
    async with tiny_camera(server, "empty"):
        await comes_in(server, "empty")
        async with HlsFollower(f"{server.url}/live/empty/index.m3u8") as follower:
            await follower.open()
            watching = asyncio.create_task(follower.follow(until=all_past(2)))
            while not watching.done():
                state = await server.state("empty")
                assert (state["state"], state["session"], state["word"]) == ("slate", None, "free")
                await asyncio.wait([watching], timeout=0.1)
            await watching
        for kind in ("sessions", "recordings"):
            assert (await server.api("GET", f"/{kind}?room=empty", status=200))["items"] == [], kind
        asked = time.monotonic()
        done = await server.api("POST", "/rooms/empty/ad_hoc", {}, status=200)

        async def shown() -> bool:
            return bool((await server.state("empty"))["shows"] == {"public": "programme"})

        await until_answered_within(3.0, shown)
        print(f"shown {time.monotonic() - asked:.2f} s after the tap")
        told = await server.wait_state("empty", "live")
        print(f"live {time.monotonic() - asked:.2f} s after the tap")
        assert told["session"]["ad_hoc"]
        assert told["session"]["id"] == done["sessions"][0]["id"]
        await server.api("POST", f"/sessions/{told['session']['id']}/end", {}, status=200)
        # The camera is still there: nobody knows of a microphone that was left on.
        await server.wait_state("empty", "slate")
    async with tiny_camera(server, "empty"):
        await comes_in(server, "empty")
        assert (await server.state("empty"))["state"] == "slate"


async def plan(server: Running, **fields: Any) -> dict[str, Any]:
    start, end = (datetime.fromtimestamp(now_ms() / 1000 + s, UTC).isoformat() for s in (0, 3600))
    body = {"room": "cut", "title": "T", "start": start, "end": end, **fields}
    return dict(await server.api("POST", "/sessions", body, status=201))


async def listed(server: Running, path: str) -> dict[str, tuple[int, int]]:
    """The listed media times of every rendition of an output's whole window: address -> its media times."""
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
    async with tiny_camera(server, "cut"):
        await comes_in(server, "cut")
        begun: dict[str, int] = {}
        outputs: dict[str, str] = {}
        for visibility in ("public", "private", "public"):
            # One after the other: the room is kept for a closed one whose time it is.
            session = await plan(server, visibility=visibility)
            told = await server.api("POST", f"/sessions/{session['id']}/start", {}, status=200)
            begun[session["id"]] = told["started_at_ms"]
            crew = await server.api("GET", f"/sessions/{session['id']}", status=200)
            outputs[session["id"]] = crew["live_url"] if visibility == "private" else "/live/cut/index.m3u8"
            end_ms = told["started_at_ms"] + LONG_MS
            await until(lambda end_ms=end_ms: now_ms() > end_ms)  # type: ignore[misc]
            await until_answered(partial(_has_come_to, server, outputs[session["id"]], end_ms))
        talk, board, _ = begun
        for name in (board, talk):
            await _left_out(server, name, outputs[name], begun[name])
        await server.wait_state("cut", "live")
        # *Forget* stands beside it: another stretch, from the live window, the replay and the disk.
        stretch = (begun[talk] + 2_400, begun[talk] + 2_800)
        assert touching(await replay(server, talk), stretch)
        await server.api("POST", "/rooms/cut/forget", {"from_ms": stretch[0], "to_ms": stretch[1]}, status=200)
        assert not touching(await listed(server, "/live/cut/index.m3u8"), stretch)

        async def forgotten() -> bool:
            return not touching(await replay(server, talk), stretch)

        await until_answered(forgotten)


async def _has_come_to(server: Running, output: str, media_ms: int) -> bool:
    """Whether an output's window lists all up to then."""
    try:
        return max(end for _, end in (await listed(server, output)).values()) > media_ms
    except (ClientError, ValueError):
        # The output of a session that has just begun is not there yet.
        return False


async def _left_out(server: Running, session: str, output: str, begun_ms: int) -> None:
    stretch = (begun_ms + 900, begun_ms + 1_600)
    gone = touching(await listed(server, output), stretch)
    assert len(gone) >= 3, "every rendition lists it"
    for address in gone:
        async with server.session.get(address) as response:
            assert response.status == 200, address

    async def ready() -> bool:
        return bool((await server.api("GET", f"/recordings/{session}")).get("state") == "ready")

    await until_answered(ready)
    skips = [{"from_ms": stretch[0], "to_ms": stretch[1]}]
    await server.api("PATCH", f"/recordings/{session}", {"skips": skips}, status=200)
    for _ in range(2):

        async def left() -> bool:
            return not touching(await listed(server, output), stretch)

        await until_answered_within(2.0, left)
        for address in gone:
            async with server.session.get(address) as response:
                assert response.status == 404, address
        # Shown again, it is in the replay only.
        await server.api("PATCH", f"/recordings/{session}", {"skips": []}, status=200)
