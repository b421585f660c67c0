"""A room's day on a real server, played and looked at: what the public gets is what it should, and nothing else.

The camera's pictures tell the time when they were taken. Everything that came out in public is decoded, and the times
are held against the marks.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urljoin

import pytest
import socketio

from tests.fakes.audience import Audience, Evidence, audience, now_ms, told
from tests.fakes.following import faultless
from tests.fakes.hls_client import HlsFollower
from tests.fakes.on_disk import search
from tests.fakes.planned_day import (
    PART_MS,
    SECRETS,
    ms_of,
    plan,
    recording,
    replayed_with_the_key_alone,
    session_state,
    source_up,
    status_of,
    tap,
    told_to_strangers,
    wait_session,
)
from tests.fakes.publishing import tiny_camera
from tests.fakes.running import Running
from tests.fakes.shared import LOW, TOP
from tests.fakes.waiting import Pace, until, until_answered
from tests.fakes.watching import Refusal, whep_player

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

TAP_MS = 150
"""From a tap to the room's obedience."""
EDGE_MS = 2_000
"""The live edge is a segment, as players begin with one."""


def only_slate(evidence: Evidence) -> None:
    assert evidence.between(0, 1 << 60) == {}
    assert evidence.loud_between(0, 1 << 60) == {}
    assert evidence.stray == []


async def test_before_the_tap_nobody_sees_or_hears_the_camera_and_after_the_end_neither(server: Running) -> None:
    await server.room("preview")
    talk = await plan(server, "preview", in_s=20 * 60)
    async with tiny_camera(server, "preview"):
        await source_up(server, "preview")
        published_ms = now_ms()
        async with audience(server, "preview") as public:
            async with whep_player(server, "preview", source="main", token=server.tokens["preview"]) as crew:
                began = asyncio.get_running_loop().time()
                await until(lambda: crew.test_card_since(began) > 20)
            with pytest.raises(Refusal) as refused:
                async with whep_player(server, "preview", source="main"):
                    pass
            assert refused.value.status == 401
            await public.edge_past(published_ms + 1_500)
            before = await public.evidence()
            only_slate(before)
            for where in (f"hls {TOP}", f"hls {LOW}", "whep", "still"):
                assert before.slates[where] > 0, f"{where} showed nothing at all"
            for output in ("programme", "preview", "main"):
                assert await status_of(server, f"/live/preview/{output}/index.m3u8") == 404
            assert (await server.state("preview"))["state"] == "slate"

            started = await tap(server, talk, "start")
            assert started["state"] == "on_air"
            await server.wait_state("preview", "live")
            on_air_ms = started["started_at_ms"]
            await until(lambda: (public.newest_still or 0) > on_air_ms)
            await public.edge_past(on_air_ms + 1_500)

            ended = await tap(server, talk, "end")
            ended_ms = ended["ended_at_ms"]
            await server.wait_state("preview", "slate")
            await until(lambda: public.newest_still is None)
            await public.edge_past(ended_ms + 1_500)
            shown = await public.evidence()
            assert shown.between(0, on_air_ms - PART_MS) == {}
            assert shown.between(ended_ms + PART_MS, 1 << 60) == {}
            for where in (f"hls {TOP}", f"hls {LOW}", "whep", "still"):
                assert shown.strips[where], f"{where} never showed the camera"
            for name in (TOP, LOW):
                strips = shown.strips[f"hls {name}"]
                print(f"{name}: first {strips[0] - on_air_ms} ms after the tap, last {strips[-1] - ended_ms} ms")
                assert strips[0] - on_air_ms < 3 * PART_MS
                assert ended_ms - strips[-1] < 3 * PART_MS
            assert shown.loud_between(0, on_air_ms - PART_MS) == {}
            assert shown.loud_between(ended_ms + PART_MS, 1 << 60) == {}
            assert shown.loud["hls a128"]
            assert shown.stray == []
            faultless(public.hls)


async def test_across_a_private_hour_the_public_gets_nothing_of_it(server: Running) -> None:
    room = "private"
    await server.room(room)
    title, speaker, abstract = SECRETS
    first = await plan(server, room, in_s=-60, for_s=65)
    async with tiny_camera(server, room):
        await source_up(server, room)
        await tap(server, first, "start")
        await server.wait_state(room, "live")
        second = await plan(server, room, in_s=700, title="The second open talk")
        async with audience(server, room) as public, listener(server, room) as heard:
            await until(lambda: public.whep is not None and public.whep.test_card_since(0) > 10)
            await until(lambda: public.newest_still is not None)
            # Long enough for the room to hear of it on a busy machine: an order that comes late hides late.
            board = await plan(
                server, room, in_s=4, for_s=600, title=title, speakers=[speaker], abstract=abstract, kind="meeting"
            )
            pace = Pace()
            running = await wait_session(server, board, "on_air", pace)
            begun_ms = running["started_at_ms"]
            assert abs(begun_ms - ms_of(board["start"])) <= pace.allowed_s(PART_MS / 1000) * 1000
            room_told = await told_to_strangers(server, room)
            assert room_told["session"] is None
            assert ms_of(room_told["reserved_until"]) == ms_of(board["end"])
            assert room_told["word"] == "reserved"
            secrets = (*SECRETS, board["id"], board["key"])
            await _nothing_told(server, room, board, secrets)

            key = board["key"]
            async with HlsFollower(f"{server.url}/live/{room}/~{key}/index.m3u8", retry_s=10) as members:
                await _opened(members)
                inner = Audience(server, room, members)
                await members.follow(until=lambda _: inner.followed_ms() > begun_ms + 2_500)
                inside = await inner.evidence()
                assert inside.strips[f"hls {TOP}"]
                assert min(inside.strips[f"hls {TOP}"]) > begun_ms - PART_MS
                for address in _without_key(members, key):
                    async with server.session.get(address) as response:
                        assert response.status == 404, address
                async with server.session.get(members.tracks[TOP].url) as response:
                    assert "private" in response.headers["Cache-Control"]
                    assert "no-store" in response.headers["Cache-Control"]
            await public.edge_past(now_ms() - 500)
            over = await tap(server, second, "start")
            over_ms = over["started_at_ms"]
            assert (await session_state(server, board))["ended_at_ms"] == over_ms
            await server.wait_state(room, "live")
            await until(lambda: (public.newest_still or 0) > over_ms)
            await public.edge_past(over_ms + 1_500)
            shown = await public.evidence()
            leaked = shown.between(begun_ms, over_ms)
            late = {where: max(strips) - begun_ms for where, strips in leaked.items()}
            print(f"public pictures after the private start, at most: {late} ms")
            # A tap is written before it takes effect, and WebRTC waits for nothing: some frames, never a part.
            assert late.pop("whep", 0) <= pace.allowed_s(TAP_MS / 1000) * 1000, pace
            assert late == {}
            loud = shown.loud_between(begun_ms + 30, over_ms - 30)
            assert loud == {}, (begun_ms, over_ms)
            assert shown.stray == []
            for where in (f"hls {TOP}", f"hls {LOW}", "whep", "still"):
                assert [ms for ms in shown.strips[where] if ms < begun_ms], f"{where}: nothing before"
                assert [ms for ms in shown.strips[where] if ms > over_ms], f"{where}: nothing afterwards"
                assert shown.slates[where] > 0, f"{where}: no slate"
            faultless(public.hls)
            messages = json.dumps(heard)
            assert "reserved" in messages, "the audience was told that the room is reserved"
            for secret in secrets:
                assert secret not in messages, f"{secret!r} was sent to the audience"
        await _nothing_told(server, room, board, secrets)
        await replayed_with_the_key_alone(server, board, begun_ms, over_ms)
        async with audience(server, room, whep=False) as late_comer:
            again = await late_comer.evidence()
            assert again.between(begun_ms, over_ms) == {}


@contextlib.asynccontextmanager
async def listener(server: Running, room: str) -> AsyncIterator[list[Any]]:
    """Somebody in the room's audience, and all that is sent to them."""
    heard: list[Any] = []
    client = socketio.AsyncClient(reconnection=False)
    for event in ("snapshot", "events"):
        client.on(event, lambda data, event=event: heard.append([event, data]), namespace="/audience")
    await client.connect(server.url, namespaces=["/audience"], auth={"room": room}, transports=["websocket"])
    try:
        await until(lambda: any(event == "snapshot" for event, _ in heard))
        yield heard
    finally:
        await client.disconnect()


async def _nothing_told(server: Running, room: str, board: dict[str, Any], secrets: tuple[str, ...]) -> None:
    for address, text in (await told(server, room)).items():
        for secret in secrets:
            assert secret not in text, f"{secret!r} is told at {address}"
    for path in (
        f"/api/v1/sessions/{board['id']}",
        f"/api/v1/recordings/{board['id']}",
        f"/replay/{board['id']}/index.m3u8",
        f"/replay/{board['id']}/~wrong/index.m3u8",
        f"/live/{room}/~wrong/index.m3u8",
        f"/live/{room}/{board['key']}/index.m3u8",
        f"/live/{room}/~{board['id']}/index.m3u8",
        f"/live/{room}/programme/index.m3u8",
        f"/live/{room}/~programme/index.m3u8",
        f"/live/{room}/~/index.m3u8",
        f"/schedule.ics?session={board['id']}",
    ):
        assert await status_of(server, path) == 404, path


async def _opened(follower: HlsFollower) -> None:
    async def there() -> bool:
        with contextlib.suppress(Exception):
            follower.tracks.clear()
            follower.variants.clear()
            follower.media.clear()
            await follower.open()
            return True
        return False

    await until_answered(there)


def _without_key(members: HlsFollower, key: str) -> list[str]:
    """Media of the private output, with its own interval's keys, asked for without the session's."""
    out = []
    for track in members.tracks.values():
        known = track.reader.known
        for msn in (min(known), max(m for m, s in known.items() if s.complete)):
            out.append(urljoin(track.url, known[msn].uri).replace(f"/~{key}/", "/"))
    assert all(key not in address for address in out)
    return out


async def test_what_must_not_be_recorded_is_on_no_disk_and_in_no_replay(server: Running) -> None:
    room = "offrecord"
    await server.room(room)
    before = await plan(server, room, in_s=-60, for_s=65)
    async with tiny_camera(server, room):
        await source_up(server, room)
        await tap(server, before, "start")
        await server.wait_state(room, "live")
        secret = await plan(server, room, in_s=4, for_s=600, title="Off the record", do_not_record=True)
        after = await plan(server, room, in_s=700, title="Not for the web", do_not_stream=True)
        async with audience(server, room, whep=False) as public:
            running = await wait_session(server, secret, "on_air")
            begun_ms = running["started_at_ms"]
            await public.edge_past(begun_ms + 3_500)
            async with HlsFollower(f"{server.url}/live/{room}/index.m3u8?dvr=1", retry_s=10) as rewinder:
                await rewinder.open()
                seen = await Audience(server, room, rewinder).evidence()
                assert [ms for ms in seen.strips[f"hls {TOP}"] if ms > begun_ms], "it is streamed"
                earlier = [ms - begun_ms for ms in seen.strips[f"hls {TOP}"] if ms < begun_ms - EDGE_MS]
                assert not earlier, f"DVR is cut where it begins: {earlier}"
            on_disk = await asyncio.to_thread(search, server.data, room)
            assert [ms for ms in on_disk.strips if begun_ms - 3_000 < ms < begun_ms], "what was before is there"
            assert on_disk.between(begun_ms, 1 << 60) == ([], [])

            over = await tap(server, after, "start")
            over_ms = over["started_at_ms"]
            await server.wait_state(room, "slate")
            told_now = await told_to_strangers(server, room)
            assert told_now["word"] == "not_streamed"
            await public.edge_past(over_ms + 1_500)
            shown = await public.evidence()
            assert shown.between(over_ms + PART_MS, 1 << 60) == {}
            assert shown.loud_between(over_ms + PART_MS, 1 << 60) == {}
            faultless(public.hls, cut=True)
        async with HlsFollower(f"{server.url}/live/{room}/index.m3u8?dvr=1", retry_s=10) as rewinder:
            await rewinder.open()
            assert (await Audience(server, room, rewinder).evidence()).between(begun_ms, over_ms - EDGE_MS) == {}
        ended = await tap(server, after, "end")
    on_disk = await asyncio.to_thread(search, server.data, room)
    assert on_disk.between(begun_ms, over_ms - PART_MS) == ([], [])
    kept, heard = on_disk.between(over_ms, ended["ended_at_ms"])
    assert kept, "what is not streamed is kept"
    assert heard
    assert await status_of(server, f"/replay/{secret['id']}/index.m3u8") == 404
    assert await status_of(server, f"/replay/{after['id']}/index.m3u8") == 404
    by_grant = await recording(server, after)
    assert by_grant is not None
    edition = by_grant["editions"][-1]
    assert edition["start_ms"] == over_ms
    assert await status_of(server, path_of(edition["url"])) == 200
    assert await server.api("GET", f"/recordings/{secret['id']}", status=404)


def path_of(url: str) -> str:
    return "/" + url.split("/", 3)[3]
