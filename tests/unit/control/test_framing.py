"""Frames and socket files."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path

import pytest

from streamer.broadcast.media_events import PartMade
from streamer.broadcast.programme import Chunk, Part
from streamer.control import run_folder
from streamer.control.framing import (
    FrameError,
    decode_control,
    decode_media,
    encode_frame,
    from_protocol_error,
    read_frame,
    to_protocol_error,
)
from streamer.control.messages import MAX_FRAME_BYTES, Reply, Request, RoomStatus
from streamer.control.part_cache import PartCache
from streamer.errors import BadRequest, TooMany


async def reader_of(data: bytes) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    return reader


async def test_messages_come_back_as_they_went() -> None:
    part = PartMade(
        output="public",
        rendition="v720",
        msn=7,
        index=2,
        part=Part(start=90_000, duration=30_000, independent=True, chunk=Chunk("v720.1", 40, 3)),
        data=b"abc",
        seq=9,
    )
    reader = await reader_of(encode_frame(Request(id=1, method="hello")) + encode_frame(part))
    first, second = await read_frame(reader), await read_frame(reader)
    assert first is not None
    assert second is not None
    assert decode_control(first) == Request(id=1, method="hello")
    assert decode_media(second) == part
    assert await read_frame(reader) is None


async def test_structs_in_replies_arrive_as_builtins() -> None:
    payload = encode_frame(Reply(id=3, result=RoomStatus(room="main", pid=5)))[4:]
    reply = decode_control(payload)
    assert isinstance(reply, Reply)
    assert reply.result["room"] == "main"


async def test_unknown_fields_of_a_newer_peer_are_ignored() -> None:
    import msgspec

    payload = msgspec.msgpack.encode({"type": "request", "id": 1, "method": "hello", "params": {}, "newer": 1})
    assert decode_control(payload) == Request(id=1, method="hello")


@pytest.mark.parametrize(
    "data",
    [b"\0", b"\0\0\0\5ab", (MAX_FRAME_BYTES + 1).to_bytes(4, "big") + b"x"],
    ids=["torn header", "torn payload", "too large"],
)
async def test_what_is_no_frame_is_refused(data: bytes) -> None:
    with pytest.raises(FrameError):
        await read_frame(await reader_of(data))


def test_garbage_inside_a_frame_is_refused() -> None:
    with pytest.raises(FrameError):
        decode_control(b"\xc1")
    with pytest.raises(FrameError):
        decode_media(encode_frame(Request(id=1, method="x"))[4:])


def test_errors_cross_the_wire_whole() -> None:
    error = TooMany("Slow down.", code="too_many_candidates", details={"limit": 3}, headers={"Retry-After": "5"})
    again = from_protocol_error(to_protocol_error(error))
    assert (again.code, again.status, again.message) == (error.code, 429, "Slow down.")
    assert again.details == {"limit": 3}
    assert again.headers == {"Retry-After": "5"}


def test_sockets_are_for_the_user_alone_and_replace_stale_files(tmp_path: Path) -> None:
    run = tmp_path / "run"
    old = run_folder.listen(run, "media.sock")
    old.close()
    with pytest.raises(ConnectionRefusedError):
        run_folder.connect(run, "media.sock")
    fresh = run_folder.listen(run, "media.sock")
    client = run_folder.connect(run, "media.sock")
    assert stat.S_IMODE((run / "media.sock").stat().st_mode) == 0o600
    assert stat.S_IMODE(run.stat().st_mode) == 0o700
    assert os.listdir(run) == ["media.sock"]
    client.close()
    fresh.close()


def test_deep_folders_are_within_reach(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120) / "run"
    server = run_folder.listen(deep, run_folder.control_socket("grand-hall"))
    run_folder.connect(deep, run_folder.control_socket("grand-hall")).close()
    assert run_folder.rooms_with_sockets(deep) == ["grand-hall"]
    server.close()


@pytest.mark.parametrize("room", ["", "../x", "a/b", "A", "a" * 65, "-a", "a\n"])
def test_only_slugs_become_file_names(room: str) -> None:
    with pytest.raises(BadRequest):
        run_folder.control_socket(room)


def test_the_part_cache_forgets_the_longest_unused() -> None:
    cache = PartCache(10)
    cache.put(("f", 0), b"aaaa")
    cache.put(("f", 4), b"bbbb")
    assert cache.get(("f", 0)) == b"aaaa"
    cache.put(("f", 8), b"cccc")
    assert cache.get(("f", 4)) is None
    assert cache.get(("f", 0)) == b"aaaa"
    assert (cache.size, len(cache), cache.evicted) == (8, 2, 1)
    cache.put(("f", 8), b"c" * 11)
    assert cache.get(("f", 8)) is None
    cache.clear()
    assert cache.size == 0
