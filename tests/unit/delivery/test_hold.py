"""Requests that wait for a part: answered when it is there, refused when they make no sense, never forgotten."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from aiohttp import ClientSession, TCPConnector

from streamer.broadcast.media_events import Opened
from streamer.broadcast.programme import Broadcast
from tests.fakes.delivery_server import Served, serve
from tests.fakes.hls_playlist import parse_media
from tests.fakes.waiting import in_time, until


async def get(session: ClientSession, path: str, **headers: str) -> tuple[int, str, str]:
    async with session.get(path, headers=headers) as r:
        return r.status, await r.text(), r.headers.get("Cache-Control", "")


async def test_a_blocking_reload_is_answered_by_the_part_it_asked_for(served: Served, http: ClientSession) -> None:
    fake = served.broadcast().open()
    fake.segments(3)
    fake.begin()
    video = fake.renditions[0]
    fake.part(video, 0, 30_000)
    waiting = asyncio.create_task(get(http, served.playlist(fake, query="?_HLS_msn=3&_HLS_part=1")))
    await until(lambda: served.stats.held_now == 1)
    fake.part(fake.renditions[1], 0, 30_000)
    await asyncio.sleep(0.02)
    assert not waiting.done(), "another rendition's part is no answer"
    fake.part(video, 1, 30_000)
    status, text, cache = await asyncio.wait_for(waiting, 2)
    assert status == 200
    assert parse_media(text).edge == (3, 1)
    assert cache == "public, max-age=1, s-maxage=1"
    assert served.stats.held_now == 0
    assert served.link.subscribers == 0


async def test_a_reload_for_a_whole_segment_waits_for_its_end(served: Served, http: ClientSession) -> None:
    fake = served.broadcast().open()
    fake.segments(2)
    fake.begin()
    waiting = asyncio.create_task(get(http, served.playlist(fake, query="?_HLS_msn=2")))
    for index in range(6):
        fake.part(fake.renditions[0], index, 30_000)
    await until(lambda: served.stats.held_now == 1)
    assert not waiting.done()
    fake.done()
    status, text, _ = await asyncio.wait_for(waiting, 2)
    assert status == 200
    segment = parse_media(text).segment(2)
    assert segment is not None
    assert segment.complete


async def test_a_part_past_the_end_of_its_segment_is_the_first_of_the_next(served: Served, http: ClientSession) -> None:
    fake = served.broadcast().open()
    fake.segments(2)
    waiting = asyncio.create_task(get(http, served.playlist(fake, query="?_HLS_msn=1&_HLS_part=6")))
    await until(lambda: served.stats.held_now == 1)
    fake.begin()
    await asyncio.sleep(0.02)
    assert not waiting.done()
    fake.part(fake.renditions[0], 0, 30_000)
    status, text, _ = await asyncio.wait_for(waiting, 2)
    assert (status, parse_media(text).edge) == (200, (2, 0))


async def test_what_is_there_already_is_answered_at_once(served: Served, http: ClientSession) -> None:
    fake = served.broadcast().open()
    fake.segments(5)
    for query in ("?_HLS_msn=0", "?_HLS_msn=4", "?_HLS_msn=4&_HLS_part=5", "?_HLS_msn=2&_HLS_part=40", "?_HLS_msn=00"):
        status, text, _ = await asyncio.wait_for(get(http, served.playlist(fake, query=query)), 1)
        assert (status, parse_media(text).edge) == (200, (4, 5))


@pytest.mark.parametrize(
    "query",
    [
        "_HLS_msn=x",
        "_HLS_msn=-1",
        "_HLS_msn=",
        "_HLS_msn=1.5",
        "_HLS_msn=1e3",
        "_HLS_msn=%20%31",
        "_HLS_msn=%D9%A1",  # an Arabic digit
        "_HLS_msn=4&_HLS_msn=5",
        "_HLS_msn=99999999999999999999999",
        "_HLS_msn=7",
        "_HLS_msn=1000",
        "_HLS_part=0",
        "_HLS_msn=5&_HLS_part=-1",
        "_HLS_msn=5&_HLS_part=y",
        "_HLS_msn=5&_HLS_part=9",
        "_HLS_msn=6&_HLS_part=9",
        "_HLS_skip=NO",
        "_HLS_skip=YES&_HLS_skip=YES",
    ],
)
async def test_bad_directives_are_refused_at_once(served: Served, http: ClientSession, query: str) -> None:
    fake = served.broadcast().open()
    fake.segments(5)
    with in_time(0.5):
        async with http.get(served.playlist(fake, query="?" + query)) as r:
            assert r.status == 400
            assert (await r.json())["error"]["code"] == "bad_directive"
            assert r.headers["Cache-Control"] == "no-store"
    assert served.stats.bad_directives_total == 1
    assert served.stats.held_total == 0


async def test_the_furthest_that_may_be_asked_for_is_held(served: Served, http: ClientSession) -> None:
    fake = served.broadcast().open()
    fake.segments(5)
    waiting = [
        asyncio.create_task(get(http, served.playlist(fake, query=f"?{query}")))
        for query in ("_HLS_msn=6", "_HLS_msn=5&_HLS_part=8", "_HLS_msn=6&_HLS_part=0")
    ]
    await until(lambda: served.stats.held_now == 3)
    fake.segments(2)
    assert [status for status, _, _ in await asyncio.gather(*waiting)] == [200, 200, 200]


async def test_a_switch_to_a_lagging_rendition_is_held_and_not_refused(served: Served, http: ClientSession) -> None:
    fake = served.broadcast().open()
    fake.segments(3)
    fast = fake.renditions[0]
    fake.begin()
    fake.part(fast, 0, 30_000)
    waiting = asyncio.create_task(get(http, served.playlist(fake, "v360", "?_HLS_msn=4&_HLS_part=0")))
    await until(lambda: served.stats.held_now == 1)
    for r in fake.renditions[1:]:
        fake.part(r, 0, 30_000)
    fake.done()
    fake.segment()
    status, text, _ = await asyncio.wait_for(waiting, 2)
    assert status == 200
    assert parse_media(text).edge >= (4, 0)


async def test_nothing_in_time_is_503_within_three_target_durations(served: Served, http: ClientSession) -> None:
    fake = served.broadcast().open()
    fake.broadcast = fake.broadcast.__class__(
        fake.id, "salle", fake.broadcast.epoch_ms, fake.renditions, target_duration_s=1
    )
    from streamer.broadcast.media_events import IntervalOpened, Opened

    fake.send(Opened(broadcast=fake.broadcast))
    assert fake.interval is not None
    fake.send(IntervalOpened(output="public", interval=fake.interval))
    fake.new_inits()
    fake.segment(2)
    for path in (served.playlist(fake, query="?_HLS_msn=1&_HLS_part=0"), served.media(fake, "v720/1.0.m4s")):
        began = time.monotonic()
        with in_time(3):
            async with http.get(path) as r:
                assert r.status == 503
                assert r.headers["Retry-After"] == "1"
                assert (await r.json())["error"]["code"] == "not_in_time"
        assert time.monotonic() - began > 1.5
    assert served.stats.hold_timeouts_total == 2


async def test_a_playlist_without_a_whole_segment_is_held_until_it_has_one(served: Served, http: ClientSession) -> None:
    """hls.js takes such a playlist for an error, and gives the rendition up; its own reloads say what they know."""
    fake = served.broadcast().open()
    fake.begin()
    for r in fake.renditions:
        fake.part(r, 0, 30_000)
    waiting = asyncio.create_task(get(http, served.playlist(fake)))
    await until(lambda: served.stats.held_now == 1)
    status, text, _ = await get(http, served.playlist(fake, query="?_HLS_msn=0&_HLS_part=0"))
    assert (status, parse_media(text).edge) == (200, (0, 0))
    assert not waiting.done()
    fake.done()
    status, text, cache = await asyncio.wait_for(waiting, 2)
    assert status == 200
    assert parse_media(text).segments[0].complete
    assert cache == "public, max-age=1, s-maxage=1", "its address is that of every plain reload"


async def test_a_rendition_of_a_broadcast_that_has_just_opened_is_held_not_refused(
    served: Served, http: ClientSession
) -> None:
    fake = served.broadcast()
    fake.send(Opened(broadcast=Broadcast(fake.id, fake.room, 1_000_000, fake.renditions)))
    waiting = asyncio.create_task(get(http, served.playlist(fake)))
    await until(lambda: served.stats.held_now == 1)
    # Things that the broadcast does not have are refused at once all the same.
    assert (await get(http, served.playlist(fake, "v999")))[0] == 404
    fake.open()
    fake.segment()
    assert (await asyncio.wait_for(waiting, 2))[0] == 200


async def test_a_playlist_before_the_first_part_is_held(served: Served, http: ClientSession) -> None:
    fake = served.broadcast().open()
    waiting = asyncio.create_task(get(http, served.playlist(fake)))
    await until(lambda: served.stats.held_now == 1)
    fake.segment()
    assert (await asyncio.wait_for(waiting, 2))[0] == 200


async def test_a_hinted_part_is_held_until_it_is_made(served: Served, http: ClientSession) -> None:
    fake = served.broadcast().open()
    fake.segments(2)
    waiting = asyncio.create_task(get(http, served.media(fake, "v720/2.0.m4s")))
    await until(lambda: served.stats.held_now == 1)
    fake.begin()
    fake.part(fake.renditions[0], 0, 30_000)
    status, text, cache = await asyncio.wait_for(waiting, 2)
    assert (status, text.encode()) == (200, fake.data["v720", 2, 0])
    assert "immutable" in cache
    # the next one by its new hint
    waiting = asyncio.create_task(get(http, served.media(fake, "v720/2.1.m4s")))
    await until(lambda: served.stats.held_now == 1)
    fake.part(fake.renditions[0], 1, 30_000)
    assert (await asyncio.wait_for(waiting, 2))[0] == 200


async def test_a_hinted_part_that_is_not_to_be_is_404_at_once(served: Served, http: ClientSession) -> None:
    fake = served.broadcast().open()
    fake.segments(2)
    fake.begin()
    fake.part(fake.renditions[0], 0, 30_000)
    in_segment = asyncio.create_task(get(http, served.media(fake, "v720/2.1.m4s")))
    await until(lambda: served.stats.held_now == 1)
    fake.done()  # off air: the segment ends here
    assert (await asyncio.wait_for(in_segment, 1))[0] == 404
    next_segment = asyncio.create_task(get(http, served.media(fake, "v720/3.0.m4s")))
    await until(lambda: served.stats.held_now == 1)
    fake.new_interval(aired=False)
    assert (await asyncio.wait_for(next_segment, 1))[0] == 404
    assert served.stats.held_now == 0


async def test_parts_that_are_not_hinted_are_404_at_once(served: Served, http: ClientSession) -> None:
    fake = served.broadcast().open()
    fake.segments(2)
    for name in ("v720/2.1.m4s", "v720/3.0.m4s", "v720/1.6.m4s"):
        status, _, cache = await asyncio.wait_for(get(http, served.media(fake, name)), 1)
        assert (status, cache) == (404, "no-store")
    assert served.stats.held_total == 0


async def test_an_ended_broadcast_releases_everybody(served: Served, http: ClientSession) -> None:
    fake = served.broadcast().open()
    fake.segments(2)
    reload = asyncio.create_task(get(http, served.playlist(fake, query="?_HLS_msn=2&_HLS_part=0")))
    part = asyncio.create_task(get(http, served.media(fake, "a128/2.0.m4s")))
    await until(lambda: served.stats.held_now == 2)
    fake.close()
    status, text, _ = await asyncio.wait_for(reload, 1)
    assert status == 200
    assert parse_media(text).ended
    assert (await asyncio.wait_for(part, 1))[0] == 404


async def test_another_broadcast_releases_the_old_ones_viewers(served: Served, http: ClientSession) -> None:
    fake = served.broadcast().open()
    fake.segments(2)
    reload = asyncio.create_task(get(http, served.playlist(fake, query="?_HLS_msn=2&_HLS_part=0")))
    await until(lambda: served.stats.held_now == 1)
    other = served.broadcast(id="another", seq=fake.seq).open()
    assert (await asyncio.wait_for(reload, 1))[0] == 404
    other.segment()
    assert (await get(http, served.playlist(other)))[0] == 200


async def test_a_crash_of_the_room_process_is_bridged(served: Served, http: ClientSession) -> None:
    """The same broadcast comes back by a snapshot: who waits gets the part, without having noticed."""
    fake = served.broadcast().open()
    fake.segments(2)
    waiting = asyncio.create_task(get(http, served.playlist(fake, query="?_HLS_msn=2&_HLS_part=0")))
    await until(lambda: served.stats.held_now == 1)
    served.link.feed(served.link.view.snapshot())
    fake.jump(90_000)
    fake.segment()
    status, text, _ = await asyncio.wait_for(waiting, 1)
    assert status == 200
    assert parse_media(text).segments[-1].discontinuity


async def test_limits_per_address_and_in_all(tmp_path: Path) -> None:
    async with (
        serve(tmp_path, max_held_total=20, max_held_per_address=5) as served,
        ClientSession(served.url, connector=TCPConnector(limit=0)) as http,
    ):
        fake = served.broadcast().open()
        fake.segments(2)
        path = served.playlist(fake, query="?_HLS_msn=2&_HLS_part=0")

        def many(count: int, address: str) -> list[asyncio.Task[tuple[int, str, str]]]:
            headers = {"X-Test-Address": address}
            return [asyncio.create_task(get(http, path, **headers)) for _ in range(count)]

        held = many(5, "hall")
        await until(lambda: served.stats.held_now == 5)
        async with http.get(path, headers={"X-Test-Address": "hall"}) as r:
            assert r.status == 429
            assert r.headers["Retry-After"] == "1"
            assert r.headers["Access-Control-Allow-Origin"] == "*"
        for address in ("a", "b", "c"):
            held += many(5, address)
        await until(lambda: served.stats.held_now == 20)
        assert (await get(http, path, **{"X-Test-Address": "d"}))[0] == 503
        assert (served.stats.hold_refused_address_total, served.stats.hold_refused_overall_total) == (1, 1)
        assert (await get(http, served.playlist(fake), **{"X-Test-Address": "hall"}))[0] == 200, "plain ones go on"
        fake.segment()
        assert {status for status, _, _ in await asyncio.gather(*held)} == {200}
        assert served.stats.held_now == 0
        again = many(1, "hall")
        fake.segment()
        assert (await again[0])[0] == 200


async def test_a_client_that_goes_gives_its_place_back(served: Served) -> None:
    fake = served.broadcast().open()
    fake.segments(2)
    host, port = served.url.removeprefix("http://").split(":")
    path = served.playlist(fake, query="?_HLS_msn=2&_HLS_part=0")
    writers = []
    for _ in range(3):
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        writers.append(writer)
    await until(lambda: served.stats.held_now == 3)
    for writer in writers:
        writer.transport.abort()
    await until(lambda: served.stats.held_now == 0)
    assert served.stats.hold_disconnects_total == 3
    assert served.link.subscribers == 0


async def test_shutdown_answers_who_waits(tmp_path: Path) -> None:
    async with ClientSession() as http:
        async with serve(tmp_path) as served:
            fake = served.broadcast().open()
            fake.segments(2)
            path = served.url + served.playlist(fake, query="?_HLS_msn=2&_HLS_part=0")
            waiting = asyncio.create_task(get(http, path))
            await until(lambda: served.stats.held_now == 1)
        status, _, _ = await asyncio.wait_for(waiting, 1)
        assert status == 503


async def test_a_web_process_that_just_started_waits_for_the_rooms_snapshot(
    served: Served, http: ClientSession
) -> None:
    """Players give up on a 404; the room is there, only its snapshot has not come yet."""
    served.link.status.broadcast = "b4f0c1"
    waiting = asyncio.create_task(get(http, "/live/salle/index.m3u8"))
    await until(lambda: served.link.subscribers == 1)
    fake = served.broadcast().open()
    assert (await asyncio.wait_for(waiting, 1))[0] == 200
    assert fake.id
    assert served.link.subscribers == 0


async def test_a_thousand_viewers_share_one_rendering(tmp_path: Path) -> None:
    async with (
        serve(tmp_path, max_held_per_address=2000) as served,
        ClientSession(served.url, connector=TCPConnector(limit=0)) as http,
    ):
        fake = served.broadcast().open()
        fake.segments(100)
        path = served.playlist(fake, query="?_HLS_msn=100&_HLS_part=0&_HLS_skip=YES")
        viewers = [asyncio.create_task(get(http, path)) for _ in range(300)]
        await until(lambda: served.stats.held_now == 300)
        fake.begin()
        fake.part(fake.renditions[0], 0, 30_000)
        answers = await asyncio.wait_for(asyncio.gather(*viewers), 20)
        assert {status for status, _, _ in answers} == {200}
        assert len({text for _, text, _ in answers}) == 1
        assert served.stats.renders_total == 1
