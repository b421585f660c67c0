"""Every limit that is counted by address counts a household: an IPv6 customer takes new addresses as it likes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import DummyCookieJar, WSMsgType
from aiohttp.test_utils import TestClient, TestServer

from streamer.api.context import SERVICES, Services
from streamer.api.limits import RateLimit
from streamer.control.messages import RoomConfig
from streamer.delivery import routes
from streamer.settings import load_settings
from streamer.web.application import REALTIME, assemble
from tests.fakes.media_plane import FakePlane, FakeRoom
from tests.fakes.stores import sqlite_store
from tests.fakes.waiting import until
from tests.unit.api.conftest import ADMIN, Api, Client, bearer
from tests.unit.api.test_signalling import OFFER, SDP

OF_ONE = [f"2001:db8:0:{number:x}::{number:x}" for number in (0x100, 0x1FF, 0x123, 0x17F, 0x180)]
"""Of one household, each in a network of 64 bits of its own."""
NEIGHBOUR = "2001:db8:0:200::1"
MOST = 2


def from_(address: str) -> dict[str, str]:
    return {"X-Forwarded-For": address}


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    settings = load_settings(
        None,
        data=tmp_path,
        admin_token=ADMIN,
        server={"trusted_proxies": ["127.0.0.1"]},
        room={"failed_attempts_per_minute": MOST, "attempts_per_minute": MOST},
        hls={"max_held_per_address": MOST},
        realtime={"max_connections_per_address": MOST, "address_commands_burst": 10, "address_commands_per_s": 1},
    )
    database = sqlite_store(settings.data)
    await database.start()
    app = assemble(settings, database, FakePlane(), public_url="http://streamer.test")
    services = app[SERVICES]
    services.state_of = lambda _room: "slate"
    services.failed_passwords = RateLimit(MOST)
    client: Any = TestClient(TestServer(app), cookie_jar=DummyCookieJar())
    await client.start_server()
    await services.director.start()
    await services.audience.start()
    await app[REALTIME].start()
    await Api(client)("POST", "/rooms", {"id": "a", "name": "A"})
    app[REALTIME].feed.look()
    yield client
    await app[REALTIME].close()
    await services.audience.close()
    await services.director.close()
    await client.close()
    await database.close()


def services_of(client: Client) -> Services:
    assert client.app is not None
    return client.app[SERVICES]


async def a_wrong_token(client: Client, address: str) -> int:
    async with client.get("/api/v1/me", headers={**from_(address), **bearer("nobody's")}) as response:
        return response.status


async def a_login_with_a_wrong_token(client: Client, address: str) -> int:
    async with client.post("/api/v1/login", json={"token": "nobody's"}, headers=from_(address)) as response:
        return response.status


async def a_wrong_password(client: Client, address: str) -> int:
    async with client.post("/api/v1/login", json={"password": "wrong"}, headers=from_(address)) as response:
        return response.status


async def a_publication(client: Client, address: str) -> int:
    async with client.post("/whip/a", data=OFFER, headers={**from_(address), **SDP, **bearer(ADMIN)}) as response:
        return response.status


async def a_viewer_over_whep(client: Client, address: str) -> int:
    async with client.post("/whep/a", data=OFFER, headers={**from_(address), **SDP}) as response:
        return response.status


async def a_wrong_hall_code(client: Client, address: str) -> int:
    async with client.get("/join/CDCDCD/qr.svg", headers=from_(address)) as response:
        return response.status


async def a_socket(client: Client, address: str) -> int:
    async with client.get("/socket.io/?EIO=4&transport=polling", headers=from_(address)) as response:
        return response.status


async def a_wrong_token_over_a_socket(client: Client, address: str) -> int:
    socket = await client.ws_connect("/socket.io/?EIO=4&transport=websocket", headers=from_(address))
    try:
        await socket.receive_str()
        await socket.send_str('40/audience,{"room":"a","token":"nobody\'s"}')
        refused = await socket.receive_str()
        assert refused.startswith("44/audience,")
        return {"invalid_token": 401, "rate_limited": 429}[json.loads(refused[12:])["data"]["error"]["code"]]
    finally:
        await socket.close()


@pytest.mark.parametrize(
    "attempt",
    [
        a_wrong_token,
        a_login_with_a_wrong_token,
        a_wrong_password,
        a_publication,
        a_viewer_over_whep,
        a_wrong_hall_code,
        a_socket,
        a_wrong_token_over_a_socket,
    ],
)
async def test_a_household_shares_a_limit_and_the_neighbour_has_its_own(client: Client, attempt: Any) -> None:
    services = services_of(client)
    services.plane.rooms["a"] = await services.plane.ensure(services.director.config("a"))
    services.hall_code_lookup.wrong = RateLimit(MOST)
    statuses = [await attempt(client, address) for address in OF_ONE[: MOST + 1]]
    assert 429 not in statuses[:MOST]
    assert statuses[MOST] == 429
    assert await attempt(client, NEIGHBOUR) == statuses[0]


async def test_a_household_holds_so_many_requests(client: Client) -> None:
    link = FakeRoom(RoomConfig("a", "a"))
    link.status = None
    services_of(client).plane.rooms["a"] = link  # type: ignore[index]
    assert client.app is not None
    stats = client.app[routes.STATS]

    async def held(address: str) -> int:
        async with client.get("/live/a/index.m3u8", headers=from_(address)) as response:
            return response.status

    waiting = [asyncio.create_task(held(address)) for address in OF_ONE[:MOST]]
    await until(lambda: stats.held_now == MOST)
    assert await held(OF_ONE[MOST]) == 429
    waiting.append(asyncio.create_task(held(NEIGHBOUR)))
    await until(lambda: stats.held_now == MOST + 1)
    assert await asyncio.gather(*waiting) == [503] * (MOST + 1)


async def test_a_household_sends_so_many_commands(client: Client) -> None:
    client.app[REALTIME]._places._per_address = 100  # type: ignore[index]

    async def sent(address: str, count: int) -> list[bool]:
        socket = await client.ws_connect("/socket.io/?EIO=4&transport=websocket", headers=from_(address))
        answers = []
        await socket.receive_str()
        await socket.send_str('40/audience,{"room":"a"}')
        for number in range(count):
            await socket.send_str(f'42/audience,{number}["nothing"]')
        while len(answers) < count:
            message = await socket.receive(timeout=5)
            assert message.type is WSMsgType.TEXT
            if message.data.startswith("43/audience,"):
                answers.append("unknown_command" in message.data)
        await socket.close()
        return answers

    assert await sent(OF_ONE[0], 6) == [True] * 6
    assert (await sent(OF_ONE[1], 8)).count(False) >= 2
    assert await sent(NEIGHBOUR, 6) == [True] * 6
