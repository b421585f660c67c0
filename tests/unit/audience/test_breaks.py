"""With no session on air, what is asked belongs to the room."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from streamer.audience.questions import QuestionAsk, QuestionMove
from streamer.audience.scope import GRACE_MS
from streamer.conference.participation import QuestionState
from streamer.conference.sessions import SessionState
from tests.fakes.talkers import ANN, BEN, MODERATOR, START_MS, hall, store_sessions, talk


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
