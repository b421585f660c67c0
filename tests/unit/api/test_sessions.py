"""Events, sessions and taps over REST: what the contract says, who sees what, what is refused and why."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from streamer.control.messages import RoomConfig
from tests.fakes.media_plane import FakePlane
from tests.unit.api.conftest import Api


def moment(minutes: float) -> str:
    return (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat(timespec="seconds")


async def plan(api: Api, start: float = 5, minutes: float = 30, **fields: Any) -> dict[str, Any]:
    body = {"room": "a", "title": "A talk", "start": moment(start), "end": moment(start + minutes), **fields}
    answer = await api("POST", "/sessions", body)
    assert isinstance(answer, dict)
    return answer


@pytest.fixture
async def hall(api: Api) -> Api:
    await api("POST", "/venues", {"id": "paris", "name": "Paris"})
    await api("POST", "/rooms", {"id": "a", "name": "Salle A", "venue": "paris"})
    return api


async def camera(plane: FakePlane) -> None:
    link = await plane.ensure(RoomConfig("a", "Salle A"))
    assert link.status is not None
    link.status.media_up = True
    link.status.media_since_ms = 1


async def test_a_session_has_the_contracts_defaults(hall: Api) -> None:
    made = await plan(hall)
    assert {
        name: made[name] for name in ("kind", "visibility", "do_not_record", "do_not_stream", "replay", "state")
    } == {
        "kind": "conference",
        "visibility": "public",
        "do_not_record": "no",
        "do_not_stream": "no",
        "replay": "at_once",
        "state": "armed",
    }
    assert made == await hall("GET", f"/sessions/{made['id']}")
    assert datetime.fromisoformat(made["start"]).utcoffset() in (timedelta(hours=1), timedelta(hours=2))


@pytest.mark.parametrize(
    ("kind", "visibility"), [("training", "unlisted"), ("meeting", "private"), ("workshop", "public")]
)
async def test_kinds_have_defaults_of_their_own(hall: Api, kind: str, visibility: str) -> None:
    assert (await plan(hall, kind=kind))["visibility"] == visibility
    assert (await plan(hall, 60, kind=kind, visibility="public"))["visibility"] == "public"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"end": "2020-01-01T00:00:00Z"}, "body"),
        ({"start": "2020-01-01T00:00:00"}, "start"),
        ({"room": "nowhere"}, "room"),
        ({"event": "nowhere"}, "event"),
        ({"kind": "party"}, "kind"),
        ({"title": " "}, "title"),
        ({"capacity": -1}, "capacity"),
        ({"do_not_record": "perhaps"}, "do_not_record"),
        ({"url": "javascript:alert(1)"}, "url"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_what_makes_no_session_is_refused_with_the_field(hall: Api, fields: dict[str, Any], field: str) -> None:
    body = {"room": "a", "title": "A talk", "start": moment(5), "end": moment(30), **fields}
    answer = await hall("POST", "/sessions", body, expect=422)
    assert answer["error"]["details"][0]["field"] == field


async def test_the_life_of_a_session_by_taps(hall: Api, plane: FakePlane) -> None:
    made = await plan(hall, -2)
    await camera(plane)
    started = await hall("POST", f"/sessions/{made['id']}/start", expect=200)
    assert started["state"] == "on_air"
    assert started["action"]
    room = await hall("GET", "/rooms/a")
    assert room["session"]["id"] == made["id"]
    again = await hall("POST", f"/sessions/{made['id']}/start", expect=200)
    assert (again["state"], again["action"]) == ("on_air", None)
    back = started["started_at_ms"] - 60_000
    moved = await hall("POST", f"/sessions/{made['id']}/start", {"at": back}, expect=200)
    assert moved["started_at_ms"] == back
    longer = await hall("POST", f"/sessions/{made['id']}/extend", {"minutes": 10}, expect=200)
    assert longer["shown_end"] > made["end"]
    assert made["expected_end"] == made["end"]
    assert datetime.fromisoformat(longer["expected_end"]) - datetime.fromisoformat(made["end"]) == timedelta(minutes=10)
    ended = await hall("POST", f"/sessions/{made['id']}/end", expect=200)
    assert ended["state"] == "ended"
    undone = await hall("POST", f"/actions/{ended['action']}/undo", expect=200)
    assert undone["sessions"][0]["state"] == "on_air"
    await hall("POST", f"/sessions/{made['id']}/end", expect=200)
    reopened = await hall("POST", f"/sessions/{made['id']}/reopen", expect=200)
    assert reopened["state"] == "on_air"
    far = await hall("POST", f"/sessions/{made['id']}/start", {"at": back - 3_600_000}, expect=422)
    assert far["error"]["code"] == "too_far_back"


async def test_delay_moves_what_follows_and_cancel_is_told(hall: Api) -> None:
    now = datetime.now(UTC)
    # Both on one day, which ends at four in the morning of the venue.
    noon = (now.replace(hour=12, minute=0) + timedelta(days=1) - now) / timedelta(minutes=1)
    first, second = await plan(hall, noon), await plan(hall, noon + 55, title="Second")
    delayed = await hall("POST", f"/sessions/{first['id']}/delay", {"minutes": 10, "following": True}, expect=200)
    assert delayed["delay_minutes"] == 10
    assert (await hall("GET", f"/sessions/{second['id']}"))["delay_minutes"] == 10
    cancelled = await hall("POST", f"/sessions/{first['id']}/cancel", expect=200)
    assert cancelled["state"] == "cancelled"


async def test_nobody_without_a_grant_learns_of_a_private_session(hall: Api, plane: FakePlane) -> None:
    made = await plan(hall, -1, title="Board of the Society", kind="meeting", speakers=["Ada"])
    await camera(plane)
    public = hall.as_("")
    room = await public("GET", "/rooms/a")
    assert room["word"] == "reserved"
    assert room["reserved_until"]
    for path in ("/rooms", "/rooms/a", "/sessions", "/sessions?room=a", "/sessions?state=on_air", "/events"):
        answer = str(await public("GET", path))
        for secret in (made["id"], made["key"], "Board", "Ada"):
            assert secret not in answer, path
    await public("GET", f"/sessions/{made['id']}", expect=404)
    viewer = hall.as_(await hall.grant("viewer", session=made["id"]))
    seen = await viewer("GET", f"/sessions/{made['id']}")
    assert seen["live_url"] == f"/live/a/~{seen['key']}/index.m3u8"
    assert len({seen["key"], made["key"], (await hall("GET", f"/sessions/{made['id']}"))["key"]}) == 2
    stranger = hall.as_(await hall.grant("viewer", session=(await plan(hall, 90))["id"]))
    await stranger("GET", f"/sessions/{made['id']}", expect=404)


async def test_an_unlisted_session_opens_to_its_link_and_is_in_no_list(hall: Api) -> None:
    made = await plan(hall, kind="training")
    public = hall.as_("")
    assert (await public("GET", "/sessions"))["items"] == []
    unknown = await public("GET", "/sessions/none", expect=404)
    assert await public("GET", f"/sessions/{made['id']}", expect=404) == unknown
    page, key = made["watch_url"].rsplit("/", 1)
    assert page == f"http://streamer.test/session/{made['id']}"
    seen = await public("GET", f"/sessions/{made['id']}?key={key}")
    assert (seen["key"], seen["watch_url"]) == (key, made["watch_url"])
    assert seen["key"] != made["key"]
    # A holder of a grant has a key of their own.
    viewer = hall.as_(await hall.grant("viewer", session=made["id"]))
    assert (await viewer("GET", f"/sessions/{made['id']}"))["key"] not in (key, made["key"])
    for wrong in (made["key"], key[:-1], key.replace("link.", "lin."), "", "%00", "link.", "é"):
        assert await public("GET", f"/sessions/{made['id']}?key={wrong}", expect=404) == unknown
    # After a change to fewer viewers the link is another, now and when the session is unlisted again.
    for visibility in ("private", "unlisted"):
        changed = await hall("PATCH", f"/sessions/{made['id']}", {"visibility": visibility})
        await public("GET", f"/sessions/{made['id']}?key={key}", expect=404)
    assert changed["watch_url"] != made["watch_url"]


async def test_only_the_crew_of_the_room_taps(hall: Api) -> None:
    made = await plan(hall, -1)
    await hall("POST", "/rooms", {"id": "b", "name": "B"})
    technician = hall.as_(await hall.grant("technician", room="a"))
    other = hall.as_(await hall.grant("technician", room="b"))
    moderator = hall.as_(await hall.grant("moderator", room="a"))
    await hall.as_("")("POST", f"/sessions/{made['id']}/start", expect=401)
    await other("POST", f"/sessions/{made['id']}/start", expect=403)
    await moderator("POST", f"/sessions/{made['id']}/start", expect=403)
    started = await technician("POST", f"/sessions/{made['id']}/start", expect=200)
    await other("POST", f"/actions/{started['action']}/undo", expect=403)
    await moderator("POST", f"/actions/{started['action']}/undo", expect=403)
    await technician("POST", f"/actions/{started['action']}/undo", expect=200)
    await technician("POST", "/sessions", {**made, "title": "Mine"}, expect=403)


async def test_a_hold_of_a_venue_stops_all_of_its_rooms(hall: Api) -> None:
    await hall("POST", "/rooms", {"id": "b", "name": "B", "venue": "paris"})
    await hall("POST", "/rooms", {"id": "c", "name": "C"})
    held = await hall("POST", "/venues/paris/hold", {"message": "Fire alarm"}, expect=200)
    assert sorted(held["rooms"]) == ["a", "b"]
    public = hall.as_("")
    assert (await public("GET", "/rooms/b"))["hold"]["message"] == "Fire alarm"
    assert (await public("GET", "/rooms/c"))["hold"] is None
    await hall("POST", "/venues/paris/resume", expect=200)
    assert (await public("GET", "/rooms/b"))["hold"] is None
    await hall("POST", "/venues/nowhere/hold", expect=404)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"minutes": 0},
        {"from_ms": 1000},
        {"minutes": 1, "from_ms": 1000, "to_ms": 2000},
        {"from_ms": 2000, "to_ms": 2000},
        {"from_ms": 0, "to_ms": 180 * 60_000 + 1},
    ],
)
async def test_what_is_to_be_forgotten_has_to_be_told_in_one_way(hall: Api, body: dict[str, int]) -> None:
    await hall("POST", "/rooms/a/forget", body, expect=422)


async def test_an_event_and_its_sessions(hall: Api) -> None:
    event = await hall("POST", "/events", {"name": "Journées du logiciel libre", "venue": "paris"})
    assert event["id"] == "journees-du-logiciel-libre"
    made = await plan(hall, event=event["id"])
    assert [item["id"] for item in (await hall("GET", f"/sessions?event={event['id']}"))["items"]] == [made["id"]]
    await hall("DELETE", f"/events/{event['id']}", expect=409)
    await hall("DELETE", f"/sessions/{made['id']}")
    await hall("DELETE", f"/events/{event['id']}")
    await hall("GET", f"/events/{event['id']}", expect=404)


async def test_sessions_are_listed_by_their_times(hall: Api) -> None:
    ids = [(await plan(hall, start, 10, title=str(start), language="fr"))["id"] for start in (5, 60, 120)]
    listed = await hall("GET", "/sessions?limit=2")
    assert [item["id"] for item in listed["items"]] == ids[:2]
    rest = await hall("GET", f"/sessions?limit=2&cursor={listed['cursor']}")
    assert [item["id"] for item in rest["items"]] == ids[2:]
    later = (datetime.now(UTC) + timedelta(minutes=50)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert [item["id"] for item in (await hall("GET", f"/sessions?from={later}"))["items"]] == ids[1:]
    assert (await hall("GET", "/sessions?language=en"))["items"] == []


async def test_an_edit_is_seen_and_its_limits_are_told(hall: Api) -> None:
    made = await plan(hall, 30)
    changed = await hall("PATCH", f"/sessions/{made['id']}", {"title": "Better", "speakers": ["Ada", "Alan"]})
    assert (changed["title"], changed["speakers"]) == ("Better", ["Ada", "Alan"])
    await hall("PATCH", f"/sessions/{made['id']}", {"end": made["start"]}, expect=422)
    await hall("PATCH", f"/sessions/{made['id']}", {"title": None}, expect=422)
    await hall("PATCH", "/sessions/nothing", {"title": "x"}, expect=404)


async def test_a_session_is_repeated_weekly_and_duplicated(hall: Api) -> None:
    await hall("POST", "/rooms", {"id": "b", "name": "Salle B", "venue": "paris"})
    body = {"title": "Yoga", "start": "2030-10-21T18:00:00+02:00", "end": "2030-10-21T19:30:00+02:00"}
    first = await hall("POST", "/sessions", {"room": "a", "kind": "workshop", "speakers": ["Ana"], **body})
    made = await hall(
        "POST", f"/sessions/{first['id']}/repeat", {"until": "2030-11-11", "except": ["2030-10-28", "2030-11-04"]}
    )
    (copy,) = made["items"]
    assert (copy["start"], copy["end"]) == ("2030-11-11T18:00:00+01:00", "2030-11-11T19:30:00+01:00")
    assert (copy["title"], copy["speakers"], copy["kind"], copy["room"]) == ("Yoga", ["Ana"], "workshop", "a")
    assert copy["id"] != first["id"]
    twice = await hall("POST", f"/sessions/{first['id']}/repeat", {"dates": ["2030-10-21"], "room": "b"})
    assert [(one["start"], one["room"]) for one in twice["items"]] == [(first["start"], "b")]
    assert len((await hall("GET", "/sessions?from=2030-01-01T00:00:00Z"))["items"]) == 3
    for wrong in (
        {},
        {"dates": ["2030-10-22"], "until": "2031-01-01"},
        {"until": "2030-10-21"},
        {"until": "2099-01-01"},
        {"dates": ["2200-01-01"]},
        {"dates": ["2030-10-22"], "room": "none"},
    ):
        await hall("POST", f"/sessions/{first['id']}/repeat", wrong, expect=422)
    # A room's organiser does not plan in another room.
    mine = hall.as_(await hall.grant("organiser", room="a"))
    await mine("POST", f"/sessions/{first['id']}/repeat", {"dates": ["2030-10-22"], "room": "b"}, expect=403)
    await mine("POST", f"/sessions/{twice['items'][0]['id']}/repeat", {"dates": ["2030-10-22"]}, expect=403)


async def test_another_day_does_not_show_what_runs_today(hall: Api) -> None:
    made = await plan(hall, -5)
    await hall("POST", f"/sessions/{made['id']}/start", expect=200)
    now, tomorrow = moment(0)[:19] + "Z", moment(24 * 60)[:19] + "Z"
    assert [one["id"] for one in (await hall("GET", f"/sessions?from={now}"))["items"]] == [made["id"]]
    assert (await hall("GET", f"/sessions?from={tomorrow}"))["items"] == []
