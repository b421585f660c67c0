"""The audience service on a database: what people do, what each viewpoint sees of it, and what a restart finds."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from streamer.audience import chat
from streamer.audience.chat import ChatApprove, ChatDelete, ChatSend, ChatWithdraw
from streamer.audience.crew import Claim, CrewSay, Undo
from streamer.audience.modes import ModeSet, NoticeSet
from streamer.audience.names import NameSet
from streamer.audience.news import Viewpoint
from streamer.audience.people import Participant
from streamer.audience.polls import PollOpen
from streamer.audience.questions import QuestionAsk, QuestionMove, QuestionVote
from streamer.audience.reactions import React, TroubleReport
from streamer.audience.records import ParticipantCard
from streamer.audience.reports import ReportItem, ReportResolve
from streamer.audience.sanctions import Ban, Mute, NoteAdd
from streamer.audience.scope import Scope
from streamer.audience.timelines import Shown
from streamer.conference.participation import ChatMode, PollKind, QuestionMode, QuestionState
from streamer.errors import StreamerError
from streamer.store.database import StoreUnavailable
from tests.fakes.talkers import (
    ANN,
    BEN,
    HALL,
    MODERATOR,
    SPEAKER,
    START_MS,
    closed,
    hall,
    refused,
    store_sessions,
    talk,
)


async def test_a_message_is_told_to_all_and_is_there_after_a_restart(tmp_path: Path) -> None:
    async with hall(tmp_path) as made:
        answer = await made.do(ANN, ChatSend("Bonjour <b>tous</b>"))
        (told,) = made.told(Viewpoint.PUBLIC, "chat.message")
        assert told["id"] == answer["id"]
        assert (told["text"], told["name"], told["state"]) == ("Bonjour <b>tous</b>", "Ann", "visible")
        assert told["media_at"] == made.clock.now_ms - 5000
    async with hall(tmp_path) as again:
        again.clock.pass_s(60)
        assert [message["id"] for message in (await again.public())["chat"]] == [answer["id"]]


async def test_the_fourth_message_in_two_seconds_is_refused_and_says_when_to_come_again(tmp_path: Path) -> None:
    async with hall(tmp_path) as made:
        for number in range(3):
            await made.audience.run(HALL, ANN, ChatSend(f"message {number}"))
        with pytest.raises(StreamerError) as caught:
            await made.audience.run(HALL, ANN, ChatSend("message 3"))
        assert (caught.value.code, caught.value.status, caught.value.headers) == ("flood", 429, {"Retry-After": "2"})
        await made.audience.run(HALL, BEN, ChatSend("I am somebody else"))
        made.clock.pass_s(2)
        await made.audience.run(HALL, ANN, ChatSend("message 3"))


async def test_modes_let_in_whom_they_say(tmp_path: Path) -> None:
    async with hall(tmp_path) as made:
        for mode, code in (
            (ChatMode.READ_ONLY, "read_only"),
            (ChatMode.QUESTIONS_ONLY, "questions_only"),
            (ChatMode.CLOSED, "chat_closed"),
        ):
            await made.do(MODERATOR, ModeSet(chat=mode))
            assert await refused(made, ANN, ChatSend("hello")) == code
        await made.do(ANN, QuestionAsk("May I?"))
        await made.do(MODERATOR, ModeSet(chat=ChatMode.READ_ONLY, questions=QuestionMode.CLOSED, anonymous=False))
        assert await refused(made, ANN, QuestionAsk("And now?")) == "questions_closed"
        assert (await made.do(SPEAKER, ChatSend("Welcome")))["state"] == "visible"
        await made.do(MODERATOR, ModeSet(chat=ChatMode.SLOW, slow_seconds=10, questions=QuestionMode.OPEN))
        await made.do(ANN, ChatSend("one"))
        assert await refused(made, ANN, ChatSend("two")) == "slow_mode"
        assert await refused(made, ANN, QuestionAsk("Who am I?", anonymous=True)) == "anonymous_not_allowed"
        made.clock.pass_s(10)
        await made.do(ANN, ChatSend("two"))
        assert made.told(Viewpoint.PUBLIC, "room.mode")[-1]["chat"] == "slow"


async def test_what_is_held_is_seen_by_its_author_and_moderators_until_it_is_approved(tmp_path: Path) -> None:
    async with hall(tmp_path, blocked_words=("rubbish",)) as made:
        held = await made.do(ANN, ChatSend("what RUBB1SH"))
        assert held["state"] == "held"
        assert made.told(Viewpoint.PUBLIC) == []
        assert [m["id"] for m in made.told(Viewpoint.OWN, "chat.message", ANN.id)] == [held["id"]]
        assert made.told(Viewpoint.MODERATION, "chat.message")[0]["reason"] == "word"
        assert (await made.public())["chat"] == []
        assert [m["id"] for m in (await made.own(ANN))["chat"]] == [held["id"]]
        assert (await made.own(BEN))["chat"] == []
        approved = await made.do(MODERATOR, ChatApprove(None, (held["id"],)))
        assert [m["id"] for m in made.told(Viewpoint.PUBLIC, "chat.message")] == [held["id"]]
        await made.do(MODERATOR, Undo(approved["action"]))
        assert made.told(Viewpoint.PUBLIC, "chat.deleted") == [{"id": held["id"]}]
        assert (await made.public())["chat"] == []


async def test_a_deleted_message_comes_back_by_undo_even_when_it_is_not_in_memory_any_more(tmp_path: Path) -> None:
    async with hall(tmp_path, messages_in_memory=20) as made:
        first = await made.do(ANN, ChatSend("the first"))
        deleted = await made.do(MODERATOR, ChatDelete(None, (first["id"],), "off topic"))
        assert made.told(Viewpoint.PUBLIC, "chat.deleted") == [{"id": first["id"]}]
        for number in range(120):
            await made.do(BEN, ChatSend(f"more {number}"))
        assert len((await made.moderators())["chat"]) <= 70
        assert await made.do(MODERATOR, Undo(deleted["action"])) == {"undone": deleted["action"], "action": None}
        assert made.told(Viewpoint.PUBLIC, "chat.message")[-1]["id"] == first["id"]
        assert (await made.do(MODERATOR, Undo(deleted["action"])))["undone"] == deleted["action"]


async def test_in_a_busy_chat_older_messages_are_answered_reported_and_moderated(tmp_path: Path) -> None:
    async with hall(tmp_path, messages_in_memory=20) as made:
        old = await made.do(ANN, ChatSend("a good point"))
        gone = await made.do(ANN, ChatSend("a bad one"))
        await made.do(MODERATOR, ChatDelete(None, (gone["id"],)))
        for number in range(100):
            await made.do(replace(BEN, id=f"p-{number}"), ChatSend(f"text {number}"))
        assert old["id"] not in {message["id"] for message in (await made.moderators())["chat"]}
        assert (await made.do(BEN, ChatSend("so it is", reply_to=old["id"])))["state"] == "visible"
        assert await refused(made, BEN, ChatSend("why gone?", reply_to=gone["id"])) == "no_such_message"
        assert await refused(made, BEN, ReportItem("message", gone["id"])) == "no_such_message"
        for number in range(100):
            await made.do(replace(BEN, id=f"p-{number}"), ChatSend(f"more {number}"))
        assert (await made.do(BEN, ReportItem("message", old["id"])))["id"]
        assert (await made.do(MODERATOR, Mute(old["id"], 60)))["participant"] == ANN.id


async def test_authors_take_back_their_own_and_nobody_elses(tmp_path: Path) -> None:
    async with hall(tmp_path) as made:
        message = await made.do(ANN, ChatSend("oops"))
        assert await refused(made, BEN, ChatWithdraw(message["id"])) == "no_such_message"
        await made.do(ANN, ChatWithdraw(message["id"]))
        assert made.told(Viewpoint.PUBLIC, "chat.deleted") == [{"id": message["id"]}]
        assert await refused(made, MODERATOR, ChatApprove(None, (message["id"],))) == "wrong_state"


async def test_mute_and_ban_and_their_undo(tmp_path: Path) -> None:
    async with hall(tmp_path) as made:
        await made.audience.join(HALL, ANN, "192.0.2.7")
        message = await made.do(ANN, ChatSend("grr"))
        muted = await made.do(MODERATOR, Mute(message["id"], 60, "calm down"))
        assert muted["participant"] == ANN.id
        with pytest.raises(StreamerError) as caught:
            await made.do(ANN, ChatSend("I am not"))
        assert (caught.value.code, caught.value.headers["Retry-After"]) == ("muted", "59")
        await made.do(MODERATOR, Undo(muted["action"]))
        await made.do(ANN, ChatSend("thanks"))
        banned = await made.do(MODERATOR, Ban(ANN.id, remove=True))
        assert made.told(Viewpoint.OWN, "you", ANN.id)[-1]["banned"]
        assert (await made.public())["chat"] == []
        for command in (ChatSend("x"), QuestionAsk("y?"), React("clap"), NameSet("Other"), TroubleReport("no_sound")):
            assert await refused(made, ANN, command) == "banned"
        with pytest.raises(StreamerError):
            await made.audience.join(HALL, ANN, "192.0.2.7")
        await made.do(MODERATOR, Undo(banned["action"]))
        assert len((await made.public())["chat"]) == 2
        await made.do(ANN, ChatSend("back again"))


async def test_what_is_taken_away_settles_its_reports_until_it_is_undone(tmp_path: Path) -> None:
    async with hall(tmp_path) as made:
        message = await made.do(ANN, ChatSend("grr"))
        question = await made.do(ANN, QuestionAsk("Why are you all so stupid?"))
        for kind, item in (("message", message), ("question", question)):
            await made.do(BEN, ReportItem(kind, item["id"], "rude"))
        deleted = await made.do(MODERATOR, ChatDelete(None, (message["id"],)))
        assert [report["item"] for report in (await made.moderators())["reports"]] == [question["id"]]
        await made.do(MODERATOR, Undo(deleted["action"]))
        assert len((await made.moderators())["reports"]) == 2
        dismissed = await made.do(MODERATOR, QuestionMove(None, (question["id"],), state=QuestionState.DISMISSED))
        assert [report["item"] for report in (await made.moderators())["reports"]] == [message["id"]]
        await made.do(MODERATOR, Undo(dismissed["action"]))
        banned = await made.do(MODERATOR, Ban(ANN.id, remove=True))
        now = await made.moderators()
        assert now["reports"] == []
        assert [q["state"] for q in now["questions"]] == ["dismissed"]
        assert (await made.public())["questions"] == []
        await made.do(MODERATOR, Undo(banned["action"]))
        now = await made.moderators()
        assert len(now["reports"]) == 2
        assert [q["state"] for q in now["questions"]] == ["approved"]


async def test_a_ban_with_removal_leaves_what_was_answered_or_is_on_stage(tmp_path: Path) -> None:
    async with hall(tmp_path) as made:
        asked = [await made.do(ANN, QuestionAsk(f"Question number {n}, is it?")) for n in range(2)]
        await made.do(MODERATOR, QuestionMove(None, (asked[0]["id"],), state=QuestionState.ON_STAGE))
        await made.do(MODERATOR, Ban(ANN.id, remove=True))
        assert {q["id"]: q["state"] for q in (await made.moderators())["questions"]} == {
            asked[0]["id"]: "on_stage",
            asked[1]["id"]: "dismissed",
        }


async def test_who_returns_under_a_new_name_from_the_same_place_is_held_and_299_others_are_not(tmp_path: Path) -> None:
    async with hall(tmp_path) as made:
        people = [Participant(f"p{n}", f"P{n}", since_ms=made.clock.now_ms) for n in range(300)]
        for person in people:
            await made.audience.join(HALL, person, "192.0.2.7")
        await made.do(MODERATOR, Ban("p0"))
        states = {(await made.do(person, ChatSend("hello")))["state"] for person in people[1:]}
        assert states == {"visible"}
        again = Participant("p-new", "P0 again", since_ms=made.clock.now_ms)
        elsewhere = Participant("p-far", "Far", since_ms=made.clock.now_ms)
        await made.audience.join(HALL, again, "192.0.2.99")
        await made.audience.join(HALL, elsewhere, "198.51.100.1")
        assert (await made.do(again, ChatSend("it is me")))["state"] == "held"
        assert (await made.do(again, QuestionAsk("Is it me?")))["state"] == "pending"
        assert (await made.do(elsewhere, ChatSend("hi")))["state"] == "visible"
        await made.do(MODERATOR, ModeSet(networks=("192.0.2.0/24",)))
        assert (await made.do(again, ChatSend("from the hall's own network")))["state"] == "visible"
        await made.do(MODERATOR, ModeSet(networks=()))
        assert (await made.do(again, ChatSend("not any more")))["state"] == "held"
        made.clock.pass_s(3600)
        assert (await made.do(again, ChatSend("an hour later")))["state"] == "visible"


async def test_nobody_of_the_crew_is_banned_by_mistake(tmp_path: Path) -> None:
    from streamer.conference.grants import Role

    async with hall(tmp_path) as made:
        colleague = replace(BEN, role=Role.MODERATOR)
        await made.audience.join(HALL, colleague, "192.0.2.1")
        assert await refused(made, MODERATOR, Ban(colleague.id)) == "forbidden"
        assert await refused(made, MODERATOR, Ban("nobody")) == "no_such_participant"


async def test_a_clock_that_is_put_back_holds_no_message_longer(tmp_path: Path) -> None:
    async with hall(tmp_path) as made:
        await made.do(MODERATOR, ModeSet(hold_seconds=5))
        await made.do(ANN, ChatSend("hello"))
        made.clock.pass_s(-3600)
        await made.audience.tick()
        await made.audience.repository.flushed()
        assert [message["text"] for message in (await made.public())["chat"]] == ["hello"]


async def test_reactions_and_presence_are_told_as_counts_once_a_second(tmp_path: Path) -> None:
    async with hall(tmp_path) as made:
        await made.audience.join(HALL, ANN, "192.0.2.1")
        await made.audience.join(HALL, ANN, "192.0.2.1")
        made.audience.set_viewers(HALL, hls=7, whep=2)
        for who in (ANN, BEN, SPEAKER):
            await made.do(who, React("👏"))
        assert await refused(made, ANN, React("<script>")) == "invalid"
        await made.audience.tick()
        assert made.told(Viewpoint.PUBLIC, "reaction.counts") == [{"counts": {"clap": 3}}]
        assert made.told(Viewpoint.PUBLIC, "presence") == [{"participants": 1, "hls": 7, "whep": 2, "viewers": 9}]
        made.audience.leave(HALL, ANN.id)
        made.audience.leave(HALL, ANN.id)
        made.clock.pass_s(1)
        await made.audience.tick()
        assert made.told(Viewpoint.PUBLIC, "presence")[-1]["participants"] == 0


async def test_three_people_without_sound_within_30_s_are_an_alarm(tmp_path: Path) -> None:
    async with hall(tmp_path) as made:
        for who in (ANN, ANN, BEN):
            await made.do(who, TroubleReport("no_sound"))
        assert not made.told(Viewpoint.MODERATION, "trouble")[-1]["alarm"]
        await made.do(SPEAKER, TroubleReport("no_sound"))
        assert made.told(Viewpoint.MODERATION, "trouble")[-1] == {
            "kind": "no_sound",
            "people": 3,
            "alarm": True,
            "viewers": 0,
        }
        made.clock.pass_s(31)
        await made.do(ANN, TroubleReport("no_sound"))
        assert made.told(Viewpoint.MODERATION, "trouble")[-1]["people"] == 1


async def test_the_shield_reviews_everything_and_is_one_action_to_undo(tmp_path: Path) -> None:
    async with hall(tmp_path) as made:
        raised = await made.do(MODERATOR, ModeSet(shield=True))
        young = Participant("p-young", "Young", since_ms=made.clock.now_ms)
        assert (await made.do(ANN, ChatSend("hm")))["state"] == "held"
        await made.do(young, ChatSend("hm hm"))
        reasons = [m["reason"] for m in made.told(Viewpoint.MODERATION, "chat.message")]
        assert reasons == ["shield", "newcomer"]
        assert (await made.do(ANN, QuestionAsk("Why is that?")))["state"] == "pending"
        assert made.told(Viewpoint.PUBLIC, "room.mode")[-1]["chat"] == "review"
        await made.do(MODERATOR, Undo(raised["action"]))
        assert (await made.do(ANN, ChatSend("free")))["state"] == "visible"


async def test_a_hold_gives_moderators_some_seconds(tmp_path: Path) -> None:
    async with hall(tmp_path) as made:
        await made.do(MODERATOR, ModeSet(hold_seconds=5))
        first = await made.do(ANN, ChatSend("soon"))
        second = await made.do(BEN, ChatSend("never"))
        assert (first["state"], made.told(Viewpoint.PUBLIC, "chat.message")) == ("delayed", [])
        await made.do(MODERATOR, ChatDelete(None, (second["id"],)))
        made.clock.pass_s(5)
        await made.audience.tick()
        await made.audience.repository.flushed()
        assert [m["id"] for m in made.told(Viewpoint.PUBLIC, "chat.message")] == [first["id"]]
        assert made.told(Viewpoint.PUBLIC, "chat.deleted") == []


async def test_reports_notices_claims_cues_and_cards(tmp_path: Path) -> None:
    async with hall(tmp_path) as made:
        await made.audience.join(HALL, ANN, "192.0.2.1")
        message = await made.do(ANN, ChatSend("buy this"))
        for _ in range(2):
            await made.do(BEN, ReportItem("message", message["id"], "spam"))
        assert [r["reason"] for r in (await made.moderators())["reports"]] == ["spam"]
        await made.do(MODERATOR, ReportResolve(message["id"]))
        assert (await made.moderators())["reports"] == []
        notice = await made.do(MODERATOR, NoticeSet("Coffee at four"))
        other = await made.do(MODERATOR, NoticeSet("At five"))
        await made.do(MODERATOR, Undo(other["action"]))
        assert (await made.public())["notice"]["id"] == notice["id"]
        await made.do(MODERATOR, Claim(message["id"]))
        with pytest.raises(StreamerError) as caught:
            await made.do(replace(MODERATOR, id="g2", label="Jo"), Claim(message["id"]))
        assert (caught.value.code, caught.value.details) == ("claimed", {"by": "Mo"})
        made.clock.pass_s(31)
        await made.do(replace(MODERATOR, id="g2", label="Jo"), Claim(message["id"]))
        await made.do(MODERATOR, CrewSay("Sound is low"))
        await made.do(MODERATOR, CrewSay("Five minutes", to="stage"))
        assert [cue["text"] for cue in made.told(Viewpoint.STAGE, "cue")] == ["Five minutes"]
        assert [line["text"] for line in (await made.moderators())["lines"]] == ["Sound is low", "Five minutes"]
        await made.do(MODERATOR, NoteAdd(ANN.id, "sells things"))
        await made.do(MODERATOR, Mute(ANN.id, 600, "advertising"))
        card = (await made.do(MODERATOR, ParticipantCard(ANN.id)))["card"]
        assert [note["text"] for note in card["notes"]] == ["sells things"]
        assert [entry["reason"] for entry in card["history"]] == ["advertising"]
        assert (card["messages"], card["here"], card["names"]) == (1, True, ["Ann"])
        assert made.told(Viewpoint.PUBLIC, "sanction") == []


async def test_a_crowd_that_reports_one_message_leaves_room_for_other_reports(tmp_path: Path) -> None:
    async with hall(tmp_path) as made:
        said = await made.do(ANN, ChatSend("innocent"))
        for number in range(40):
            assert (await made.do(replace(BEN, id=f"p-{number}"), ReportItem("message", said["id"])))["id"]
        assert len((await made.moderators())["reports"]) == 20
        await made.do(MODERATOR, ReportResolve(said["id"]))
        assert (await made.moderators())["reports"] == []
        await made.do(BEN, ReportItem("message", said["id"]))
        assert len((await made.moderators())["reports"]) == 1


async def test_names_that_mean_the_crew_are_not_taken(tmp_path: Path) -> None:
    async with hall(tmp_path, blocked_words=("rubbish",)) as made:
        assert await refused(made, ANN, NameSet("M0derat0r")) == "name_reserved"
        assert await refused(made, ANN, NameSet("Rubbish")) == "name_refused"
        assert (await made.do(ANN, NameSet(" Ann\u0000e ")))["name"] == "Anne"
        await made.do(replace(ANN, name="stale"), ChatSend("it is me"))
        assert made.told(Viewpoint.PUBLIC, "chat.message")[-1]["name"] == "Anne"
        await made.do(replace(BEN, name="Admin"), ChatSend("believe me"))
        assert made.told(Viewpoint.PUBLIC, "chat.message")[-1]["name"] == ""


async def test_nobody_is_called_what_a_speaker_is_called_who_is_here(tmp_path: Path) -> None:
    async with hall(tmp_path) as made:
        for name in ("ADMlN", "Modératrice", "M.O.D"):
            assert await refused(made, ANN, NameSet(name)) == "name_reserved"
        assert await made.do(BEN, NameSet("Dr Who"))
        await made.audience.join(HALL, SPEAKER, "192.0.2.1")
        assert await refused(made, ANN, NameSet("Ｄr. Ｗh0")) == "name_reserved"
        await made.do(SPEAKER, NameSet("The Doctor"))
        assert await refused(made, ANN, NameSet("the doctor")) == "name_reserved"
        await made.do(replace(ANN, id="p-eve", name="The D\u043ector"), ChatSend("believe me"))
        assert made.told(Viewpoint.PUBLIC, "chat.message")[-1]["name"] == ""
        made.audience.leave(HALL, SPEAKER.id)
        assert (await made.do(ANN, NameSet("The Doctor")))["name"] == "The Doctor 2", "what the speaker said is there"


async def test_a_place_that_came_with_the_connection_is_stored_clean(tmp_path: Path) -> None:
    async with hall(tmp_path) as made:
        await made.do(replace(ANN, place="back\u0000\u202e row"), ChatSend("hello"))
        card = (await made.do(MODERATOR, ParticipantCard(ANN.id)))["card"]
        assert card["place"] == "\u2068back\u202e row\u202c\u2069"


async def test_a_closed_sessions_audience_is_its_own(tmp_path: Path) -> None:
    async with hall(tmp_path) as made:
        await store_sessions(made, closed("secret", START_MS - 1000))
        own = Scope("hall", "secret")
        message = await made.do(ANN, ChatSend("between us"), own)
        assert (await made.public())["chat"] == []
        assert all(event.scope == "session:secret" for event in made.events)
        snapshot = await made.audience.snapshot(own, Viewpoint.PUBLIC)
        assert [(m["id"], m["session"]) for m in snapshot["chat"]] == [(message["id"], "secret")]


async def test_the_timeline_tells_a_replay_what_happened_when(tmp_path: Path) -> None:
    async with hall(tmp_path, blocked_words=("rubbish",)) as made:
        session = talk("one", START_MS - 60_000)
        await store_sessions(made, session)
        kept = await made.do(ANN, ChatSend("hello", media_at=START_MS - 30_000))
        await made.do(ANN, ChatSend("rubbish", media_at=START_MS - 29_000))
        gone = await made.do(BEN, ChatSend("gone", media_at=START_MS - 28_000))
        await made.do(MODERATOR, ChatDelete(None, (gone["id"],)))
        question = await made.do(ANN, QuestionAsk("Why?"))
        hidden = await made.do(BEN, QuestionAsk("Why not?"))
        await made.do(MODERATOR, QuestionMove(None, (hidden["id"],), state=QuestionState.DISMISSED))
        await made.do(BEN, QuestionVote(question["id"], 1))
        await made.do(MODERATOR, QuestionMove(None, (question["id"],), state=QuestionState.ANSWERED))
        poll = await made.do(MODERATOR, PollOpen(PollKind.MULTIPLE, "Which?", ("a", "b")))
        shown = Shown(START_MS - 60_000, None)
        found = await made.audience.timeline(session, shown)
        assert [m["id"] for m in found["chat"]] == [kept["id"]]
        assert [(q["id"], q["votes"], q["state"]) for q in found["questions"]] == [(question["id"], 1, "answered")]
        assert [p["id"] for p in found["polls"]] == [poll["id"]]
        assert (await made.audience.timeline(session, shown, START_MS - 29_999, START_MS))["chat"] == []


async def test_what_the_database_does_not_take_is_no_fault_of_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hall(tmp_path) as made:
        # As PostgreSQL does with a NUL: the connection is not lost.
        monkeypatch.setattr(chat, "media_time", lambda claim_ms, _now_ms, _delay_ms: claim_ms or START_MS)
        done = await asyncio.gather(
            made.audience.run(HALL, ANN, ChatSend("bad", 2**70)),
            made.audience.run(HALL, BEN, ChatSend("good")),
            return_exceptions=True,
        )
        assert isinstance(done[0], StoreUnavailable)
        assert not isinstance(done[1], BaseException)
        assert [message["text"] for message in (await made.public())["chat"]] == ["good"]


async def test_nothing_holds_that_could_not_be_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with hall(tmp_path) as made:
        asked = await made.do(ANN, QuestionAsk("Why?"))
        write = made.audience.repository._write

        async def broken(units: object) -> None:
            raise StoreUnavailable("The disk is full.")

        monkeypatch.setattr(made.audience.repository, "_write", broken)
        done = await asyncio.gather(
            made.audience.run(HALL, ANN, ChatSend("lost")),
            made.audience.run(HALL, BEN, QuestionVote(asked["id"], 1)),
            made.audience.run(HALL, MODERATOR, Ban(ANN.id)),
            return_exceptions=True,
        )
        assert [error.code for error in done if isinstance(error, StreamerError)] == ["store_unavailable"] * 3
        monkeypatch.setattr(made.audience.repository, "_write", write)
        assert ((await made.public())["chat"], (await made.moderators())["sanctions"]) == ([], [])
        assert (await made.do(BEN, QuestionVote(asked["id"], 1)))["votes"] == 1
        await made.do(ANN, ChatSend("found"))


async def test_commands_of_a_moment_share_a_transaction(tmp_path: Path) -> None:
    async with hall(tmp_path) as made:
        people = [Participant(f"p{n}", f"P{n}", since_ms=1) for n in range(200)]
        await made.do(ANN, ChatSend("first"))
        before = made.audience.repository.transactions_total
        await asyncio.gather(*(made.audience.run(HALL, person, ChatSend(f"by {person.id}")) for person in people))
        assert made.audience.repository.transactions_total - before <= 3
        told = [message["text"] for message in made.told(Viewpoint.PUBLIC, "chat.message")]
        assert told == ["first", *(f"by {person.id}" for person in people)]


async def test_an_undo_is_refused_where_somebody_has_changed_the_same_since(tmp_path: Path) -> None:
    async with hall(tmp_path) as made:
        slow = await made.do(MODERATOR, ModeSet(chat=ChatMode.SLOW))
        review = await made.do(MODERATOR, ModeSet(questions=QuestionMode.REVIEW))
        await made.do(MODERATOR, ModeSet(chat=ChatMode.CLOSED))
        assert await refused(made, MODERATOR, Undo(slow["action"])) == "superseded"
        await made.do(MODERATOR, Undo(review["action"]))
        assert made.told(Viewpoint.PUBLIC, "room.mode")[-1]["questions"] == "open"
        assert await refused(made, MODERATOR, Undo("nothing")) == "no_such_action"
