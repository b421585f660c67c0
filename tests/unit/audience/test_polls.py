"""Polls that are prepared beforehand, and ratings."""

from __future__ import annotations

from pathlib import Path

from streamer.audience.crew import Undo
from streamer.audience.news import Viewpoint
from streamer.audience.polls import MOST_PREPARED, PollDiscard, PollOpen, PollPrepare, PollStart, PollVote
from streamer.conference.participation import PollKind
from streamer.store.polls import Polls
from tests.fakes.talkers import ANN, BEN, MODERATOR, START_MS, hall, refused, store_sessions, talk


async def test_a_prepared_poll_is_the_moderators_until_it_is_opened_in_the_session_that_is_on(tmp_path: Path) -> None:
    async with hall(tmp_path) as made:
        kept = await made.do(MODERATOR, PollPrepare(PollKind.MULTIPLE, "Which?", ("A", "B", "C")))
        assert [poll["state"] for poll in (await made.moderators())["polls"]] == ["prepared"]
        assert (await made.public())["polls"] == []
        assert made.told(Viewpoint.PUBLIC, "poll.changed") == [], "nobody is told of it"
        assert await refused(made, ANN, PollVote(kept["id"], (0,))) == "no_such_poll"
        async with made.database.read() as connection:
            assert (await Polls(connection).page(10, None)).items == []
    async with hall(tmp_path) as made:
        await store_sessions(made, talk("one", START_MS - 1000))
        await made.audience.tick()
        started = await made.do(MODERATOR, PollStart(kept["id"]))
        (poll,) = (await made.public())["polls"]
        assert (poll["state"], poll["session"], poll["media_at"]) == ("open", "one", made.clock.now_ms)
        assert await made.do(ANN, PollVote(kept["id"], (0, 2)))
        assert await refused(made, MODERATOR, PollStart(kept["id"])) == "wrong_state"
        await made.do(MODERATOR, Undo(started["action"]))
        assert made.told(Viewpoint.PUBLIC, "poll.changed")[-1] == {"id": kept["id"], "removed": True}
        assert [poll["state"] for poll in (await made.moderators())["polls"]] == ["prepared"]
        gone = await made.do(MODERATOR, PollDiscard(kept["id"]))
        assert (await made.moderators())["polls"] == []
        await made.do(MODERATOR, Undo(gone["action"]))
        assert [poll["state"] for poll in (await made.moderators())["polls"]] == ["prepared"]


async def test_what_is_prepared_outlives_sessions_and_is_not_without_end(tmp_path: Path) -> None:
    async with hall(tmp_path) as made:
        await store_sessions(made, talk("one", START_MS - 1000))
        for number in range(MOST_PREPARED):
            await made.do(MODERATOR, PollPrepare(PollKind.SINGLE, f"{number}?"))
        assert await refused(made, MODERATOR, PollPrepare(PollKind.SINGLE, "More?")) == "too_many_polls"
        for number in range(60):
            await made.do(MODERATOR, PollOpen(PollKind.SINGLE, f"Open {number}?"))
        made.days.become(talk("one", START_MS - 1000, made.clock.now_ms), talk("two", made.clock.now_ms + 1))
        made.clock.pass_s(200)
        await made.audience.tick()
        await made.audience.repository.flushed()
        states = [poll["state"] for poll in (await made.moderators())["polls"]]
        assert states.count("prepared") == MOST_PREPARED


async def test_a_rating_has_steps_of_which_each_takes_one(tmp_path: Path) -> None:
    async with hall(tmp_path) as made:
        opened = await made.do(MODERATOR, PollOpen(PollKind.RATING, "How was it?"))
        assert await refused(made, ANN, PollVote(opened["id"], (3, 4))) == "invalid"
        await made.do(ANN, PollVote(opened["id"], (4,)))
        await made.do(BEN, PollVote(opened["id"], ("3",)))
        await made.audience.tick()
        told = made.told(Viewpoint.PUBLIC, "poll.changed")[-1]
        assert told["kind"] == "rating"
        assert [(option["text"], option["votes"]) for option in told["options"]] == [
            ("1", 0),
            ("2", 0),
            ("3", 1),
            ("4", 0),
            ("5", 1),
        ]
