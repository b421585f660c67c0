"""Lists in the database leave out the same items that the functions hide one by one."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.conference.grants import Action, Grant, ReachingGrant, Role
from streamer.conference.participation import Poll, PollKind, Question, QuestionState
from streamer.conference.rooms import Room, Venue
from streamer.conference.sessions import Event, Session, SessionState, Visibility
from streamer.conference.visibility import Caller, Reading, recording_told, said_in, said_told, told
from streamer.store.database import Database, database_url
from streamer.store.events import Events
from streamer.store.polls import Polls
from streamer.store.questions import Questions
from streamer.store.recordings import Editions, Recording, Recordings, StoredEdition
from streamer.store.rooms import Rooms
from streamer.store.sessions import Sessions
from streamer.store.venues import Venues

VENUES = {"a": "paris", "b": "paris", "c": "nantes", "d": None}
EVENTS = ("days", "other")
IDS = [f"s{number}" for number in range(6)]
GONE = "gone"


@dataclass(frozen=True)
class World:
    sessions: list[Session]
    recordings: dict[str, tuple[bool, str]]
    """Session -> published, and its edition: ``none``, ``current`` or ``replaced``."""
    questions: list[Question]
    polls: list[Poll]
    callers: list[Caller]


@st.composite
def callers(draw: st.DrawFn) -> Caller:
    links = draw(st.frozensets(st.sampled_from(IDS), max_size=2))
    if draw(st.integers(0, 5)) == 0:
        return Caller(None, links)
    scope, names = draw(
        st.sampled_from(
            [("", ("",)), ("room", tuple(VENUES)), ("venue", ("paris", "nantes")), ("event", EVENTS), ("session", IDS)]
        )
    )
    values = {scope: draw(st.sampled_from(names))} if scope else {}
    grant = Grant("g", draw(st.sampled_from(list(Role))), **values)
    if scope in ("event", "session"):
        reached = draw(st.frozensets(st.sampled_from(list(VENUES)), max_size=2))
        grant = ReachingGrant(grant.id, grant.role, event=grant.event, session=grant.session, rooms=reached)
    return Caller(grant, links)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    some = st.sampled_from
    sessions = [
        Session(
            name,
            draw(some(list(VENUES))),
            name,
            1000 + number,
            2000 + number,
            event=draw(some((None, *EVENTS))),
            visibility=draw(some(list(Visibility))),
            state=draw(some(list(SessionState))),
        )
        for number, name in enumerate(IDS)
    ]
    editions = st.tuples(st.booleans(), some(("none", "current", "replaced")))
    recordings = draw(st.dictionaries(some(IDS), editions))
    by_id = {session.id: session for session in sessions}
    questions, polls = [], []
    for number in range(draw(st.integers(0, 8))):
        room = draw(some(list(VENUES)))
        named = draw(some([None, *IDS]))
        scope = room if draw(st.booleans()) else f"session:{draw(some([*IDS, GONE]))}"
        room = by_id[named].room if named is not None else room
        question = Question(
            f"q{number}", room, scope, named, None, "", "", "", "?", 10 + number, 10 + number,
            state=draw(some(list(QuestionState))), withdrawn=draw(st.booleans()),
        )  # fmt: skip
        questions.append(question)
        polls.append(Poll(f"p{number}", room, scope, named, PollKind.SINGLE, "?", ("a", "b"), 10 + number, 10 + number))
    if len(questions) > 1 and draw(st.booleans()):
        questions[1] = replace(questions[1], merged_into=questions[0].id)
    return World(sessions, recordings, questions, polls, draw(st.lists(callers(), min_size=4, max_size=8)))


class _Undone(Exception):
    """So that the next world finds an empty store."""


async def prepare(database: Database) -> None:
    await database.start()
    async with database.write() as connection:
        for venue in ("paris", "nantes"):
            await Venues(connection).add(Venue(venue, venue))
        for room, place in VENUES.items():
            await Rooms(connection).add(Room(room, room, venue=place))
        for event in EVENTS:
            await Events(connection).add(Event(event, event))


async def agree(database: Database, world: World) -> None:
    with contextlib.suppress(_Undone):
        async with database.write() as connection:
            await Sessions(connection).add_many(world.sessions)
            for name, (published, edition) in world.recordings.items():
                room = next(session.room for session in world.sessions if session.id == name)
                await Recordings(connection).put(Recording(name, room, "b", "f", 1000, published=published))
                if edition != "none":
                    replaced_ms = 5 if edition == "replaced" else None
                    await Editions(connection).add(StoredEdition(f"e-{name}", name, 1, 2, replaced_ms=replaced_ms))
            await Questions(connection).put_many(world.questions)
            await Polls(connection).put_many(world.polls)
            for caller in world.callers:
                await _agree_on(
                    caller,
                    world,
                    [one.id for one in (await Sessions(connection).page(100, None, caller=caller)).items],
                    [one.session for one in (await Recordings(connection).page(100, None, caller=caller)).items],
                    [one.id for one in (await Questions(connection).page(100, None, caller=caller)).items],
                    [one.id for one in (await Polls(connection).page(100, None, caller=caller)).items],
                )
            raise _Undone


async def _agree_on(
    caller: Caller, world: World, sessions: list[str], recordings: list[str], questions: list[str], polls: list[str]
) -> None:
    by_id = {session.id: session for session in world.sessions}
    assert sessions == [s.id for s in world.sessions if told(caller, s, VENUES[s.room]).anything]
    assert sorted(recordings) == sorted(
        name
        for name, (published, edition) in world.recordings.items()
        if recording_told(
            caller, by_id[name], VENUES[by_id[name].room], published=published, current=edition == "current"
        )
    )

    def read(item: Question | Poll, action: Action) -> bool:
        session = by_id.get(said_in(item) or "")
        venue = VENUES[session.room if session is not None else item.room]
        return said_told(caller, item, session, venue, action) is not Reading.NOTHING

    assert questions == [one.id for one in world.questions if read(one, Action.QUESTION_MODERATE)]
    assert polls == [one.id for one in world.polls if read(one, Action.POLL_RUN)]


def test_the_clauses_say_what_the_functions_say(store_url: str, tmp_path: Path) -> None:
    with asyncio.Runner() as runner:
        database = Database(database_url(store_url, tmp_path))
        runner.run(prepare(database))

        @settings(max_examples=25, deadline=None)
        @given(worlds())
        def holds(world: World) -> None:
            runner.run(agree(database, world))

        holds()
        runner.run(database.close())
