"""A closed hour: in public not a word of it, nor a sign but that the room is reserved."""

from __future__ import annotations

import json

import pytest

from streamer.conference import taps
from streamer.conference.grants import ReachingGrant, Role
from streamer.conference.sessions import Visibility
from streamer.conference.spans import output_name
from streamer.director.news import Actor
from tests.fakes.talking import Service, Visitor, served
from tests.fakes.waiting import until

pytestmark = pytest.mark.usefixtures("either_way")

ANNA = Actor("anna", "Anna")
SIGNS = ("secret", "Secret", "closed-key", "board meeting")


async def _settled(service: Service, mark: str) -> None:
    """All that has been posted so far has reached the public clients."""
    service.realtime.hub.post("/audience", "a", "test", mark)
    for client in service.clients:
        if client.namespace == "/audience" and client.snapshots and not client.snapshots[0]["session"]:
            await client.told("test", lambda data: data == mark)


@pytest.mark.parametrize("visibility", [Visibility.PRIVATE, Visibility.UNLISTED])
async def test_the_public_learns_that_the_room_is_reserved_and_nothing_more(visibility: Visibility) -> None:
    async with served() as service:
        director, access = service.director, service.access
        room = await service.open_room("a", "slate")
        access.admit("anna", "technician", room="a")
        access.admit("member", "viewer", session="secret")
        access.admit("guest", "viewer", session="other")
        public = await service.connect(room="a")
        with_another_grant = await service.connect(room="a", token="guest")
        director.plan("before", begins_in=-10, minutes=30)
        director.plan("secret", 21, 30, visibility=visibility, title="Secret board meeting")
        members = await service.connect(session="secret", token="member")
        crew = await service.connect("/studio", room="a", token="anna")
        await director.run("a", taps.StartTap("before"), ANNA)
        await director.run("a", taps.StartTap("secret"), ANNA)
        secret = director.find("secret")
        assert secret is not None
        room.status.shows[output_name(secret)] = "programme"  # type: ignore[union-attr]
        service.realtime.feed.look()
        await director.run("a", taps.Extend("secret", 15), ANNA)
        late = await service.connect(room="a")
        director.change("secret", title="Secret board meeting, part two")
        await members.told("broadcast.changed", lambda data: data["state"] == "live")
        await members.told("session.changed", lambda data: data["title"].endswith("part two"))
        # Each has a key of their own, which stands in no news.
        assert members.snapshots[0]["session"]["key"] == "member.secret"
        assert all(news["data"]["key"] == "" for news in members.of("session.changed"))
        await crew.told("session.changed", lambda data: data.get("title", "").endswith("part two"))
        reserved = await public.told("broadcast.changed", lambda data: data["reserved_until"] is not None)
        assert reserved["data"]["state"] == "slate"
        assert reserved["data"]["word"] == "reserved"
        await director.run("a", taps.End("secret"), ANNA)
        await public.told("broadcast.changed", lambda data: data["word"] != "reserved" and data["session"] is None)
        director.remove("before")
        back = await service.connect(room="a", since=public.snapshots[0]["seq"])
        await _settled(service, "mark")
        for client in (public, with_another_grant, late, back):
            for sign in SIGNS:
                assert sign not in client.text
        assert "Secret board meeting" in members.text
        assert not members.of("meters")


async def test_a_session_that_becomes_private_is_gone_for_the_public_and_for_those_who_come_back() -> None:
    async with served() as service:
        director = service.director
        public = await service.connect(room="a")
        start = public.snapshots[0]["seq"]
        director.plan("secret", begins_in=60, title="Secret plans")
        await public.told("session.changed", lambda data: data.get("title") == "Secret plans")
        director.change("secret", visibility=Visibility.PRIVATE)
        removed = await public.told("session.changed", lambda data: data.get("removed"))
        assert removed["data"] == {"id": "secret", "room": "a", "removed": True}
        back = await service.connect(room="a", since=start)
        await _settled(service, "mark")
        assert "Secret plans" not in back.text
        assert back.snapshots[0]["resumed"]


async def test_who_watches_an_unlisted_session_by_its_link_is_put_out_when_it_becomes_private() -> None:
    async with served() as service:
        director, access = service.director, service.access
        director.plan("secret", begins_in=60, visibility=Visibility.UNLISTED)
        access.admit("member", "viewer", session="secret")
        assert await service.refused(session="secret") == "no_such_session"
        assert await service.refused(session="secret", key="link.other") == "no_such_session"
        by_link = await service.connect(session="secret", key="link.secret")
        member = await service.connect(session="secret", token="member")
        director.change("secret", visibility=Visibility.PRIVATE, title="Now private")
        await until(lambda: by_link.closed)
        assert by_link.closed[0]["error"]["code"] == "no_such_session"
        await until(by_link.disconnected.is_set)
        await member.told("session.changed", lambda data: data["title"] == "Now private")
        director.remove("secret")
        await until(lambda: member.closed)


async def test_a_session_that_becomes_private_puts_out_all_who_came_for_it_without_a_grant() -> None:
    async with served() as service:
        director, access = service.director, service.access
        director.plan("talk", begins_in=-5)
        access.admit("member", "viewer", session="talk")
        stranger = await service.connect(session="talk")
        member = await service.connect(session="talk", token="member")
        in_the_room = await service.connect(room="a")
        seen = member.snapshots[0]["seq"]
        director.change("talk", visibility=Visibility.PRIVATE, title="Now secret")
        await until(lambda: stranger.closed and member.closed)
        assert stranger.closed[0]["error"]["code"] == "no_such_session"
        assert member.closed[0]["error"]["code"] == "moved"
        service.realtime.hub.post("/audience", "a", "test", "mark")
        await in_the_room.told("test")
        assert "Now secret" not in stranger.text
        assert "Now secret" not in in_the_room.text
        assert not in_the_room.closed
        # A client that missed it and comes back with its old position begins anew, in the session's own audience.
        for since in ({}, {"since": seen}):
            back = await service.connect(session="talk", token="member", **since)
            assert back.snapshots[0]["session"]["title"] == "Now secret"
            assert not back.snapshots[0]["resumed"]
            assert back.snapshots[0]["reset"] == bool(since)


async def test_a_private_session_that_becomes_public_brings_its_audience_into_the_rooms() -> None:
    async with served() as service:
        director, access = service.director, service.access
        director.plan("board", begins_in=-5, visibility=Visibility.PRIVATE)
        access.admit("member", "viewer", session="board")
        access.admit("moderator", "moderator", room="a")
        member = await service.connect(session="board", token="member")
        moderator = await service.connect("/moderation", session="board", token="moderator")
        director.change("board", visibility=Visibility.PUBLIC)
        await until(lambda: member.closed and moderator.closed)
        assert [client.closed[0]["error"]["code"] for client in (member, moderator)] == ["moved", "moved"]
        back = await service.connect(session="board", token="member")
        room = await service.connect(room="a")
        service.realtime.hub.post("/audience", "a", "test", {"mark": 1})
        await back.told("test")
        await room.told("test")


async def test_a_crew_of_one_session_is_not_told_of_another_closed_one() -> None:
    async with served() as service:
        director, access = service.director, service.access
        director.plan("own", begins_in=5, visibility=Visibility.PRIVATE)
        # A session's technician, whose grant reaches the room at this time.
        grant = ReachingGrant("anna", Role.TECHNICIAN, session="own", rooms=frozenset({"a"}))
        access.known["anna"] = Visitor(grant)
        access.admit("chief", "organiser")
        anna = await service.connect("/studio", room="a", token="anna")
        chief = await service.connect("/studio", room="a", token="chief")
        director.plan("secret", begins_in=60, visibility=Visibility.PRIVATE, title="Secret board meeting")
        director.change("own", title="Ours")
        await anna.told("session.changed", lambda data: data["title"] == "Ours")
        await chief.told("session.changed", lambda data: data["id"] == "secret")
        assert "secret" not in anna.text
        late = await service.connect("/studio", room="a", token="anna")
        assert [session["id"] for session in late.snapshots[0]["rooms"]["a"]["sessions"]] == ["own"]
        assert "secret" not in json.dumps(late.snapshots)


async def test_public_numbers_tell_nothing_of_what_goes_on_elsewhere() -> None:
    """They come from the clock, not from a count that others' events would move."""
    async with served() as service:
        hub = service.realtime.hub
        before = hub.post("/audience", "a", "test", 1)
        for number in range(5000):
            hub.post("/audience", "session:secret", "test", number)
        after = hub.post("/audience", "a", "test", 2)
        assert after // 1000 <= service.director.now_ms()
        assert (after - before) // 1000 <= service.director.now_ms() - before // 1000
