"""Sessions' places over REST: a room, several, or somewhere at the venue."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from streamer.api.context import SERVICES
from streamer.director.director import Director
from tests.fakes.media_plane import FakePlane
from tests.unit.api.conftest import ADMIN, Api, Client, bearer
from tests.unit.api.test_sessions import camera, moment, plan


@pytest.fixture
def director(client: Client) -> Director:
    return client.app[SERVICES].director


@pytest.fixture
async def places(api: Api) -> Api:
    for venue, name in (("paris", "Médiathèque"), ("lyon", "Halle")):
        await api("POST", "/venues", {"id": venue, "name": name})
    for room, venue in (("a", "paris"), ("b", "paris"), ("c", "paris"), ("l", "lyon")):
        await api("POST", "/rooms", {"id": room, "name": f"Salle {room.upper()}", "venue": venue})
    await api("POST", "/events", {"id": "jours", "name": "Jours", "venue": "paris"})
    return api


async def ids(api: Api, query: str) -> list[str]:
    return [one["id"] for one in (await api("GET", f"/sessions?{query}"))["items"]]


async def exported(client: Client, name: str, query: str = "") -> str:
    async with client.get(f"/schedule.{name}{query}") as answer:
        assert answer.status == 200
        return await answer.text()


# --- without a room -----------------------------------------------------------------------------------


async def test_a_session_without_a_room_is_the_venues_and_never_on_air(
    places: Api, plane: FakePlane, director: Director, client: Client
) -> None:
    await camera(plane)
    made = await plan(places, 1, room=None, event="jours", title="Dinner", kind="social")
    assert (made["room"], made["also_in"], made["venue"], made["live_url"]) == (None, [], "paris", "")
    await director.refresh()
    told = await places("GET", f"/sessions/{made['id']}")
    assert (told["state"], told["replay_url"]) == ("scheduled", None)
    for tap in ("start", "end", "extend"):
        body = {"minutes": 5} if tap == "extend" else {}
        refused = await places("POST", f"/sessions/{made['id']}/{tap}", body, expect=409)
        assert refused["error"]["code"] == "no_room"
    anybody = places.as_("")
    assert await ids(anybody, "venue=paris") == await ids(anybody, "event=jours") == [made["id"]]
    assert await ids(anybody, "venue=lyon") == await ids(anybody, "room=a") == []
    for name in ("xml", "json", "ics"):
        assert (await exported(client, name)).count("Dinner") == 1
        assert "Dinner" not in await exported(client, name, "?room=a")
    assert "LOCATION:Médiathèque" in await exported(client, "ics", f"?session={made['id']}")
    page = await (await client.get(f"/session/{made['id']}")).text()
    assert "Dinner" in page
    assert 'href="/watch/"' not in page


async def test_it_is_cancelled_planned_again_delayed_changed_and_deleted(places: Api) -> None:
    made = await plan(places, 60, room=None, venue="paris", title="Registration")
    there = f"/sessions/{made['id']}"
    assert (await places("POST", f"{there}/cancel", expect=200))["state"] == "cancelled"
    assert (await places("POST", f"{there}/reopen", expect=200))["state"] == "scheduled"
    delayed = await places("POST", f"{there}/delay", {"minutes": 10}, expect=200)
    assert delayed["delay_minutes"] == 10
    placed = await places("PATCH", there, {"room": "b", "title": "Welcome"})
    assert (placed["room"], placed["venue"], placed["title"]) == ("b", "paris", "Welcome")
    back = await places("PATCH", there, {"room": None})
    assert (back["room"], back["venue"], back["state"]) == (None, "paris", "scheduled")
    copies = await places("POST", f"{there}/repeat", {"dates": ["2030-10-21"]})
    assert [(one["room"], one["venue"]) for one in copies["items"]] == [(None, "paris")]
    actions = [
        one["action"] for one in (await places("GET", "/audit?limit=50"))["items"] if one["target"] == made["id"]
    ]
    assert {"session.create", "session.cancel", "session.change"} <= set(actions)
    await places("DELETE", there, expect=204)
    await places("GET", there, expect=404)


async def test_an_armed_session_that_loses_its_room_is_not_armed_any_more(places: Api) -> None:
    made = await plan(places, 1)
    assert made["state"] == "armed"
    assert (await places("PATCH", f"/sessions/{made['id']}", {"room": None}))["state"] == "scheduled"


async def test_a_private_one_is_told_to_those_whose_grants_reach_the_venue_or_it(places: Api, client: Client) -> None:
    made = await plan(places, room=None, event="jours", title="Board", kind="meeting")
    assert made["visibility"] == "private"
    ways = {
        "venue": ("organiser", {"venue": "paris"}, True),
        "event": ("organiser", {"event": "jours"}, True),
        "own": ("viewer", {"session": made["id"]}, True),
        "everything": ("viewer", {}, True),
        "other venue": ("organiser", {"venue": "lyon"}, False),
        "a room of the venue": ("organiser", {"room": "a"}, False),
    }
    for name, (role, scope, knows) in ways.items():
        holder = places.as_(await places.grant(role, **scope))
        assert await ids(holder, "from=2020-01-01T00:00:00Z") == ([made["id"]] if knows else []), name
        await holder("GET", f"/sessions/{made['id']}", expect=200 if knows else 404)
    assert await ids(places.as_(""), "venue=paris") == []
    for name in ("xml", "json", "ics"):
        file = await exported(client, name)
        assert "Board" not in file
        assert "Médiathèque" not in file, "its venue stands for a room only because of it"
    assert (await client.get(f"/session/{made['id']}")).status == 404
    await places("DELETE", "/venues/paris", expect=409)


async def test_a_place_that_is_not_ones_own_is_refused(places: Api) -> None:
    room, event = await places.grant("organiser", room="a"), await places.grant("organiser", event="jours")
    await plan_refused(places.as_(room), 403, room=None, venue="paris")
    await plan_refused(places.as_(event), 403, room=None, event="jours", venue="lyon")
    await plan_refused(places.as_(event), 403, room="a", event="jours", also_in=["l"])
    await plan_refused(places, 422, room=None, venue="rome")
    await plan_refused(places, 422, room="a", venue="paris")
    await plan_refused(places, 422, room=None, also_in=["a"])
    await plan_refused(places, 422, room="a", also_in=["rome"])
    made = await plan(places.as_(event), room=None, event="jours")
    assert made["venue"] == "paris"
    await places.as_(event)("PATCH", f"/sessions/{made['id']}", {"venue": "lyon"}, expect=403)
    body = {"title": "No word of a room", "start": moment(5), "end": moment(9)}
    await places("POST", "/sessions", body, expect=422)


async def plan_refused(api: Api, status: int, **fields: Any) -> None:
    body = {"title": "A talk", "start": moment(5), "end": moment(35), **fields}
    await api("POST", "/sessions", body, expect=status)


# --- in several rooms ---------------------------------------------------------------------------------


async def test_one_in_several_rooms_is_one_session_and_is_told_in_each(
    places: Api, plane: FakePlane, director: Director, client: Client
) -> None:
    await camera(plane)
    made = await plan(places, 1, also_in=["b", "c", "a"], title="Opening")
    assert (made["room"], made["also_in"]) == ("a", ["b", "c"])
    anybody = places.as_("")
    for query in ("room=a", "room=b", "room=c", "venue=paris"):
        assert await ids(anybody, query) == [made["id"]], query
    for name in ("xml", "json", "ics"):
        assert (await exported(client, name)).count("Opening") == 1
        assert (await exported(client, name, "?room=b")).count("Opening") == 1
    await places("POST", f"/sessions/{made['id']}/start", {}, expect=200)
    await director.refresh()
    other = await anybody("GET", "/rooms/b")
    assert (other["session"], other["state"]) == (None, "off")
    assert other["elsewhere"]["room_name"] == "Salle A"
    assert (other["elsewhere"]["session"]["id"], other["elsewhere"]["session"]["state"]) == (made["id"], "on_air")
    assert (await anybody("GET", "/rooms/a"))["elsewhere"] is None
    assert director.config("b").orders.slate.title == "Opening"
    # The room that does not carry it begins nothing of it.
    assert (await places("GET", "/rooms/b"))["next"] is None
    await places("DELETE", "/rooms/c", expect=409)
    await places("POST", f"/sessions/{made['id']}/end", {}, expect=200)
    await director.refresh()
    assert (await anybody("GET", "/rooms/b"))["elsewhere"] is None


async def test_another_of_its_rooms_carries_it_when_somebody_says_so(places: Api) -> None:
    made = await plan(places, 60, also_in=["b", "c"])
    there = f"/sessions/{made['id']}"
    changed = await places("PATCH", there, {"room": "b"})
    assert (changed["room"], sorted(changed["also_in"])) == ("b", ["a", "c"])
    assert changed["id"] == made["id"]
    fewer = await places("PATCH", there, {"also_in": ["a"]})
    assert (fewer["room"], fewer["also_in"]) == ("b", ["a"])
    assert (await places("PATCH", there, {"room": "c"}))["also_in"] == ["a"]
    assert (await places("PATCH", there, {"room": None}))["also_in"] == []


async def test_a_private_one_is_not_told_by_its_other_rooms(places: Api, director: Director) -> None:
    made = await plan(places, 1, also_in=["b"], visibility="private", title="Secret")
    await places("POST", f"/sessions/{made['id']}/start", {}, expect=200)
    await director.refresh()
    for api in (places.as_(""), places.as_(await places.grant("technician", room="b"))):
        assert json.dumps(await api("GET", "/rooms/b")).count("Secret") == 0
        assert await ids(api, "room=b") == []
    assert "Secret" not in director.config("b").orders.slate.title


async def shown_import(client: Client, data: bytes, **query: str) -> dict[str, Any]:
    params = {"event": "jours", **query}
    async with client.post("/api/v1/imports", params=params, data=data, headers=bearer(ADMIN)) as answer:
        assert answer.status == 201, await answer.text()
        shown: dict[str, Any] = await answer.json()
        return shown


# --- imports ------------------------------------------------------------------------------------------


async def test_an_import_keeps_what_has_no_room_and_makes_one_of_what_has_several(places: Api, client: Client) -> None:
    day = datetime.now(UTC).date() + timedelta(days=30)

    def entry(number: int, title: str, hour: int) -> dict[str, Any]:
        guid = f"00000000-0000-4000-8000-{number:012d}"
        start = f"{day}T{hour:02d}:00:00+00:00"
        return {"guid": guid, "id": number, "title": title, "date": start, "duration": "01:00", "type": "Talk"}

    rooms = {
        "Salle A": [entry(1, "Opening", 9), entry(2, "Talk", 11)],
        "Salle B": [entry(1, "Opening", 9)],
        "Médiathèque": [entry(3, "Dinner", 19)],
        "": [entry(4, "Registration", 8)],
    }
    days = [{"date": str(day), "rooms": rooms}]
    file = {"schedule": {"version": "1", "conference": {"acronym": "jours", "title": "Jours", "days": days}}}
    body = json.dumps(file).encode()
    shown = await shown_import(client, body)
    assert (shown["new_rooms"], shown["rooms_unknown"]) == ([], [])
    assert len(shown["difference"]["added"]) == 4
    done = await places("POST", f"/imports/{shown['id']}/apply", {"accept": "all"}, expect=200)
    assert (done["added"], done["waiting"]) == (4, [])
    found = (await places("GET", "/sessions?event=jours"))["items"]
    assert {one["title"]: (one["room"], one["also_in"], one["venue"]) for one in found} == {
        "Registration": (None, [], "paris"),
        "Opening": ("a", ["b"], "paris"),
        "Talk": ("a", [], "paris"),
        "Dinner": (None, [], "paris"),
    }
    # Which room carries it is ours to say.
    opening = next(one for one in found if one["title"] == "Opening")
    await places("PATCH", f"/sessions/{opening['id']}", {"room": "b"})
    again = await shown_import(client, body)
    assert again["difference"]["unchanged"] == 4
    # Our own files say the same.
    for name in ("xml", "json", "ics"):
        ours = (await exported(client, name, "?event=jours")).encode()
        once_more = await shown_import(client, ours)
        changes = [one["changes"] for group in ("moved", "changed") for one in once_more["difference"][group]]
        assert (once_more["new_rooms"], once_more["difference"]["added"], len(changes)) == ([], [], 4), name
        assert not {"room", "also_in"} & {field for one in changes for field in one}, name


async def test_two_rooms_of_one_name_are_told_with_their_ids(places: Api, client: Client) -> None:
    await places("POST", "/rooms", {"id": "a-2", "name": "Salle A", "venue": "paris"})
    file = (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1@x\r\nDTSTART:20361124T090000Z\r\n"
        "DTEND:20361124T100000Z\r\nSUMMARY:Talk\r\nLOCATION:Salle A\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    shown = await shown_import(client, file.encode())
    assert shown["rooms_ambiguous"] == {"Salle A": ["a", "a-2"]}
    assert shown["difference"]["added"][0]["blocked"]
