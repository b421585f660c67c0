"""A NATS server that is killed a hundred times while a camera is on air."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.fakes.bus_outages import nats_dies, served_over_nats
from tests.fakes.following import all_past, faultless
from tests.fakes.hls_client import HlsFollower
from tests.fakes.nats_server import needs_nats
from tests.fakes.publishing import tiny_camera
from tests.fakes.waiting import LIMIT_S

OUTAGES = 100


@needs_nats
@pytest.mark.timeout(3600)
async def test_a_nats_server_that_is_killed_again_and_again_on_air_costs_nobody_a_socket_or_a_picture(
    tmp_path: Path,
) -> None:
    async with served_over_nats(tmp_path / "nats") as (server, nats):
        await server.room("hall", start="auto")
        async with (
            tiny_camera(server, "hall"),
            HlsFollower(f"{server.url}/live/hall/index.m3u8", retry_s=LIMIT_S) as follower,
        ):
            await server.wait_state("hall", "live")
            await follower.open()
            await follower.follow(until=all_past(0))
            dying = asyncio.create_task(nats_dies(server, nats, "hall", times=OUTAGES))
            await follower.follow(until=lambda _: dying.done(), limit_s=3000)
            await dying
            faultless(follower)
