"""Grants of sessions and events: they follow what they are for, end with it, and take nobody off the air."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import NoReturn

import pytest

from streamer.api.context import SERVICES
from streamer.api.lapses import LapseWatch, look, sweep
from streamer.api.revocations import Ended, Revocations
from streamer.conference.sessions import SessionState, Visibility
from streamer.store.database import Database
from streamer.store.sessions import Sessions
from tests.fakes.media_plane import FakePlane
from tests.fakes.planned import MINUTE_MS, add_event, add_session, change_session
from tests.fakes.waiting import until
from tests.unit.api.conftest import Api, Client, bearer
from tests.unit.api.test_signalling import OFFER, SDP


@pytest.fixture
async def rooms(api: Api) -> None:
    await api("POST", "/venues", {"id": "brest", "name": "Brest"})
    for room in ("a", "b"):
        await api("POST", "/rooms", {"id": room, "name": room, "venue": "brest"})


async def ask(client: Client, path: str, token: str) -> tuple[int, str]:
    async with client.post(path, data=OFFER, headers={**bearer(token), **SDP}) as response:
        return response.status, "" if response.ok else (await response.json())["error"]["code"]


async def test_a_sessions_grant_publishes_in_its_room_and_follows_it(
    api: Api, client: Client, database: Database, rooms: None
) -> None:
    session = await add_session(database, "talk", "a", begins_in=30)
    made = await api("POST", "/grants", {"role": "technician", "session": "talk", "label": "Ana"})
    assert (made["session"], made["room"], made["in_force"]) == ("talk", None, True)
    assert await ask(client, "/whip/a", made["token"]) == (201, "")
    assert await ask(client, "/whip/b", made["token"]) == (403, "out_of_scope")
    session = await change_session(database, session, room="b")
    assert await ask(client, "/whip/b", made["token"]) == (201, "")
    assert await ask(client, "/whip/a", made["token"]) == (403, "out_of_scope")
    await change_session(
        database, session, start_ms=session.start_ms + 300 * MINUTE_MS, end_ms=session.end_ms + 300 * MINUTE_MS
    )
    assert await ask(client, "/whip/b", made["token"]) == (403, "not_now")


async def test_it_ends_half_an_hour_after_the_session_and_a_named_end_leaves_it_the_replay(
    api: Api, client: Client, database: Database, rooms: None
) -> None:
    session = await add_session(database, "talk", "a", begins_in=-90)
    made = await api("POST", "/grants", {"role": "technician", "session": "talk"})
    kept = await api(
        "POST",
        "/grants",
        {"role": "technician", "session": "talk", "expires": (datetime.now(UTC) + timedelta(days=9)).isoformat()},
    )
    now = time.time_ns() // 1_000_000
    ended = await change_session(
        database, session, state=SessionState.ENDED, started_ms=session.start_ms, ended_ms=now - 29 * MINUTE_MS
    )
    assert await ask(client, "/whip/a", made["token"]) == (201, "")
    await change_session(database, ended, ended_ms=now - 30 * MINUTE_MS)
    assert await ask(client, "/whip/a", made["token"]) == (401, "grant_not_in_force")
    assert await ask(client, "/whip/a", kept["token"]) == (403, "not_now")
    listed = {item["id"]: item for item in (await api("GET", "/grants", None))["items"]}
    assert listed[made["id"]]["in_force"] is False
    assert listed[made["id"]]["expires"] is None
    assert datetime.fromisoformat(listed[made["id"]]["ends"]) <= datetime.now(UTC)
    assert listed[kept["id"]]["in_force"] is True
    assert (await api("GET", f"/grants/{made['id']}"))["ends"] == listed[made["id"]]["ends"]


async def test_an_events_organiser_has_its_grants_and_no_others(api: Api, database: Database, rooms: None) -> None:
    for event in ("conf", "other"):
        await add_event(database, event, venue="brest")
        await add_session(database, f"{event}-talk", "a", event=event)
    organiser = api.as_(await api.grant("organiser", event="conf"))
    inside = await organiser("POST", "/grants", {"role": "speaker", "session": "conf-talk", "label": "Bo"})
    await organiser("POST", "/grants", {"role": "technician", "event": "conf"})
    for body in (
        {"role": "technician", "event": "other"},
        {"role": "technician", "session": "other-talk"},
        {"role": "technician", "room": "a"},
        {"role": "technician", "venue": "brest"},
        {"role": "technician"},
        {"role": "organiser", "event": "conf"},
    ):
        await organiser("POST", "/grants", body, expect=403)
    outside = await api("POST", "/grants", {"role": "speaker", "session": "other-talk"})
    listed = (await organiser("GET", "/grants"))["items"]
    assert inside["id"] in {item["id"] for item in listed}
    assert {(item["event"], item["session"]) for item in listed} == {("conf", None), (None, "conf-talk")}
    assert [item["id"] for item in (await organiser("GET", "/grants?session=conf-talk"))["items"]] == [inside["id"]]
    await organiser("GET", "/grants?event=other", expect=403)
    await organiser("GET", f"/grants/{outside['id']}", expect=403)
    await organiser("DELETE", f"/grants/{outside['id']}", expect=403)
    of_venue = api.as_(await api.grant("organiser", venue="brest"))
    await of_venue("DELETE", f"/grants/{outside['id']}")
    await api("GET", "/grants?event=conf&room=a", expect=422)
    await api("GET", "/grants?event=nothing", expect=422)


async def test_a_preview_closes_when_somebody_elses_private_session_begins(
    api: Api, client: Client, database: Database, plane: FakePlane, rooms: None
) -> None:
    services = client.app[SERVICES]  # type: ignore[index]
    await add_session(database, "talk", "a", begins_in=30)
    token = await api.grant("technician", session="talk")
    of_room = await api.grant("technician", room="a")
    for path, key in (("/whip/a", token), ("/whep/a/main", token), ("/whep/a/main", of_room)):
        assert (await ask(client, path, key))[0] == 201
    assert await sweep(services) == ()
    await add_session(database, "meeting", "a", begins_in=-1, minutes=10, visibility=Visibility.PRIVATE)
    (lapse,) = await sweep(services)
    assert (lapse.connection.kind, lapse.connection.source, lapse.connection.room) == ("publish", "main", "a")
    assert {(offer.kind, offer.grant) for offer in plane.rooms["a"].resources.values()} == {
        ("publish", token.partition(".")[0]),
        ("play", of_room.partition(".")[0]),
    }
    assert await ask(client, "/whep/a/main", token) == (403, "not_now")


async def test_expiry_leaves_a_publication_on_air_and_refuses_the_next(
    api: Api, client: Client, plane: FakePlane, rooms: None
) -> None:
    services = client.app[SERVICES]  # type: ignore[index]
    made = await api("POST", "/grants", {"role": "technician", "room": "a", "label": "Ana"})
    for path in ("/whip/a", "/whep/a/main"):
        assert (await ask(client, path, made["token"]))[0] == 201
    await api("PATCH", f"/grants/{made['id']}", {"expires": datetime.now(UTC).isoformat()})
    (lapse,) = await sweep(services)
    assert lapse.grant is not None
    assert (lapse.grant.label, lapse.connection.source) == ("Ana", "main")
    assert [offer.kind for offer in plane.rooms["a"].resources.values()] == ["publish"]
    assert await ask(client, "/whip/a", made["token"]) == (401, "grant_not_in_force")
    watch = LapseWatch(services, every_s=60)
    running = asyncio.create_task(watch.run(), name="lapses")
    await until(lambda: bool(watch.labels("a")))
    assert (watch.labels("a"), watch.labels("b")) == ({"Ana": None}, {})
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    plane.rooms["a"].status.sources["main"].up = False  # type: ignore[union-attr]
    assert await sweep(services) == ()


async def test_a_server_that_waits_for_its_next_event_asks_the_database_nothing(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(*_: object) -> NoReturn:
        raise AssertionError("the database is asked")

    services = client.app[SERVICES]  # type: ignore[index]
    monkeypatch.setattr(services.database, "read", asked)
    await look(services)
    assert await sweep(services) == ()


async def test_what_a_grant_opened_goes_with_the_session_that_it_was_for(
    api: Api, client: Client, database: Database, plane: FakePlane, rooms: None
) -> None:
    await add_session(database, "talk", "a")
    assert (await ask(client, "/whip/a", await api.grant("technician", session="talk")))[0] == 201
    async with database.write() as connection:
        await Sessions(connection).remove_many(("talk",))
    assert await sweep(client.app[SERVICES]) == ()  # type: ignore[index]
    assert plane.rooms["a"].resources == {}


async def test_a_key_used_in_another_room_is_noticed_once_and_forgotten_in_its_own(
    api: Api, client: Client, database: Database, rooms: None
) -> None:
    notices = client.app[SERVICES].notices  # type: ignore[index]
    now = time.time_ns() // 1_000_000
    made = await api("POST", "/grants", {"role": "technician", "room": "a", "label": "Ana"})
    await add_session(database, "talk", "a", begins_in=300)
    early = await api.grant("technician", session="talk")
    for token in (made["token"], made["token"], early, "wrong.token"):
        assert (await ask(client, "/whip/b/spare", token))[0] in (401, 403)
    assert [(item.room, item.own_room, item.label, item.count) for item in notices.wrong_rooms(now)] == [
        ("b", "a", "Ana", 2),
        ("b", "a", "", 1),
    ]
    assert await ask(client, "/whip/a", early) == (403, "not_now")
    assert await ask(client, "/whip/a", made["token"]) == (201, "")
    assert [item.label for item in notices.wrong_rooms(now)] == [""]
    assert notices.wrong_rooms(now + 11 * MINUTE_MS) == ()


async def test_revocation_is_announced_to_whoever_holds_something_open(api: Api, client: Client, rooms: None) -> None:
    told: list[Ended] = []

    async def closes(ended: Ended) -> None:
        told.append(ended)

    async def fails(ended: Ended) -> None:
        raise RuntimeError

    for listener in (fails, closes):
        client.app[SERVICES].revocations.listen(listener)  # type: ignore[index]
    made = await api("POST", "/grants", {"role": "viewer", "room": "a"})
    await api("DELETE", f"/grants/{made['id']}")
    assert told == [Ended(made["id"])]


async def test_a_listener_that_hangs_keeps_a_revocation_for_a_second_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.api.revocations.LISTENER_S", 0.01)
    revocations = Revocations()
    revocations.listen(lambda grant: asyncio.Event().wait())  # type: ignore[arg-type, return-value]
    async with asyncio.timeout(30):
        await revocations.announce(Ended("g"))


async def test_a_link_comes_as_a_code_to_scan_when_asked(api: Api, rooms: None) -> None:
    made = await api("POST", "/grants?qr=1", {"role": "technician", "room": "a"})
    assert made["qr"].startswith("data:image/svg+xml")
    assert made["token"] not in made["qr"]
    again = await api("POST", "/grants?qr=1", {"role": "technician", "room": "a"})
    assert again["qr"] != made["qr"]


async def test_an_events_organiser_plans_in_its_venue_and_opens_no_other_room(api: Api, rooms: None) -> None:
    await api("POST", "/venues", {"id": "nantes", "name": "Nantes"})
    await api("POST", "/rooms", {"id": "far", "name": "Far", "venue": "nantes"})
    await api("POST", "/events", {"id": "conf", "name": "Conf", "venue": "brest"})
    organiser = api.as_(await api.grant("organiser", event="conf"))
    soon = {"start": datetime.now(UTC).isoformat(), "end": (datetime.now(UTC) + timedelta(hours=1)).isoformat()}
    body = {"title": "T", "event": "conf", **soon}
    made = await organiser("POST", "/sessions", {"room": "a", **body})
    await organiser("POST", "/sessions", {"room": "far", **body}, expect=403)
    await organiser("PATCH", f"/sessions/{made['id']}", {"room": "far"}, expect=403)
    await organiser("PATCH", f"/sessions/{made['id']}", {"room": "b", "title": "U"})
    await organiser("PATCH", "/events/conf", {"venue": "nantes"}, expect=403)
    await organiser("PATCH", "/events/conf", {"venue": "brest", "name": "Conférence"})
    await organiser("PATCH", "/rooms/b", {"name": "mine"}, expect=403)
    # Once somebody of that place has put one of its sessions there, the event is at home there.
    elsewhere = await api("POST", "/sessions", {"room": "far", **body})
    await organiser("PATCH", f"/sessions/{elsewhere['id']}", {"title": "V"})
    of_session = api.as_(await api.grant("organiser", session=made["id"]))
    await of_session("PATCH", f"/sessions/{made['id']}", {"title": "W"})
    await of_session("PATCH", f"/sessions/{made['id']}", {"room": "a"}, expect=403)
