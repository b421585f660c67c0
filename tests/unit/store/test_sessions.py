"""Sessions, events and marks in the database."""

from __future__ import annotations

import random
import time
from dataclasses import fields, replace

import pytest

from streamer.conference.grants import Grant, Role, new_token
from streamer.conference.participation import ChatMode, QuestionMode
from streamer.conference.rooms import Room, Venue
from streamer.conference.sessions import (
    Event,
    Flag,
    Kind,
    Mark,
    MarkKind,
    ReplayPolicy,
    Session,
    SessionState,
    Visibility,
)
from streamer.conference.visibility import ANYBODY
from streamer.errors import Conflict, NotFound, Unprocessable
from streamer.store import revision
from streamer.store.database import Database
from streamer.store.events import Events
from streamer.store.grants import Grants
from streamer.store.marks import Marks
from streamer.store.rooms import Rooms
from streamer.store.sessions import Sessions
from streamer.store.venues import Venues

HOUR = 3600_000
NINE = 1_790_000_000_000

FULL = Session(
    id="full",
    room="a",
    title="Ce que l’été fait à la vidéo 🎥",
    start_ms=NINE,
    end_ms=NINE + HOUR,
    kind=Kind.MEETING,
    event="days",
    subtitle="Sub",
    abstract="Long\ntext " * 500,
    speakers=("Ada Lovelace", 'Bo "B" O\'Hara', ""),
    portraits=(("Ada Lovelace", "/portraits/0.jpg"), ('Bo "B" O\'Hara', "https://p.example/bo.png")),
    language="fr-CA",
    tags=("x", "été"),
    track="Main",
    url="https://example.org/x",
    capacity=120,
    visibility=Visibility.UNLISTED,
    do_not_record=Flag.ASK,
    do_not_stream=Flag.YES,
    replay=ReplayPolicy.AFTER_REVIEW,
    state=SessionState.OVERRUN,
    delay_ms=5 * 60_000,
    shortened_ms=60_000,
    started_ms=NINE + 1,
    ended_ms=NINE + 2,
    extended_until_ms=NINE + 3,
    changed_ms=NINE + 4,
    ad_hoc=True,
    record_answer=False,
    stream_answer=True,
    generation=3,
    guid="2a5f",
    external_id="17",
    sequence=2**40,
    venue="v",
    chat=ChatMode.REVIEW,
    questions=QuestionMode.CLOSED,
    also_in=("b",),
)


@pytest.fixture
async def with_rooms(store: Database) -> Database:
    async with store.write() as connection:
        await Venues(connection).add(Venue("v", "V"))
        for room in (Room("a", "A", venue="v"), Room("b", "B")):
            await Rooms(connection).add(room)
        await Events(connection).add(Event("days", "Days"))
    return store


def at(number: int, *, room: str = "a", hour: float = 0, hours: float = 1, **more: object) -> Session:
    start = NINE + int(hour * HOUR)
    plain = Session(f"s{number}", room, f"Talk {number}", start, start + int(hours * HOUR))
    return replace(plain, **more)  # type: ignore[arg-type]


async def test_everything_of_a_session_comes_back_as_it_was(with_rooms: Database) -> None:
    default = Session("default", "a", "", 0, 0)
    for field in fields(Session):
        # A field that the full one leaves at its default would prove nothing.
        assert field.name == "room" or getattr(FULL, field.name) != getattr(default, field.name), field.name
    async with with_rooms.write() as connection:
        await Sessions(connection).add_many([FULL, default])
    async with with_rooms.read() as connection:
        sessions = Sessions(connection)
        assert await sessions.get("full") == FULL
        assert await sessions.get("default") == default
        assert await sessions.find("other") is None
        with pytest.raises(NotFound):
            await sessions.get("other")
    changed = replace(FULL, room="b", event=None, record_answer=None, speakers=(), state=SessionState.ENDED)
    async with with_rooms.write() as connection:
        await Sessions(connection).save_many((changed,))
        await Sessions(connection).save_many([replace(default, title="New", capacity=0), replace(default, id="gone")])
    async with with_rooms.read() as connection:
        assert await Sessions(connection).get("full") == changed
        assert await Sessions(connection).get("default") == replace(default, title="New", capacity=0)
        assert await Sessions(connection).find("gone") is None


async def test_text_that_no_database_holds_is_stored_without_what_breaks_it(with_rooms: Database) -> None:
    odd = replace(at(1), title="a\0b\ud800c", speakers=("d\0e\ud800",))
    async with with_rooms.write() as connection:
        await Sessions(connection).add(odd)
    async with with_rooms.read() as connection:
        found = await Sessions(connection).get("s1")
    assert found.title == "a\ufffdb?c"
    assert found.speakers == ("d\0e\ud800",)


@pytest.mark.parametrize("odd", ["\0", "a\ud800", "'; DROP TABLE sessions; --", "x" * 100_000, "é" * 60, ""])
async def test_what_cannot_be_stored_is_found_nowhere(with_rooms: Database, odd: str) -> None:
    async with with_rooms.read() as connection:
        sessions = Sessions(connection)
        assert await sessions.find(odd) is None
        assert await sessions.find_many([odd]) == {}
        assert (await sessions.page(10, None, room=odd, event=odd, venue=odd)).items == []
        assert await Rooms(connection).find(odd) is None
        assert await Grants(connection).by_token(f"{odd}.{odd}") is None


async def test_pages_follow_each_other_by_start_without_a_gap_or_a_repeat(with_rooms: Database) -> None:
    everything = [at(number, hour=number // 3) for number in range(20)]
    shuffled = random.Random(3).sample(everything, len(everything))
    async with with_rooms.write() as connection:
        await Sessions(connection).add_many(shuffled)
    async with with_rooms.read() as connection:
        found: list[Session] = []
        cursor: str | None = None
        while True:
            page = await Sessions(connection).page(3, cursor)
            found += page.items
            cursor = page.cursor
            if cursor is None:
                break
        assert found == sorted(everything, key=lambda session: (session.start_ms, session.id))


async def test_sessions_are_found_by_room_event_venue_time_state_and_visibility(with_rooms: Database) -> None:
    async with with_rooms.write() as connection:
        await Sessions(connection).add_many(
            [
                at(1, event="days"),
                at(2, hour=2, room="b"),
                at(3, hour=4, visibility=Visibility.PRIVATE),
                at(4, hour=-9, state=SessionState.OVERRUN),
                at(5, hour=-8, state=SessionState.ENDED, ended_ms=NINE + 1),
                at(6, hour=9, state=SessionState.ENDED, started_ms=NINE + HOUR // 2, ended_ms=NINE + HOUR),
            ]
        )

    async def ids(**query: object) -> set[str]:
        async with with_rooms.read() as connection:
            page = await Sessions(connection).page(50, None, **query)  # type: ignore[arg-type]
            return {session.id for session in page.items}

    assert await ids(room="b") == {"s2"}
    assert await ids(event="days") == {"s1"}
    assert await ids(venue="v") == {"s1", "s3", "s4", "s5", "s6"}
    assert await ids(caller=ANYBODY) == {"s1", "s2", "s4", "s5", "s6"}
    assert await ids(states=[SessionState.OVERRUN, SessionState.ENDED]) == {"s4", "s5", "s6"}
    assert await ids(states=[]) == set()
    assert await ids(from_ms=NINE, until_ms=NINE + HOUR) == {"s1", "s4", "s5", "s6"}
    assert await ids(from_ms=NINE + 3 * HOUR) == {"s3", "s4", "s6"}
    assert await ids(until_ms=NINE) == {"s4", "s5"}


async def test_a_rooms_day_has_what_is_armed_or_running_however_long_ago(with_rooms: Database) -> None:
    async with with_rooms.write() as connection:
        await Sessions(connection).add_many(
            [
                at(1, hour=-90, state=SessionState.ON_AIR),
                at(2, hour=90, state=SessionState.ARMED),
                at(3, hour=-90),
                at(4, hour=90),
                at(5),
                at(6, room="b"),
                at(7, hour=-3, extended_until_ms=NINE),
            ]
        )
        await Rooms(connection).add(Room("empty", "Empty"))
    async with with_rooms.read() as connection:
        sessions = Sessions(connection)
        around = (NINE - HOUR, NINE + 12 * HOUR)
        assert [s.id for s in await sessions.of_room_around("a", *around)] == ["s1", "s7", "s5", "s2"]
        assert [s.id for s in await sessions.of_rooms(["b", "empty"], *around)] == ["s6"]
        assert len(await sessions.of_rooms(None, *around)) == 5
        assert await sessions.of_rooms([], *around) == []


async def test_what_is_not_there_and_what_is_taken_is_said_in_words(with_rooms: Database) -> None:
    async with with_rooms.write() as connection:
        sessions = Sessions(connection)
        await sessions.add(at(1))
        with pytest.raises(Conflict) as taken:
            await sessions.add_many([at(2), at(1)])
        assert taken.value.code == "exists"
        for session in (at(3, room="none"), at(3, event="none")):
            with pytest.raises(Unprocessable) as unknown:
                await sessions.add(session)
            assert unknown.value.code == "unknown_reference"
        with pytest.raises(Unprocessable):
            await sessions.save_many([at(1, title="New"), at(1, event="none")])
        # The transaction goes on, and what failed left nothing.
        await sessions.add(at(4))
    async with with_rooms.read() as connection:
        assert set(await Sessions(connection).find_many(["s1", "s2", "s3", "s4"])) == {"s1", "s4"}
        assert (await Sessions(connection).get("s1")).title == "Talk 1"


async def test_what_has_sessions_stays_and_a_session_takes_its_marks_and_grants_along(with_rooms: Database) -> None:
    token = new_token()
    async with with_rooms.write() as connection:
        await Sessions(connection).add(at(1, event="days"))
        await Marks(connection).add(Mark("m", "s1", MarkKind.CHAPTER, NINE))
        await Grants(connection).add(Grant(token.grant_id, Role.VIEWER, session="s1"), token.secret_sha256)
        for remove, thing in (
            (Rooms(connection).remove, "a"),
            (Events(connection).remove, "days"),
            (Venues(connection).remove, "v"),
        ):
            with pytest.raises(Conflict) as in_use:
                await remove(thing)
            assert in_use.value.code == "in_use"
    async with with_rooms.write() as connection:
        assert (await Grants(connection).get(token.grant_id)).session == "s1"
        await Sessions(connection).remove_many(("s1",))
        assert await Marks(connection).of_session("s1") == []
        assert not await Grants(connection).exists(token.grant_id)
        await Rooms(connection).remove("a")
        await Events(connection).remove("days")
        await Venues(connection).remove("v")
        await Sessions(connection).remove_many(("s1",))


async def test_events_come_back_as_they_were(with_rooms: Database) -> None:
    full = Event(
        "e", "Journées", "v", NINE, NINE + 1, "fr", "https://x", "J26", ("https://l/1.png",), "https://s", "#ff0000"
    )
    async with with_rooms.write() as connection:
        events = Events(connection)
        await events.add(full)
        assert await events.get("e") == full
        await events.save(replace(full, venue=None, logos=()))
        assert await events.find("e") == replace(full, venue=None, logos=())
        assert [event.id for event in (await events.page(1, None)).items] == ["days"]
        assert [event.id for event in await events.all()] == ["days", "e"]
        with pytest.raises(Conflict):
            await events.add(full)
        with pytest.raises(Unprocessable):
            await events.save(replace(full, venue="none"))
        with pytest.raises(NotFound):
            await events.save(replace(full, id="none"))
        with pytest.raises(NotFound):
            await events.get("none")


async def test_marks_are_kept_by_media_time(with_rooms: Database) -> None:
    chapter = Mark("c", "s1", MarkKind.CHAPTER, NINE + 2, label="Two")
    lasting = Mark("i", "s1", MarkKind.INCIDENT, NINE + 1)
    over = Mark("o", "s1", MarkKind.INCIDENT, NINE, NINE + 1, "Alarm", hidden=False)
    async with with_rooms.write() as connection:
        await Sessions(connection).add_many([at(1), at(2)])
        marks = Marks(connection)
        await marks.add_many([chapter, lasting, over])
        assert await marks.of_session("s1") == [over, lasting, chapter]
        assert await marks.of_sessions(["s1", "s2"]) == {"s1": [over, lasting, chapter]}
        assert await marks.open_incidents(["s1", "s2"]) == [lasting]
        await marks.save(replace(lasting, until_ms=NINE + 9))
        assert await marks.open_incidents(["s1"]) == []
        with pytest.raises(NotFound):
            await marks.get("d")
        with pytest.raises(NotFound):
            await marks.save(replace(chapter, id="d"))
        with pytest.raises(Unprocessable):
            await marks.add(replace(chapter, id="d", session="none"))


async def test_each_change_moves_the_revision_and_a_failed_one_does_not(with_rooms: Database) -> None:
    async def now() -> int:
        async with with_rooms.read() as connection:
            return await revision.current(connection)

    seen = [await now()]
    async with with_rooms.write() as connection:
        await Sessions(connection).add(at(1))
    seen.append(await now())
    async with with_rooms.write() as connection:
        await Sessions(connection).save_many([at(1, title="New")])
    seen.append(await now())
    async with with_rooms.write() as connection:
        await Marks(connection).add(Mark("m", "s1", MarkKind.CHAPTER, NINE))
    seen.append(await now())
    async with with_rooms.write() as connection:
        await Sessions(connection).remove_many(("s1",))
    seen.append(await now())
    assert seen == sorted(set(seen))
    with pytest.raises(Conflict):
        async with with_rooms.write() as connection:
            await Rooms(connection).add(Room("a", "again"))
    async with with_rooms.write() as connection:
        for nothing in (Sessions(connection).add_many, Sessions(connection).save_many, Marks(connection).add_many):
            await nothing([])  # type: ignore[operator]
        await Sessions(connection).remove_many([])
    assert await now() == seen[-1]


async def test_a_thousand_sessions_are_added_well_within_a_second(with_rooms: Database) -> None:
    new = [replace(FULL, id=f"n{number}", start_ms=NINE + number) for number in range(1000)]
    began = time.process_time()
    async with with_rooms.write() as connection:
        await Sessions(connection).add_many(new)
    assert time.process_time() - began < 1
    async with with_rooms.read() as connection:
        assert await Sessions(connection).of_event("days") == new
    async with with_rooms.write() as connection:
        await Sessions(connection).remove_many([session.id for session in new])
        assert await Sessions(connection).of_event("days") == []
