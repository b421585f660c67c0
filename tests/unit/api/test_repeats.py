"""REST taps with an ``Idempotency-Key``, and the same taps over Socket.IO."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from streamer.api.idempotency import may_repeat
from streamer.api.routes import ROUTES
from streamer.director.director import Director
from tests.fakes.media_plane import FakePlane
from tests.unit.api.conftest import Api
from tests.unit.api.test_sessions import camera, plan

TAPS = {"taps", "alarms", "sources"}


@pytest.fixture
async def hall(api: Api) -> Api:
    await api("POST", "/venues", {"id": "paris", "name": "Paris"})
    await api("POST", "/rooms", {"id": "a", "name": "Salle A", "venue": "paris"})
    return api


async def on_air(hall: Api) -> str:
    made = await plan(hall, 0)
    await hall("POST", f"/sessions/{made['id']}/start", expect=200)
    return str(made["id"])


def minutes(before: dict[str, Any], after: dict[str, Any]) -> float:
    ends = [datetime.fromisoformat(one["expected_end"]) for one in (before, after)]
    return (ends[1] - ends[0]).total_seconds() / 60


def test_a_key_is_taken_by_the_taps_alone() -> None:
    """A front process sends these again: each has to know a repeat."""
    taking = {(route.method, route.path) for route in ROUTES if route.repeats}
    modules = {route.handler.__module__.rpartition(".")[2] for route in ROUTES if route.repeats}
    changing = {
        (route.method, route.path)
        for route in ROUTES
        if route.method != "GET" and route.handler.__module__.rpartition(".")[2] in TAPS
    }
    assert (taking, modules) == (changing, TAPS)
    assert not may_repeat("GET", "/api/v1/alarms/x/normal")
    assert not may_repeat("POST", "/api/v1/sessions/s/start/x")


async def test_a_repeat_gets_the_first_answer_and_moves_nothing(hall: Api) -> None:
    session = await on_air(hall)
    before = await hall("GET", f"/sessions/{session}")
    path, body = f"/sessions/{session}/extend", {"minutes": 10}
    first = await hall("POST", path, body, expect=200, Idempotency_Key='"k 1"')
    assert first["action"] is not None
    assert await hall("POST", path, body, expect=200, Idempotency_Key='"k 1"') == first
    plain = await hall("POST", path, body, expect=200, Idempotency_Key="plain-key")
    assert await hall("POST", path, body, expect=200, Idempotency_Key='"plain-key"') == plain
    assert minutes(before, plain) == 20
    other = await hall("POST", path, {"minutes": 5}, expect=422, Idempotency_Key='"k 1"')
    assert other["error"]["code"] == "id_reused"
    for bad in ('"', '"" ', "two words", f'"{"x" * 129}"'):
        refused = await hall("POST", path, body, expect=400, Idempotency_Key=bad)
        assert refused["error"]["code"] == "bad_idempotency_key"


async def test_another_grants_key_is_another_and_rights_are_asked_each_time(hall: Api) -> None:
    session = await on_air(hall)
    before = await hall("GET", f"/sessions/{session}")
    one, other = [hall.as_(await hall.grant("technician", room="a")) for _ in range(2)]
    path, body = f"/sessions/{session}/delay", {"minutes": 5}
    for technician in (one, other, one):
        after = await technician("POST", path, body, expect=200, Idempotency_Key='"k"')
    assert minutes(before, after) == 10
    viewer = hall.as_(await hall.grant("viewer", room="a"))
    await viewer("POST", path, body, expect=403, Idempotency_Key='"k"')


async def test_a_session_without_a_plan_begins_once(hall: Api, plane: FakePlane) -> None:
    await camera(plane)
    first = await hall("POST", "/rooms/a/ad_hoc", {"title": "Now"}, expect=200, Idempotency_Key='"k"')
    again = await hall("POST", "/rooms/a/ad_hoc", {"title": "Now"}, expect=200, Idempotency_Key='"k"')
    assert [one["id"] for one in again["sessions"]] == [one["id"] for one in first["sessions"]]
    assert again["actions"] == first["actions"]


async def test_several_things_at_once_are_one_command(hall: Api) -> None:
    body = {"slate": True, "gain_db": 3.0}
    first = await hall("POST", "/rooms/a/air", body, expect=200, Idempotency_Key='"k"')
    assert len(first["actions"]) == 2
    await hall("POST", "/rooms/a/air", {"slate": False}, expect=200)
    assert await hall("POST", "/rooms/a/air", body, expect=200, Idempotency_Key='"k"') == first
    assert (await hall("GET", "/rooms/a"))["slate"] is False
    await hall("POST", "/rooms/a/air", {"slate": True}, expect=422, Idempotency_Key='"k"')


async def test_the_last_minutes_of_a_repeat_are_those_of_the_first_time(
    hall: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, int]] = []

    async def forget(_self: Director, _room: str, from_ms: int, to_ms: int, _actor: Any) -> bool:
        asked.append((from_ms, to_ms))
        return True

    now_ms = Director.media_now_ms
    later = iter((0, 90_000, 90_000))

    async def moved_on(director: Director, room: str) -> int:
        return await now_ms(director, room) + next(later)

    monkeypatch.setattr(Director, "forget", forget)
    monkeypatch.setattr(Director, "media_now_ms", moved_on)
    for _ in range(2):
        await hall("POST", "/rooms/a/forget", {"minutes": 1}, expect=200, Idempotency_Key='"k"')
    await hall("POST", "/rooms/a/forget", {"minutes": 1}, expect=200)
    first, again, without = asked
    assert again == first
    assert without[0] > first[1]


async def test_an_alarm_that_is_over_answers_as_it_was(hall: Api) -> None:
    await hall("POST", "/rooms/a/hold", {"message": "Fire alarm"}, expect=200)
    (alarm,) = (await hall("GET", "/alarms?room=a"))["items"]
    path = f"/alarms/{alarm['id']}/normal"
    first = await hall("POST", path, expect=200, Idempotency_Key='"k"')
    assert first["id"] == alarm["id"]
    assert await hall("POST", path, expect=200, Idempotency_Key='"k"') == first
    await hall("POST", path, expect=404)
    (normal,) = (await hall("GET", "/rooms/a"))["normals"]
    for _ in range(2):
        await hall("DELETE", f"/alarms/{normal['id']}/normal", Idempotency_Key='"d"')
    await hall("DELETE", f"/alarms/{normal['id']}/normal", expect=404)
