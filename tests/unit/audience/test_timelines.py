"""Timelines of replays: cut, hidden, and in pages by media time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.archive.material import Span, union
from streamer.audience.timelines import NOTHING, Shown, as_shown, timeline
from streamer.conference.captions import Cue
from streamer.conference.participation import Message, MessageState, Poll, PollKind, Question, QuestionState
from streamer.conference.rooms import Room
from streamer.conference.sessions import Mark, MarkKind, Session
from streamer.store.captions import Captions
from streamer.store.chat import ChatMessages
from streamer.store.database import Database
from streamer.store.marks import Marks
from streamer.store.polls import Polls
from streamer.store.questions import Questions
from streamer.store.rooms import Rooms
from streamer.store.sessions import Sessions
from tests.fakes.stores import sqlite_store

START = 1_000_000
TALK = Session("talk", "hall", "Talk", START, START + 60_000)
WHOLE = Shown(START, START + 60_000)
CUT = Shown(START, START + 60_000, ((START + 10_000, START + 20_000),))
QUESTION = Question("q", "hall", "hall", "talk", "ann", "Ann", "", "", "Why?", START, START + 1_000)


def question(state: QuestionState, asked: int, staged: int | None = None, answered: int | None = None) -> Question:
    """Seconds after the start."""
    at = [None if s is None else START + s * 1000 for s in (staged, answered)]
    return replace(QUESTION, state=state, media_at_ms=START + asked * 1000, staged_ms=at[0], answered_ms=at[1])


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = sqlite_store(tmp_path)
    await database.start()
    async with database.write() as connection:
        await Rooms(connection).add(Room("hall", "Hall"))
        await Sessions(connection).add(TALK)
    yield database
    await database.close()


def message(name: str, at_ms: int, **fields: Any) -> Message:
    return Message(name, "hall", "hall", "talk", "ann", "Ann", "", name, at_ms + 3000, at_ms, **fields)


async def chat(database: Database, *messages: Message) -> None:
    async with database.write() as connection:
        await ChatMessages(connection).put_many(messages)


# --- what is shown ----------------------------------------------------------------------------------


def test_a_question_has_the_times_that_the_replay_shows() -> None:
    told = as_shown(question(QuestionState.ANSWERED, 5, 30, 40), CUT)
    assert told is not None
    assert told.times_ms == (START + 5_000, START + 30_000, START + 40_000)
    assert told.question.state is QuestionState.ANSWERED


@pytest.mark.parametrize(
    ("asked", "staged", "answered", "state"),
    [
        (5, 12, 40, QuestionState.ANSWERED),
        (5, 30, 90, QuestionState.ON_STAGE),
        (5, 12, 15, QuestionState.APPROVED),
        (-60, 30, 40, QuestionState.ANSWERED),
    ],
)
def test_what_became_of_a_question_in_a_cut_is_not_told(
    asked: int, staged: int, answered: int, state: QuestionState
) -> None:
    told = as_shown(question(QuestionState.ANSWERED, asked, staged, answered), CUT)
    assert told is not None
    assert told.question.state is state
    assert all(CUT.has(at_ms) for at_ms in told.times_ms)


@pytest.mark.parametrize(
    "hidden",
    [
        question(QuestionState.PENDING, 5),
        question(QuestionState.DISMISSED, 5, 30),
        question(QuestionState.ANSWERED, 15, 30, 40),
        question(QuestionState.APPROVED, -60),
        question(QuestionState.ANSWERED, 90, 95, 99),
        replace(question(QuestionState.APPROVED, 5), merged_into="other"),
        replace(question(QuestionState.APPROVED, 5), withdrawn=True),
    ],
    ids=["pending", "dismissed", "asked in a cut", "before the start", "after the end", "merged", "withdrawn"],
)
def test_such_a_question_is_not_told(hidden: Question) -> None:
    assert as_shown(hidden, CUT) is None


def test_that_a_question_was_on_stage_and_taken_back_is_not_told() -> None:
    told = as_shown(question(QuestionState.APPROVED, 5, 30), CUT)
    assert told is not None
    assert told.times_ms == (START + 5_000,)


def test_what_goes_on_after_a_cut_is_shown_from_its_end() -> None:
    assert CUT.after(START + 12_000) == START + 20_000
    assert CUT.after(START + 5_000) == START + 5_000
    assert CUT.after(START + 60_000) is None
    assert Shown(START, START + 20_000, ((START + 10_000, START + 20_000),)).after(START + 12_000) is None


SECONDS = st.one_of(st.none(), st.integers(-20, 80).map(lambda s: START + s * 1000))


@given(
    state=st.sampled_from(QuestionState),
    asked=st.integers(-20, 80),
    staged=SECONDS,
    answered=SECONDS,
    withdrawn=st.booleans(),
    merged=st.booleans(),
    skips=st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=3),
)
def test_no_question_tells_what_the_replay_does_not_show(
    state: QuestionState,
    asked: int,
    staged: int | None,
    answered: int | None,
    withdrawn: bool,
    merged: bool,
    skips: list[tuple[int, int]],
) -> None:
    spans = union(Span(START + a * 1000, START + (a + b) * 1000) for a, b in skips)
    shown = Shown(START, START + 60_000, tuple((span.from_ms, span.to_ms) for span in spans))
    one = replace(
        QUESTION,
        state=state,
        media_at_ms=START + asked * 1000,
        staged_ms=staged,
        answered_ms=answered,
        withdrawn=withdrawn,
        merged_into="other" if merged else None,
    )
    told = as_shown(one, shown)
    if told is None:
        return
    assert one.public
    assert told.times_ms
    assert all(shown.has(at_ms) for at_ms in told.times_ms)
    assert not any(span.from_ms <= one.media_at_ms < span.to_ms for span in spans)
    assert (told.question.state is QuestionState.ANSWERED) == (told.question.answered_ms is not None)
    if told.question.state is QuestionState.ON_STAGE:
        assert told.question.staged_ms is not None


# --- what is stored ---------------------------------------------------------------------------------


async def test_nothing_of_what_is_cut_hidden_or_held_is_told(database: Database) -> None:
    await chat(
        database,
        message("before", START - 1),
        message("first", START),
        message("in the cut", START + 10_000),
        message("behind it", START + 20_000),
        message("held", START + 21_000, state=MessageState.HELD),
        message("deleted", START + 22_000, state=MessageState.DELETED),
        message("after", START + 60_000),
    )
    line = Cue("l", "hall", "fr", "Bonjour", START + 1_000, 0, 1, 0, "g", session="talk")
    poll = Poll("p", "hall", "hall", "talk", PollKind.SINGLE, "Which?", ("a", "b"), START, START + 5_000)
    async with database.write() as connection:
        for made in (
            line,
            replace(line, id="en", lang="en", text="Hello", at_ms=START + 2_000, session=None),
            replace(line, id="cut", at_ms=START + 11_000),
            replace(line, id="other", session="of another session"),
        ):
            await Captions(connection).add(made)
        await Polls(connection).put_many(
            [
                replace(poll, closed_ms=START + 15_000),
                replace(poll, id="cut", media_at_ms=START + 12_000),
                replace(poll, id="back", results_at_end=True, closed_ms=START + 70_000),
            ]
        )
        for name, at_ms in (("q-q", START + 30_000), ("aside", START + 12_000), ("technician", START + 2_000)):
            await Marks(connection).add(Mark(name, "talk", MarkKind.CHAPTER, at_ms, label=name))
    found = await timeline(database, TALK, CUT)
    assert [m["id"] for m in found["chat"]] == ["first", "behind it"]
    assert found["captions"] == {
        "fr": [{"id": "l", "media_at": START + 1_000, "text": "Bonjour"}],
        "en": [{"id": "en", "media_at": START + 2_000, "text": "Hello"}],
    }
    polls = {p["id"]: (p["state"], p["closed_media_at"], p["options"][0]["votes"]) for p in found["polls"]}
    assert polls == {"p": ("closed", START + 20_000, 0), "back": ("open", None, None)}
    assert [(c["id"], c["question"]) for c in found["chapters"]] == [("technician", None), ("q-q", "q")]
    assert (found["start_ms"], found["end_ms"], found["skips"]) == (
        START,
        START + 60_000,
        [(START + 10_000, START + 20_000)],
    )
    assert found["more"] is None


async def test_only_the_kinds_that_are_asked_for_are_read(database: Database) -> None:
    await chat(database, message("first", START))
    assert (await timeline(database, TALK, WHOLE, kinds=["questions"]))["chat"] == []


async def test_a_session_that_has_not_begun_tells_nothing(database: Database) -> None:
    await chat(database, message("first", START))
    assert (await timeline(database, TALK, NOTHING))["chat"] == []


@pytest.mark.parametrize("most", [1, 2, 3, 7, 100])
async def test_pages_have_everything_once_whatever_comes_at_the_same_time(database: Database, most: int) -> None:
    times = [0, 1, 1, 1, 1, 2, 5, 5, 9, 10, 10, 10]
    await chat(database, *(message(f"m{n:02}", START + at_ms) for n, at_ms in enumerate(times)))
    async with database.write() as connection:
        await Questions(connection).put_many(
            [
                replace(QUESTION, id=f"q{n:02}", state=QuestionState.APPROVED, media_at_ms=START + at_ms)
                for n, at_ms in enumerate(times)
            ]
        )
        for n, at_ms in enumerate(times):
            line = Cue(f"l{n:02}", "hall", "fr", "x", START + at_ms, 0, 1, 0, "g", session="talk")
            await Captions(connection).add(line)
    seen: dict[str, list[str]] = {"chat": [], "questions": [], "captions": []}
    at_ms: int | None = 0
    pages = 0
    while at_ms is not None:
        found = await timeline(database, TALK, WHOLE, at_ms, most=most)
        seen["chat"] += [m["id"] for m in found["chat"]]
        seen["questions"] += [q["id"] for q in found["questions"]]
        seen["captions"] += [c["id"] for c in found["captions"].get("fr", [])]
        assert found["more"] is None or found["more"] > at_ms
        at_ms, pages = found["more"], pages + 1
    for kind, letter in (("chat", "m"), ("questions", "q"), ("captions", "l")):
        assert seen[kind] == [f"{letter}{n:02}" for n in range(len(times))], kind
    assert pages == 1 if most >= len(times) else pages > 1
