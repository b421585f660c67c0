"""Rights to enter the namespaces, and their first messages. Real clients, a real server."""

from __future__ import annotations

import pytest

from streamer import PROTOCOL_VERSION
from streamer.conference.sessions import Visibility
from tests.fakes.talking import served
from tests.fakes.waiting import until


async def test_a_viewer_gets_a_snapshot_of_the_room_and_then_what_changes() -> None:
    async with served() as service:
        service.director.plan("s1", begins_in=5)
        await service.open_room("a")
        service.realtime.feed.look()
        client = await service.connect(room="a", name="  Ada   L ")
        snapshot = client.snapshots[0]
        assert snapshot["rooms"]["a"]["broadcast"]["state"] == "slate"
        assert snapshot["rooms"]["a"]["next"]["id"] == "s1"
        assert (snapshot["resumed"], snapshot["reset"], snapshot["you"]["name"]) == (False, False, "Ada L")
        service.access.admit("tech", "technician", room="a")
        studio = await service.connect("/studio", room="a", token="tech")
        answer = await studio.command("session.start", {"id": "s1"})
        assert answer["ok"], answer
        event = await client.told("session.changed", lambda data: data["state"] == "on_air")
        assert event["data"]["id"] == "s1"
        assert event["seq"] > snapshot["seq"]
        service.plane.rooms["a"].state = "live"
        live = await client.told("broadcast.changed", lambda data: data["state"] == "live")
        assert live["data"]["session"] == "s1"
        assert client.order[0] == "snapshot"
        assert [event["seq"] for event in client.events] == sorted({event["seq"] for event in client.events})


@pytest.mark.parametrize("transports", [["websocket"], ["polling"], ["polling", "websocket"]])
async def test_each_transport_gets_all_in_order(transports: list[str]) -> None:
    async with served() as service:
        client = await service.connect(transports=transports, room="a")
        for number in range(300):
            service.realtime.hub.post("/audience", "a", "test", {"number": number})
            if number % 50 == 0:
                await until(lambda: client.events)
        await until(lambda: len(client.events) == 300)
        assert [event["data"]["number"] for event in client.events] == list(range(300))
        assert client.order[0] == "snapshot"


async def test_an_upgraded_client_gets_its_frames_straight_after_a_while() -> None:
    async with served() as service:
        client = await service.connect(transports=["polling", "websocket"], room="a")
        [wire] = service.realtime.server.engine.wires.values()
        service.realtime.hub.post("/audience", "a", "test", {"number": 1})
        await until(lambda: client.events)
        await until(lambda: wire._direct)
        service.realtime.hub.post("/audience", "a", "test", {"number": 2})
        await until(lambda: len(client.events) == 2)


async def test_refusals_tell_their_code() -> None:
    async with served() as service:
        access = service.access
        access.admit("moderator", "moderator", room="a")
        access.admit("technician", "technician", room="a")
        access.admit("viewer", "viewer")
        access.admit("organiser", "organiser", venue="paris")
        access.admit("encoder", "publisher", room="a")
        assert await service.refused("/audience", room="nowhere") == "no_such_room"
        assert await service.refused("/audience", session="nothing") == "no_such_session"
        assert await service.refused("/audience", room="*") == "no_such_room"
        assert await service.refused("/audience") == "invalid_auth"
        assert await service.refused("/audience", room="a", session="s") == "invalid_auth"
        assert await service.refused("/audience", room="a", since="yesterday") == "invalid_auth"
        assert await service.refused("/audience", room="a", colour="red") == "invalid_auth"
        assert await service.refused("/audience", room="a", protocol=PROTOCOL_VERSION + 1) == "unsupported_protocol"
        assert await service.refused("/audience", room="a", token="guessed") == "invalid_token"
        assert await service.refused("/studio", room="a") == "unauthorized"
        assert await service.refused("/studio", room="a", token="moderator") == "forbidden"
        assert await service.refused("/studio", room="a", token="viewer") == "forbidden"
        assert await service.refused("/studio", room="b", token="technician") == "out_of_scope"
        assert await service.refused("/studio", room="*", token="moderator") == "forbidden"
        assert await service.refused("/moderation", room="a", token="technician") == "forbidden"
        assert await service.refused("/moderation", room="a") == "unauthorized"
        assert await service.refused("/moderation", room="*", token="organiser") == "no_such_room"
        for namespace in ("/audience", "/moderation", "/studio"):
            assert await service.refused(namespace, room="a", token="encoder") == "forbidden"
        assert await service.refused("/studio", room="*", token="encoder") == "forbidden"
        assert await service.refused("/", room="a") == "unknown_namespace"
        assert await service.refused("/admin", room="a", token="organiser") == "unknown_namespace"
        for namespace, token in (
            ("/moderation", "moderator"),
            ("/moderation", "organiser"),
            ("/studio", "technician"),
            ("/studio", "organiser"),
        ):
            client = await service.connect(namespace, room="a", token=token)
            assert client.snapshots[0]["you"]["role"] == token
        assert service.realtime.stats.refused_total == 21


async def test_a_client_may_ask_for_the_version_of_the_protocol_and_is_told_it() -> None:
    async with served() as service:
        for asked in ({}, {"protocol": PROTOCOL_VERSION}):
            client = await service.connect(room="a", **asked)
            assert client.snapshots[0]["protocol"] == PROTOCOL_VERSION


async def test_a_login_cookie_is_as_good_as_a_token_and_a_bad_one_is_as_good_as_none() -> None:
    async with served() as service:
        service.access.admit("technician", "technician", room="a")
        studio = await service.connect("/studio", headers={"Cookie": "streamer_session=technician"}, room="a")
        assert studio.snapshots[0]["you"]["role"] == "technician"
        viewer = await service.connect(headers={"Cookie": "streamer_session=old"}, room="a")
        assert viewer.snapshots[0]["you"]["role"] is None
        service.access.admit("encoder", "publisher", room="a")
        beside = await service.connect(headers={"Cookie": "streamer_session=encoder"}, room="a")
        assert beside.snapshots[0]["you"]["role"] is None


async def test_a_role_counts_where_it_is_held() -> None:
    async with served() as service:
        service.access.admit("mia", "moderator", room="a")
        at_home = await service.connect(room="a", token="mia")
        elsewhere = await service.connect(room="b", token="mia")
        assert at_home.snapshots[0]["you"]["role"] == "moderator"
        assert elsewhere.snapshots[0]["you"]["role"] is None


async def test_a_session_is_watched_by_whom_it_is_for() -> None:
    async with served() as service:
        director, access = service.director, service.access
        director.plan("open", begins_in=60)
        director.plan("listed", begins_in=120, visibility=Visibility.UNLISTED)
        director.plan("secret", begins_in=180, visibility=Visibility.PRIVATE)
        access.admit("guest", "viewer", session="secret")
        access.admit("stranger", "viewer", session="listed")
        access.admit("technician", "technician", room="a")
        client = await service.connect(session="open")
        assert client.snapshots[0]["session"] is None
        assert await service.refused(session="listed") == "no_such_session"
        client = await service.connect(session="listed", key="link.listed")
        assert client.snapshots[0]["session"]["key"] == "link.listed"
        assert await service.refused(session="secret") == "no_such_session"
        assert await service.refused(session="secret", token="stranger") == "no_such_session"
        for token in ("guest", "technician"):
            client = await service.connect(session="secret", token=token)
            assert client.snapshots[0]["session"]["id"] == "secret"
            assert client.snapshots[0]["rooms"]["a"]["broadcast"]["word"] == "before"


async def test_the_studio_of_all_rooms_sees_those_of_its_grant_in_one_order() -> None:
    async with served() as service:
        service.access.admit("organiser", "organiser", venue="paris")
        service.access.admit("technician", "technician", room="b")
        everywhere = await service.connect("/studio", room="*", token="organiser")
        only_b = await service.connect("/studio", room="*", token="technician")
        assert set(everywhere.snapshots[0]["rooms"]) == {"a", "b"}
        assert set(only_b.snapshots[0]["rooms"]) == {"b"}
        for room in ("a", "b", "a", "b"):
            service.director.plan(f"s{room}{len(service.director.days[room].sessions)}", 60, room=room)
        await until(lambda: len(everywhere.of("session.changed")) == 4)
        await until(lambda: len(only_b.of("session.changed")) == 2)
        assert {event["data"]["room"] for event in only_b.events} == {"b"}
        seqs = [event["seq"] for event in everywhere.events]
        assert seqs == sorted(set(seqs))
