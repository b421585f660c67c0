"""Grants in the database: what lies inside a scope."""

from __future__ import annotations

from streamer.conference.grants import EVERYTHING, Grant, Role, Target, new_token
from streamer.conference.rooms import Room, Venue
from streamer.conference.sessions import Event, Session
from streamer.store.database import Database
from streamer.store.events import Events
from streamer.store.grants import Grants
from streamer.store.rooms import Rooms
from streamer.store.sessions import Sessions
from streamer.store.venues import Venues


async def test_grants_are_listed_by_what_their_scope_lies_in(store: Database) -> None:
    async with store.write() as connection:
        for venue in ("v", "w"):
            await Venues(connection).add(Venue(venue, venue))
            await Rooms(connection).add(Room(f"room-{venue}", venue, venue=venue))
            await Events(connection).add(Event(f"event-{venue}", venue, venue=venue))
            await Sessions(connection).add(Session(f"s-{venue}", f"room-{venue}", "T", 0, 1, event=f"event-{venue}"))
        grants = Grants(connection)
        for number, grant in enumerate(
            (
                Grant("all", Role.ADMIN),
                Grant("venue", Role.ORGANISER, venue="v"),
                Grant("room", Role.TECHNICIAN, room="room-v"),
                Grant("event", Role.ORGANISER, event="event-v"),
                Grant("session", Role.VIEWER, session="s-v"),
                Grant("other", Role.VIEWER, session="s-w"),
            )
        ):
            await grants.add(grant, new_token().secret_sha256)
            assert await grants.find(grant.id) == grant, number

        async def inside(scope: Target) -> set[str]:
            found = []
            cursor = None
            while True:
                page = await grants.page(2, cursor, scope=scope)
                found += [grant.id for grant in page.items]
                cursor = page.cursor
                if cursor is None:
                    assert len(found) == len(set(found))
                    return set(found)

        assert await inside(EVERYTHING) == {"all", "venue", "room", "event", "session", "other"}
        assert await inside(Target(venue="v")) == {"venue", "room", "event", "session"}
        assert await inside(Target(room="room-v", venue="v")) == {"room", "session"}
        assert await inside(Target(event="event-v", venue="v")) == {"event", "session"}
        assert await inside(Target("room-v", "v", "event-v", "s-v")) == {"session"}
        assert await inside(Target(room="room-w")) == {"other"}
