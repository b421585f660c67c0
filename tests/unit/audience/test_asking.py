"""Questions from the first word to the stage and the chapter, through the change of sessions; and polls."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from streamer.audience.crew import Undo
from streamer.audience.news import Viewpoint
from streamer.audience.polls import PollClose, PollOpen, PollVote
from streamer.audience.questions import (
    QuestionAdd,
    QuestionAsk,
    QuestionCarry,
    QuestionEdit,
    QuestionMerge,
    QuestionMove,
    QuestionVote,
    QuestionWithdraw,
)
from streamer.conference.participation import PollKind, QuestionState
from streamer.store.marks import Marks
from tests.fakes.talkers import (
    ANN,
    BEN,
    HALL,
    MODERATOR,
    SPEAKER,
    START_MS,
    hall,
    refused,
    store_sessions,
    talk,
)


async def test_a_question_on_its_way_to_the_stage_and_its_chapter(tmp_path: Path) -> None:
    async with hall(tmp_path) as made:
        await store_sessions(made, talk("one", START_MS - 60_000))
        asked = await made.do(ANN, QuestionAsk("Why?", anonymous=True))
        assert (asked["state"], asked["session"]) == ("approved", "one")
        assert made.told(Viewpoint.PUBLIC, "question.changed")[0]["name"] is None
        assert made.told(Viewpoint.MODERATION, "question.changed")[0]["name"] == "Ann"
        assert (await made.do(BEN, QuestionVote(asked["id"], 1)))["votes"] == 1
        assert (await made.do(BEN, QuestionVote(asked["id"], 1)))["votes"] == 1
        await made.audience.tick()
        assert made.told(Viewpoint.PUBLIC, "question.changed")[-1]["votes"] == 1
        assert made.told(Viewpoint.PUBLIC, "question.order")[-1] == {"by": "fair", "ids": [asked["id"]]}
        await made.do(MODERATOR, QuestionMove(None, (asked["id"],), state=QuestionState.ON_STAGE))
        staged_ms = made.clock.now_ms
        assert (await made.audience.snapshot(HALL, Viewpoint.STAGE))["on_stage"] == asked["id"]
        edited = await made.do(MODERATOR, QuestionEdit(asked["id"], "Why now?"))
        assert made.told(Viewpoint.MODERATION, "question.changed")[-1]["original"] == "Why?"
        assert "original" not in made.told(Viewpoint.PUBLIC, "question.changed")[-1]
        answered = await made.do(MODERATOR, QuestionMove(None, (asked["id"],), state=QuestionState.ANSWERED))
        async with made.database.read() as connection:
            (mark,) = await Marks(connection).of_session("one")
        assert (mark.at_ms, mark.label) == (staged_ms, "Why now?")
        assert made.chapters == ["one"]
        await made.do(MODERATOR, Undo(answered["action"]))
        async with made.database.read() as connection:
            assert await Marks(connection).of_session("one") == []
        await made.do(MODERATOR, Undo(edited["action"]))
        assert made.told(Viewpoint.PUBLIC, "question.changed")[-1]["text"] == "Why?"


async def test_duplicates_are_merged_with_their_votes_united_and_parted_again(tmp_path: Path) -> None:
    async with hall(tmp_path) as made:
        first = (await made.do(ANN, QuestionAsk("Why?")))["id"]
        second = (await made.do(BEN, QuestionAsk("For what reason?")))["id"]
        for who, question in ((ANN, second), (BEN, first), (BEN, second), (SPEAKER, second)):
            await made.do(who, QuestionVote(question, 1))
        merged = await made.do(MODERATOR, QuestionMerge((first, second)))
        assert made.told(Viewpoint.PUBLIC, "question.changed")[-1]["votes"] == 3
        assert [q["id"] for q in (await made.public())["questions"]] == [first]
        assert (await made.do(BEN, QuestionVote(first, 0)))["votes"] == 2
        assert (await made.do(BEN, QuestionVote(second, 1)))["votes"] == 3
        await made.do(MODERATOR, Undo(merged["action"]))
        assert {q["id"]: q["votes"] for q in (await made.public())["questions"]} == {first: 1, second: 2}


async def test_questions_roll_over_with_the_session_and_are_carried_over_in_one_go(tmp_path: Path) -> None:
    async with hall(tmp_path) as made:
        one = talk("one", START_MS - 60_000)
        await store_sessions(made, one, talk("two", None))
        left = (await made.do(ANN, QuestionAsk("What is left?")))["id"]
        done = (await made.do(BEN, QuestionAsk("What is on stage?")))["id"]
        poll = (await made.do(MODERATOR, PollOpen(PollKind.SINGLE, "Lunch?")))["id"]
        await made.do(MODERATOR, QuestionMove(None, (done,), state=QuestionState.ON_STAGE))
        ended = replace(one, state=talk("x", 1, 2).state, ended_ms=made.clock.now_ms)
        made.days.become(ended, talk("two", None))
        await made.audience.repository.flushed()
        # Until another begins, or two minutes have passed, those who watch behind still see and ask.
        assert [q["id"] for q in (await made.public())["questions"]] == [left, done]
        assert (await made.do(ANN, QuestionAsk("Am I late?")))["session"] == "one"
        made.clock.pass_s(30)
        made.days.become(ended, talk("two", made.clock.now_ms))
        await made.audience.repository.flushed()
        assert (await made.public())["questions"] == []
        assert made.told(Viewpoint.PUBLIC, "question.changed")[-1]["archived"]
        assert made.told(Viewpoint.PUBLIC, "poll.changed")[-1]["state"] == "closed"
        assert made.told(Viewpoint.PUBLIC, "poll.changed")[-1]["id"] == poll
        late = await made.do(BEN, QuestionAsk("Later still?", media_at=(ended.ended_ms or 0) - 1))
        assert late["session"] == "one"
        snapshot = await made.moderators()
        assert left in snapshot["left_over"]
        assert done not in snapshot["left_over"]
        carried = await made.do(MODERATOR, QuestionCarry((left,)))
        assert [q["id"] for q in (await made.public())["questions"]] == [left]
        await made.do(MODERATOR, Undo(carried["action"]))
        assert (await made.public())["questions"] == []
        assert (await made.do(BEN, QuestionAsk("And the new one?")))["session"] == "two"


async def test_polls_count_each_participant_once_and_keep_results_back_where_asked(tmp_path: Path) -> None:
    async with hall(tmp_path) as made:
        opened = await made.do(MODERATOR, PollOpen(PollKind.SINGLE, "Tea?", ("Yes", "No"), results_at_end=True))
        await made.do(ANN, PollVote(opened["id"], (0,)))
        await made.do(ANN, PollVote(opened["id"], ("No",)))
        await made.do(BEN, PollVote(opened["id"], ("1",)))
        assert await refused(made, BEN, PollVote(opened["id"], (0, 1))) == "invalid"
        assert await refused(made, BEN, PollVote(opened["id"], (2,))) == "invalid"
        await made.audience.tick()
        assert [o["votes"] for o in made.told(Viewpoint.PUBLIC, "poll.changed")[-1]["options"]] == [None, None]
        assert [o["votes"] for o in made.told(Viewpoint.MODERATION, "poll.changed")[-1]["options"]] == [0, 2]
        assert (await made.own(ANN))["polls"] == {opened["id"]: [1]}
        shut = await made.do(MODERATOR, PollClose(opened["id"]))
        assert [o["votes"] for o in made.told(Viewpoint.PUBLIC, "poll.changed")[-1]["options"]] == [0, 2]
        assert await refused(made, ANN, PollVote(opened["id"], (0,))) == "poll_closed"
        await made.do(MODERATOR, Undo(shut["action"]))
        await made.do(ANN, PollVote(opened["id"], ()))
        await made.do(MODERATOR, Undo(opened["action"]))
        assert made.told(Viewpoint.PUBLIC, "poll.changed")[-1] == {"id": opened["id"], "removed": True}


async def test_a_poll_of_the_break_is_open_until_the_next_session(tmp_path: Path) -> None:
    async with hall(tmp_path) as made:
        await store_sessions(made, talk("one", START_MS - 1000))
        during = await made.do(MODERATOR, PollOpen(PollKind.SINGLE, "During?"))
        over = talk("one", START_MS - 1000, START_MS + 1000)
        made.days.become(over)
        made.clock.pass_s(30)
        after = await made.do(MODERATOR, PollOpen(PollKind.SINGLE, "Coffee?"))
        made.clock.pass_s(95)
        await made.audience.tick()
        await made.audience.repository.flushed()
        states = {poll["id"]: poll["state"] for poll in (await made.moderators())["polls"]}
        assert states == {during["id"]: "closed", after["id"]: "open"}
        assert await made.do(ANN, PollVote(after["id"], (0,)))
        await store_sessions(made, over, talk("two", START_MS + 200_000))
        await made.audience.tick()
        await made.audience.repository.flushed()
        assert await refused(made, ANN, PollVote(after["id"], (1,))) == "poll_closed"


async def test_questions_asked_aloud_and_withdrawn_ones(tmp_path: Path) -> None:
    async with hall(tmp_path) as made:
        added = await made.do(MODERATOR, QuestionAdd("From the third row?", "A gentleman", "hall"))
        (shown,) = (await made.public())["questions"]
        assert (shown["name"], shown["place"], shown["participant"]) == ("A gentleman", "hall", None)
        await made.do(MODERATOR, Undo(added["action"]))
        assert (await made.public())["questions"] == []
        mine = await made.do(ANN, QuestionAsk("Mine?"))
        assert await refused(made, BEN, QuestionWithdraw(mine["id"])) == "no_such_question"
        await made.do(ANN, QuestionWithdraw(mine["id"]))
        assert (await made.public())["questions"] == []
        assert (
            await refused(made, MODERATOR, QuestionMove(None, (mine["id"],), state=QuestionState.ON_STAGE))
            == "wrong_state"
        )
