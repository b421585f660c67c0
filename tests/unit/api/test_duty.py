"""Duty over REST: who is rung, after whom, and how a duty is handed over."""

from __future__ import annotations

import pytest

from streamer.api.context import Services
from streamer.conference import duty
from tests.fakes.hooked_hall import at, late, notifying, of_type, webhook
from tests.fakes.hooked_hall import hall as hall
from tests.fakes.hooked_hall import receiver as receiver
from tests.fakes.hooked_hall import services as services
from tests.fakes.hooked_hall import settings as settings
from tests.fakes.receivers import HttpReceiver
from tests.fakes.waiting import until
from tests.unit.api.conftest import Api


async def technician(hall: Api, label: str, **scope: str) -> tuple[Api, str]:
    made = await hall("POST", "/grants", {"role": "technician", "label": label, **(scope or {"venue": "lyon"})})
    return hall.as_(made["token"]), made["id"]


async def test_those_on_duty_are_rung_one_after_the_other_and_others_are_not(
    hall: Api, services: Services, receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duty, "NEXT_AFTER_MS", 400)
    for name in ("ann", "bob", "eve"):
        one, _ = await technician(hall, name)
        hook = await webhook(one, receiver, f"/{name}")
        if name != "eve":
            await one("POST", "/duty", {"venue": "lyon", "until": at(60)})
    await webhook(hall, receiver, "/team", always=True)
    async with notifying(services):
        await late(hall)
        await until(lambda: len(receiver.got) == 3)
        assert [one.path for one in receiver.got][-1] == "/bob"
        assert {one.path for one in receiver.got} == {"/ann", "/bob", "/team"}
        # Anybody else would be next now, and in the log before the message leaves.
        monkeypatch.setattr(duty, "NEXT_AFTER_MS", 0)
        for _ in range(4):
            await services.notifier.look()
        assert (await one("GET", f"/hooks/{hook['id']}/messages"))["items"] == [], "nobody rings Eve"
    assert len(receiver.got) == 3


async def test_duty_is_handed_over_with_what_is_open_and_taken(
    hall: Api, services: Services, receiver: HttpReceiver
) -> None:
    ann, ann_id = await technician(hall, "Ann")
    bob, bob_id = await technician(hall, "Bob")
    eve, _ = await technician(hall, "Eve", room="salle")
    await webhook(bob, receiver)
    mine = await ann("POST", "/duty", {"venue": "lyon", "until": at(60)})
    assert (mine["state"], mine["person"], mine["label"], mine["own"]) == ("on", ann_id, "Ann", True)
    assert [one["id"] for one in (await eve("GET", "/duty?venue=lyon"))["items"]] == [mine["id"]]
    await late(hall)
    (alarm,) = (await ann("GET", "/alarms"))["items"]
    await ann("POST", f"/alarms/{alarm['id']}/acknowledge", expect=200)
    async with notifying(services):
        offer = await ann("POST", f"/duty/{mine['id']}/handover", {"until": at(120), "person": bob_id})
        assert (offer["state"], offer["person"], offer["follows"]) == ("offered", bob_id, mine["id"])
        assert [one["id"] for one in offer["alarms"]["taken"]] == [alarm["id"]]
        await until(lambda: of_type(receiver.got, "duty.offered"))
    await eve("POST", f"/duty/{offer['id']}/accept", expect=403)
    taken = await bob("POST", f"/duty/{offer['id']}/accept", expect=200)
    assert (taken["state"], taken["own"]) == ("on", True)
    assert (await bob("POST", f"/duty/{offer['id']}/accept", expect=200))["id"] == offer["id"]
    assert (await ann("GET", f"/duty/{mine['id']}"))["state"] == "over"
    assert (await ann("GET", "/alarms"))["items"][0]["acknowledged"] == "Bob"
    # An offer to anybody goes to whoever is first.
    again = await bob("POST", f"/duty/{offer['id']}/handover", {"until": at(120)})
    assert (again["person"], again["label"], again["own"]) == ("", "", False)
    await eve("POST", f"/duty/{again['id']}/accept", expect=200)
    await ann("POST", f"/duty/{again['id']}/accept", expect=409)


async def test_duty_has_an_end_and_only_organisers_put_others_on_it(hall: Api) -> None:
    ann, ann_id = await technician(hall, "Ann")
    bob, bob_id = await technician(hall, "Bob")
    await ann("POST", "/duty", {"venue": "lyon", "until": at(60), "person": bob_id}, expect=403)
    for until_ in (at(-1), at(60 * 24 * 20)):
        refused = await ann("POST", "/duty", {"venue": "lyon", "until": until_}, expect=422)
        assert refused["error"]["details"][0]["field"] == "until"
    for body in ({"venue": "nowhere", "until": at(1)}, {"venue": "lyon", "until": at(1), "person": "nobody"}):
        await hall("POST", "/duty", body, expect=422)
    later = await hall("POST", "/duty", {"venue": "lyon", "since": at(60), "until": at(90), "person": ann_id})
    assert (later["state"], later["reachable"]) == ("later", False)
    await bob("DELETE", f"/duty/{later['id']}", expect=403)
    assert (await ann("PATCH", f"/duty/{later['id']}", {"since": at(-1)}))["state"] == "on"
    await ann("DELETE", f"/duty/{later['id']}")
    assert [one["state"] for one in (await ann("GET", "/duty"))["items"]] == ["over"]
    await hall("POST", "/rooms", {"id": "other", "name": "Elsewhere"})
    await ann("POST", "/duty", {"until": at(60)}, expect=403)
