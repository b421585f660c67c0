"""Taps that come late, are undone or are followed by a kill, and minutes that are forgotten, on a real server."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal

import pytest
from aiohttp import ClientSession

from streamer.control import process_files
from tests.fakes.audience import Audience, audience, now_ms
from tests.fakes.following import skipped
from tests.fakes.hls_client import HlsFollower
from tests.fakes.on_disk import search
from tests.fakes.planned_day import (
    PART_MS,
    SECRETS,
    begins_at,
    killed,
    ms_of,
    plan,
    recording,
    replayed,
    replayed_with_the_key_alone,
    session_state,
    source_up,
    status_of,
    tap,
    wait_session,
)
from tests.fakes.publishing import tiny_camera
from tests.fakes.replaying import Player
from tests.fakes.running import Running
from tests.fakes.shared import TOP
from tests.fakes.waiting import until, until_answered, until_answered_within

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]


async def test_late_taps_make_the_replay_and_an_undone_end_goes_on(server: Running) -> None:
    room = "late"
    await server.room(room)
    talk = await plan(server, room, in_s=-120)
    async with tiny_camera(server, room):
        await source_up(server, room)
        up_ms = now_ms()
        # People tap late: here as soon as there is something to go back to.
        await until(lambda: now_ms() > up_ms + 2_500)
        begun_ms = up_ms + 1_000
        started = await tap(server, talk, "start", at=begun_ms)
        assert started["started_at_ms"] == begun_ms
        index = f"/replay/{talk['id']}/index.m3u8"
        async with ClientSession(server.url) as http:
            follower = await playing(http, index)
            await follower.reload()
            playlist = follower.playlists[TOP]
            assert not playlist.ended
            growing = await replayed(server, index)
            print(f"replay begins {growing[0] - begun_ms} ms after the mark")
            assert begins_at(growing, begun_ms)

            now = now_ms()
            wrong = await tap(server, talk, "end")
            await until_answered(lambda: _ended(http, index))
            undone = await server.api("POST", f"/actions/{wrong['action']}/undo", status=200)
            assert undone["sessions"][0]["state"] in ("on_air", "overrun")

            async def goes_on() -> bool:
                # The edition may be replaced between two requests.
                with contextlib.suppress(AssertionError):
                    again = await playing(http, index)
                    await again.reload()
                    return not again.playlists[TOP].ended
                return False

            await until_answered(goes_on)
            await until(lambda: now_ms() > now + 2_500)

            end_ms = now_ms() - 1_500
            live = (await playing(http, index)).renditions[TOP]
            ended = await tap(server, talk, "end", at=end_ms)
            assert ended["ended_at_ms"] == end_ms
            await until_answered_within(3.0, lambda: _ended(http, index))
            whole = await replayed(server, index)
            # The picture's own moment is in whole milliseconds, too.
            print(f"replay: {whole[0] - begun_ms} ms and {whole[-1] - end_ms} ms from its marks")
            assert begins_at(whole, begun_ms)
            # On a busy machine a picture was taken a little before its place on the room's timeline.
            assert -2 * PART_MS <= whole[-1] - end_ms <= PART_MS + 1
            missing = [(a, b) for a, b in itertools.pairwise(whole) if b - a >= 500 and not skipped(a, b)]
            assert missing == [], "nothing is missing in between"
            async with http.get(live) as response:
                assert response.status in (200, 410)

            kept = await recording(server, talk)
            assert kept is not None
            current = (await playing(http, index)).renditions[TOP]
            await server.api("PATCH", f"/recordings/{talk['id']}", {"start_ms": begun_ms + 1_000}, status=200)
            async with http.get(current) as response:
                assert response.status == 410
            nudged = await replayed(server, index)
            assert begins_at(nudged, begun_ms + 1_000)
            await server.api("PATCH", f"/recordings/{talk['id']}", {"published": False}, status=200)
            assert await status_of(server, index) == 404


async def playing(http: ClientSession, index: str) -> Player:
    async def there() -> bool:
        async with http.get(index) as response:
            return response.status == 200

    await until_answered(there)
    player = Player(http, index)

    async def listed() -> bool:
        # There is nothing to play before a key frame of the session is there.
        nonlocal player
        player = Player(http, index)
        with contextlib.suppress(AssertionError):
            await player.open()
            await player.reload()
            return True
        return False

    await until_answered(listed)
    return player


async def _ended(http: ClientSession, index: str) -> bool:
    with contextlib.suppress(AssertionError):
        player = await playing(http, index)
        await player.reload()
        return all(playlist.ended for playlist in player.playlists.values())
    return False


async def test_killed_processes_keep_the_day_and_privacy(server: Running) -> None:
    room = "killed"
    await server.room(room)
    talk = await plan(server, room, in_s=-600, for_s=602)
    async with tiny_camera(server, room):
        await source_up(server, room)
        await tap(server, talk, "start")
        await server.wait_state(room, "live")
        async with audience(server, room, whep=False) as public:
            # In the middle of a session that overruns.
            await wait_session(server, talk, "overrun")
            marks = await session_state(server, talk)
            await killed(server, "web")
            again = await session_state(server, talk)
            assert (again["state"], again["started_at_ms"]) == ("overrun", marks["started_at_ms"])
            state = await server.wait_state(room, "live")
            assert state["orders"]["public"] == "programme"

            # Long enough for the room to hear of it on a busy machine.
            board = await plan(server, room, in_s=4, for_s=600, title=SECRETS[0], kind="meeting")
            await without_web(server, room, until_ms=ms_of(board["start"]) + 1_000)
            running = await wait_session(server, board, "on_air")
            begun_ms = running["started_at_ms"]
            assert begun_ms <= ms_of(board["start"])
            for process in (f"room-{room}", "web", "media"):
                await killed(server, process)
                killed_ms = now_ms()
                await source_up(server, room)
                await public.edge_past(killed_ms + 1_500)
                again = await session_state(server, board)
                assert again["started_at_ms"] == begun_ms, (process, again, server.logged())
            shown = await public.evidence()
            late = {where: max(s) - begun_ms for where, s in shown.between(begun_ms, 1 << 60).items()}
            print(f"public pictures after the private start: {late}")
            assert shown.between(begun_ms, 1 << 60) == {}
            assert shown.beeps_since(begun_ms) == {}
            async with audience(server, room, whep=False) as newcomer:
                # Long enough for the camera to be in the closed session's programme again.
                await newcomer.edge_past(now_ms() + 2_500)
                assert (await newcomer.evidence()).between(begun_ms, 1 << 60) == {}
            await tap(server, board, "end")


async def without_web(server: Running, room: str, *, until_ms: int) -> None:
    """The web process stands still, as soon as the room knows when it is to hide."""
    settings = process_files.read_settings(server.data / "run" / process_files.SETTINGS_FILE)

    def knows() -> bool:
        config = process_files.load_room(settings, room)
        return config is not None and config.orders.slate_from_ms is not None

    await until(knows)
    web = server.pid("web")
    os.kill(web, signal.SIGSTOP)
    try:
        await until(lambda: now_ms() > until_ms)
    finally:
        os.kill(web, signal.SIGCONT)


async def test_a_late_tap_takes_the_minutes_of_a_closed_session_out_of_the_public_window(server: Running) -> None:
    room = "given"
    await server.room(room)
    talk = await plan(server, room, in_s=-600, for_s=610)
    board = await plan(server, room, in_s=400, for_s=600, title=SECRETS[0], kind="meeting")
    async with tiny_camera(server, room):
        await source_up(server, room)
        await tap(server, talk, "start")
        await server.wait_state(room, "live")
        async with audience(server, room, whep=False) as public:
            await public.edge_past(now_ms() + 2_500)
        began_ms = now_ms() - 2_000
        await tap(server, board, "start", at=began_ms)
        assert (await session_state(server, talk))["ended_at_ms"] == began_ms
        await server.wait_state(room, "slate")
        for process in ("", f"room-{room}"):
            if process:
                await killed(server, process)
                await source_up(server, room)
            async with audience(server, room, whep=False) as newcomer:
                # Long enough for the camera to be in the closed session's programme again.
                await newcomer.edge_past(now_ms() + 2_500)
                shown = await newcomer.evidence()
                assert shown.between(began_ms, 1 << 60) == {}
                assert shown.loud_between(began_ms + 30, 1 << 60) == {}
        over = await tap(server, board, "end")
    # They are the closed session's own.
    await replayed_with_the_key_alone(server, board, began_ms, over["ended_at_ms"])


async def test_the_last_minutes_are_forgotten_everywhere(server: Running) -> None:
    room = "regret"
    await server.room(room)
    talk = await plan(server, room, in_s=-60)
    async with tiny_camera(server, room):
        await source_up(server, room)
        started = await tap(server, talk, "start")
        await server.wait_state(room, "live")
        begun_ms = started["started_at_ms"]
        index = f"/replay/{talk['id']}/index.m3u8"
        async with audience(server, room, whep=False) as public:
            await public.edge_past(begun_ms + 5_000)
            asked_ms = now_ms()
            await server.api("POST", f"/rooms/{room}/forget", {"minutes": 0.05}, status=200)
            answered_ms = now_ms()
            # Times are media times: a picture's lies a little behind when it was taken.
            gone = (asked_ms - 3_000 + 50, asked_ms - PART_MS)
            on_disk = await asyncio.to_thread(search, server.data, room)
            assert on_disk.between(*gone) == ([], [])
            assert [ms for ms in on_disk.strips if begun_ms + 500 < ms < begun_ms + 2_000], "what was before is there"
            await public.edge_past(answered_ms + 1_500)
        async with HlsFollower(f"{server.url}/live/{room}/index.m3u8?dvr=1", retry_s=10) as rewinder:
            await rewinder.open()
            left = await Audience(server, room, rewinder).evidence()
            assert left.between(*gone) == {}
            assert left.loud_between(*gone) == {}
            assert left.between(answered_ms, 1 << 60)
        strips = await replayed(server, index)
        assert not [ms for ms in strips if gone[0] < ms < gone[1]]
        assert [ms for ms in strips if ms < gone[0]]
        ended = await tap(server, talk, "end")
        await recording(server, talk)
        strips = await replayed(server, index)
        assert not [ms for ms in strips if gone[0] < ms < gone[1]]
        assert begins_at(strips, begun_ms)
        assert abs(strips[-1] - ended["ended_at_ms"]) <= 2 * PART_MS
    on_disk = await asyncio.to_thread(search, server.data, room)
    assert on_disk.between(*gone) == ([], [])
