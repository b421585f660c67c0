"""A room's day on a real server, played and looked at: what the public gets is what it should, and nothing else.

The camera's pictures tell the time when they were taken. Everything that came out in public is decoded, and the times
are held against the marks.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin

import pytest
import pytest_asyncio
import socketio
from aiohttp import ClientError, ClientSession

from tests.fakes import decoding
from tests.fakes.audience import Audience, Evidence, audience, now_ms, told
from tests.fakes.following import faultless
from tests.fakes.hls_client import HlsFollower
from tests.fakes.on_disk import search
from tests.fakes.publishing import camera
from tests.fakes.replaying import Player
from tests.fakes.running import Running, serving
from tests.fakes.waiting import until, until_answered
from tests.fakes.watching import Refusal, whep_player

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

SETTINGS = {
    "STREAMER_MEDIA__RUNGS": '[{"height": 180, "bitrate_kbps": 150}]',
    "STREAMER_MEDIA__STILL_INTERVAL_S": "1",
    "STREAMER_HLS__RING_S": "9",
    # What is not recorded is in memory alone: all of the ring has to have room there.
    "STREAMER_HLS__CACHE_BYTES_PER_ROOM": "4000000",
    "STREAMER_WHEP__MAX_VIEWERS": "5",
}
PART_MS = 334
TAP_MS = 150
"""From a tap to the room's obedience."""
EDGE_MS = 3_000
"""The live edge is a segment, as players begin with one."""
MINUTE_MS = 60_000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Running]:
    async with serving(environment=SETTINGS) as running:
        yield running


def moment(ms: float) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat()


def ms_of(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


async def plan(
    server: Running, room: str, *, in_s: float = 0.0, for_s: float = 3600.0, **fields: Any
) -> dict[str, Any]:
    start = now_ms() + in_s * 1000
    fields.setdefault("title", "An open talk")
    body = {"room": room, "start": moment(start), "end": moment(start + for_s * 1000), **fields}
    made = await server.api("POST", "/sessions", body, status=201)
    assert isinstance(made, dict)
    return made


async def tap(server: Running, session: dict[str, Any], what: str, **body: Any) -> dict[str, Any]:
    done = await server.api("POST", f"/sessions/{session['id']}/{what}", body, status=200)
    assert isinstance(done, dict)
    return done


async def session_state(server: Running, session: dict[str, Any]) -> dict[str, Any]:
    answer = await server.api("GET", f"/sessions/{session['id']}", status=200)
    assert isinstance(answer, dict)
    return answer


async def wait_session(server: Running, session: dict[str, Any], state: str, *, within_s: float = 20) -> dict[str, Any]:
    latest: dict[str, Any] = {}

    async def reached() -> bool:
        latest.update(await session_state(server, session))
        return latest["state"] == state

    await until_answered(reached, limit_s=within_s, what=lambda: f"is {state}, last {latest}")
    return latest


async def status_of(server: Running, path: str) -> int:
    async with server.session.get(server.url + path) as response:
        await response.read()
        return response.status


def only_slate(evidence: Evidence) -> None:
    assert evidence.between(0, 1 << 60) == {}
    assert evidence.loud_between(0, 1 << 60) == {}
    assert evidence.stray == []


async def replayed(server: Running, path: str, name: str = "v360") -> list[int]:
    """What the pictures of a whole replay say, those that a player has time to show."""
    async with ClientSession(server.url) as http:
        player = Player(http, path)
        await player.open()
        await player.reload()
        playlist, strips, at = player.playlists[name], [], 0
        while at < len(playlist.segments):
            end = next((i for i in range(at + 1, len(playlist.segments)) if playlist.segments[i].discontinuity), None)
            data = await player.run(name, at, end)
            shown = {ticks for ticks, duration, _ in decoding.picture_times(data) if duration > 10}
            strips += [p.strip for p in decoding.pictures(data) if p.at in shown and p.strip is not None]
            at = len(playlist.segments) if end is None else end
        return strips


async def source_up(server: Running, room: str) -> None:
    async def up() -> bool:
        return bool((await server.state(room)).get("media_up"))

    await until_answered(up, limit_s=15)


async def test_before_the_tap_nobody_sees_or_hears_the_camera_and_after_the_end_neither(server: Running) -> None:
    await server.room("preview")
    talk = await plan(server, "preview", in_s=20 * 60)
    async with camera(server, "preview"):
        await source_up(server, "preview")
        published_ms = now_ms()
        async with audience(server, "preview") as public:
            async with whep_player(server, "preview", source="main", token=server.tokens["preview"]) as crew:
                began = asyncio.get_running_loop().time()
                await until(lambda: crew.test_card_since(began) > 20, limit_s=15)
            with pytest.raises(Refusal) as refused:
                async with whep_player(server, "preview", source="main"):
                    pass
            assert refused.value.status == 401
            await public.edge_past(published_ms + 3_000)
            before = await public.evidence()
            only_slate(before)
            for where in ("hls v360", "hls v180", "whep", "still"):
                assert before.slates[where] > 0, f"{where} showed nothing at all"
            for output in ("programme", "preview", "main"):
                assert await status_of(server, f"/live/preview/{output}/index.m3u8") == 404
            assert (await server.state("preview"))["state"] == "slate"

            started = await tap(server, talk, "start")
            assert started["state"] == "on_air"
            await server.wait_state("preview", "live", within_s=8)
            on_air_ms = started["started_at_ms"]
            await until(lambda: (public.newest_still or 0) > on_air_ms, limit_s=10)
            await public.edge_past(on_air_ms + 3_000)

            ended = await tap(server, talk, "end")
            ended_ms = ended["ended_at_ms"]
            await server.wait_state("preview", "slate", within_s=4)
            await until(lambda: public.newest_still is None, limit_s=10)
            await public.edge_past(ended_ms + 2_500)
            shown = await public.evidence()
            assert shown.between(0, on_air_ms - PART_MS) == {}
            assert shown.between(ended_ms + PART_MS, 1 << 60) == {}
            for where in ("hls v360", "hls v180", "whep", "still"):
                assert shown.strips[where], f"{where} never showed the camera"
            for name in ("v360", "v180"):
                strips = shown.strips[f"hls {name}"]
                print(f"{name}: first {strips[0] - on_air_ms} ms after the tap, last {strips[-1] - ended_ms} ms")
                assert strips[0] - on_air_ms < 3 * PART_MS
                assert ended_ms - strips[-1] < 3 * PART_MS
            assert shown.loud_between(0, on_air_ms - PART_MS) == {}
            assert shown.loud_between(ended_ms + PART_MS, 1 << 60) == {}
            assert shown.loud["hls a128"]
            assert shown.stray == []
            faultless(public.hls)


SECRETS = ("Quorum of the board", "Ada Confidential", "Nobody may read this abstract")


async def test_across_a_private_hour_the_public_gets_nothing_of_it(server: Running) -> None:
    room = "private"
    await server.room(room)
    title, speaker, abstract = SECRETS
    first = await plan(server, room, in_s=-60, for_s=65)
    async with camera(server, room):
        await source_up(server, room)
        await tap(server, first, "start")
        await server.wait_state(room, "live")
        second = await plan(server, room, in_s=700, title="The second open talk")
        async with audience(server, room) as public, listener(server, room) as heard:
            await until(lambda: public.whep is not None and public.whep.test_card_since(0) > 10, limit_s=15)
            await until(lambda: public.newest_still is not None, limit_s=10)
            board = await plan(
                server, room, in_s=2, for_s=600, title=title, speakers=[speaker], abstract=abstract, kind="meeting"
            )
            running = await wait_session(server, board, "on_air", within_s=10)
            begun_ms = running["started_at_ms"]
            assert abs(begun_ms - ms_of(board["start"])) <= PART_MS
            room_told = await _told_to_strangers(server, room)
            assert room_told["session"] is None
            assert ms_of(room_told["reserved_until"]) == ms_of(board["end"])
            assert room_told["word"] == "reserved"
            secrets = (*SECRETS, board["id"], board["key"])
            await _nothing_told(server, room, board, secrets)

            key = board["key"]
            async with HlsFollower(f"{server.url}/live/{room}/~{key}/index.m3u8", retry_s=10) as members:
                await _opened(members)
                inner = Audience(server, room, members)
                await members.follow(until=lambda _: inner.followed_ms() > begun_ms + 5_000, limit_s=20)
                inside = await inner.evidence()
                assert inside.strips["hls v360"]
                assert min(inside.strips["hls v360"]) > begun_ms - PART_MS
                for address in _without_key(members, key):
                    async with server.session.get(address) as response:
                        assert response.status == 404, address
                async with server.session.get(members.tracks["v360"].url) as response:
                    assert "private" in response.headers["Cache-Control"]
                    assert "no-store" in response.headers["Cache-Control"]
            await public.edge_past(now_ms() - 500)
            over = await tap(server, second, "start")
            over_ms = over["started_at_ms"]
            assert (await session_state(server, board))["ended_at_ms"] == over_ms
            await server.wait_state(room, "live", within_s=8)
            await until(lambda: (public.newest_still or 0) > over_ms, limit_s=10)
            await public.edge_past(over_ms + 3_000)
            shown = await public.evidence()
            leaked = shown.between(begun_ms, over_ms)
            late = {where: max(strips) - begun_ms for where, strips in leaked.items()}
            print(f"public pictures after the private start, at most: {late} ms")
            # A tap is written before it takes effect, and WebRTC waits for nothing: some frames, never a part.
            assert late.pop("whep", 0) <= TAP_MS
            assert late == {}
            assert shown.loud_between(begun_ms + 30, over_ms - 30) == {}
            assert shown.stray == []
            for where in ("hls v360", "hls v180", "whep", "still"):
                assert [ms for ms in shown.strips[where] if ms < begun_ms], f"{where}: nothing before"
                assert [ms for ms in shown.strips[where] if ms > over_ms], f"{where}: nothing afterwards"
                assert shown.slates[where] > 0, f"{where}: no slate"
            faultless(public.hls)
            messages = json.dumps(heard)
            assert "reserved" in messages, "the audience was told that the room is reserved"
            for secret in secrets:
                assert secret not in messages, f"{secret!r} was sent to the audience"
        await _nothing_told(server, room, board, secrets)
        await _replayed_with_the_key_alone(server, board, begun_ms, over_ms)
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


async def _told_to_strangers(server: Running, room: str) -> dict[str, Any]:
    async with server.session.get(f"{server.url}/api/v1/rooms/{room}") as response:
        answer = await response.json()
        assert isinstance(answer, dict)
        return answer


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

    await until_answered(there, limit_s=12)


def _without_key(members: HlsFollower, key: str) -> list[str]:
    """Media of the private output, with its own interval's keys, asked for without the session's."""
    out = []
    for track in members.tracks.values():
        known = track.reader.known
        for msn in (min(known), max(m for m, s in known.items() if s.complete)):
            out.append(urljoin(track.url, known[msn].uri).replace(f"/~{key}/", "/"))
    assert all(key not in address for address in out)
    return out


async def _replayed_with_the_key_alone(server: Running, board: dict[str, Any], from_ms: int, to_ms: int) -> None:
    path, by_key = (f"/replay/{board['id']}/{key}index.m3u8" for key in ("", f"~{board['key']}/"))

    async def there() -> bool:
        return await status_of(server, by_key) == 200

    await until_answered(there, limit_s=5)
    assert await status_of(server, path) == 404
    await recording(server, board)
    replay = await replayed(server, by_key)
    assert abs(replay[0] - from_ms) <= PART_MS
    assert abs(to_ms - replay[-1]) <= 2 * PART_MS


async def test_what_must_not_be_recorded_is_on_no_disk_and_in_no_replay(server: Running) -> None:
    room = "offrecord"
    await server.room(room)
    before = await plan(server, room, in_s=-60, for_s=65)
    async with camera(server, room):
        await source_up(server, room)
        await tap(server, before, "start")
        await server.wait_state(room, "live")
        secret = await plan(server, room, in_s=4, for_s=600, title="Off the record", do_not_record=True)
        after = await plan(server, room, in_s=700, title="Not for the web", do_not_stream=True)
        async with audience(server, room, whep=False) as public:
            running = await wait_session(server, secret, "on_air", within_s=10)
            begun_ms = running["started_at_ms"]
            await public.edge_past(begun_ms + 4_000)
            async with HlsFollower(f"{server.url}/live/{room}/index.m3u8?dvr=1", retry_s=10) as rewinder:
                await rewinder.open()
                seen = await Audience(server, room, rewinder).evidence()
                assert [ms for ms in seen.strips["hls v360"] if ms > begun_ms], "it is streamed"
                earlier = [ms - begun_ms for ms in seen.strips["hls v360"] if ms < begun_ms - EDGE_MS]
                assert not earlier, f"DVR is cut where it begins: {earlier}"
            on_disk = await asyncio.to_thread(search, server.data, room)
            assert [ms for ms in on_disk.strips if begun_ms - 3_000 < ms < begun_ms], "what was before is there"
            assert on_disk.between(begun_ms, 1 << 60) == ([], [])

            over = await tap(server, after, "start")
            over_ms = over["started_at_ms"]
            await server.wait_state(room, "slate", within_s=5)
            told_now = await _told_to_strangers(server, room)
            assert told_now["word"] == "not_streamed"
            await public.edge_past(over_ms + 3_000)
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


async def recording(server: Running, session: dict[str, Any]) -> dict[str, Any] | None:
    """Of a session that has ended, once it is cut."""
    latest: dict[str, Any] = {}

    async def ready() -> bool:
        latest.clear()
        latest.update(await server.api("GET", f"/recordings/{session['id']}"))
        return latest.get("state") == "ready"

    await until_answered(ready, limit_s=10, what=lambda: str(latest))
    return latest


async def test_late_taps_make_the_replay_and_an_undone_end_goes_on(server: Running) -> None:
    room = "late"
    await server.room(room)
    talk = await plan(server, room, in_s=-120)
    async with camera(server, room):
        await source_up(server, room)
        up_ms = now_ms()
        # People tap late: here as soon as there is something to go back to.
        await until(lambda: now_ms() > up_ms + 8_000, limit_s=10)
        begun_ms = up_ms + 2_000
        started = await tap(server, talk, "start", at=begun_ms)
        assert started["started_at_ms"] == begun_ms
        index = f"/replay/{talk['id']}/index.m3u8"
        async with ClientSession(server.url) as http:
            follower = await playing(http, index)
            await follower.reload()
            playlist = follower.playlists["v360"]
            assert not playlist.ended
            growing = await replayed(server, index)
            print(f"replay begins {growing[0] - begun_ms} ms after the mark")
            assert abs(growing[0] - begun_ms) <= PART_MS

            now = now_ms()
            wrong = await tap(server, talk, "end")
            await until_answered(lambda: _ended(http, index), limit_s=10)
            undone = await server.api("POST", f"/actions/{wrong['action']}/undo", status=200)
            assert undone["sessions"][0]["state"] in ("on_air", "overrun")

            async def goes_on() -> bool:
                # The edition may be replaced between two requests.
                with contextlib.suppress(AssertionError):
                    again = await playing(http, index)
                    await again.reload()
                    return not again.playlists["v360"].ended
                return False

            await until_answered(goes_on, limit_s=10)
            await until(lambda: now_ms() > now + 6_000, limit_s=10)

            end_ms = now_ms() - 5_000
            live = (await playing(http, index)).renditions["v360"]
            ended = await tap(server, talk, "end", at=end_ms)
            tapped = time.monotonic()
            assert ended["ended_at_ms"] == end_ms
            await until_answered(lambda: _ended(http, index), limit_s=10)
            took_s = time.monotonic() - tapped
            print(f"complete {took_s:.2f} s after the tap")
            assert took_s < 3.0, "on an idle machine it is under one second"
            whole = await replayed(server, index)
            print(f"replay: {whole[0] - begun_ms} ms and {whole[-1] - end_ms} ms from its marks")
            assert abs(whole[0] - begun_ms) <= PART_MS
            assert abs(whole[-1] - end_ms) <= PART_MS
            assert max(b - a for a, b in itertools.pairwise(whole)) < 500, "nothing is missing in between"
            async with http.get(live) as response:
                assert response.status in (200, 410)

            kept = await recording(server, talk)
            assert kept is not None
            current = (await playing(http, index)).renditions["v360"]
            await server.api("PATCH", f"/recordings/{talk['id']}", {"start_ms": begun_ms + 1_000}, status=200)
            async with http.get(current) as response:
                assert response.status == 410
            nudged = await replayed(server, index)
            assert abs(nudged[0] - begun_ms - 1_000) <= PART_MS
            await server.api("PATCH", f"/recordings/{talk['id']}", {"published": False}, status=200)
            assert await status_of(server, index) == 404


async def playing(http: ClientSession, index: str) -> Player:
    async def there() -> bool:
        async with http.get(index) as response:
            return response.status == 200

    await until_answered(there, limit_s=10)
    player = Player(http, index)
    await player.open()
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
    async with camera(server, room):
        await source_up(server, room)
        await tap(server, talk, "start")
        await server.wait_state(room, "live")
        async with audience(server, room, whep=False) as public:
            # In the middle of a session that overruns.
            await wait_session(server, talk, "overrun", within_s=8)
            marks = await session_state(server, talk)
            await killed(server, "web")
            again = await session_state(server, talk)
            assert (again["state"], again["started_at_ms"]) == ("overrun", marks["started_at_ms"])
            state = await server.wait_state(room, "live")
            assert state["orders"]["public"] == "programme"

            board = await plan(server, room, in_s=3, for_s=600, title=SECRETS[0], kind="meeting")
            running = await wait_session(server, board, "on_air", within_s=10)
            begun_ms = running["started_at_ms"]
            for process in (f"room-{room}", "web", "media"):
                await killed(server, process)
                killed_ms = now_ms()
                await source_up(server, room)
                await public.edge_past(killed_ms + 1_500, limit_s=25)
                assert (await session_state(server, board))["started_at_ms"] == begun_ms
            shown = await public.evidence()
            late = {where: max(s) - begun_ms for where, s in shown.between(begun_ms, 1 << 60).items()}
            print(f"public pictures after the private start: {late}")
            assert shown.between(begun_ms, 1 << 60) == {}
            assert shown.loud_between(begun_ms + 30, 1 << 60) == {}
            async with audience(server, room, whep=False) as newcomer:
                # Long enough for the camera to be in the closed session's programme again.
                await newcomer.edge_past(now_ms() + 4_000, limit_s=20)
                assert (await newcomer.evidence()).between(begun_ms, 1 << 60) == {}
            await tap(server, board, "end")


async def test_a_late_tap_takes_the_minutes_of_a_closed_session_out_of_the_public_window(server: Running) -> None:
    room = "given"
    await server.room(room)
    talk = await plan(server, room, in_s=-600, for_s=610)
    board = await plan(server, room, in_s=400, for_s=600, title=SECRETS[0], kind="meeting")
    async with camera(server, room):
        await source_up(server, room)
        await tap(server, talk, "start")
        await server.wait_state(room, "live")
        async with audience(server, room, whep=False) as public:
            await public.edge_past(now_ms() + 5_000, limit_s=20)
        began_ms = now_ms() - 4_000
        await tap(server, board, "start", at=began_ms)
        assert (await session_state(server, talk))["ended_at_ms"] == began_ms
        await server.wait_state(room, "slate")
        for process in ("", f"room-{room}"):
            if process:
                await killed(server, process)
                await source_up(server, room)
            async with audience(server, room, whep=False) as newcomer:
                # Long enough for the camera to be in the closed session's programme again.
                await newcomer.edge_past(now_ms() + 4_000, limit_s=20)
                shown = await newcomer.evidence()
                assert shown.between(began_ms, 1 << 60) == {}
                assert shown.loud_between(began_ms + 30, 1 << 60) == {}
        over = await tap(server, board, "end")
    # They are the closed session's own.
    await _replayed_with_the_key_alone(server, board, began_ms, over["ended_at_ms"])


async def killed(server: Running, *names: str) -> None:
    for name in names:
        old = await server.kill(name)

        async def another(old: int = old, name: str = name) -> bool:
            with contextlib.suppress(OSError, ValueError, ClientError):
                async with server.session.get(f"{server.url}/readyz") as response:
                    return response.status == 200 and server.pid(name) != old
            return False

        await until_answered(another, limit_s=20)


async def test_the_last_minutes_are_forgotten_everywhere(server: Running) -> None:
    room = "regret"
    await server.room(room)
    talk = await plan(server, room, in_s=-60)
    async with camera(server, room):
        await source_up(server, room)
        started = await tap(server, talk, "start")
        await server.wait_state(room, "live")
        begun_ms = started["started_at_ms"]
        index = f"/replay/{talk['id']}/index.m3u8"
        async with audience(server, room, whep=False) as public:
            await public.edge_past(begun_ms + 8_000)
            asked_ms = now_ms()
            await server.api("POST", f"/rooms/{room}/forget", {"minutes": 0.05}, status=200)
            answered_ms = now_ms()
            # Times are media times: a picture's lies a little behind when it was taken.
            gone = (asked_ms - 3_000 + 50, asked_ms - PART_MS)
            on_disk = await asyncio.to_thread(search, server.data, room)
            assert on_disk.between(*gone) == ([], [])
            assert [ms for ms in on_disk.strips if begun_ms + 500 < ms < begun_ms + 2_000], "what was before is there"
            await public.edge_past(answered_ms + 3_000)
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
        assert abs(strips[0] - begun_ms) <= 2 * PART_MS
        assert abs(strips[-1] - ended["ended_at_ms"]) <= 2 * PART_MS
    on_disk = await asyncio.to_thread(search, server.data, room)
    assert on_disk.between(*gone) == ([], [])
