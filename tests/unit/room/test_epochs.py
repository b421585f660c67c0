"""Epochs on the control sockets: a room obeys the newest director, and remembers it."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streamer.control import process_files
from streamer.control.channel import Channel
from streamer.control.client import MediaPlaneClient
from streamer.control.framing import decode_control
from streamer.control.link import RoomClient
from streamer.control.messages import ControlEvent, Request, RoomConfig
from streamer.errors import StreamerError
from tests.fakes.media_host import make_settings, running_host
from tests.fakes.room import FakeRoom
from tests.fakes.waiting import until


async def refused(channel: Channel, method: str, params: Any = None, *, epoch: int) -> str:
    with pytest.raises(StreamerError) as caught:
        await channel.request(method, params, epoch=epoch)
    return caught.value.code


async def test_a_room_obeys_the_newest_epoch_and_those_who_know_none(tmp_path: Path) -> None:
    room = FakeRoom(tmp_path, "main")
    await room.start()
    old, new, older_version = [await Channel.open(tmp_path, "room-main.control.sock") for _ in range(3)]
    config = RoomConfig(id="main", name="Main")
    await old.request("configure", config, epoch=6)
    await new.request("hello", epoch=7)
    for method in ("configure", "hello", "close"):
        assert await refused(old, method, config, epoch=6) == "not_the_director"
    await new.request("configure", config, epoch=7)
    await older_version.request("configure", config)
    assert room.control.refused == 3
    for channel in (old, new, older_version):
        await channel.close()
    await room.stop()


async def test_a_link_takes_in_no_event_of_an_older_epoch_and_doubts_at_a_newer_one(tmp_path: Path) -> None:
    room = FakeRoom(tmp_path, "main", broadcast="b")
    room.control.epoch = 3
    await room.start()
    doubts: list[int] = []
    heard: list[str] = []
    mine = 4

    async def epoch() -> int:
        return mine

    link = RoomClient(
        tmp_path,
        "main",
        cache_bytes=10**6,
        listener=lambda _link, what: heard.append(what),
        order_epoch=epoch,
        doubt=lambda: doubts.append(1),
    )
    await until(lambda: link.up)
    assert room.control.epoch == 4, "told at once, before any order"
    assert not doubts
    before = len(heard)
    room.control.epoch = 5
    room.control.publish("status", room.status)
    await until(lambda: doubts)
    assert len(heard) == before
    with pytest.raises(StreamerError, match="Another web process directs"):
        await link.request("hello")
    await link.disconnect()
    await room.stop()


async def test_an_epoch_outlives_room_and_host(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)

    async def first() -> int:
        return 8

    async with running_host(settings):
        plane = MediaPlaneClient(settings, order_epoch=first)
        await plane.start()
        await plane.ensure(RoomConfig(id="main", name="Main"))
        os.kill(plane.entries["main"].pid, signal.SIGKILL)
        await until(lambda: plane.rooms["main"].reconnects and plane.rooms["main"].up)
        config = process_files.load_room(settings, "main")
        assert config is not None
        assert config.epoch == 8, "with its last orders"
        await plane.close()
    process_files.save_epoch(settings, "main", 9)
    assert process_files.highest_epoch(settings) == 9
    async with running_host(settings):
        channel = await Channel.open(settings.run_dir, "media.sock")
        assert await refused(channel, "ensure", RoomConfig(id="main", name="Main", epoch=8), epoch=8) == (
            "not_the_director"
        )
        await channel.close()


def test_yesterdays_messages_are_read_and_todays_are_by_yesterdays_program() -> None:
    class OldRequest(msgspec.Struct, tag="request", tag_field="type"):
        id: int
        method: str
        params: dict[str, Any] = {}

    new = msgspec.msgpack.encode({"type": "request", "id": 1, "method": "hello", "params": {}, "epoch": 4})
    assert msgspec.msgpack.decode(new, type=OldRequest) == OldRequest(1, "hello")
    old = msgspec.msgpack.encode({"type": "request", "id": 1, "method": "hello", "params": {}})
    assert decode_control(old) == Request(id=1, method="hello", epoch=0)
    event = msgspec.msgpack.encode({"type": "event", "kind": "status", "data": None})
    assert decode_control(event) == ControlEvent(kind="status", data=None, epoch=0)
