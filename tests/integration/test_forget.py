"""*Forget the last minutes* of a room that is on air: gone at once for viewers, from memory and from the disk."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from streamer.control import run_folder
from streamer.control.channel import Channel
from streamer.control.messages import Forget
from tests.fakes.chance import dice
from tests.fakes.following import all_past, faultless, holes_ms, whole
from tests.fakes.hls_client import HlsFollower
from tests.fakes.publishing import tiny_camera
from tests.fakes.running import Running
from tests.fakes.shared import TOP
from tests.fakes.waiting import until, until_answered, until_answered_within

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

ROOM = "forgetful"


async def forget(server: Running, room: str, from_ms: int) -> Any:
    def ignore(_event: object) -> None:
        pass

    channel = await Channel.open(server.data / "run", run_folder.control_socket(room), ignore)
    try:
        return await channel.request("forget", Forget(from_ms, int(time.time() * 1000)), limit_s=10)
    finally:
        await channel.close()


async def test_what_is_forgotten_is_neither_listed_nor_served_nor_on_disk(server: Running) -> None:
    await server.room(ROOM, start="auto")
    async with tiny_camera(server, ROOM):
        await server.wait_state(ROOM, "live")
        async with HlsFollower(f"{server.url}/live/{ROOM}/index.m3u8?dvr=1", prefetch=True) as follower:
            await follower.open()
            await follower.follow(until=all_past(2))
            secret = whole(follower, TOP)[-2]
            uri, from_ms = follower.segment(TOP, secret).uri, follower.segment(TOP, secret).pdt_ms
            assert from_ms is not None
            data = await follower.segment_bytes(TOP, secret, init=False)
            address = follower.tracks[TOP].url.rsplit("/", 1)[0] + "/" + uri
            async with server.session.get(address) as response:
                assert (response.status, await response.read()) == (200, data)

            mark = data[-2000:]
            # The disk comes behind the memory.
            await until(lambda: mark in disk(server, ROOM))
            answer = await forget(server, ROOM, from_ms)
            assert answer["complete"]
            assert answer["bytes"] > len(data)
            assert mark not in disk(server, ROOM)

            async def gone() -> bool:
                async with server.session.get(address) as response:
                    return response.status == 404

            await until_answered_within(1.0, gone, what=lambda: "the segment is not served any more")
            async with HlsFollower(f"{server.url}/live/{ROOM}/index.m3u8?dvr=1") as late:
                await late.open()
                first = min(late.tracks[TOP].reader.known)
                assert first > secret
            await server.wait_state(ROOM, "live")
            edge = follower.edge(TOP)[0]
            await follower.follow(until=lambda f: all(f.edge(n)[0] > edge + 2 for n in f.tracks))
            # But where the last forgotten segment was cut off, before the moment of slate.
            assert len(holes_ms(follower, TOP, first)) <= 1
        faultless(follower)


def disk(server: Running, room: str) -> bytes:
    return b"".join(file.read_bytes() for file in (server.data / "rooms" / room).rglob("*.m4s"))


async def test_a_room_that_dies_while_it_forgets_has_forgotten(server: Running) -> None:
    """After a kill at any moment the bytes are gone from the disk, and nobody is served them."""
    chance = dice()
    for number in range(2):
        room = f"dying-{number}"
        await server.room(room, start="auto")
        async with tiny_camera(server, room):
            await server.wait_state(room, "live")
            async with HlsFollower(f"{server.url}/live/{room}/index.m3u8?dvr=1", prefetch=True) as follower:
                await follower.open()
                await follower.follow(until=all_past(2))
                secret = whole(follower, TOP)[-2]
                data = await follower.segment_bytes(TOP, secret, init=False)
                address = f"{follower.tracks[TOP].url.rsplit('/', 1)[0]}/{follower.segment(TOP, secret).uri}"
                from_ms = follower.segment(TOP, secret).pdt_ms
                assert from_ms is not None
            mark = data[-2000:]
            await until(lambda mark=mark, room=room: mark in disk(server, room))  # type: ignore[misc]
            minutes = (time.time() * 1000 - from_ms) / 60_000
            path = f"/rooms/{room}/forget"
            asked = asyncio.create_task(server.api("POST", path, {"minutes": minutes}))
            await asyncio.sleep(chance.uniform(0, 0.1))
            await server.kill(f"room-{room}")
            await asked

            async def gone(room: str = room, mark: bytes = mark, address: str = address) -> bool:
                async with server.session.get(address) as response:
                    served = response.status == 200 and mark in await response.read()
                return not served and mark not in disk(server, room)

            await until_answered(gone, what=lambda: "what was forgotten is neither on disk nor served")
