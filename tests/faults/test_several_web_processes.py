"""Two front processes, their core and its standby, with a camera on air: what viewers and the crew notice when one is
killed."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from streamer.control.server import wait_cancelled
from tests.fakes.attendees import Attendee
from tests.fakes.bus_outages import nats_dies, served_over_nats
from tests.fakes.crowd import Crowd as Sockets
from tests.fakes.crowd import Member
from tests.fakes.following import all_past, faultless
from tests.fakes.hls_client import HlsFollower
from tests.fakes.nats_server import needs_nats
from tests.fakes.publishing import tiny_camera
from tests.fakes.running import Running
from tests.fakes.shared import SMALL, Servers
from tests.fakes.takeovers import die_and_be_replaced
from tests.fakes.waiting import LIMIT_S, until, until_answered

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

OUTAGES = 4
"""Of the NATS server; the long form in tests/soak has more."""
VIEWERS = 24
"""Each on a connection of its own: all on one of two processes once in eight million runs."""


@pytest_asyncio.fixture(loop_scope="session")
async def server(servers: Servers) -> AsyncIterator[Running]:
    settings = SMALL | {"STREAMER_SERVER__WEB_PROCESSES": "2", "STREAMER_SERVER__STANDBY": "true"}
    async with servers.lent(settings) as running:
        yield running


class Crowd:
    """Viewers who wait for one segment after the other, for each on a connection of its own."""

    def __init__(self, follower: HlsFollower) -> None:
        name = next(iter(follower.tracks))
        self._url, self._msn = follower.tracks[name].url, follower.edge(name)[0] + 1
        self.served = [0] * VIEWERS
        self.lost = 0
        """Answers that did not come."""

    async def __aenter__(self) -> Crowd:
        self._tasks = [asyncio.create_task(self._watch(number)) for number in range(VIEWERS)]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            await wait_cancelled(task)

    async def _watch(self, number: int) -> None:
        msn = self._msn
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as own:
            own._retry_connection = False  # a lost answer is to be seen
            while True:
                try:
                    async with own.get(f"{self._url}?_HLS_msn={msn}") as r:
                        await r.read()
                        assert r.status == 200
                except aiohttp.ClientError:
                    self.lost += 1
                else:
                    msn += 1
                    self.served[number] += 1

    async def all_served(self) -> None:
        """Two segments more, each of them."""
        before = list(self.served)
        await until(
            lambda: (
                any(task.done() for task in self._tasks)
                or all(now >= then + 2 for then, now in zip(before, self.served, strict=True))
            )
        )
        assert not any(task.done() for task in self._tasks)


async def test_a_killed_front_process_takes_its_own_viewers_along_and_a_killed_core_none(server: Running) -> None:
    token = await server.room("hall", start="auto")
    async with (
        tiny_camera(server, "hall"),
        HlsFollower(f"{server.url}/live/hall/index.m3u8", retry_s=LIMIT_S) as follower,
    ):
        await server.wait_state("hall", "live")
        await follower.open()
        await follower.follow(until=all_past(0))

        async with Crowd(follower) as crowd:
            await crowd.all_served()
            # Those who have just been served ask again: it must have them before it dies.
            await until(lambda: connections(server, server.pid("front-1")) >= VIEWERS // 6)
            front = await server.kill("front-1")
            await crowd.all_served()
            assert 0 < crowd.lost <= VIEWERS - 1, "each process served some"
            await until_answered(lambda: restarted(server, "front-1", front))
        await follower.follow(until=all_past(1))

        chat = Attendee("/audience")
        await chat.connect(server.url, {"room": "hall", "name": "Ann"}, ["websocket"], {})
        await chat.does("chat.send", text="Hello")
        await chat.told("chat.message", lambda data: data["text"] == "Hello")

        async with Crowd(follower) as crowd:
            await crowd.all_served()
            await die_and_be_replaced(server, "hall", 1)
            await crowd.all_served()
            assert crowd.lost == 0
        await until_answered(lambda: knows(server, token))
        # The socket has outlived the core, and begins anew with the next.
        await until(lambda: len(chat.snapshots) >= 2)
        assert chat.snapshots[1]["reset"]
        assert chat.snapshots[1]["you"]["id"] == chat.snapshots[0]["you"]["id"]
        await chat.does("chat.send", text="Still here")
        await chat.told("chat.message", lambda data: data["text"] == "Still here")
        assert not chat.disconnected.is_set()
        await follower.follow(until=all_past(1))
        faultless(follower)
        await chat.close()

        again = Attendee("/audience")
        await again.connect(server.url, {"room": "hall", "name": "Ben"}, ["polling"], {})
        assert "Hello" in again.text
        await again.close()


async def test_sockets_of_a_killed_front_process_come_back_to_another_and_the_core_lets_them_out_at_once(
    server: Running,
) -> None:
    await server.room("nave")
    crowd = Sockets(server.url)
    await crowd.come([{"room": "nave", "name": f"N{number}"} for number in range(VIEWERS)])
    front = await server.kill("front-1")
    cut = [member for member in crowd.members if not await answered(member)]
    assert 0 < len(cut) < VIEWERS, "each process held some"
    rest = [member for member in crowd.members if member not in cut]
    assert (await rest[0].say(1))["ok"]
    for member in cut:
        await member.come_back(random.Random(1), LIMIT_S)
    assert all(member.resumed[-1] for member in cut)
    assert (await cut[0].say(2))["ok"]
    await until(lambda: all(list(member.numbers) == [1, 2] for member in crowd.members))
    assert crowd.orders() == 1
    await until_answered(lambda: restarted(server, "front-1", front))
    await crowd.leave()


@needs_nats
async def test_a_nats_server_that_is_killed_again_and_again_costs_the_audience_nothing(tmp_path: Path) -> None:
    async with served_over_nats(tmp_path / "nats") as (over_nats, nats):
        await over_nats.room("choir")
        await nats_dies(over_nats, nats, "choir", times=OUTAGES)


def connections(server: Running, pid: int) -> int:
    """The number of those that a process has taken at the server's port."""
    own = set()
    for file in os.listdir(f"/proc/{pid}/fd"):
        with suppress(FileNotFoundError):  # It was closed meanwhile.
            own.add(os.readlink(f"/proc/{pid}/fd/{file}"))
    port, established = f":{int(server.url.rpartition(':')[2]):04X}", "01"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
    return sum(row[1].endswith(port) and row[3] == established and f"socket:[{row[9]}]" in own for row in rows)


async def answered(member: Member) -> bool:
    """Whether its connection holds."""
    try:
        await member.ask("reaction", {"kind": "clap"})
    except ConnectionResetError:
        return False
    return True


async def knows(server: Running, token: str) -> bool:
    """Whether the crew is served; until the next core is there, it is refused or waits."""
    async with server.session.get(f"{server.url}/api/v1/me", headers={"Authorization": f"Bearer {token}"}) as r:
        assert r.status in (200, 503)
        return r.status == 200


async def restarted(server: Running, name: str, old: int) -> bool:
    try:
        return server.pid(name) != old
    except FileNotFoundError:
        return False
