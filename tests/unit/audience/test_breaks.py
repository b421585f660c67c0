"""With no session on air, what is asked belongs to the room."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from streamer.audience.modes import ModeSet
from streamer.audience.questions import QuestionAsk, QuestionMove
from streamer.audience.scope import GRACE_MS
from streamer.conference.participation import ChatMode, QuestionMode, QuestionState
from streamer.conference.sessions import SessionState
from tests.fakes.talkers import ANN, BEN, MODERATOR, START_MS, Hall, hall, store_sessions, talk


async def test_a_break_belongs_to_the_room_and_stands_beside_what_has_just_ended(tmp_path: Path) -> None:
    async with hall(tmp_path) as made:
        one = talk("one", START_MS - 60_000)
        await store_sessions(made, one)
        first = (await made.do(ANN, QuestionAsk("During the talk?")))["id"]
        ended = replace(one, state=SessionState.ENDED, ended_ms=made.clock.now_ms)
        made.days.become(ended)
        made.clock.pass_s(20)
        asked = await made.do(BEN, QuestionAsk("In the break?"))
        assert asked["session"] is None, "nothing is on, and nothing was at its media time"
        assert [q["id"] for q in (await made.public())["questions"]] == [first, asked["id"]]
        await made.do(MODERATOR, QuestionMove(None, (asked["id"],), state=QuestionState.ON_STAGE))
        made.clock.pass_s(GRACE_MS / 1000)
        await made.audience.tick()
        await made.audience.repository.flushed()
        (left,) = (await made.public())["questions"]
        assert (left["id"], left["state"]) == (asked["id"], "on_stage"), "the break goes on"
    async with hall(tmp_path) as again:
        again.clock.pass_s(21 + GRACE_MS / 1000)
        again.days.become(ended)
        assert [q["id"] for q in (await again.public())["questions"]] == [asked["id"]]


async def test_the_next_session_begins_without_the_breaks_questions(tmp_path: Path) -> None:
    async with hall(tmp_path) as made:
        one = talk("one", START_MS - 60_000)
        await store_sessions(made, one, talk("two", None))
        ended = replace(one, state=SessionState.ENDED, ended_ms=made.clock.now_ms)
        made.days.become(ended, talk("two", None))
        made.clock.pass_s(20)
        asked = (await made.do(BEN, QuestionAsk("In the break?")))["id"]
        made.clock.pass_s(1)
        made.days.become(ended, talk("two", made.clock.now_ms))
        await made.audience.repository.flushed()
        assert (await made.public())["questions"] == []
        assert asked in (await made.moderators())["left_over"]


async def test_a_session_brings_its_modes_and_takes_them_along(tmp_path: Path) -> None:
    """A workshop without a chat does not close it for the talk after it."""
    one = talk("one", None, chat=ChatMode.CLOSED, questions=QuestionMode.REVIEW)
    two = talk("two", None)

    async def modes(made: Hall) -> tuple[str, str]:
        await made.audience.repository.flushed()
        mode = (await made.public())["mode"]
        return mode["chat"], mode["questions"]

    async with hall(tmp_path) as made:
        await store_sessions(made, one, two)
        assert await modes(made) == ("open", "open")
        running = replace(one, started_ms=made.clock.now_ms, state=SessionState.ON_AIR)
        made.days.become(running, two)
        assert await modes(made) == ("closed", "review")
        made.clock.pass_s(60)
        await made.do(MODERATOR, ModeSet(questions=QuestionMode.CLOSED))
        ended = replace(running, state=SessionState.ENDED, ended_ms=made.clock.now_ms)
        made.clock.pass_s(1)
        made.days.become(ended, replace(two, started_ms=made.clock.now_ms, state=SessionState.ON_AIR))
        assert await modes(made) == ("open", "closed"), "what a moderator has set stays"


async def test_whoever_comes_later_finds_the_modes_that_a_session_brought_unless_a_moderator_set_others(
    tmp_path: Path,
) -> None:
    running = talk("one", START_MS - 60_000, chat=ChatMode.CLOSED)
    async with hall(tmp_path) as made:
        made.days.become(running)
        await store_sessions(made, running)
        assert (await made.public())["mode"]["chat"] == "closed"
        await made.do(MODERATOR, ModeSet(chat=ChatMode.SLOW))
    async with hall(tmp_path) as again:
        again.days.become(running)
        assert (await again.public())["mode"]["chat"] == "slow"
