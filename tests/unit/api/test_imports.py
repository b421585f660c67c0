"""Imports over REST: shown first, applied on a word, the second time nothing."""

from __future__ import annotations

from typing import Any

from tests.unit.api.conftest import Api, bearer

FRAB = """<?xml version="1.0" encoding="utf-8"?>
<schedule><conference><acronym>jdl</acronym><title>Journées</title><start>2027-05-01</start><end>2027-05-01</end>
<days>1</days></conference>
<day index="1" date="2027-05-01" start="2027-05-01T08:00:00+02:00" end="2027-05-01T20:00:00+02:00">
<room name="Grande salle">{events}</room></day></schedule>"""

EVENT = """<event id="{id}" guid="00000000-0000-4000-8000-00000000000{id}"><date>2027-05-01T{at}:00+02:00</date>
<start>{at}</start><duration>00:45</duration><room>Grande salle</room><slug>s{id}</slug><title>{title}</title>
<subtitle/><track/><type>lecture</type><language>fr</language><abstract/><description/>
<persons><person id="1">Ada</person></persons><links/></event>"""


def schedule(*events: tuple[int, str, str]) -> str:
    return FRAB.format(events="".join(EVENT.format(id=i, at=at, title=title) for i, at, title in events))


async def show(api: Api, text: str, query: str = "", status: int = 201) -> dict[str, Any]:
    async with api.client.post(
        f"/api/v1/imports{query}", data=text.encode(), headers={**bearer(api.token), "Content-Type": "application/xml"}
    ) as response:
        body = await response.json()
        assert response.status == status, body
        assert isinstance(body, dict)
        return body


async def test_an_import_is_shown_applied_and_then_changes_nothing(api: Api) -> None:
    await api("POST", "/venues", {"id": "paris", "name": "Paris"})
    shown = await show(api, schedule((1, "09:00", "One"), (2, "10:00", "Two")))
    assert (shown["event"], shown["event_is_new"], shown["sessions"]) == ("jdl", True, 2)
    assert [item["title"] for item in shown["difference"]["added"]] == ["One", "Two"]
    assert shown["new_rooms"] == ["Grande salle"]
    assert (await api("GET", "/sessions"))["items"] == []
    done = await api("POST", f"/imports/{shown['id']}/apply", {"accept": "all"}, expect=200)
    assert (done["added"], done["changed"], done["waiting"]) == (2, 0, [])
    listed = (await api("GET", "/sessions?event=jdl"))["items"]
    assert [(item["title"], item["start"]) for item in listed] == [
        ("One", "2027-05-01T09:00:00+02:00"),
        ("Two", "2027-05-01T10:00:00+02:00"),
    ]
    again = await show(api, schedule((1, "09:00", "One"), (2, "10:00", "Two")))
    assert again["difference"] == {"added": [], "moved": [], "changed": [], "cancelled": [], "unchanged": 2}
    await api("POST", f"/imports/{shown['id']}/apply", expect=404)


async def test_only_what_was_chosen_is_applied(api: Api) -> None:
    shown = await show(api, schedule((1, "09:00", "One"), (2, "10:00", "Two")))
    await api("POST", f"/imports/{shown['id']}/apply", expect=200)
    moved = await show(api, schedule((1, "09:30", "One"), (2, "10:00", "Deux")))
    assert [item["changes"]["start"] for item in moved["difference"]["moved"]] == [
        ["2027-05-01T09:00:00+02:00", "2027-05-01T09:30:00+02:00"]
    ]
    key = moved["difference"]["changed"][0]["key"]
    done = await api("POST", f"/imports/{moved['id']}/apply", {"accept": [key]}, expect=200)
    assert done["changed"] == 1
    titles = [(item["title"], item["start"][11:16]) for item in (await api("GET", "/sessions"))["items"]]
    assert titles == [("One", "09:00"), ("Deux", "10:00")]


async def test_what_is_no_schedule_is_refused_with_reasons(api: Api) -> None:
    refused = await show(api, "<html>nothing</html>", status=422)
    assert refused["error"]["code"] == "unreadable_schedule"
    assert refused["error"]["details"]
    assert (await show(api, "", status=400))["error"]["code"] == "empty"


async def test_an_address_inside_the_network_is_not_asked(api: Api) -> None:
    for url in ("http://127.0.0.1:9/x.xml", "http://169.254.169.254/", "file:///etc/passwd"):
        answer = await api("POST", "/imports", {"url": url}, expect=422)
        assert answer["error"]["code"] in ("address_refused", "invalid", "bad_address")


async def test_an_organiser_imports_into_the_own_venue_only(api: Api) -> None:
    for venue in ("paris", "nantes"):
        await api("POST", "/venues", {"id": venue, "name": venue.title()})
    organiser = api.as_(await api.grant("organiser", venue="paris"))
    text = schedule((1, "09:00", "One"))
    await show(organiser, text, "?venue=nantes", status=403)
    shown = await show(organiser, text, "?venue=paris")
    assert shown["venue"] == "paris"
    await organiser("POST", f"/imports/{shown['id']}/apply", expect=200)
    await show(api.as_(await api.grant("technician", venue="paris")), text, "?venue=paris", status=403)


async def test_a_room_that_the_schedule_renames_is_the_same_room(api: Api) -> None:
    await api("POST", "/venues", {"id": "paris", "name": "Paris"})
    text = schedule((1, "09:00", "One"), (2, "10:00", "Two"))
    shown = await show(api, text, "?venue=paris")
    await api("POST", f"/imports/{shown['id']}/apply", expect=200)
    link = await api.grant("technician", room="grande-salle")
    renamed = text.replace("Grande salle", "Salle Ada")
    shown = await show(api, renamed)
    assert shown["new_rooms"] == ["Salle Ada"]
    assert [item["changes"]["room"][0] for item in shown["difference"]["moved"]] == ["grande-salle"] * 2
    # As the page does when somebody says that it is the same room.
    await api("PATCH", "/rooms/grande-salle", {"name": "Salle Ada", "aliases": ["Grande salle"]})
    for wording in (renamed, text):
        shown = await show(api, wording)
        assert (shown["new_rooms"], shown["difference"]["unchanged"]) == ([], 2)
    assert (await api.as_(link)("GET", "/me"))["room"] == "grande-salle"


async def test_what_waits_for_a_room_is_added_once_it_is_made(api: Api) -> None:
    text = schedule((1, "09:00", "One"), (2, "10:00", "Two"))
    shown = await show(api, text)
    keys = [item["key"] for item in shown["difference"]["added"]]
    done = await api("POST", f"/imports/{shown['id']}/apply", {"accept": keys, "create_rooms": False}, expect=200)
    assert [(item["key"], item["room"], item["room_name"]) for item in done["waiting"]] == [
        (key, None, "Grande salle") for key in keys
    ]
    again = await show(api, text)
    done = await api("POST", f"/imports/{again['id']}/apply", {"accept": keys[:1]}, expect=200)
    assert (done["added"], done["waiting"]) == (1, [])
