"""The web plane's door to the media plane: links that come back, mirrors that stay, rooms found again."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import uvloop

from streamer.broadcast.chunks import ChunkSet
from streamer.broadcast.media_events import Opened, StillMade
from streamer.broadcast.programme import Chunk
from streamer.control import client, process_files
from streamer.control.client import MediaPlaneClient
from streamer.control.link import RoomClient
from streamer.control.messages import Candidates, Offer, RoomConfig
from streamer.control.part_cache import PartCache
from streamer.errors import StreamerError
from streamer.settings import Settings
from tests.fakes.media_host import make_settings, reachable, running_host, start_host
from tests.fakes.room import FakeRoom
from tests.fakes.waiting import LIMIT_S, until


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    settings = make_settings(tmp_path)
    yield settings
    for room in process_files.rooms_running(settings.run_dir):
        pid = process_files.read_pid(process_files.room_pid_file(settings.run_dir, room))
        if pid is not None:
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
async def plane(settings: Settings) -> AsyncIterator[MediaPlaneClient]:
    plane = MediaPlaneClient(settings, linger_s=0.3)
    await plane.start()
    yield plane
    await plane.close()


def track_end(link: RoomClient) -> int:
    output = link.view.outputs.get("public")
    return output.tracks["v360"].end if output is not None else 0


async def test_a_room_is_opened_mirrored_and_asked(settings: Settings, plane: MediaPlaneClient) -> None:
    heard: list[str] = []
    plane.listen(lambda link, what: heard.append(what))
    async with running_host(settings):
        link = await plane.ensure(RoomConfig(id="main", name="Main"))
        assert link is plane.rooms["main"]
        assert link.up
        calls: list[int] = []
        end = link.subscribe(lambda: calls.append(link.view.seq))
        await until(lambda: len(calls) > 10)
        assert calls == sorted(calls)
        end()
        assert link.view.broadcast is not None
        last = link.view.outputs["public"].tracks["v360"].last
        assert last is not None
        for index, part in enumerate(last.parts):
            data = link.bytes.get((part.chunk.file, part.chunk.offset))
            assert data is not None
            assert data.startswith(f"{last.msn}.{index}|".encode())
        answer = await link.offer(Offer(kind="publish", sdp="v=0"))
        assert (answer.resource, answer.etag) == ("secret", "e1")
        with pytest.raises(StreamerError) as caught:
            await link.offer(Offer(kind="publish", sdp="v=0", source="taken"))
        assert (caught.value.code, caught.value.details) == ("source_occupied", {"source": "taken"})
        await until(lambda: link.status is not None and link.status.alarms == ["named_Main"])
        await plane.configure(RoomConfig(id="main", name="Other"))
        await until(lambda: link.status is not None and link.status.alarms == ["named_Other"])
    assert heard[:1] == ["added"]
    assert {"status", "up"} <= set(heard)


async def test_a_killed_room_leaves_its_mirror_and_comes_back_in_the_same_broadcast(
    settings: Settings, plane: MediaPlaneClient
) -> None:
    heard: list[str] = []
    plane.listen(lambda link, what: heard.append(what))
    async with running_host(settings):
        link = await plane.ensure(RoomConfig(id="main", name="Main"))
        await until(lambda: track_end(link) > 0)
        broadcast = link.view.broadcast
        assert broadcast is not None
        assert link.status is not None
        os.kill(link.status.pid, signal.SIGKILL)
        await until(lambda: not link.up)
        assert link.view.broadcast is broadcast
        assert track_end(link) > 0
        with pytest.raises(StreamerError) as caught:
            await link.offer(Offer(kind="publish", sdp="v=0"))
        assert (caught.value.code, caught.value.status) == ("room_unavailable", 503)
        assert "Retry-After" in caught.value.headers
        await until(lambda: link.up)
        assert link.view.broadcast.id == broadcast.id
        assert plane.rooms["main"] is link
    assert heard.count("down") >= 1
    assert heard.count("added") == 1


async def test_a_restarted_web_process_finds_the_rooms(settings: Settings) -> None:
    async with running_host(settings):
        first = MediaPlaneClient(settings)
        await first.start()
        await first.ensure(RoomConfig(id="main", name="Main"))
        await first.close()
        second = MediaPlaneClient(settings)
        await second.start()
        assert second.rooms["main"].up
        assert second.rooms["main"].view.broadcast is not None
        await second.close()


async def test_without_a_media_host_its_rooms_are_found_and_used(settings: Settings) -> None:
    host = start_host(settings)
    await until(lambda: reachable(settings))
    first = MediaPlaneClient(settings)
    await first.start()
    await first.ensure(RoomConfig(id="main", name="Main"))
    await first.close()
    host.kill()
    host.wait()
    plane = MediaPlaneClient(settings)
    await plane.start()
    assert plane.rooms["main"].up
    assert not plane.host_up
    # The next host adopts the room, and the plane finds that host.
    host = start_host(settings)
    await until(lambda: plane.host_up)
    link = await plane.ensure(RoomConfig(id="main", name="Main"))
    assert link is plane.rooms["main"]
    assert link.reconnects == 0
    await plane.close()
    host.terminate()
    assert await asyncio.to_thread(host.wait, LIMIT_S) == 0


async def test_no_media_host_is_a_503_with_retry_after(
    settings: Settings, plane: MediaPlaneClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "HOST_LIMIT_S", 0.2)
    with pytest.raises(StreamerError) as caught:
        await plane.ensure(RoomConfig(id="main", name="Main"))
    assert (caught.value.code, caught.value.status) == ("media_host_unavailable", 503)
    assert "Retry-After" in caught.value.headers


async def test_a_request_waits_for_a_media_host_that_just_starts(settings: Settings, plane: MediaPlaneClient) -> None:
    asking = asyncio.create_task(plane.ensure(RoomConfig(id="main", name="Main")))
    await asyncio.sleep(0)
    async with running_host(settings):
        assert (await asking).up


async def test_a_closed_room_shows_its_end_and_then_goes(settings: Settings, plane: MediaPlaneClient) -> None:
    heard: list[str] = []
    plane.listen(lambda link, what: heard.append(what))
    async with running_host(settings):
        link = await plane.ensure(RoomConfig(id="main", name="Main"))
        there: list[bool] = []
        link.subscribe(lambda: there.append("main" in plane.rooms) if link.view.closed else None)
        await link.close()
        await until(lambda: "main" not in plane.rooms)
        assert there[:1] == [True]
        assert heard[-1] == "removed"
        again = await plane.ensure(RoomConfig(id="main", name="Main"))
        assert again is not link
        assert not again.view.closed


async def test_a_connection_of_a_room_that_has_closed_is_gone_and_not_away(settings: Settings) -> None:
    plane = MediaPlaneClient(settings, linger_s=30.0)
    await plane.start()
    try:
        async with running_host(settings):
            link = await plane.ensure(RoomConfig(id="main", name="Main"))
            await link.close()
            await until(lambda: link.ended and not link.up)
            assert "main" in plane.rooms
            for request in (link.hangup("secret"), link.candidates(Candidates(resource="secret", fragment=""))):
                with pytest.raises(StreamerError) as caught:
                    await request
                assert (caught.value.code, caught.value.status) == ("no_such_resource", 404)
            assert await plane.ensure(RoomConfig(id="main", name="Main")) is link
            assert not link.ended
    finally:
        await plane.close()


async def test_a_room_that_is_just_closing_is_opened_again(settings: Settings, plane: MediaPlaneClient) -> None:
    async with running_host(settings):
        link = await plane.ensure(RoomConfig(id="main", name="Main"))
        first = link.view.broadcast
        await link.close()
        await until(lambda: not link.up)
        again = await plane.ensure(RoomConfig(id="main", name="Main"))
        await until(lambda: again.up and not again.view.closed)
        assert again.view.broadcast is not None
        assert first is not None
        assert again.view.broadcast.id != first.id


# --- the link alone, against a room in this process -----------------------------------------------------


def ignore(link: RoomClient, what: str) -> None:
    return None


async def test_a_room_that_comes_back_empty_does_not_blank_the_mirror(tmp_path: Path) -> None:
    room = FakeRoom(tmp_path, "main", broadcast="b1")
    await room.start()
    link = RoomClient(tmp_path, "main", cache_bytes=10_000, listener=ignore)
    await asyncio.wait_for(link.wait_up(), LIMIT_S)
    room.tick()
    await until(lambda: track_end(link) > 0)
    await room.stop()
    await until(lambda: not link.up)

    empty = FakeRoom(tmp_path, "main")
    await empty.start()
    await asyncio.wait_for(link.wait_up(), LIMIT_S)
    assert link.view.broadcast is not None
    assert link.view.broadcast.id == "b1"
    assert len(link.bytes) == 1
    empty.open("b2")
    await until(lambda: link.view.broadcast is not None and link.view.broadcast.id == "b2")
    assert track_end(link) == 0
    assert len(link.bytes) == 0
    await link.disconnect()
    await empty.stop()


async def test_an_event_that_does_not_follow_makes_the_link_ask_again(tmp_path: Path) -> None:
    room = FakeRoom(tmp_path, "main", broadcast="b1")
    await room.start()
    link = RoomClient(tmp_path, "main", cache_bytes=10_000, listener=ignore)
    await asyncio.wait_for(link.wait_up(), LIMIT_S)
    room.data.seq += 1  # an event got lost on the way
    room.data.publish(StillMade(output="public", at_ms=5, jpeg=b"x"))
    await until(lambda: link.out_of_step == 1)
    await until(lambda: link.up and link.view.seq == room.data.seq)
    room.tick()
    await until(lambda: track_end(link) > 0)
    await link.disconnect()
    await room.stop()


def test_the_link_keeps_up_on_uvloop_with_a_full_ring(tmp_path: Path) -> None:
    """30 s of a room with five renditions: about 36 MB, within the time that a newcomer is given."""

    async def scenario() -> None:
        room = FakeRoom(tmp_path, "main", broadcast="b1", part_bytes=300_000)
        await room.start()
        for _ in range(120):
            room.tick()
        link = RoomClient(tmp_path, "main", cache_bytes=96 * 1024 * 1024, listener=ignore)
        await asyncio.wait_for(link.wait_up(), LIMIT_S)
        await until(lambda: len(link.bytes) == 120)
        room.tick()
        await until(lambda: len(link.bytes) == 121)
        assert (link.reconnects, room.data.cut_off) == (0, 0)
        await link.disconnect()
        await room.stop()

    uvloop.run(scenario())


async def test_a_new_broadcast_in_the_same_process_is_followed(tmp_path: Path) -> None:
    room = FakeRoom(tmp_path, "main", broadcast="b1")
    await room.start()
    link = RoomClient(tmp_path, "main", cache_bytes=10_000, listener=ignore)
    await asyncio.wait_for(link.wait_up(), LIMIT_S)
    assert link.view.broadcast is not None
    room.publish(Opened(broadcast=link.view.broadcast.__class__(id="b2", room="main", epoch_ms=1, renditions=())))
    await until(lambda: link.view.broadcast is not None and link.view.broadcast.id == "b2")
    await link.disconnect()
    await room.stop()


def test_a_part_cache_forgets_what_it_is_told_to() -> None:
    cache = PartCache(1000)
    for offset in range(0, 50, 10):
        cache.put(("f", offset), bytes(10))
    cache.put(("", -7), bytes(10))
    cache.drop(ChunkSet([Chunk("f", 10, 20), Chunk("", -7, 10)]))
    assert [place for place in (("f", o) for o in range(0, 50, 10)) if cache.get(place)] == [
        ("f", 0),
        ("f", 30),
        ("f", 40),
    ]
    assert cache.get(("", -7)) is None
    assert cache.size == 30
