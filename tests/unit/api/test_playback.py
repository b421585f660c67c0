"""Players tell how they do: what is counted, what rings, what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from streamer.api.context import SERVICES, now_ms
from streamer.api.limits import RateLimit
from tests.unit.api.conftest import Api, Client

REPORT = {"bl": 1200, "br": 1500, "mtp": 8100, "sf": "h", "st": "l", "sta": "p"}


async def tell(client: Client, body: Any, room: str = "a") -> tuple[int, Any]:
    async with client.post(f"/api/v1/rooms/{room}/playback", json=body) as response:
        return response.status, None if response.status == 204 else (await response.json())["error"]


@pytest.fixture
async def hall(api: Api, client: Client) -> Client:
    await api("POST", "/rooms", {"id": "a", "name": "A"})
    return client


async def warnings(client: Client) -> dict[str, str]:
    director = client.app[SERVICES].director
    return {one.code: one.severity for one in director.room_alarms.found(director.day("a"), None, 1, now_ms())}


async def test_players_that_stand_still_are_told_to_the_technician(hall: Client) -> None:
    for _ in range(40):
        assert await tell(hall, REPORT) == (204, None)
    for _ in range(2):
        assert await tell(hall, {**REPORT, "e": "ps", "sta": "r", "bs": True, "bl": 0}) == (204, None)
    assert await warnings(hall) == {}, "two of forty are not three"
    await tell(hall, {**REPORT, "e": "ps", "bs": True})
    assert await warnings(hall) == {"viewers_stutter": "warning"}
    stats = hall.app[SERVICES].playback.stats
    assert (stats.reports_total, stats.stalls_total, stats.errors_total) == (43, 3, 0)
    assert stats.throughput_kbps_total == 43 * 8100


async def test_three_of_many_are_their_own_networks(hall: Client) -> None:
    for _ in range(70):
        await tell(hall, REPORT)
    for _ in range(3):
        await tell(hall, {"e": "e", "ec": ["network"]})
    assert await warnings(hall) == {}, "3 of 70 are less than 5 %"
    await tell(hall, {"e": "e", "ec": ["media", "network"]})
    assert await warnings(hall) == {"viewers_error": "warning"}


@pytest.mark.parametrize(
    "body",
    [
        {"sid": "6e2fb550-c457-11e9-bb97-0800200c9a66"},
        {"cid": "movie"},
        {"bl": -1},
        {"br": 2_000_000},
        {"mtp": "much"},
        {"ec": ["network"] * 4},
        {"ec": ["<script>"]},
        {"pr": 17},
        {"e": "rr"},
        {"st": "v"},
        [],
    ],
)
async def test_what_identifies_or_makes_no_sense_is_refused(hall: Client, body: Any) -> None:
    status, error = await tell(hall, body)
    assert (status, error["code"]) == (422, "invalid")
    assert hall.app[SERVICES].playback.stats.reports_total == 0


async def test_a_room_that_is_not_there_and_a_household_that_floods(hall: Client) -> None:
    status, error = await tell(hall, REPORT, "nowhere")
    assert (status, error["code"]) == (404, "no_such_room")
    hall.app[SERVICES].playback_posts = RateLimit(60, burst=2)
    assert [(await tell(hall, {}))[0] for _ in range(3)] == [204, 204, 429]
