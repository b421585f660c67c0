"""A room's two sockets, over real Unix sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from streamer.broadcast.media_events import MediaEvent, PartBytes, PartMade, Snapshot
from streamer.broadcast.view import BroadcastView
from streamer.control import run_folder
from streamer.control.channel import Channel
from streamer.control.data import DataServer
from streamer.control.framing import decode_media, read_frame
from streamer.control.messages import ControlEvent, Offer, RoomStatus
from streamer.control.server import ControlServer
from streamer.errors import StreamerError
from tests.fakes.room import FakeRoom
from tests.fakes.waiting import until


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[FakeRoom]:
    fake = FakeRoom(tmp_path, "main", broadcast="b1")
    await fake.start()
    yield fake
    await fake.stop()
    assert run_folder.rooms_with_sockets(tmp_path) == []


async def open_channel(tmp_path: Path, events: list[ControlEvent] | None = None) -> Channel:
    return await Channel.open(
        tmp_path, run_folder.control_socket("main"), (events if events is not None else []).append
    )


async def test_requests_are_answered_while_others_wait(room: FakeRoom, tmp_path: Path) -> None:
    channel = await open_channel(tmp_path)
    slow = asyncio.create_task(channel.request("slow"))
    answers = await asyncio.gather(*(channel.request("offer", Offer(kind="publish", sdp="v=0")) for _ in range(20)))
    assert answers == [{"sdp": "v=0", "resource": "secret", "etag": "e1"}] * 20
    with pytest.raises(StreamerError) as caught:
        await slow
    assert (caught.value.code, caught.value.status) == ("timed_out", 504)
    await channel.close()


@pytest.mark.parametrize(
    ("method", "params", "code", "status"),
    [
        ("offer", {"kind": "publish", "sdp": "v=0", "source": "taken"}, "source_occupied", 409),
        ("offer", {"kind": "publish"}, "bad_params", 400),
        ("offer", {"kind": "publish", "sdp": 5}, "bad_params", 400),
        ("dance", {}, "unknown_method", 404),
        ("fail", {}, "internal", 500),
    ],
)
async def test_errors_are_the_rooms_own(
    room: FakeRoom, tmp_path: Path, method: str, params: dict[str, Any], code: str, status: int
) -> None:
    channel = await open_channel(tmp_path)
    with pytest.raises(StreamerError) as caught:
        await channel.request(method, params)
    assert (caught.value.code, caught.value.status) == (code, status)
    assert "secret" not in caught.value.message
    await channel.close()


async def test_a_newcomer_hears_the_latest_status(room: FakeRoom, tmp_path: Path) -> None:
    room.status.viewers_whep = 4
    room.control.publish("status", room.status)
    room.control.publish("meters", {"loudness": -20})
    events: list[ControlEvent] = []
    channel = await open_channel(tmp_path, events)
    await until(lambda: events)
    assert [event.kind for event in events] == ["status"]
    assert events[0].data["viewers_whep"] == 4
    room.control.publish("meters", {"loudness": -23})
    await until(lambda: len(events) == 2)
    assert events[1].data == {"loudness": -23}, "no meters of before"
    await channel.close()


async def test_garbage_ends_the_one_connection(room: FakeRoom, tmp_path: Path) -> None:
    good = await open_channel(tmp_path)
    reader, writer = await asyncio.open_unix_connection(
        sock=run_folder.connect(tmp_path, run_folder.control_socket("main"))
    )
    writer.write(b"\xff\xff\xff\xff")
    while await asyncio.wait_for(reader.read(65536), 5):
        pass
    writer.close()
    await writer.wait_closed()
    assert (await good.request("hello"))["version"] == 1
    await good.close()


async def test_requests_fail_at_once_when_the_room_goes(room: FakeRoom, tmp_path: Path) -> None:
    channel = await open_channel(tmp_path)
    waiting = asyncio.create_task(channel.request("slow", limit_s=5))
    await until(lambda: room.control.connections == 1)
    await room.stop()
    with pytest.raises(StreamerError) as caught:
        await waiting
    assert caught.value.code in ("connection_lost", "timed_out")
    await until(lambda: not channel.up)
    with pytest.raises(StreamerError):
        await channel.request("hello")
    await channel.close()


async def test_a_reader_that_stops_reading_loses_meters_then_its_connection(tmp_path: Path) -> None:
    server = ControlServer(tmp_path / "x.sock", {}, max_age_s=0.3)
    await server.start()
    _, writer = await asyncio.open_unix_connection(sock=run_folder.connect(tmp_path, "x.sock"), limit=1024)
    await until(lambda: server.connections == 1)
    status = RoomStatus(room="main", pid=1, alarms=["x" * 1000] * 300)
    while not server.dropped:
        server.publish("meters", {"padding": "m" * 100_000})
        await asyncio.sleep(0)
    server.publish("status", status)
    await until(lambda: server.cut_off == 1)
    assert server.connections == 0
    writer.close()
    await asyncio.wait((asyncio.create_task(writer.wait_closed()),))
    await server.close()


async def test_a_full_backlog_cuts_the_reader_off(tmp_path: Path) -> None:
    server = ControlServer(tmp_path / "x.sock", {}, max_backlog_bytes=1_000_000, max_age_s=60)
    await server.start()
    _, writer = await asyncio.open_unix_connection(sock=run_folder.connect(tmp_path, "x.sock"), limit=1024)
    await until(lambda: server.connections == 1)
    for _ in range(30):
        server.publish("room", {"padding": "m" * 100_000})
        await asyncio.sleep(0)
    await until(lambda: server.cut_off == 1)
    writer.close()
    await asyncio.wait((asyncio.create_task(writer.wait_closed()),))
    await server.close()


# --- data ---------------------------------------------------------------------------------------------


async def read_events(tmp_path: Path, out: list[MediaEvent], count: int) -> None:
    sock = run_folder.connect(tmp_path, run_folder.data_socket("main"))
    reader, writer = await asyncio.open_unix_connection(sock=sock)
    while len(out) < count:
        payload = await asyncio.wait_for(read_frame(reader), 5)
        assert payload is not None
        out.append(decode_media(payload))
    writer.close()
    await writer.wait_closed()


async def test_data_readers_miss_nothing_and_hear_nothing_twice(room: FakeRoom, tmp_path: Path) -> None:
    """Readers join at every moment of a running broadcast; each mirror ends up as the room's own."""
    heard: list[list[MediaEvent]] = [[] for _ in range(12)]
    readers = []
    for events in heard:
        readers.append(asyncio.create_task(read_events(tmp_path, events, 45)))
        for _ in range(3):
            room.tick()
            await asyncio.sleep(0)
    for _ in range(60):
        room.tick()
        await asyncio.sleep(0)
    await asyncio.gather(*readers)
    for events in heard:
        assert isinstance(events[0], Snapshot)
        mirror = BroadcastView()
        held: dict[tuple[str, int], bytes] = {}
        for event in events:
            mirror.apply(event)  # raises at a gap
            if isinstance(event, PartBytes):
                assert event.seq == events[0].seq
                held[event.file, event.offset] = event.data
            elif isinstance(event, PartMade):
                held[event.part.chunk.file, event.part.chunk.offset] = event.data
        assert len(held) == len([e for e in events if isinstance(e, (PartBytes, PartMade))])
        track = mirror.outputs["public"].tracks["v360"]
        for segment in track.segments.values():
            for index, part in enumerate(segment.parts):
                assert held[part.chunk.file, part.chunk.offset].startswith(f"{segment.msn}.{index}|".encode())


async def test_a_data_reader_two_seconds_behind_is_cut_and_the_others_are_not(tmp_path: Path) -> None:
    fake = FakeRoom(tmp_path, "main", broadcast="b1", part_bytes=200_000)
    fake.data = DataServer(tmp_path / run_folder.data_socket("main"), fake.snapshot, max_age_s=1.0)
    await fake.start()
    stalled = await asyncio.open_unix_connection(sock=run_folder.connect(tmp_path, "room-main.data.sock"), limit=1024)
    await until(lambda: len(fake.data._readers) == 1)
    good: list[MediaEvent] = []
    # It reads on for longer than the other one stands still.
    reader = asyncio.create_task(read_events(tmp_path, good, 200))
    await until(lambda: len(fake.data._readers) == 2)

    def play() -> int:
        fake.tick()
        return fake.data.cut_off

    await until(play)
    assert not reader.done()
    await until(lambda: play() and len(good) == 200)
    await reader
    assert fake.data.cut_off == 1
    stalled[1].close()
    await asyncio.wait((asyncio.create_task(stalled[1].wait_closed()),))
    await fake.stop()


async def test_a_snapshot_larger_than_the_backlog_reaches_a_reader_in_time(tmp_path: Path) -> None:
    fake = FakeRoom(tmp_path, "main", broadcast="b1", part_bytes=300_000)
    fake.data = DataServer(tmp_path / run_folder.data_socket("main"), fake.snapshot, max_backlog_bytes=2_000_000)
    await fake.start()
    for _ in range(30):
        fake.tick()
    events: list[MediaEvent] = []
    await read_events(tmp_path, events, 31)
    assert sum(len(e.data) for e in events if isinstance(e, PartBytes)) == 30 * 300_000
    await fake.stop()
