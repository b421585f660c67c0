"""Coming back: nothing lost, nothing doubled, in order."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import aiohttp
import pytest

from streamer.realtime.audience_feed import AudienceFeed
from streamer.realtime.hub import Client
from tests.fakes.attendees import RawClient
from tests.fakes.talking import Service, served
from tests.fakes.waiting import until

pytestmark = pytest.mark.usefixtures("either_way")


async def test_since_goes_on_where_the_client_was() -> None:
    async with served() as service:
        post = service.realtime.hub.post
        client = await service.connect(room="a")
        for number in range(5):
            post("/audience", "a", "test", number)
        await until(lambda: len(client.events) == 5)
        await client.close()
        for number in range(5, 10):
            post("/audience", "a", "test", number)
        again = await service.connect(room="a", since=client.events[2]["seq"])
        await until(lambda: len(again.events) == 7)
        assert [event["data"] for event in again.events] == [3, 4, 5, 6, 7, 8, 9]
        assert (again.snapshots[0]["resumed"], again.snapshots[0]["reset"]) == (True, False)
        assert again.order[0] == "snapshot"


async def test_a_snapshot_that_an_event_has_overtaken_is_read_again_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    overtaken = 0
    look = AudienceFeed._look

    async def slow(feed: AudienceFeed, client: Client) -> dict[str, Any]:
        nonlocal overtaken
        found = await look(feed, client)
        if overtaken:
            overtaken -= 1
            service.realtime.hub.post("/audience", "a", "test", overtaken)
        return found

    monkeypatch.setattr(AudienceFeed, "_look", slow)
    async with served() as service:
        overtaken = 2
        client = await service.connect(room="a")
        end = service.realtime.hub.channel("/audience", "a").log.last
        assert (client.snapshots[0]["seq"], overtaken) == (end, 0)
        overtaken = 1_000
        assert await service.refused(room="a") == "unavailable"


async def test_since_too_old_or_never_given_begins_anew() -> None:
    async with served(log_events=100) as service:
        post = service.realtime.hub.post
        first = await service.connect(room="a")
        for number in range(300):
            post("/audience", "a", "test", number)
            if number % 50 == 49:
                await first.told("test", lambda data, number=number: data == number)
        for since in (first.snapshots[0]["seq"], first.events[-1]["seq"] + 10**9, 7):
            again = await service.connect(room="a", since=since)
            assert (again.snapshots[0]["resumed"], again.snapshots[0]["reset"]) == (False, True)
            assert again.snapshots[0]["seq"] == first.events[-1]["seq"]
        post("/audience", "a", "test", 300)
        await until(lambda: [event["data"] for event in again.events] == [300])


async def test_a_restart_of_the_process_is_told_by_a_reset_and_numbers_go_on() -> None:
    async with served() as service:
        client = await service.connect(room="a")
        service.realtime.hub.post("/audience", "a", "test", 1)
        await until(lambda: client.events)
        since = client.events[-1]["seq"]
    async with served() as service:
        again = await service.connect(room="a", since=since)
        assert again.snapshots[0]["reset"]
        service.realtime.hub.post("/audience", "a", "test", 2)
        await until(lambda: again.events)
        assert again.events[0]["seq"] > since


async def _wanderer(service: Service, http: aiohttp.ClientSession, dice: random.Random, last: int) -> list[Any]:
    """Hangs up after some messages, comes back at once, until it has seen the last event."""
    seen: list[Any] = []
    since: int | None = None
    while True:
        auth = {"room": "a"} if since is None else {"room": "a", "since": since}
        client = await RawClient.open(http, service.url, **auth)
        try:
            for _ in range(dice.randint(1, 6)):
                name, data = await client.message()
                if name == "snapshot":
                    assert not data["reset"]
                    since = data["seq"] if since is None else since
                    continue
                seen.extend(data)
                since = seen[-1]["seq"]
                if seen[-1]["data"] == last:
                    return seen
        finally:
            if dice.random() < 0.5:
                await client.socket.close()
            elif (connection := client.socket._response.connection) is not None:
                connection.close()


async def test_a_storm_of_reconnects_loses_and_doubles_nothing() -> None:
    last = 600
    async with served() as service, aiohttp.ClientSession() as http:
        wanderers = [asyncio.create_task(_wanderer(service, http, random.Random(number), last)) for number in range(30)]
        await until(lambda: service.sockets.stats.audience >= 20)
        dice = random.Random(99)
        for number in range(1, last + 1):
            service.realtime.hub.post("/audience", "a", "test", number)
            if dice.random() < 0.3:
                await asyncio.sleep(0.005)
        for seen in await asyncio.gather(*wanderers):
            numbers = [event["data"] for event in seen]
            assert numbers == list(range(numbers[0], last + 1))
            assert [event["seq"] for event in seen] == sorted({event["seq"] for event in seen})
        assert service.realtime.stats.resumed_total > 60
        await until(lambda: service.sockets.stats.audience == 0)
        await until(lambda: service.sockets.stats.sessions == 0)
        assert not service.sockets.server.engine.wires
