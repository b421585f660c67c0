"""An audience's messages, questions, votes and news in the database, and the rest after somebody was forgotten."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from streamer.conference.captions import Cue
from streamer.conference.day import DAY_MS
from streamer.conference.participation import (
    AddressHold,
    ChatMode,
    CrewMessage,
    Message,
    MessageState,
    Mode,
    ModerationAction,
    Notice,
    Person,
    Poll,
    PollKind,
    Question,
    QuestionMode,
    QuestionOrder,
    QuestionState,
    Report,
    Sanction,
)
from streamer.conference.rooms import Room
from streamer.conference.sessions import Session
from streamer.errors import Conflict, NotFound, Unprocessable
from streamer.store.captions import Captions
from streamer.store.chat import ChatMessages
from streamer.store.database import Database
from streamer.store.moderation import Moderation
from streamer.store.modes import Modes
from streamer.store.participants import Participants, WatchMinutes
from streamer.store.people import Periods, sweep
from streamer.store.polls import Polls
from streamer.store.questions import Questions
from streamer.store.recordings import Recording, Recordings, RecordingState
from streamer.store.rooms import Rooms
from streamer.store.sessions import Sessions
from tests.unit.store.test_records import no_defaults

NINE = 1_790_000_000_000
HARD = "Été 🎪\n‮‏ \"';-- <b>\\ %s :name ${x} 日本語"
"""Text that a database, a driver or a page could take for something else."""
WHERE = {"room": "a", "scope": "a", "session": "s"}


@pytest.fixture
async def hall(store: Database) -> Database:
    async with store.write() as connection:
        for room in ("a", "b"):
            await Rooms(connection).add(Room(room, room.upper()))
        await Sessions(connection).add_many([Session("s", "a", "Talk", NINE, NINE + 1)])
    return store


def message(number: int, **fields: object) -> Message:
    made = Message(
        f"m{number}",
        participant="ann",
        name="Ann",
        role="",
        text=f"Message {number}",
        at_ms=NINE + number,
        media_at_ms=NINE - 5000 + number,
        **WHERE,
    )
    return replace(made, **fields)  # type: ignore[arg-type]


def question(number: int, **fields: object) -> Question:
    made = Question(
        f"q{number}",
        participant="ann",
        name="Ann",
        role="",
        place="hall",
        text=f"Question {number}?",
        at_ms=NINE + number,
        media_at_ms=NINE - 5000 + number,
        state=QuestionState.APPROVED,
        **WHERE,
    )
    return replace(made, **fields)  # type: ignore[arg-type]


def poll(number: int, **fields: object) -> Poll:
    made = Poll(
        f"p{number}",
        kind=PollKind.MULTIPLE,
        question="Which?",
        options=("One", HARD, "Three"),
        at_ms=NINE + number,
        media_at_ms=NINE - 5000 + number,
        **WHERE,
    )
    return replace(made, **fields)  # type: ignore[arg-type]


async def test_messages_come_back_whole_and_the_newest_with_all_that_wait(hall: Database) -> None:
    whole = message(1, text=HARD, role="speaker", state=MessageState.HELD, reason="word", reply_to="m0", until_ms=NINE)
    no_defaults(whole)
    many = [whole, *(message(n) for n in range(2, 1202))]
    async with hall.write() as connection:
        chat = ChatMessages(connection)
        await chat.put_many(many)
        await chat.put_many([])
        await chat.put_many([replace(many[-1], state=MessageState.DELETED, reason="off topic")])
    async with hall.read() as connection:
        chat = ChatMessages(connection)
        assert await chat.find_many(["m1", "none"]) == [whole]
        assert len(await chat.find_many([one.id for one in many])) == len(many)
        assert [one.id for one in await chat.newest("a", 3)] == ["m1", "m1199", "m1200", "m1201"]
        assert (await chat.newest("a", 1))[-1].state is MessageState.DELETED
        assert await chat.newest("b", 3) == []
        assert [one.id for one in await chat.of_participant("a", "ann", NINE + 1200)] == ["m1201", "m1200"]
        # The messages that everybody saw, by media time: neither held nor deleted ones.
        seen = await chat.between("s", NINE - 4999, NINE - 4996, 10)
        assert [one.id for one in seen] == ["m2", "m3"]
        assert [one.id for one in await chat.between("s", NINE - 3801, NINE, 10)] == ["m1199", "m1200"]


async def test_questions_and_their_votes(hall: Database) -> None:
    whole = question(
        1,
        text=HARD,
        role="moderator",
        anonymous=True,
        state=QuestionState.ANSWERED,
        original="Before",
        reason="double",
        merged_into="q2",
        staged_ms=NINE + 10,
        answered_ms=NINE + 20,
        withdrawn=True,
    )
    no_defaults(whole)
    async with hall.write() as connection:
        questions = Questions(connection)
        await questions.put_many([whole, question(2, participant=None), question(3, session=None, room="b", scope="b")])
        await questions.put_votes([("q1", "ann"), ("q1", "ben"), ("q2", "ann")])
        # A vote is there once, and taken back where it was given.
        await questions.put_votes([("q1", "ann")])
        await questions.remove_votes([("q1", "ben"), ("q2", "nobody")])
    async with hall.read() as connection:
        questions = Questions(connection)
        assert await questions.find("q1") == whole
        assert await questions.find("none") is None
        assert await questions.votes_of(["q1", "q2", "q3"]) == {"q1": {"ann"}, "q2": {"ann"}}
        assert [one.id for one in await questions.newest("a", NINE + 2, 5)] == ["q2"]
        assert [one.id for one in await questions.newest("a", 0, 1)] == ["q2"]
        assert [one.id for one in await questions.of_session("s")] == ["q1", "q2"]
        page = await questions.page(1, None, room="a")
        assert [one.id for one in page.items] == ["q1"]
        page = await questions.page(1, page.cursor, room="a")
        assert ([one.id for one in page.items], page.cursor) == (["q2"], None)
        assert [one.id for one in (await questions.page(9, None, session="s")).items] == ["q1", "q2"]


async def test_polls_and_their_votes(hall: Database) -> None:
    whole = poll(1, closed_ms=NINE + 60_000, results_at_end=True, removed=True, prepared=True)
    no_defaults(whole)
    async with hall.write() as connection:
        polls = Polls(connection)
        await polls.put_many([whole, poll(2), poll(3, closed_ms=NINE + 9), poll(4, closed_ms=NINE + 10, session=None)])
        await polls.put_votes([("p2", "ann", (0, 2)), ("p2", "ben", ())])
        await polls.put_votes([("p2", "ann", (1,))])
        await polls.remove_votes([("p2", "ben")])
    async with hall.read() as connection:
        polls = Polls(connection)
        # The open one however old, without what was taken away.
        assert [one.id for one in await polls.newest("a", 2)] == ["p2", "p4"]
        assert (await polls.newest("a", 9))[0] == poll(2)
        assert await polls.votes_of(["p2", "p3"]) == {"p2": {"ann": (1,)}}
        assert [one.id for one in await polls.between("s", NINE + 10, NINE + 20, 9)] == ["p2"]
        assert [one.id for one in await polls.between("s", NINE + 9, NINE + 20, 9)] == ["p2", "p3"]
        page = await polls.page(2, None)
        assert [one.id for one in page.items] == ["p2", "p3"]
        assert [one.id for one in (await polls.page(2, page.cursor)).items] == ["p4"]
        await polls.put_many([whole, poll(5, prepared=True)])
        # The moderators have it; a list and a replay have not.
        assert "p5" in [one.id for one in await polls.newest("a", 9)]
        assert "p5" not in [one.id for one in (await polls.page(9, None)).items]
        assert "p5" not in [one.id for one in await polls.between("s", NINE, NINE + 99, 9)]


async def test_what_a_room_may_do_and_is_told(hall: Database) -> None:
    mode = Mode(
        "a",
        "session:s",
        chat=ChatMode.SLOW,
        slow_seconds=5,
        questions=QuestionMode.REVIEW,
        anonymous=False,
        order=QuestionOrder.VOTES,
        hold_seconds=3,
        shield=True,
        words=(HARD, "spam"),
        networks=("192.0.2.0/24",),
        word_lists=("en", "fr"),
    )
    no_defaults(mode)
    async with hall.write() as connection:
        modes = Modes(connection)
        await modes.put_many([Mode("a", "session:s")])
        await modes.put_many([mode])
        await modes.put_notices([Notice("n1", "a", "a", "Old", NINE), Notice("n2", "a", "a", HARD, NINE + 1, NINE + 9)])
        assert await modes.find("session:s") == mode
        assert await modes.find("a") is None
        assert await modes.notice("a") == Notice("n2", "a", "a", HARD, NINE + 1, NINE + 9)
        await modes.put_notices([Notice("n2", "a", "a", HARD, NINE + 1, removed=True)])
        told = await modes.notice("a")
        assert told is not None
        assert told.removed
        assert await modes.notice("b") is None


async def test_what_moderators_did_and_what_holds_because_of_it(hall: Database) -> None:
    sanction = Sanction("a", "a", "ann", NINE + 60_000, banned=True, reason=HARD, name="Ann", since_ms=NINE)
    action = ModerationAction(
        "x1", "a", "a", "s", NINE, "g1", "Mo", "ban", "ann", "ann", HARD, ({"id": "m1", "n": 1},), NINE + 5, "Mo"
    )
    for one in (sanction, action):
        no_defaults(one)
    async with hall.write() as connection:
        moderation = Moderation(connection)
        muted = Sanction("a", "a", "ben", NINE + 10)
        await moderation.put_sanctions([sanction, muted, Sanction("a", "b", "ann", banned=True)])
        assert await moderation.sanctions("a", NINE + 9) == [sanction, muted]
        assert await moderation.sanctions("a", NINE + 10) == [sanction]
        await moderation.put_sanctions([replace(sanction, banned=False, muted_until_ms=0)])
        assert await moderation.sanctions("a", NINE + 10) == []
        hold = AddressHold("a", "a", "2001:db8::/48", NINE, NINE + 10, "ann")
        await moderation.put_holds([hold])
        assert await moderation.holds("a", NINE + 9) == [hold]
        assert await moderation.holds("a", NINE + 10) == []
        later = replace(action, id="x2", at_ms=NINE + 1, participant=None, session=None, changes=(), undone_ms=None)
        await moderation.put_actions([action, later])
        assert await moderation.action("x1") == action
        assert await moderation.action("none") is None
        assert [one.id for one in await moderation.actions("a", 9)] == ["x2", "x1"]
        assert [one.id for one in await moderation.actions("a", 9, before_ms=NINE + 1)] == ["x1"]
        assert [one.id for one in await moderation.about("ann")] == ["x1"]
        report = Report("r1", "a", "a", "message", "m1", "ben", HARD, NINE)
        await moderation.put_reports([report, replace(report, id="r2", resolved_ms=NINE)])
        assert await moderation.open_reports("a", 9) == [report]
        lines = [CrewMessage(f"l{n}", "a", "a", "stage", "g1", "Mo", HARD, NINE + n) for n in range(3)]
        await moderation.put_crew_messages(lines)
        assert await moderation.crew_messages("a", 2) == lines[1:]


async def test_captions_by_their_time_and_language(hall: Database) -> None:
    line = Cue("c1", "a", "fr", HARD, NINE, NINE + 1000, NINE + 4000, NINE + 2, "g1", "s", "Avant")
    no_defaults(line)
    between = replace(line, id="c2", lang="en", at_ms=NINE + 10, live_from_ms=NINE, session=None)
    others = replace(line, id="c3", at_ms=NINE + 20, session="other")
    async with hall.write() as connection:
        captions = Captions(connection)
        for one in (line, between, others):
            await captions.add(one)
        assert await captions.get("c1") == line
        assert [one.id for one in await captions.said("a", None, NINE, NINE + 20)] == ["c1", "c2"]
        assert [one.id for one in await captions.said("a", "en", NINE, NINE + 99)] == ["c2"]
        assert [one.id for one in await captions.of_session("a", "s", NINE, NINE + 99, 9)] == ["c1", "c2"]
        assert [one.id for one in await captions.shown("a", NINE)] == ["c2", "c1", "c3"]
        await captions.save(replace(line, text="Après", live_text=None))
        assert (await captions.get("c1")).shown_live == "Après"
        for none in (captions.get("none"), captions.save(replace(line, id="none"))):
            with pytest.raises(NotFound):
                await none
        await captions.remove("c3")
        assert await captions.forget("a", NINE, NINE + 10) == 1
        assert [one.id for one in await captions.said("a", None, 0, NINE + 99)] == ["c2"]
    for wrong, kind in ((between, Conflict), (replace(between, id="c9", room="none"), Unprocessable)):
        with pytest.raises(kind):
            async with hall.write() as connection:
                await Captions(connection).add(wrong)


async def swept(connection: AsyncConnection, before_ms: int) -> dict[str, int]:
    """Older items are deleted, by the audience's period."""
    return await sweep(connection, Periods(keep_days=1), before_ms + DAY_MS)


async def test_captions_stay_as_long_as_their_recording_does(hall: Database) -> None:
    line = Cue("c1", "a", "fr", "Bonjour", NINE + 10, NINE, NINE, NINE, "g1")
    async with hall.write() as connection:
        await Captions(connection).add(line)
        await Captions(connection).add(replace(line, id="c2", at_ms=NINE + 200))
        recording = Recording("s", "a", "b1", "recordings/s", NINE, NINE + 100, state=RecordingState.READY)
        await Recordings(connection).put(recording)
        assert await swept(connection, NINE + 1) == {"captions": 1}
        assert (await Captions(connection).get("c1")).text == "Bonjour"
        await Recordings(connection).put(replace(recording, state=RecordingState.DELETED))
        assert await swept(connection, NINE + 1) == {"captions": 1}


async def test_who_wants_to_be_forgotten_is(hall: Database) -> None:
    ann, ben = Person("ann", HARD, "hall", NINE, NINE + 5), Person("ben", "Ben", "", NINE, NINE)
    async with hall.write() as connection:
        people = Participants(connection)
        await people.put_many([ann, ben])
        await people.put_many([replace(ben, seen_ms=NINE + 9)])
        assert await people.find("ann") == ann
        assert await people.find("nobody") is None
        await ChatMessages(connection).put_many([message(1), message(2, participant="ben")])
        answered = question(2, answered_ms=NINE, original="Before")
        await Questions(connection).put_many([question(1), answered, question(3, participant="ben")])
        await Questions(connection).put_votes([("q3", "ann"), ("q3", "ben")])
        await Polls(connection).put_many([poll(1)])
        await Polls(connection).put_votes([("p1", "ann", (1,)), ("p1", "ben", (1,))])
        moderation = Moderation(connection)
        await moderation.put_reports([Report("r1", "a", "a", "message", "m2", "ann", HARD, NINE)])
        await moderation.put_sanctions([Sanction("a", "a", "ann", banned=True, name="Ann")])
        action = ModerationAction("x1", "a", "a", "s", NINE, "g1", "Mo", "ban", "m1", "ann", "", ({"text": "x"},))
        await moderation.put_actions([action])
        assert await people.count_of("ann") == (1, 2)
        everything = await people.everything("ann")
        assert {name: len(rows) for name, rows in everything.items()} == {
            "participants": 1,
            "chat_messages": 1,
            "questions": 2,
            "question_votes": 1,
            "poll_votes": 1,
            "reports": 1,
            "sanctions": 1,
            "address_holds": 0,
            "command_answers": 0,
            "moderation_actions": 1,
        }
        assert await people.erase("ann") == {"votes": 2, "messages": 1, "questions": 2}
        # A second time there is nothing, and what is others' is as it was.
        assert await people.erase("ann") == {"votes": 0, "messages": 0, "questions": 0}
        left = await people.everything("ann")
        assert [name for name, rows in left.items() if rows] == ["sanctions"]
        assert left["sanctions"][0]["name"] == ""
        kept = await Questions(connection).find("q2")
        assert kept is not None
        assert (kept.participant, kept.name, kept.place, kept.original) == (None, "", "", None)
        assert (await moderation.action("x1")) == replace(action, changes=(), target="", participant=None)
        assert await people.count_of("ben") == (1, 1)
        assert await Questions(connection).votes_of(["q3"]) == {"q3": {"ben"}}
        assert await Polls(connection).votes_of(["p1"]) == {"p1": {"ben": (1,)}}


async def test_what_is_old_goes_and_its_votes_with_it(hall: Database) -> None:
    async with hall.write() as connection:
        people = Participants(connection)
        await people.put_many([Person("ann", "Ann", "", NINE, NINE), Person("ben", "Ben", "", NINE, NINE + 50)])
        await ChatMessages(connection).put_many([message(1), message(50)])
        await Questions(connection).put_many([question(1), question(50)])
        await Questions(connection).put_votes([("q1", "ann"), ("q50", "ann")])
        await Polls(connection).put_many([poll(1)])
        await Polls(connection).put_votes([("p1", "ann", (0,))])
        await WatchMinutes(connection).put_many([("s", NINE, 3), ("s", NINE + 60_000, 4)])
        await WatchMinutes(connection).put_many([("s", NINE + 60_000, 5)])
        await Moderation(connection).put_holds([AddressHold("a", "a", "192.0.2.0/24", NINE, NINE + 10, "ann")])
        assert await WatchMinutes(connection).of_session("s") == [(NINE, 3), (NINE + 60_000, 5)]
        gone = await swept(connection, NINE + 20)
        assert gone == {
            "chat_messages": 1,
            "questions": 1,
            "polls": 1,
            "watch_minutes": 1,
            "participants": 1,
            "address_holds": 1,
        }
        assert await Moderation(connection).holds("a", NINE) == []
        assert await Questions(connection).votes_of(["q1", "q50"]) == {"q50": {"ann"}}
        assert await Polls(connection).votes_of(["p1"]) == {}
        assert await swept(connection, NINE + 20) == {}
