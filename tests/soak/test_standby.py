"""Fifty deaths of the web process behind its front processes: the long form of
``tests/faults/test_several_web_processes.py``."""

from __future__ import annotations

import asyncio
import statistics
from contextlib import AsyncExitStack

import pytest

from tests.fakes.following import faultless
from tests.fakes.hls_client import HlsFollower
from tests.fakes.postgres import binaries, running_postgres
from tests.fakes.publishing import smallest_camera
from tests.fakes.running import serving
from tests.fakes.shared import SMALLEST
from tests.fakes.takeovers import die_and_be_replaced


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("store", ["sqlite", "postgresql"])
async def test_fifty_deaths_of_the_core_with_a_standby(store: str) -> None:
    settings = SMALLEST | {"STREAMER_SERVER__WEB_PROCESSES": "2", "STREAMER_SERVER__STANDBY": "true"}
    async with AsyncExitStack() as stack:
        if store == "postgresql":
            folder = binaries()
            if folder is None:
                pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
            postgres = stack.enter_context(running_postgres(folder, synchronous_commit="on"))
            settings |= {"STREAMER_STORE__URL": postgres.new_database()}
        server = await stack.enter_async_context(serving(environment=settings))
        await server.room("a", start="auto")
        await stack.enter_async_context(smallest_camera(server, "a"))
        await server.wait_state("a", "live")
        # A viewer who asks once: a request that fails is a fault.
        async with HlsFollower(f"{server.url}/live/a/index.m3u8") as follower:
            await follower.open()
            over = asyncio.Event()
            watching = asyncio.create_task(follower.follow(until=lambda _: over.is_set(), limit_s=1200))
            took_s = await die_and_be_replaced(server, "a", 50)
            over.set()
            await watching
            faultless(follower)
    print(f"median {statistics.median(took_s):.2f} s, longest {max(took_s):.2f} s")
