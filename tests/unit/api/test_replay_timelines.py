"""A session's timeline over REST: who is told, and that what the replay does not show is told to nobody."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from streamer.conference.participation import Message, Question, QuestionState
from streamer.conference.sessions import Mark, MarkKind
from streamer.store.chat import ChatMessages
from streamer.store.database import Database
from streamer.store.marks import Marks
from streamer.store.questions import Questions
from tests.fakes.studio import Studio
from tests.unit.api.conftest import Api
from tests.unit.api.test_recordings import studio as studio

PATH = "/sessions/talk/timeline"


async def said(database: Database, studio: Studio, *seconds: float, session: str = "talk") -> None:
    messages = []
    for s in seconds:
        at_ms = studio.at(s)
        messages.append(
            Message(f"{session}-{s}", "salle", "salle", session, "p", "Ann", "", f"at {s}", at_ms + 3000, at_ms)
        )
    async with database.write() as connection:
        await ChatMessages(connection).put_many(messages)


async def hide(database: Database, studio: Studio, from_s: float, to_s: float | None) -> None:
    mark = Mark(
        "fire", "talk", MarkKind.INCIDENT, studio.at(from_s), until_ms=None if to_s is None else studio.at(to_s)
    )
    async with database.write() as connection:
        await Marks(connection).add(mark)


def texts(found: dict[str, Any]) -> list[str]:
    return [item["text"] for item in found["chat"]]


async def test_it_is_cut_as_the_replay_is(api: Api, database: Database, studio: Studio) -> None:
    await said(database, studio, 1, 2, 4.5, 6, 8)
    nobody = api.as_("")
    found = await nobody("GET", PATH)
    assert texts(found) == ["at 2", "at 4.5", "at 6"]
    assert (found["start_ms"], found["end_ms"], found["skips"]) == (studio.at(2), studio.at(8), [])
    change = {"start_ms": studio.at(3), "skips": [{"from_ms": studio.at(4), "to_ms": studio.at(5)}]}
    await api("PATCH", "/recordings/talk", change)
    found = await nobody("GET", PATH)
    assert texts(found) == ["at 6"]
    assert found["skips"] == [[studio.at(4), studio.at(5)]]
    # Logged in or not: it is in step with the same picture. Only who edits may read on.
    assert texts(await api("GET", PATH)) == ["at 6"]
    assert len(texts(await api("GET", f"{PATH}?whole=true"))) == 5
    await nobody("GET", f"{PATH}?whole=true", expect=401)
    viewer = api.as_(await api.grant("viewer", venue="v"))
    await viewer("GET", f"{PATH}?whole=true", expect=403)


async def test_a_hidden_incident_is_not_told_before_the_replay_is_cut_anew(
    api: Api, database: Database, studio: Studio
) -> None:
    await said(database, studio, 3, 5)
    asked = Question("q", "salle", "salle", "talk", "p", "Ann", "", "", "What burns?", 0, studio.at(5))
    answered = replace(asked, state=QuestionState.ANSWERED, staged_ms=studio.at(6.5), answered_ms=studio.at(7))
    async with database.write() as connection:
        await Questions(connection).put_many([answered])
    assert len((await api.as_("")("GET", PATH))["questions"]) == 1
    await hide(database, studio, 4, 6)
    found = await api.as_("")("GET", PATH)
    assert (texts(found), found["questions"], found["skips"]) == (["at 3"], [], [[studio.at(4), studio.at(6)]])


async def test_an_incident_that_lasts_hides_all_that_follows(api: Api, database: Database, studio: Studio) -> None:
    await said(database, studio, 3, 5, 7.9)
    await hide(database, studio, 4, None)
    assert texts(await api.as_("")("GET", PATH)) == ["at 3"]


async def test_a_replay_that_is_not_published_is_not_told(api: Api, database: Database, studio: Studio) -> None:
    await said(database, studio, 3)
    await api("PATCH", "/recordings/talk", {"published": False})
    assert (await api.as_("")("GET", PATH, expect=404))["error"]["code"] == "no_replay"
    # People who may see the recording earlier see this earlier, too.
    speaker = api.as_(await api.grant("speaker", room="salle"))
    assert texts(await speaker("GET", PATH)) == ["at 3"]
    await api("PATCH", "/recordings/talk", {"published": True})
    assert texts(await api.as_("")("GET", PATH)) == ["at 3"]
    await api("DELETE", "/recordings/talk", expect=204)
    assert (await api("GET", PATH, expect=404))["error"]["code"] == "no_replay"


async def test_a_private_sessions_is_for_who_may_see_it(api: Api, database: Database, studio: Studio) -> None:
    await said(database, studio, 9, session="board")
    path = "/sessions/board/timeline"
    assert (await api.as_("")("GET", path, expect=404))["error"]["code"] == "no_such_session"
    guest = api.as_(await api.grant("viewer", venue="v"))
    assert texts(await guest("GET", path)) == ["at 9"]
    await api("POST", "/venues", {"id": "w", "name": "Elsewhere"})
    other = api.as_(await api.grant("viewer", venue="w"))
    await other("GET", path, expect=404)


async def test_kinds_are_chosen_by_name(api: Api, database: Database, studio: Studio) -> None:
    await said(database, studio, 3)
    assert texts(await api("GET", f"{PATH}?kinds=chat")) == ["at 3"]
    assert texts(await api("GET", f"{PATH}?kinds=questions,polls")) == []
    for wrong in ("secrets", "chat,,polls", ""):
        await api("GET", f"{PATH}?kinds={wrong}", expect=422)
