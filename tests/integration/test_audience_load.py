"""Ordeals of an audience on a real server, small and quick: what has to hold, whatever the machine. How fast it is,
``python -m tests.bench audience`` tells."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.fakes import ordeals
from tests.fakes.crowd import Crowd
from tests.fakes.ordeals import MIB
from tests.fakes.running import Running
from tests.fakes.shared import SMALL, Servers

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

ROOM = "crowded"
CLIENTS = 100


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(servers: Servers) -> AsyncIterator[Running]:
    async with servers.lent(SMALL) as running:
        for room in (ROOM, "troll"):
            await running.room(room)
        yield running


async def test_a_burst_and_a_kill_and_nobody_misses_or_doubles_anything(server: Running) -> None:
    crowd = Crowd(server.url)
    await crowd.come([{"room": ROOM, "name": f"N{number}"} for number in range(CLIENTS)])
    burst = await ordeals.burst(crowd, CLIENTS, first=0)
    assert burst.acknowledged == CLIENTS
    assert (burst.missing, burst.doubled, burst.orders, burst.disordered) == (0, 0, 1, 0)
    assert burst.deliveries == CLIENTS * CLIENTS
    # Little else is sent. How many events come in one message depends on how busy the machine is, and the bench tells.
    assert burst.messages < 1.1 * burst.deliveries
    back = await ordeals.killed_and_back(server, crowd, before=20, after=10, first=1000)
    assert len(back.back_s) == CLIENTS
    assert back.acknowledged > 10
    assert (back.missing, back.doubled) == (0, 0)
    await crowd.leave()


async def test_one_is_banned_and_returns_and_everybody_else_behind_the_address_is_unaffected(server: Running) -> None:
    found = await ordeals.one_troll(server, "troll", 60, 3)
    assert found == ordeals.Troll(others=60, unaffected=60, returns=3, refused=1, held=3, seen=0)


async def test_a_stalled_reader_costs_little_and_is_cut_and_the_others_miss_nothing() -> None:
    found = await ordeals.one_stalled(400, 20_000, 200, 3)
    assert found.grown < 8 * MIB
    assert (found.cut, found.missing) == (1, 0)
