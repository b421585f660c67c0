"""*Forget the last minutes* of a room that is on air: gone at once for viewers, from memory and from the disk."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from streamer.room import sockets
from streamer.room.channel import Channel
from streamer.room.protocol import Forget
from tests.fakes.chance import dice
from tests.fakes.following import all_past, faultless, holes_ms, whole
from tests.fakes.hls_client import HlsFollower
from tests.fakes.publishing import camera
from tests.fakes.running import Running, serving
from tests.fakes.waiting import until_answered

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

SETTINGS = {"STREAMER_MEDIA__RUNGS": '[{"height": 180, "bitrate_kbps": 150}]'}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Running]:
    async with serving(environment=SETTINGS) as running:
        yield running


async def forget(server: Running, room: str, last_s: float) -> Any:
    def ignore(_event: object) -> None:
        pass

    now_ms = int(time.time() * 1000)
    channel = await Channel.open(server.data / "run", sockets.control_socket(room), ignore)
    try:
        return await channel.request("forget", Forget(now_ms - int(last_s * 1000), now_ms), limit_s=10)
    finally:
        await channel.close()


async def test_what_is_forgotten_is_neither_listed_nor_served_nor_on_disk(server: Running) -> None:
    await server.room("hall", start="auto")
    async with camera(server, "hall"):
        await server.wait_state("hall", "live")
        async with HlsFollower(f"{server.url}/live/hall/index.m3u8?dvr=1", prefetch=True) as follower:
            await follower.open()
            await follower.follow(until=all_past(6))
            secret = whole(follower, "v360")[-2]
            uri = follower.segment("v360", secret).uri
            data = await follower.segment_bytes("v360", secret, init=False)
            address = follower.tracks["v360"].url.rsplit("/", 1)[0] + "/" + uri
            async with server.session.get(address) as response:
                assert (response.status, await response.read()) == (200, data)

            mark = data[-2000:]
            assert mark in disk(server)
            answer = await forget(server, "hall", 6)
            assert answer["complete"]
            assert answer["bytes"] > len(data)
            assert mark not in disk(server)

            async def gone() -> bool:
                async with server.session.get(address) as response:
                    return response.status == 404

            await until_answered(gone, limit_s=1.0, what=lambda: "the segment is not served any more")
            async with HlsFollower(f"{server.url}/live/hall/index.m3u8?dvr=1") as late:
                await late.open()
                assert min(late.tracks["v360"].reader.known) > secret
            await server.wait_state("hall", "live", within_s=8)
            edge = follower.edge("v360")[0]
            await follower.follow(until=lambda f: all(f.edge(n)[0] > edge + 3 for n in f.tracks), limit_s=20)
            # But where the last forgotten segment was cut off, before the moment of slate.
            assert len(holes_ms(follower, "v360")) <= 1
        faultless(follower)


def disk(server: Running, room: str = "hall") -> bytes:
    return b"".join(file.read_bytes() for file in (server.data / "rooms" / room).rglob("*.m4s"))


async def test_a_room_that_dies_while_it_forgets_has_forgotten(server: Running) -> None:
    """Whoever is killed, at whatever moment: the bytes are gone from the disk, and nobody is served them."""
    chance = dice()
    for number in range(2):
        room = f"dying-{number}"
        await server.room(room, start="auto")
        async with camera(server, room):
            await server.wait_state(room, "live")
            async with HlsFollower(f"{server.url}/live/{room}/index.m3u8?dvr=1", prefetch=True) as follower:
                await follower.open()
                await follower.follow(until=all_past(4))
                secret = whole(follower, "v360")[-2]
                data = await follower.segment_bytes("v360", secret, init=False)
                address = f"{follower.tracks['v360'].url.rsplit('/', 1)[0]}/{follower.segment('v360', secret).uri}"
            mark = data[-2000:]
            assert mark in disk(server, room)
            path = f"/rooms/{room}/forget"
            asked = asyncio.create_task(server.api("POST", path, {"minutes": 8 / 60}))
            await asyncio.sleep(chance.uniform(0, 0.1))
            await server.kill(f"room-{room}")
            await asked

            async def gone(room: str = room, mark: bytes = mark, address: str = address) -> bool:
                async with server.session.get(address) as response:
                    served = response.status == 200 and mark in await response.read()
                return not served and mark not in disk(server, room)

            await until_answered(gone, limit_s=25.0, what=lambda: "what was forgotten is neither on disk nor served")
