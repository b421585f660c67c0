"""The audit log: every change by whom, and each holder sees their own scope."""

from __future__ import annotations

from typing import Any

import pytest

from streamer.store.database import Database
from tests.fakes.planned import add_event, add_session
from tests.unit.api.conftest import Api


async def entries(api: Api, query: str = "") -> list[tuple[Any, ...]]:
    items = (await api("GET", f"/audit{query}"))["items"]
    return [(item["action"], item["kind"], item["target"], item["label"]) for item in items]


@pytest.fixture
async def two_venues(api: Api) -> None:
    for venue in ("brest", "nantes"):
        await api("POST", "/venues", {"id": venue, "name": venue.title()})
        await api("POST", "/rooms", {"id": f"{venue}-a", "name": "A", "venue": venue})


async def test_each_change_is_told_newest_first_with_whoever_made_it(api: Api, two_venues: None) -> None:
    made = await api("POST", "/grants", {"role": "organiser", "venue": "brest", "label": "Ana"})
    ana = api.as_(made["token"])
    await ana("PATCH", "/rooms/brest-a", {"name": "Grande salle", "between": "open"})
    given = await ana("POST", "/grants", {"role": "technician", "room": "brest-a", "label": "Bo"})
    await ana("PATCH", f"/grants/{given['id']}", {"label": "Bob"})
    await ana("DELETE", f"/grants/{given['id']}")
    await ana("DELETE", "/rooms/nantes-a", expect=403)
    await api("DELETE", "/rooms/brest-a")
    assert await entries(api, "?venue=brest") == [
        ("room.delete", "room", "brest-a", "STREAMER_ADMIN_TOKEN"),
        ("grant.revoke", "grant", given["id"], "Ana"),
        ("grant.change", "grant", given["id"], "Ana"),
        ("grant.create", "grant", given["id"], "Ana"),
        ("room.change", "room", "brest-a", "Ana"),
        ("grant.create", "grant", made["id"], "STREAMER_ADMIN_TOKEN"),
        ("room.create", "room", "brest-a", "STREAMER_ADMIN_TOKEN"),
        ("venue.create", "venue", "brest", "STREAMER_ADMIN_TOKEN"),
    ]
    everything = await api("GET", "/audit?limit=200")
    (gone,) = [item for item in everything["items"] if item["action"] == "grant.revoke"]
    assert gone["name"] == "Bob", "a link that is gone is told by its name"
    assert made["token"].partition(".")[2] not in str(everything)
    (change,) = (await api("GET", "/audit?action=room.change"))["items"]
    assert change["details"] == {"between": ["slate", "open"], "name": ["A", "Grande salle"]}
    assert (change["who"], change["room"], change["venue"]) == (made["id"], "brest-a", "brest")
    assert len(await entries(api, f"?who={made['id']}")) == 4
    assert await entries(api, f"?from={change['at'].replace('+', '%2B')}&until={change['at']}") == []
    first = await api("GET", "/audit?limit=3")
    rest = await api("GET", f"/audit?limit=200&cursor={first['cursor']}")
    assert [item["id"] for item in first["items"] + rest["items"]] == [item["id"] for item in everything["items"]]


async def test_a_changed_session_tells_old_and_new_and_its_links_tell_its_title(api: Api, two_venues: None) -> None:
    nine, ten = "2031-11-24T09:00:00Z", "2031-11-24T10:00:00Z"
    talk = await api("POST", "/sessions", {"room": "brest-a", "title": "A talk", "start": nine, "end": ten})
    await api("PATCH", f"/sessions/{talk['id']}", {"title": "The talk", "speakers": ["Ana", "Bo"]})
    await api("POST", f"/sessions/{talk['id']}/delay", {"minutes": 5}, expect=200)
    delay, change = (await api("GET", f"/audit?kind=session&id={talk['id']}"))["items"][:2]
    assert change["details"]["title"] == ["A talk", "The talk"]
    assert change["details"]["speakers"] == [[], ["Ana", "Bo"]]
    began, begins = delay["details"]["start_ms"]
    assert begins - began == 300_000
    await api("POST", "/grants", {"role": "speaker", "session": talk["id"]})
    (given,) = (await api("GET", "/grants"))["items"]
    assert given["session_title"] == "The talk"


async def test_a_holder_sees_what_happened_in_their_own_place_only(
    api: Api, database: Database, two_venues: None
) -> None:
    await add_event(database, "conf", venue="brest")
    await add_session(database, "talk", "brest-a", event="conf")
    await api("POST", "/grants", {"role": "speaker", "event": "conf"})
    of_venue = api.as_(await api.grant("organiser", venue="brest"))
    of_room = api.as_(await api.grant("organiser", room="nantes-a"))
    of_event = api.as_(await api.grant("organiser", event="conf"))
    assert {target for _, kind, target, _ in await entries(of_venue) if kind != "grant"} == {"brest", "brest-a"}
    assert {target for _, kind, target, _ in await entries(of_room) if kind != "grant"} == {"nantes-a"}
    assert await entries(of_venue, "?room=brest-a") != []
    for holder, query in (
        (of_venue, "?venue=nantes"),
        (of_venue, "?room=nantes-a"),
        (of_room, "?room=brest-a"),
        (of_event, ""),
        (of_event, "?room=brest-a"),
        (of_event, "?kind=room&id=brest-a"),
        (of_room, "?kind=session&id=talk"),
    ):
        await holder("GET", f"/audit{query}", expect=403)
    assert await entries(of_event, "?kind=session&id=talk") == []
    assert await entries(of_event, "?kind=event&id=conf") == []
    for role in ("technician", "moderator", "captioner", "speaker", "viewer"):
        await api.as_(await api.grant(role))("GET", "/audit", expect=403)
    await api("GET", "/audit?kind=session", expect=422)
    await api("GET", "/audit?cursor=eA", expect=400)


async def test_entries_name_what_they_are_about(api: Api) -> None:
    await api("POST", "/rooms", {"id": "a", "name": "A"})
    times = {"start": "2030-06-01T10:00:00Z", "end": "2030-06-01T11:00:00Z"}
    made = await api("POST", "/sessions", {"room": "a", "title": "Yoga", **times})
    gone = await api("POST", "/sessions", {"room": "a", "title": "Gone", **times})
    await api("DELETE", f"/sessions/{gone['id']}")
    await api("POST", "/grants", {"role": "technician", "room": "a", "label": "Ana"})
    named = {(one["kind"], one["target"]): one["name"] for one in (await api("GET", "/audit"))["items"]}
    assert named["session", made["id"]] == "Yoga"
    assert named["session", gone["id"]] == ""
    assert [name for (kind, _), name in named.items() if kind == "grant"] == ["Ana"]
