"""The cost of exports for strangers: each is made once for a revision, off the loop, and a household's requests are
limited."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import DummyCookieJar
from aiohttp.test_utils import TestClient, TestServer

from streamer.api import exports, participation
from streamer.api.context import SERVICES, Services
from streamer.api.limits import RateLimit
from streamer.conference.rooms import Room
from streamer.conference.sessions import Event, Session
from streamer.settings import load_settings
from streamer.store.events import Events
from streamer.store.rooms import Rooms
from streamer.store.sessions import Sessions
from streamer.web.application import assemble
from tests.fakes.media_plane import FakePlane
from tests.fakes.stores import sqlite_store
from tests.unit.api.conftest import ADMIN, Client, bearer

SESSIONS = 1000
NOON_MS = 1_780_308_000_000
HOUR_MS = 3_600_000
SCHEDULES = ("/schedule.xml", "/schedule.json", "/schedule.ics", "/streams/v2.json")
TABLES = ("/api/v1/questions?format=csv", "/api/v1/polls?format=csv")


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    settings = load_settings(None, data=tmp_path, admin_token=ADMIN, server={"trusted_proxies": ["127.0.0.1"]})
    database = sqlite_store(settings.data)
    await database.start()
    async with database.write() as connection:
        await Rooms(connection).add(Room("a", "A"))
        await Events(connection).add(Event("conf", "Conference"))
        await Sessions(connection).add_many(
            [
                Session(
                    id=f"s{number}",
                    room="a",
                    title=f"Title {number}",
                    start_ms=NOON_MS + number * HOUR_MS,
                    end_ms=NOON_MS + (number + 1) * HOUR_MS,
                    event="conf",
                    abstract="What it is about. " * 20,
                    speakers=("Ada", "Grace"),
                )
                for number in range(SESSIONS)
            ]
        )
    app = assemble(settings, database, FakePlane(), public_url="http://streamer.test")
    client: Any = TestClient(TestServer(app), cookie_jar=DummyCookieJar())
    await client.start_server()
    await app[SERVICES].director.start()
    await app[SERVICES].audience.start()
    yield client
    await app[SERVICES].audience.close()
    await app[SERVICES].director.close()
    await client.close()
    await database.close()


def services_of(client: Client) -> Services:
    assert client.app is not None
    return client.app[SERVICES]


class Renders:
    """How often something was written, and what else the loop did meanwhile."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        for module, name in (
            (exports, "write_frab"),
            (exports, "write_json"),
            (exports, "_calendar"),
            (exports, "write_streams"),
            (participation, "csv_of"),
        ):
            monkeypatch.setattr(module, name, self._counting(getattr(module, name)))

    def _counting(self, write: Any) -> Any:
        def counted(*arguments: Any, **named: Any) -> Any:
            self.count += 1
            with pytest.raises(RuntimeError):
                # Not on the loop.
                asyncio.get_running_loop()
            return write(*arguments, **named)

        return counted


async def longest_delay_s(until: asyncio.Event) -> float:
    """How long the loop did something else at the most, in time of its own thread: others use the machine as well, and
    the garbage of the tests before is collected at any time."""
    worst = 0.0
    gc.disable()
    try:
        while not until.is_set():
            began = time.thread_time()
            await asyncio.sleep(0)
            worst = max(worst, time.thread_time() - began)
    finally:
        gc.enable()
    return worst


async def get(client: Client, path: str, **headers: str) -> tuple[int, str]:
    async with client.get(path, headers={"Accept-Encoding": "identity", **headers}) as response:
        await response.read()
        return response.status, response.headers.get("ETag", "")


@pytest.mark.parametrize("path", [*SCHEDULES, *TABLES])
async def test_twenty_who_ask_at_once_cost_one_rendering(
    client: Client, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    renders, done = Renders(monkeypatch), asyncio.Event()
    answers = await asyncio.gather(*(get(client, path) for _ in range(20)))
    assert {status for status, _ in answers} == {200}
    (tag,) = {tag for _, tag in answers}
    assert renders.count == 1
    assert await get(client, path, **{"If-None-Match": tag}) == (304, tag)
    assert renders.count == 1
    async with services_of(client).database.write() as connection:
        await Rooms(connection).add(Room("b", "B"))
    watching = asyncio.create_task(longest_delay_s(done))
    status, _ = await get(client, path)
    done.set()
    assert (status, renders.count) == (200, 2)
    assert await watching < 0.04


@pytest.mark.parametrize("path", [*SCHEDULES, *TABLES])
async def test_a_household_of_strangers_asks_so_often(client: Client, path: str) -> None:
    services_of(client).exports = RateLimit(3)
    for address in ("2001:db8::1", "2001:db8:0:1::1", "2001:db8:0:2::1"):
        assert (await get(client, path, **{"X-Forwarded-For": address}))[0] == 200
    here = {"X-Forwarded-For": "2001:db8:0:3::1"}
    assert (await get(client, path, **here))[0] == 429
    assert (await get(client, path, **{"X-Forwarded-For": "2001:db8:0:100::1"}))[0] == 200
    assert (await get(client, path, **here, **bearer(ADMIN)))[0] == 200


async def test_what_a_grant_sees_is_not_kept_for_strangers(client: Client) -> None:
    path = TABLES[0]
    assert (await get(client, path, **bearer(ADMIN)))[0] == 200
    assert (await get(client, path))[0] == 200
    assert services_of(client).tables.made == 2
