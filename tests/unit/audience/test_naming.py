"""Display names: namesakes are told apart, nobody passes for the crew or for a speaker."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from streamer.audience.chat import ChatSend
from streamer.audience.names import NameSet
from streamer.audience.news import Viewpoint
from streamer.audience.people import Participant
from streamer.audience.questions import QuestionAsk, QuestionEdit
from streamer.audience.records import ParticipantCard
from streamer.conference.grants import Role
from tests.fakes.talkers import ANN, BEN, HALL, MODERATOR, SPEAKER, START_MS, Hall, hall, refused, store_sessions, talk

CEM = replace(BEN, id="p-cem", name="Ann")


async def said(made: Hall, who: Participant, text: str) -> str:
    """Under which name."""
    await made.do(who, ChatSend(text))
    return str(made.told(Viewpoint.PUBLIC, "chat.message")[-1]["name"])


async def test_namesakes_get_a_number(tmp_path: Path) -> None:
    async with hall(tmp_path) as made:
        assert await said(made, ANN, "first") == "Ann"
        assert await said(made, CEM, "me too") == "Ann 2"
        assert (await made.do(BEN, NameSet("ＡNN")))["name"] == "ＡNN 3"
        assert (await made.do(CEM, NameSet("Ann")))["name"] == "Ann 2", "one's own number is kept"
        assert (await made.do(BEN, NameSet("Annie")))["name"] == "Annie"
        assert (await made.do(BEN, NameSet("Änn")))["name"] == "Änn"
        assert (await made.do(BEN, NameSet("A" * 40)))["name"] == "A" * 40
        assert (await made.do(CEM, NameSet("a" * 40)))["name"] == "a" * 35 + " 2"


async def test_who_comes_back_under_the_name_that_was_given_keeps_its_number(tmp_path: Path) -> None:
    async with hall(tmp_path) as made:
        await said(made, ANN, "first")
        assert await said(made, CEM, "me too") == "Ann 2"
        await made.audience.join(HALL, CEM, "192.0.2.1")
        assert (await made.own(CEM))["you"]["name"] == "Ann 2"
        await made.audience.join(HALL, replace(CEM, name="Cem"), "192.0.2.1")
        assert await said(made, replace(CEM, name="Cem"), "another one") == "Cem"


async def test_the_sessions_speakers_keep_their_full_names_for_themselves(tmp_path: Path) -> None:
    async with hall(tmp_path) as made:
        speakers = ("Ada Lovelace", "Zoé Martin")
        assert (await made.do(BEN, NameSet("Zoe Martin")))["name"] == "Zoe Martin"
        await store_sessions(made, talk("one", START_MS - 1000, speakers=speakers))
        await made.audience.tick()
        for name in ("ada lovelace", "Ada  L0velace", "Аdа Lоvеlасе", "Zoe Martin"):
            assert await refused(made, ANN, NameSet(name)) == "name_reserved", name
        for name in ("Ada", "Lovelace", "Zoé", "Ada Martin"):
            assert (await made.do(ANN, NameSet(name)))["name"] == name
        assert await said(made, BEN, "still here") == "Zoe Martin 2", "it has become a speaker's"
        assert (await made.do(SPEAKER, NameSet("Ada Lovelace")))["name"] == "Ada Lovelace"
        await store_sessions(made, talk("one", START_MS - 1000, made.clock.now_ms - 600_000, speakers=speakers))
        await made.audience.tick()
        assert (await made.do(ANN, NameSet("Zoé Martin")))["name"] == "Zoé Martin", "after the session it is a name"


async def test_a_speakers_link_takes_the_name_of_the_only_speaker(tmp_path: Path) -> None:
    nameless = replace(SPEAKER, name="")
    async with hall(tmp_path) as made:
        await store_sessions(made, talk("one", START_MS - 1000, speakers=("Ada Lovelace",)))
        await made.audience.tick()
        assert await said(made, nameless, "hello") == "Ada Lovelace"
        assert await said(made, replace(nameless, id="p-mod", role=Role.MODERATOR), "hello, too") == ""


async def test_a_card_has_what_somebody_wrote_in_this_session(tmp_path: Path) -> None:
    async with hall(tmp_path) as made:
        await made.do(ANN, ChatSend("before it"))
        made.clock.pass_s(1)
        await store_sessions(made, talk("one", made.clock.now_ms))
        await made.audience.tick()
        await made.do(ANN, ChatSend("in it"))
        asked = await made.do(ANN, QuestionAsk("Mine?"))
        await made.do(ANN, QuestionAsk("Nobody's?", anonymous=True))
        await made.do(MODERATOR, QuestionEdit(asked["id"], "Hers?"))
        card = (await made.audience.run(HALL, MODERATOR, ParticipantCard(ANN.id)))["card"]
        assert [(one["kind"], one["text"], one["state"]) for one in card["written"]] == [
            ("question", "Mine?", "approved"),
            ("message", "in it", "visible"),
        ]
        await made.audience.erase(ANN.id)
        await made.audience.join(HALL, ANN, "192.0.2.1")
        card = (await made.audience.run(HALL, MODERATOR, ParticipantCard(ANN.id)))["card"]
        assert card["written"] == []
