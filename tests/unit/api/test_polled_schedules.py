"""Polled schedules: an address does what whoever set it may do at that time, and no more."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from streamer.api.context import SERVICES
from streamer.schedules.fields import guid_of
from streamer.settings import Settings
from streamer.store.schedule_sources import ScheduleSource, ScheduleSources
from tests.unit.api.conftest import Api, Client, bearer
from tests.unit.api.test_imports import show
from tests.unit.api.test_signalling import OFFER, SDP
from tests.unit.planning.test_fetch import serving

CURIE = "7a0fc001-e587-47e1-b378-b6ec7e666337"

FRAB = """<?xml version="1.0" encoding="utf-8"?>
<schedule><conference><acronym>fair</acronym><title>Fair</title></conference>
<day index="1" date="{date}" start="{start}" end="{start}">{rooms}</day></schedule>"""
ROOM = """<room name="{name}"{guid}><event id="{id}" guid="00000000-0000-4000-8000-00000000000{id}"><date>{start}</date>
<start>09:00</start><duration>00:45</duration><room>{name}</room><slug>s{id}</slug><title>{title}</title><type>lecture</type>
<language>fr</language><persons/></event></room>"""


def _five_minutes_ago() -> datetime:
    return datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)


START = _five_minutes_ago()
"""Set anew by each test: a run of all tests may take longer than the talks."""


@dataclass(frozen=True)
class Talk:
    title: str
    room: str
    room_guid: str = ""
    id: int = 1


def frab(*talks: Talk) -> str:
    rooms = "".join(
        ROOM.format(
            name=talk.room,
            guid=f' guid="{talk.room_guid}"' if talk.room_guid else "",
            id=talk.id,
            start=START.isoformat(),
            title=talk.title,
        )
        for talk in talks
    )
    return FRAB.format(date=START.date(), start=START.isoformat(), rooms=rooms)


@dataclass
class Town:
    """Paris with a room of its own, Nantes with an event's, and the site with the event's schedule."""

    api: Api
    url: str = ""
    text: str = ""
    asked: int = 0

    async def handle(self, _request: web.Request) -> web.Response:
        self.asked += 1
        return web.Response(text=self.text, content_type="application/xml")

    async def poll(self, text: str | None = None, event: str = "fair") -> dict[str, Any]:
        self.text = self.text if text is None else text
        told: dict[str, Any] = await self.api("POST", f"/schedule-sources/{event}/poll", expect=200)
        return told

    async def sessions(self, api: Api | None = None) -> list[tuple[str, str, str]]:
        items = (await (api or self.api)("GET", "/sessions"))["items"]
        return sorted((item["title"], item["room"], item["state"]) for item in items)

    async def rooms(self) -> list[str]:
        return sorted(room["id"] for room in (await self.api("GET", "/rooms"))["items"])


@pytest.fixture
async def town(
    serve: Callable[[Settings], Awaitable[Client]], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Town]:
    monkeypatch.setitem(globals(), "START", _five_minutes_ago())
    local = settings.schedules.model_copy(update={"allow_networks": ("127.0.0.1",)})
    api = Api(await serve(settings.model_copy(update={"schedules": local})))
    town = Town(api)
    for venue in ("paris", "nantes"):
        await api("POST", "/venues", {"id": venue, "name": venue.title()})
    await api(
        "POST", "/rooms", {"id": "curie", "name": "Curie", "venue": "paris", "aliases": ["amphi-c"], "guid": CURIE}
    )
    await api("POST", "/rooms", {"id": "loire", "name": "Loire", "venue": "nantes"})
    await api("POST", "/rooms", {"id": "seine", "name": "Seine", "venue": "paris"})
    await api("POST", "/events", {"id": "fair", "name": "Fair", "venue": "nantes"})
    await api("POST", "/events", {"id": "open", "name": "Open"})
    async with serving(town.handle) as server:
        town.url = str(server.make_url("/schedule.xml"))
        yield town


def reasons(items: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(item["title"], one["code"]) for item in items for one in item["consequences"] if one["blocks"]]


async def test_an_organisers_address_plants_nothing_in_another_venues_rooms(town: Town) -> None:
    """By the room's guid, which is public in ``/schedule.xml``, by its name, its alias and its id."""
    organiser = town.api.as_(await town.api.grant("organiser", event="fair"))
    await organiser("POST", "/rooms/curie/hold", {"message": "x"}, expect=403)
    await organiser("POST", "/rooms", {"id": "mine", "name": "Mine", "venue": "nantes"}, expect=403)
    await organiser("PATCH", "/events/fair", {"source_url": town.url})
    told = await town.poll(
        frab(
            Talk("By guid", "Anything", CURIE, 1),
            Talk("By name", "Curie", "", 2),
            Talk("By alias", "amphi-c", "", 3),
            Talk("By id", "curie", "", 4),
            Talk("A new room", "Mine", "", 5),
            Talk("By the guid that exports make", "Anywhere", guid_of("room", "seine"), 6),
            Talk("At home", "Loire", "", 7),
        )
    )
    assert [(title, room) for title, room, _ in await town.sessions()] == [("At home", "loire")]
    assert await town.rooms() == ["curie", "loire", "seine"]
    assert sorted(reasons(told["waiting"])) == [
        (title, "not_allowed")
        for title in ("A new room", "By alias", "By guid", "By id", "By name", "By the guid that exports make")
    ]
    await organiser("POST", "/rooms/curie/hold", {"message": "x"}, expect=403)
    await organiser("POST", "/rooms/loire/hold", {"message": "x"}, expect=200)
    assert told["stopped"] is None


async def test_an_event_of_no_venue_is_planned_in_the_rooms_that_it_has(town: Town) -> None:
    organiser = town.api.as_(await town.api.grant("organiser", event="open"))
    await organiser("PATCH", "/events/open", {"source_url": town.url})
    told = await town.poll(frab(Talk("Planted", "x", CURIE), Talk("Named", "Curie", "", 2)), "open")
    assert reasons(told["waiting"]) == [("Named", "not_allowed"), ("Planted", "not_allowed")]
    assert await town.sessions() == []


async def test_new_sessions_take_the_organisers_defaults_where_the_schedule_says_nothing(town: Town) -> None:
    everywhere = {"kind": "conference", "replay": "after_review", "do_not_record": "ask"}
    await town.api("POST", "/templates", everywhere)
    await town.api("POST", "/templates", {"kind": "conference", "venue": "nantes", "chat": "review"})
    await town.api("PATCH", "/events/fair", {"source_url": town.url})
    said = frab(Talk("Said", "Loire", "", 2)).replace("<persons/>", "<persons/><do_not_record>false</do_not_record>")
    (silent,) = (line for line in frab(Talk("Silent", "Loire")).split("<room ")[1:])
    await town.poll(said.replace("</event>", "</event>" + silent[silent.index("<event") : silent.rindex("</room>")], 1))
    made = {one["title"]: one for one in (await town.api("GET", "/sessions"))["items"]}
    told = [(title, one["do_not_record"], one["replay"], one["chat"]) for title, one in sorted(made.items())]
    assert told == [("Said", "no", "after_review", "review"), ("Silent", "ask", "after_review", "review")]


async def test_who_set_the_address_is_asked_each_time(town: Town) -> None:
    """The administrator's address plants in Paris; a technician of the session publishes there. An organiser's does
    neither, whoever presses the button."""
    talk = frab(Talk("Talk", "Curie", CURIE))
    await town.api("PATCH", "/events/open", {"source_url": town.url})
    await town.poll(talk, "open")
    assert [room for _, room, _ in await town.sessions()] == ["curie"]
    (planted,) = (await town.api("GET", "/sessions"))["items"]
    token = await town.api.grant("technician", session=planted["id"])
    async with town.api.client.post("/whip/curie", data=OFFER, headers={**bearer(token), **SDP}) as response:
        assert response.status == 201
    organiser = town.api.as_(await town.api.grant("organiser", event="fair"))
    await organiser("PATCH", "/events/fair", {"source_url": town.url})
    # An administrator looks at it, changes something else, and asks for a poll: the rights stay the organiser's.
    await town.api("PATCH", "/events/fair", {"name": "Fair", "source_url": town.url})
    assert reasons((await town.poll(talk))["waiting"]) == [("Talk", "not_allowed")]
    assert [item["event"] for item in (await town.api("GET", "/sessions"))["items"]] == ["open"]


async def test_a_revoked_expired_or_narrowed_grant_stops_it_until_somebody_confirms(town: Town) -> None:
    api = town.api
    first = frab(Talk("One", "Loire"))
    for number, end in enumerate(("revoke", "expire", "narrow")):
        made = await api("POST", "/grants", {"role": "organiser", "venue": "nantes", "label": "Ana"})
        organiser = api.as_(made["token"])
        await organiser("PATCH", "/events/fair", {"source_url": f"{town.url}?{end}"})
        told = await town.poll(first)
        assert (told["stopped"], told["followed_by"], told["error"]) == (None, "Ana", "")
        if end == "revoke":
            await api("DELETE", f"/grants/{made['id']}")
        elif end == "expire":
            past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
            await api("PATCH", f"/grants/{made['id']}", {"expires": past})
        else:
            await api("PATCH", "/events/fair", {"venue": "paris"})
        before, asked = await town.sessions(), town.asked
        told = await town.poll(frab(Talk(f"Changed {number}", "Loire"), Talk("Two", "Loire", "", 2)))
        assert (told["stopped"], bool(told["error"])) == ("out_of_reach" if end == "narrow" else "ended", True)
        assert (await town.sessions(), town.asked) == (before, asked), "it is not even fetched"
        assert api.client.app is not None
        services = api.client.app[SERVICES]
        assert set(services.notices.stopped_schedules()) == {"fair"}
        for room_state in services.director.room_states:
            await services.director.look(room_state)
        ringing = (await api("GET", "/alarms?room=loire"))["items"]
        assert [one["level"] for one in ringing if one["code"] == "schedule_stopped"] == ["warning"]
        other = api.as_(await api.grant("organiser", event="open"))
        await other("POST", "/schedule-sources/fair/confirm", expect=403)
    await api("PATCH", "/events/fair", {"venue": "nantes"})
    told = await api("POST", "/schedule-sources/fair/confirm", expect=200)
    assert (told["stopped"], told["followed_by"]) == (None, "STREAMER_ADMIN_TOKEN")
    assert services.notices.stopped_schedules() == {}
    await town.poll()
    assert [title for title, _, _ in await town.sessions()] == ["Changed 2", "Two"]


async def test_an_address_from_before_waits_for_somebodys_word(town: Town) -> None:
    assert town.api.client.app is not None
    services = town.api.client.app[SERVICES]
    await town.api("PATCH", "/events/fair", {"source_url": town.url})
    async with services.database.write() as connection:
        await ScheduleSources(connection).put(ScheduleSource("fair", town.url))
    town.text = frab(Talk("One", "Loire"))
    await services.schedules.look()
    (told,) = (await town.api("GET", "/schedule-sources"))["items"]
    assert (told["stopped"], told["followed_by"], town.asked) == ("nobody", "", 0)
    await town.api("POST", "/schedule-sources/fair/confirm", expect=200)
    await services.schedules.look()
    assert [title for title, _, _ in await town.sessions()] == ["One"]


async def test_an_upload_lists_what_is_refused_and_does_the_rest(town: Town) -> None:
    organiser = town.api.as_(await town.api.grant("organiser", event="fair"))
    text = frab(Talk("Abroad", "x", CURIE), Talk("At home", "Loire", "", 2), Talk("In a new room", "New", "", 3))
    shown = await show(organiser, text, "?event=fair")
    assert reasons(shown["difference"]["added"]) == [("In a new room", "not_allowed"), ("Abroad", "not_allowed")]
    assert (shown["new_rooms"], sorted(shown["rooms_unknown"])) == ([], ["New", "x"])
    done = await organiser("POST", f"/imports/{shown['id']}/apply", {"accept": "all"}, expect=200)
    assert (done["added"], [item["title"] for item in done["waiting"]]) == (1, ["In a new room", "Abroad"])
    assert [title for title, _, _ in await town.sessions()] == ["At home"]
    assert await town.rooms() == ["curie", "loire", "seine"]
    # With the right to make rooms they are made, in the event's venue.
    shown = await show(town.api.as_(await town.api.grant("organiser", venue="nantes")), text, "?event=fair")
    assert (shown["new_rooms"], reasons(shown["difference"]["added"])) == (["New"], [("Abroad", "not_allowed")])
