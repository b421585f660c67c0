"""A talk on a real server: watched from the start while it is on air, complete the moment it ends, cut at its marks.

The camera's pictures tell when they were taken, so that what a player shows can be held against the marks.
"""

from __future__ import annotations

import io
import time
from datetime import UTC, datetime
from typing import Any

import aiohttp
import av
import pytest

from tests.fakes.decoding import Picture, beeps, flashes, nearest, pictures, sound
from tests.fakes.publishing import TINY, tiny_camera
from tests.fakes.replaying import Player
from tests.fakes.running import Running
from tests.fakes.shared import LOW, TOP
from tests.fakes.waiting import until_answered, until_answered_within

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

ROOM, BOARD = "replayed", "replayed-board"
PART_MS = 334
PICTURE_MS = 1000 / TINY.frame_rate
CAPTURE_MS = 700
"""From the picture's taking to its place on the room's timeline, on a busy machine."""


def moment(ms: float) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat()


def now_ms() -> int:
    return time.time_ns() // 1_000_000


async def plan(server: Running, room: str, **fields: Any) -> dict[str, Any]:
    body = {
        "room": room,
        "title": "Été",
        "speakers": ["Zoé"],
        "start": moment(now_ms()),
        "end": moment(now_ms() + 3_600_000),
        **fields,
    }
    return dict(await server.api("POST", "/sessions", body, status=201))


async def first_player(server: Running, session: str) -> Player:
    player = Player(server.session, f"{server.url}/replay/{session}/index.m3u8")

    async def there() -> bool:
        try:
            await player.open()
            await player.reload()
        except AssertionError:
            return False
        return True

    await until_answered(there)
    return player


def timed(shown: list[Picture]) -> list[Picture]:
    """Those that take time."""
    return [a for a, b in zip(shown, [*shown[1:], None], strict=True) if b is None or b.at - a.at > 200]


async def test_watched_from_the_start_and_complete_at_the_end(server: Running) -> None:
    await server.room(ROOM)
    session = await plan(server, ROOM)
    async with server.session.get(f"{server.url}/replay/{session['id']}/index.m3u8") as response:
        assert response.status == 404
    async with tiny_camera(server, ROOM):

        async def comes_in() -> bool:
            return bool((await server.state(ROOM))["sources"].get("main", {}).get("up"))

        await until_answered(comes_in)
        started = await server.api("POST", f"/sessions/{session['id']}/start", {}, status=200)
        begin_ms = round(datetime.fromisoformat(started["started"]).timestamp() * 1000)
        watching = await first_player(server, session["id"])

        async def long_enough() -> bool:
            await watching.reload()
            return all(len(p.segments) >= 5 for p in watching.playlists.values())

        await until_answered(long_enough)
        assert not any(p.ended for p in watching.playlists.values())

        ended = await server.api("POST", f"/sessions/{session['id']}/end", {}, status=200)
        end_ms = round(datetime.fromisoformat(ended["ended"]).timestamp() * 1000)
        player = Player(server.session, f"{server.url}/replay/{session['id']}/index.m3u8")

        async def complete() -> bool:
            player.renditions, player.playlists = {}, {}
            await player.open()
            await player.reload()
            return all(p.ended for p in player.playlists.values())

        await until_answered_within(2.0, complete)
    await watching.reload()
    assert all(p.ended for p in watching.playlists.values()), "whoever watches goes on to the end"

    for name in (TOP, LOW, "a128"):
        first, last = player.playlists[name].segments[0], player.playlists[name].segments[-1]
        assert first.pdt_ms is not None
        assert last.pdt_ms is not None
        assert abs(first.pdt_ms - begin_ms) <= PART_MS
        assert abs(last.pdt_ms + float(last.duration) * 1000 - end_ms) <= PART_MS
    epoch_ms = player.playlists[TOP].segments[0].pdt_ms or 0
    shown = timed(pictures(await player.run(TOP)))
    # The first one may be the key frame after the beginning, which stands still until its time.
    strips = [(p.at, p.strip) for p in shown[1:] if p.strip is not None]
    assert len(strips) > len(shown) * 0.9
    for at, strip in strips:
        media_ms = epoch_ms + (at - shown[0].at) / 90
        assert abs(media_ms - strip) < CAPTURE_MS
    heard = sound(await player.run("a128"))
    off = [nearest(at, beeps(heard)) / 90 for at in flashes(shown)[1:-1]]
    assert off
    # The first difference of the camera's clocks is taken out of the sound by a few ms a second: it gets no worse.
    assert off[-1] < max(45, off[0] - len(off)), off
    assert max(off) < 250, off

    recording = await server.api("GET", f"/recordings/{session['id']}")
    assert recording["published"]
    async with server.session.get(recording["download_url"]) as response:
        assert response.status == 200, await response.text()
        data = await response.read()
    with av.open(io.BytesIO(data), format="mp4") as container:
        assert container.metadata["title"] == "Été"
        assert float(container.duration / av.time_base) == pytest.approx((end_ms - begin_ms) / 1000, abs=0.7)
        frames = sum(1 for _ in container.decode(video=0))
    assert frames >= len(shown)

    # The organiser moves the start by a second: another edition, and the old one is gone.
    old = player.renditions[TOP]
    await server.api("PATCH", f"/recordings/{session['id']}", {"start_ms": begin_ms + 1000}, status=200)
    async with server.session.get(old) as response:
        assert response.status == 410
    nudged = await first_player(server, session["id"])
    # A picture, or two where a busy camera left one out.
    assert abs((nudged.playlists[TOP].segments[0].pdt_ms or 0) - begin_ms - 1000) <= 2 * PICTURE_MS


async def test_a_private_session_is_replayed_for_its_key_and_outlives_the_web_process(server: Running) -> None:
    await server.room(BOARD)
    session = await plan(server, BOARD, visibility="private")
    async with tiny_camera(server, BOARD):

        async def starts() -> bool:
            answer = await server.api("POST", f"/sessions/{session['id']}/start", {})
            return bool((await server.state(BOARD))["sources"].get("main", {}).get("up")) and "error" not in answer

        await until_answered(starts)
        key = (await server.api("GET", f"/sessions/{session['id']}"))["key"]
        await first_player(server, f"{session['id']}/~{key}")
        await server.kill("web")

        async def back() -> bool:
            try:
                async with server.session.get(f"{server.url}/readyz") as response:
                    return response.status == 200
            except aiohttp.ClientError:
                return False

        await until_answered(back, what=lambda: server.logged()[-6000:])
        player = await first_player(server, f"{session['id']}/~{key}")
        long = len(player.playlists[LOW].segments)

        async def grows() -> bool:
            await player.reload()
            return len(player.playlists[LOW].segments) > long + 1

        await until_answered(grows)
        await server.api("POST", f"/sessions/{session['id']}/end", {}, status=200)

        async def ended() -> bool:
            await player.reload()
            return all(p.ended for p in player.playlists.values())

        await until_answered(ended)
    for key in ("", "~wrong/", "~link.wrong/"):
        async with server.session.get(f"{server.url}/replay/{session['id']}/{key}index.m3u8") as response:
            assert response.status == 404
    assert len(timed(pictures(await player.run(LOW)))) > 60
