"""Alarms and recent taps over REST: who sees them, who takes them on or back."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from streamer.api.context import SERVICES, now_ms
from streamer.control.messages import MediaMeasure, RoomStatus, SourceStatus
from tests.fakes.media_plane import FakePlane
from tests.unit.api.conftest import Api
from tests.unit.api.test_sessions import camera, plan


@pytest.fixture
async def hall(api: Api) -> Api:
    await api("POST", "/venues", {"id": "paris", "name": "Paris"})
    for room in ("a", "b"):
        await api("POST", "/rooms", {"id": room, "name": f"Salle {room}", "venue": "paris"})
    return api


async def member(hall: Api, role: str, label: str, **scope: Any) -> Api:
    made = await hall("POST", "/grants", {"role": role, "label": label, **(scope or {"room": "a"})})
    return hall.as_(made["token"])


async def all_comes_in(plane: FakePlane) -> RoomStatus:
    """A camera with voice and moving pictures, in room a."""
    await camera(plane)
    status = plane.rooms["a"].status
    assert status is not None
    now = now_ms()
    status.sources = {"main": SourceStatus("main", up=True, publication="one", since_ms=now - 1000)}
    status.measures = {"main": MediaMeasure(loudness=-19.2, heard_ms=now, voice_ms=now, moved_ms=now)}
    return status


async def test_what_rings_is_listed_and_taken_on(hall: Api) -> None:
    for room in ("a", "b"):
        await hall("POST", f"/rooms/{room}/hold", {"message": "Fire alarm"}, expect=200)
    anna = await member(hall, "technician", "Anna")
    moderator = await member(hall, "moderator", "Mo", room="b")
    (alarm,) = (await anna("GET", "/alarms"))["items"]
    assert (alarm["room"], alarm["code"], alarm["acknowledged"]) == ("a", "hold", None)
    listed = (await hall("GET", "/alarms"))["items"]
    assert [one["room"] for one in listed] == ["a", "b"]
    said = {name: listed[0][name] for name in ("kind", "severity", "cause", "remedy", "taken_by", "times")}
    assert said == {
        "kind": "hold",
        "severity": "warning",
        "cause": "Hold is on",
        "remedy": "Resume when the room may go on.",
        "taken_by": None,
        "times": 1,
    }
    assert listed[0]["words"]["fr"]["cause"] == "La salle est suspendue"
    french = await hall("GET", "/alarms?room=a", Accept_Language="fr-FR, en;q=0.5")
    assert french["items"][0]["remedy"] == "Reprenez quand la salle peut continuer."
    assert [one["room"] for one in (await moderator("GET", "/alarms"))["items"]] == ["b"]
    await anna("GET", "/alarms?room=b", expect=403)
    await anna("GET", "/alarms?room=nowhere", expect=404)
    address = f"/alarms/{quote(alarm['id'], safe='')}/acknowledge"
    await moderator("POST", address, expect=403)
    done = await anna("POST", address, expect=200)
    assert (done["acknowledged"], done["taken_by"]) == ("Anna", "Anna")
    assert (await hall("GET", "/alarms?room=a"))["items"][0]["acknowledged"] == "Anna"
    other = await hall("POST", "/alarms/hold:nowhere:/acknowledge", expect=404)
    assert other["error"]["code"] == "no_such_alarm"
    elsewhere = (await hall("GET", "/alarms?room=b"))["items"][0]["id"]
    await anna("POST", f"/alarms/{quote(elsewhere, safe='')}/acknowledge", expect=403)


async def test_an_alarm_about_something_with_any_name_can_be_taken_on(hall: Api, plane: FakePlane) -> None:
    assert hall.client.app is not None
    director = hall.client.app[SERVICES].director
    director.room_alarms.lapsed = lambda room: {"50/50: Anna & Bob?": None} if room == "a" else {}
    await plane.ensure(director.config("a"))
    await director.refresh()
    (alarm,) = (await hall("GET", "/alarms"))["items"]
    assert alarm["code"] == "grant_expired"
    assert quote(alarm["id"], safe=":") == alarm["id"], "it works in an address as it is"
    done = await hall("POST", f"/alarms/{alarm['id']}/acknowledge", expect=200)
    assert done["id"] == alarm["id"]


async def test_an_alarm_is_silenced_and_normal_for_the_crew_of_its_room_alone(hall: Api) -> None:
    for room in ("a", "b"):
        await hall("POST", f"/rooms/{room}/hold", {"message": "Fire alarm"}, expect=200)
    anna, bob = await member(hall, "technician", "Anna"), await member(hall, "technician", "Bob", room="b")
    (alarm,) = (await anna("GET", "/alarms"))["items"]
    address = f"/alarms/{alarm['id']}"
    for verb in ("snooze", "normal"):
        await bob("POST", f"{address}/{verb}", {}, expect=403)
        await anna("POST", f"/alarms/hold:nowhere:/{verb}", {}, expect=404)
    await anna("POST", f"{address}/snooze", {"minutes": 0}, expect=422)
    await anna("POST", f"{address}/snooze", {"minutes": 241}, expect=422)
    silenced = await anna("POST", f"{address}/snooze", {"minutes": 10}, expect=200)
    assert (silenced["id"], silenced["severity"]) == (alarm["id"], "warning")
    assert silenced["snoozed_until"] > silenced["since"]
    await anna("POST", f"{address}/normal", expect=200)
    assert (await anna("GET", "/alarms"))["items"] == []
    (meant,) = (await anna("GET", "/rooms/a"))["normals"]
    assert (meant["id"], meant["kind"]) == (alarm["id"], "hold")
    assert meant["words"]["fr"]["cause"] == "La salle est suspendue"
    await bob("DELETE", f"{address}/normal", expect=403)
    await anna("DELETE", f"{address}/normal", expect=204)
    await anna("DELETE", f"{address}/normal", expect=404)
    log = (await hall("GET", "/audit?limit=50"))["items"]
    assert {"alarm.snooze", "alarm.normal", "alarm.not_normal"} <= {one["action"] for one in log}


async def test_others_taps_are_seen_and_taken_back_in_their_order(hall: Api, plane: FakePlane) -> None:
    talk = await plan(hall, -2)
    await camera(plane)
    anna, bob = await member(hall, "technician", "Anna"), await member(hall, "technician", "Bob")
    started = await anna("POST", f"/sessions/{talk['id']}/start", expect=200)
    slate = await bob("POST", "/rooms/a/air", {"slate": True}, expect=200)
    extended = await bob("POST", f"/sessions/{talk['id']}/extend", {"minutes": 5}, expect=200)
    listed = (await anna("GET", "/actions?room=a"))["items"]
    assert [(one["id"], one["kind"], one["by"], one["title"], one["undoable"]) for one in listed] == [
        (extended["action"], "session.extend", "Bob", "A talk", True),
        (slate["action"], "air.slate", "Bob", None, True),
        (started["action"], "session.start", "Anna", "A talk", False),
    ]
    assert [one["id"] for one in (await anna("GET", "/actions?room=a&limit=1"))["items"]] == [extended["action"]]
    await anna("POST", f"/actions/{extended['action']}/undo", expect=200)
    again = (await bob("GET", "/actions?room=a"))["items"]
    assert [(one["undoable"], one["undone"] is not None) for one in again] == [
        (False, True),
        (True, False),
        (True, False),
    ]
    await bob("POST", f"/actions/{started['action']}/undo", expect=200)
    # A moderator sees what was done, and takes back nothing of it.
    moderator = await member(hall, "moderator", "Mo")
    assert {one["undoable"] for one in (await moderator("GET", "/actions?room=a"))["items"]} == {False}


async def test_taps_on_a_closed_session_are_told_to_those_who_may_know_of_it(hall: Api, plane: FakePlane) -> None:
    board = await plan(hall, -2, visibility="private", title="Board")
    other = await plan(hall, 60)
    await hall("PATCH", "/rooms/a", {"start": "auto"})
    await camera(plane)
    await hall("POST", f"/sessions/{board['id']}/extend", {"minutes": 5}, expect=200)
    await hall("POST", f"/sessions/{other['id']}/delay", {"minutes": 5}, expect=200)
    crew = await member(hall, "technician", "Anna")
    assert [one["title"] for one in (await crew("GET", "/actions?room=a"))["items"]] == ["A talk", "Board"]
    await hall("GET", "/actions", expect=422)
    await (await member(hall, "viewer", "Vera"))("GET", "/actions?room=a", expect=403)


async def test_a_rooms_crew_asks_whether_it_is_ready(hall: Api, plane: FakePlane) -> None:
    talk = await plan(hall, 5)
    anna, bob = await member(hall, "technician", "Anna"), await member(hall, "technician", "Bob", room="b")
    await bob("GET", "/rooms/a/readiness", expect=403)
    await hall.as_("")("GET", "/rooms/a/readiness", expect=401)
    await anna("GET", "/rooms/nowhere/readiness", expect=404)
    before = await anna("GET", "/rooms/a/readiness")
    assert (before["state"], before["session"], before["due"]) == ("not_yet", talk["id"], True)
    refused = await anna("POST", "/rooms/a/readiness", {"focus": True}, expect=409)
    assert refused["error"]["code"] == "nothing_coming_in"
    status = await all_comes_in(plane)
    await anna("POST", "/rooms/a/readiness", {"framing": True, "focus": True}, expect=200)
    lines = {line["name"]: line for line in (await anna("GET", "/rooms/a/readiness"))["lines"]}
    told = {name: lines[name]["state"] for name in ("voice", "picture", "key", "flags", "upload", "framing")}
    assert told == {
        "voice": "yes",
        "picture": "yes",
        "key": "yes",
        "flags": "yes",
        "upload": "unknown",
        "framing": "yes",
    }
    assert lines["focus"]["by"] == "Anna"
    await anna("POST", "/rooms/a/sources/Not one/leaving", {}, expect=404)
    await anna("POST", "/rooms/a/sources/main/leaving", {"leaving": "freeze"}, expect=204)
    status.sources["main"].publication = "another"
    lines = {line["name"]: line["state"] for line in (await anna("GET", "/rooms/a/readiness"))["lines"]}
    assert lines["focus"] == "not_yet", "it is another source"


async def test_a_rehearsal_on_a_press_looks_hours_before_its_session(hall: Api, plane: FakePlane) -> None:
    talk = await plan(hall, 300)
    anna = await member(hall, "technician", "Anna")
    before = await anna("GET", "/rooms/a/readiness")
    assert (before["state"], before["session"], before["due"]) == ("not_yet", talk["id"], False)
    status = await all_comes_in(plane)
    found = await anna("POST", "/rooms/a/readiness", {"framing": True, "focus": True}, expect=200)
    assert (found["state"], found["due"]) == ("ready", False)
    status.sources = {}
    gone = await anna("GET", "/rooms/a/readiness")
    assert (gone["state"], gone["due"]) == ("not_yet", False), "nothing comes in any more"
