"""Organisers' defaults for new sessions of a kind, over REST."""

from __future__ import annotations

import pytest

from tests.unit.api.conftest import Api, Client
from tests.unit.api.test_places import shown_import
from tests.unit.api.test_sessions import plan


@pytest.fixture
async def places(api: Api) -> Api:
    for venue, name in (("paris", "Médiathèque"), ("lyon", "Halle")):
        await api("POST", "/venues", {"id": venue, "name": name})
    for room, venue in (("a", "paris"), ("l", "lyon")):
        await api("POST", "/rooms", {"id": room, "name": f"Salle {room.upper()}", "venue": venue})
    await api("POST", "/events", {"id": "jours", "name": "Jours", "venue": "paris"})
    return api


NAMES = ("visibility", "do_not_record", "do_not_stream", "replay", "chat", "questions")


async def defaults(api: Api, kind: str, **fields: object) -> tuple[object, ...]:
    made = await plan(api, 60, kind=kind, **fields)
    return tuple(made[name] for name in NAMES)


async def test_without_a_template_the_contracts_defaults_hold(places: Api) -> None:
    assert await defaults(places, "workshop") == ("public", "no", "no", "at_once", None, None)
    assert (await places("GET", "/templates"))["items"] == []


async def test_a_template_gives_what_a_new_session_does_not_say(places: Api) -> None:
    everywhere = {
        "kind": "workshop",
        "do_not_record": "ask",
        "replay": "after_review",
        "chat": "review",
        "minutes": 150,
    }
    made = await places("POST", "/templates", everywhere)
    assert (made["id"], made["venue"], made["visibility"], made["minutes"]) == ("workshop", None, None, 150)
    there = await places("POST", "/templates", {"kind": "workshop", "venue": "paris", "chat": "closed"})
    assert there["id"] == "paris.workshop"
    assert await defaults(places, "workshop") == ("public", "ask", "no", "after_review", "closed", None)
    assert await defaults(places, "workshop", room="l") == ("public", "ask", "no", "after_review", "review", None)
    assert await defaults(places, "workshop", room=None, venue="paris") == (
        "public", "ask", "no", "after_review", "closed", None,
    )  # fmt: skip
    said = {"do_not_record": "no", "replay": "never", "chat": None}
    assert await defaults(places, "workshop", **said) == ("public", "no", "no", "never", None, None)
    assert await defaults(places, "seminar") == ("public", "no", "no", "at_once", None, None)
    await places("POST", "/templates", everywhere, expect=409)
    assert (await places("PATCH", "/templates/workshop", {"replay": None}))["replay"] is None
    assert (await defaults(places, "workshop", room="l"))[3] == "at_once"
    await places("DELETE", "/templates/paris.workshop")
    assert (await defaults(places, "workshop"))[4] == "review"
    await places("GET", "/templates/paris.workshop", expect=404)


async def test_who_organises_a_venue_sets_its_own_and_no_others(places: Api) -> None:
    mine = places.as_(await places.grant("organiser", venue="paris"))
    await mine("POST", "/templates", {"kind": "meeting", "venue": "paris", "visibility": "unlisted"})
    await mine("POST", "/templates", {"kind": "meeting", "venue": "lyon"}, expect=403)
    await mine("POST", "/templates", {"kind": "meeting"}, expect=403)
    event = places.as_(await places.grant("organiser", event="jours"))
    assert [one["id"] for one in (await event("GET", "/templates"))["items"]] == ["paris.meeting"]
    await event("DELETE", "/templates/paris.meeting", expect=403)
    await places.as_(await places.grant("viewer"))("GET", "/templates", expect=403)
    await places("POST", "/templates", {"kind": "meeting", "venue": "rome"}, expect=422)
    await places("POST", "/templates", {"kind": "meeting", "minutes": 0}, expect=422)


async def test_an_import_takes_them_unless_it_is_told_otherwise(places: Api, client: Client) -> None:
    await places("POST", "/templates", {"kind": "meeting", "visibility": "unlisted", "questions": "review"})
    file = (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1@x\r\nDTSTART:20361124T090000Z\r\n"
        "DTEND:20361124T100000Z\r\nSUMMARY:AG\r\nCATEGORIES:Réunion\r\nLOCATION:Salle A\r\n"
        "END:VEVENT\r\nEND:VCALENDAR\r\n"
    ).encode()
    plain = await shown_import(client, file, templates="false")
    assert "private" in plain["difference"]["added"][0]["consequences"][0]["message"]
    shown = await shown_import(client, file)
    assert "unlisted" in shown["difference"]["added"][0]["consequences"][0]["message"]
    await places("POST", f"/imports/{shown['id']}/apply", {"accept": "all"}, expect=200)
    (made,) = (await places("GET", "/sessions?event=jours"))["items"]
    assert (made["kind"], made["visibility"], made["questions"]) == ("meeting", "unlisted", "review")
