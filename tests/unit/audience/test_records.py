"""Stored data of audiences that is read or deleted: cards, participants' own data, old items, minutes watched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from streamer.audience.chat import ChatDelete, ChatSend
from streamer.audience.crew import Undo
from streamer.audience.news import Viewpoint
from streamer.audience.questions import QuestionAsk, QuestionEdit, QuestionMove, QuestionVote
from streamer.audience.records import ParticipantCard
from streamer.audience.sanctions import Mute, NoteAdd
from streamer.audience.scope import Scope
from streamer.conference.captions import Cue
from streamer.conference.participation import QuestionState
from streamer.store.captions import Captions
from streamer.store.moderation import Moderation
from streamer.store.people import Periods, sweep
from streamer.store.recordings import Recording, Recordings, RecordingState
from tests.fakes.talkers import ANN, BEN, HALL, MODERATOR, START_MS, Hall, closed, hall, refused, store_sessions, talk


async def test_a_card_says_nothing_of_what_was_done_behind_closed_doors(tmp_path: Path) -> None:
    async with hall(tmp_path) as made:
        await store_sessions(made, closed("secret", START_MS - 1000))
        own = Scope("hall", "secret")
        await made.audience.run(own, ANN, ChatSend("in there"))
        await made.audience.run(own, MODERATOR, NoteAdd(ANN.id, "HUSH"))
        await made.audience.run(own, MODERATOR, Mute(ANN.id, 60, "HUSH"))
        await made.do(ANN, ChatSend("out here"))
        await made.do(MODERATOR, NoteAdd(ANN.id, "asks a lot"))
        assert "HUSH" in str(await made.audience.run(own, MODERATOR, ParticipantCard(ANN.id)))
        outside = (await made.audience.run(HALL, MODERATOR, ParticipantCard(ANN.id)))["card"]
        assert "HUSH" not in str(outside)
        assert [note["text"] for note in outside["notes"]] == ["asks a lot"]


async def test_ones_own_data_is_exported_and_removed_for_good(tmp_path: Path) -> None:
    async with hall(tmp_path) as made:
        message = await made.do(ANN, ChatSend("my words"))
        asked = await made.do(ANN, QuestionAsk("Mine?"))
        other = await made.do(BEN, QuestionAsk("His?"))
        await made.do(ANN, QuestionVote(other["id"], 1))
        exported = await made.audience.export(ANN.id)
        assert [row["text"] for row in exported["chat_messages"]] == ["my words"]
        assert len(exported["question_votes"]) == 1
        assert await made.audience.erase(ANN.id) == {"votes": 1, "messages": 1, "questions": 1}
        assert made.told(Viewpoint.PUBLIC, "chat.deleted") == [{"id": message["id"]}]
        assert made.told(Viewpoint.PUBLIC, "question.changed")[-1] == {"id": asked["id"], "removed": True}
        snapshot = await made.public()
        assert (snapshot["chat"], [q["votes"] for q in snapshot["questions"]]) == ([], [0])
        again = await made.audience.export(ANN.id)
        assert [name for name, rows in again.items() if name != "participant" and rows] == []


async def test_nothing_of_somebodys_words_stays_where_they_were_deleted_with_others(tmp_path: Path) -> None:
    async with hall(tmp_path) as made:
        hers = await made.do(ANN, ChatSend("a secret of Ann's"))
        his = await made.do(BEN, ChatSend("a word of Ben's"))
        deleted = await made.do(MODERATOR, ChatDelete(None, (hers["id"], his["id"]), "why not"))
        await made.audience.erase(ANN.id)
        async with made.database.read() as connection:
            left = await Moderation(connection).action(deleted["action"])
        assert left is not None
        assert left.changes == ()
        assert await refused(made, MODERATOR, Undo(deleted["action"])) == "not_undoable"


async def test_what_moderators_think_is_not_in_ones_own_data(tmp_path: Path) -> None:
    async with hall(tmp_path) as made:
        said = await made.do(ANN, ChatSend("hello"))
        asked = await made.do(ANN, QuestionAsk("Why?"))
        await made.do(MODERATOR, QuestionMove(None, (asked["id"],), state=QuestionState.PENDING))
        await made.do(MODERATOR, QuestionEdit(asked["id"], "HUSH"))
        await made.do(MODERATOR, QuestionMove(None, (asked["id"],), state=QuestionState.DISMISSED, reason="HUSH"))
        await made.do(MODERATOR, ChatDelete(None, (said["id"],), "HUSH"))
        await made.do(MODERATOR, Mute(ANN.id, 60, "HUSH"))
        await made.do(MODERATOR, NoteAdd(ANN.id, "HUSH"))
        own = await made.audience.export(ANN.id)
        assert "HUSH" not in str(own)
        assert [row["text"] for row in own["questions"]] == ["Why?"]


async def swept(made: Hall) -> dict[str, int]:
    async with made.database.write() as connection:
        return await sweep(connection, Periods(keep_days=30), made.clock())


async def test_what_is_old_is_swept(tmp_path: Path) -> None:
    async with hall(tmp_path, keep_days=30) as made:
        await made.do(ANN, ChatSend("long ago"))
        made.clock.pass_s(31 * 86_400)
        await made.do(BEN, ChatSend("today"))
        assert await swept(made) == {"chat_messages": 1, "participants": 1}


async def test_captions_stay_for_as_long_as_their_recording(tmp_path: Path) -> None:
    async with hall(tmp_path, keep_days=30) as made:
        await store_sessions(made, talk("one", START_MS), talk("two", START_MS + 10_000))
        line = Cue("in", "hall", "fr", "Bonjour", START_MS + 500, 0, 1, START_MS, "g", session="one")
        kept = Recording("one", "hall", "b", "one", START_MS, START_MS + 1_000, state=RecordingState.READY)
        gone = replace(
            kept, session="two", folder="two", start_ms=START_MS + 10_000, end_ms=None, state=RecordingState.DELETED
        )
        async with made.database.write() as connection:
            for recording in (kept, gone):
                await Recordings(connection).add(recording)
            for name, at_ms in (("in", 500), ("after", 1_000), ("of one that is gone", 10_500)):
                await Captions(connection).add(replace(line, id=name, at_ms=START_MS + at_ms))
        assert "captions" not in await swept(made)
        made.clock.pass_s(31 * 86_400)
        assert (await swept(made))["captions"] == 2
        async with made.database.read() as connection:
            assert [one.id for one in await Captions(connection).said("hall", None, 0, 2**52)] == ["in"]


async def test_minutes_watched_are_counted_without_anybodys_name(tmp_path: Path) -> None:
    async with hall(tmp_path) as made:
        # It ticks by itself as well: this minute has had its look then.
        await made.audience.tick()
        await made.audience.join(HALL, ANN, "192.0.2.1")
        made.audience.set_viewers(HALL, hls=3, whep=0)
        await store_sessions(made, talk("one", START_MS - 60_000))
        await made.audience.repository.flushed()
        made.clock.pass_s(60)
        await made.audience.tick()
        made.audience.set_viewers(HALL, hls=5, whep=0)
        made.clock.pass_s(60)
        await made.audience.tick()
        assert await made.audience.watched("one") == {"minutes": 8, "peak": 5, "average": 4.0}
