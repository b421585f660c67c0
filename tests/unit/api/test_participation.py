"""The rest of an audience over REST: lists, tables, timelines, participants' own data. A real server, real clients."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import Any

import pytest

from streamer.api.context import SERVICES
from streamer.api.participation import cell
from streamer.audience.chat import ChatDelete, ChatSend
from streamer.audience.people import Crew, Participant
from streamer.audience.polls import PollOpen, PollVote
from streamer.audience.questions import QuestionAdd, QuestionAsk, QuestionMerge, QuestionMove, QuestionVote
from streamer.audience.scope import Scope
from streamer.conference.participation import PollKind, QuestionState
from streamer.store.marks import Marks
from tests.unit.api.conftest import Api, Client, bearer
from tests.unit.api.test_sockets import Whole
from tests.unit.api.test_sockets import whole as whole

HALL = Scope("hall")
MODERATOR = Crew("mod", "Mod")


async def _on_air(whole: Whole, **fields: Any) -> str:
    session = await whole.plan("A talk", **fields)
    await whole.api("POST", f"/sessions/{session['id']}/start", {}, expect=200)
    return str(session["id"])


async def test_questions_are_listed_as_everybody_saw_them_and_whole_for_moderators(whole: Whole) -> None:
    session = await _on_air(whole)
    audience = whole.app[SERVICES].audience
    await audience.run(HALL, Participant("p1", "Ada"), QuestionAsk("=HYPERLINK(1)", anonymous=True))
    await audience.run(HALL, MODERATOR, QuestionAdd("Asked aloud", "Bob", "balcony"))
    public = await whole.api.as_("")("GET", f"/questions?session={session}")
    assert [item["text"] for item in public["items"]] == ["=HYPERLINK(1)", "Asked aloud"]
    assert public["items"][0]["name"] is None
    assert "original" not in public["items"][0]
    token = await whole.api.grant("moderator", room="hall")
    seen = await whole.api.as_(token)("GET", "/questions?room=hall")
    assert seen["items"][0]["name"] == "Ada"
    paged = await whole.api.as_("")("GET", "/questions?limit=1")
    assert paged["cursor"]
    async with whole.api.client.get("/api/v1/questions?format=csv", headers=bearer(token)) as response:
        assert response.content_type == "text/csv"
        rows = list(csv.DictReader(io.StringIO(await response.text())))
    assert [row["text"] for row in rows] == ["'=HYPERLINK(1)", "Asked aloud"]


async def test_polls_are_listed_and_what_a_private_session_voted_is_its_own(whole: Whole) -> None:
    secret = await whole.plan("Board", visibility="private")
    await whole.api("POST", f"/sessions/{secret['id']}/start", {}, expect=200)
    audience, board = whole.app[SERVICES].audience, Scope("hall", secret["id"])
    opened = await audience.run(board, MODERATOR, PollOpen(PollKind.SINGLE, "Sell the house?", ("yes", "no")))
    await audience.run(board, Participant("p1", "Ada"), PollVote(str(opened["id"]), (0,)))
    assert (await whole.api.as_("")("GET", "/polls"))["items"] == []
    assert (await whole.api.as_("")("GET", f"/polls?session={secret['id']}"))["items"] == []
    [poll] = (await whole.api("GET", "/polls"))["items"]
    assert [option["votes"] for option in poll["options"]] == [1, 0]
    await whole.api.as_("")("GET", f"/sessions/{secret['id']}/timeline", expect=404)
    guest = await whole.api.grant("viewer", session=secret["id"])
    assert len((await whole.api.as_(guest)("GET", f"/sessions/{secret['id']}/timeline"))["polls"]) == 1


async def test_one_is_read_by_its_id_by_whoever_may_see_it_in_the_list(whole: Whole) -> None:
    await _on_air(whole)
    audience, stranger = whole.app[SERVICES].audience, whole.api.as_("")
    asked = await audience.run(HALL, Participant("p1", "Ada"), QuestionAsk("Why?", anonymous=True))
    opened = await audience.run(HALL, MODERATOR, PollOpen(PollKind.SINGLE, "Lunch?", results_at_end=True))
    question, poll = f"/questions/{asked['id']}", f"/polls/{opened['id']}"
    public = await stranger("GET", question)
    assert (public["text"], public["name"], "original" in public) == ("Why?", None, False)
    assert (await whole.api("GET", question))["name"] == "Ada"
    assert [option["votes"] for option in (await stranger("GET", poll))["options"]] == [None, None]
    assert [option["votes"] for option in (await whole.api("GET", poll))["options"]] == [0, 0]
    await audience.run(HALL, MODERATOR, QuestionMove(None, (str(asked["id"]),), state=QuestionState.DISMISSED))
    assert (await stranger("GET", question, expect=404))["error"]["code"] == "no_such_question"
    assert (await whole.api("GET", question))["state"] == "dismissed"
    assert (await stranger("GET", "/polls/none", expect=404))["error"]["code"] == "no_such_poll"


async def test_votes_of_what_was_merged_are_united_with_no_session_on_air(whole: Whole) -> None:
    audience = whole.app[SERVICES].audience
    ids = []
    for text in ("Why?", "But why?", "Why not?"):
        ids.append(str((await audience.run(HALL, MODERATOR, QuestionAdd(text)))["id"]))
    for number, asked in enumerate((ids[0], ids[1], ids[1])):
        await audience.run(HALL, Participant(f"p{number}", "Ada"), QuestionVote(asked, 1))
    await audience.run(HALL, MODERATOR, QuestionMerge((ids[0], ids[1])))
    assert (await whole.api.as_("")("GET", f"/questions/{ids[0]}"))["votes"] == 3
    first = await whole.api.as_("")("GET", "/questions?limit=1")
    assert [(item["id"], item["votes"], item["session"]) for item in first["items"]] == [(ids[0], 3, None)]


async def test_what_an_unlisted_session_was_asked_wants_the_key_of_its_link(whole: Whole) -> None:
    hidden = await whole.plan("By link", visibility="unlisted")
    await whole.api("POST", f"/sessions/{hidden['id']}/start", {}, expect=200)
    audience, stranger = whole.app[SERVICES].audience, whole.api.as_("")
    asked = await audience.run(Scope("hall", hidden["id"]), Participant("p1", "Ada"), QuestionAsk("Who is here?"))
    await stranger("GET", f"/questions/{asked['id']}", expect=404)
    await stranger("GET", f"/questions/{asked['id']}?session={hidden['id']}&key=guessed", expect=404)
    key = hidden["watch_url"].rpartition("/")[2]
    found = await stranger("GET", f"/questions/{asked['id']}?key={key}")
    assert found["text"] == "Who is here?"
    assert (await stranger("GET", "/questions"))["items"] == []
    assert (await stranger("GET", f"/questions?session={hidden['id']}"))["items"] == []
    named = f"/questions?session={hidden['id']}&key={key}"
    assert len((await stranger("GET", named))["items"]) == 1


async def test_a_timeline_has_what_was_shown_by_media_time(whole: Whole) -> None:
    session = await _on_air(whole)
    audience = whole.app[SERVICES].audience
    ada = Participant("p1", "Ada")
    first = await audience.run(HALL, ada, ChatSend("first"))
    gone = await audience.run(HALL, ada, ChatSend("gone again"))
    await audience.run(HALL, MODERATOR, ChatDelete(None, (str(gone["id"]),)))
    began = whole.app[SERVICES].director.find(session)
    assert began is not None
    assert began.started_ms is not None
    # Messages during the slate before it do not belong to the session.
    late = await audience.run(HALL, ada, ChatSend("now", media_at=began.started_ms + 1))
    found = await whole.api.as_("")("GET", f"/sessions/{session}/timeline")
    assert [item["id"] for item in found["chat"]] == [late["id"]]
    assert first["media_at"] < began.started_ms
    later = await whole.api.as_("")("GET", f"/sessions/{session}/timeline?from_ms={began.started_ms + 2}")
    assert later["chat"] == []
    watched = await whole.api("GET", f"/sessions/{session}/audience")
    assert watched == {"session": session, "minutes": 0, "peak": 0, "average": 0.0}


async def test_chapters_of_what_was_asked_behind_closed_doors_stay_there(whole: Whole) -> None:
    session = await _on_air(whole, visibility="private")
    audience, path = whole.app[SERVICES].audience, f"/sessions/{session}/timeline"
    board = Scope("hall", session)
    began = whole.app[SERVICES].director.find(session)
    assert began is not None
    assert began.started_ms is not None
    asked = await audience.run(board, MODERATOR, QuestionAdd("Who is to be dismissed?"))
    for state in (QuestionState.ON_STAGE, QuestionState.ANSWERED):
        await audience.run(board, MODERATOR, QuestionMove(None, (str(asked["id"]),), state=state))
    async with whole.app[SERVICES].database.write() as connection:
        (mark,) = await Marks(connection).of_session(session)
        # Replays show no messages that were sent during the slate before a session.
        await Marks(connection).save(replace(mark, at_ms=began.started_ms + 1))
    guest = whole.api.as_(await whole.api.grant("viewer", session=session))
    assert [chapter["question"] for chapter in (await guest("GET", path))["chapters"]] == [asked["id"]]
    repository = whole.app[SERVICES].archivist.repository
    assert [label for _, label in (await repository.details(session)).chapters] == ["Who is to be dismissed?"]
    await whole.api("PATCH", f"/sessions/{session}", {"visibility": "public"}, expect=200)
    assert (await whole.api.as_("")("GET", path))["chapters"] == []
    assert (await repository.details(session)).chapters == ()
    assert len((await whole.api("GET", path))["chapters"]) == 1


async def test_no_table_has_what_somebody_has_erased(whole: Whole) -> None:
    await _on_air(whole)
    viewer = await whole.connect(room="hall", name="Ada")
    await viewer.command("question.ask", {"text": "my own words"})
    await whole.app[SERVICES].audience.repository.flushed()

    async def table() -> str:
        async with whole.api.client.get("/api/v1/questions?format=csv") as response:
            assert response.status == 200
            return await response.text()

    assert "my own words" in await table()
    token = {"Streamer-Participant": viewer.snapshots[0]["you"]["key"]}
    async with whole.api.client.delete("/api/v1/me/data", headers=token) as response:
        assert (await response.json())["removed"]["questions"] == 1
    assert "my own words" not in await table()


async def test_one_gets_and_removes_what_is_stored_of_oneself(whole: Whole) -> None:
    client = whole.api.client
    await whole.api.as_("")("GET", "/me/data", expect=401)
    viewer = await whole.connect(room="hall", name="Ada")
    other = await whole.connect(room="hall", name="Bob")
    token = {"Streamer-Participant": viewer.snapshots[0]["you"]["key"]}
    said = await viewer.command("chat.send", {"text": "mine"})
    async with client.get("/api/v1/me/data", headers=token) as response:
        data = await response.json()
    assert data["participant"] == viewer.snapshots[0]["you"]["id"]
    assert [row["text"] for row in data["data"]["chat_messages"]] == ["mine"]
    async with client.delete("/api/v1/me/data", headers=token) as response:
        assert (await response.json())["removed"]["messages"] == 1
        assert response.cookies["streamer_participant"].value == ""
    await other.told("chat.deleted", lambda data: data["id"] == said["id"])
    async with client.get("/api/v1/me/data", headers=token) as response:
        assert (await response.json())["data"]["chat_messages"] == []


async def test_pages_give_a_participant_their_cookie_once(client: Client, api: Api) -> None:
    await api("POST", "/rooms", {"id": "hall", "name": "Hall"})
    async with client.get("/watch/hall") as response:
        cookie = response.cookies["streamer_participant"]
        assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
        assert response.headers["Cache-Control"] == "private, no-cache"
    headers = {"Cookie": f"streamer_participant={cookie.value}"}
    client.session.cookie_jar.clear()
    async with client.get("/watch/hall", headers=headers) as response:
        assert "streamer_participant" not in response.cookies
    for path in ("/embed/hall", "/studio"):
        async with client.get(path) as response:
            assert "streamer_participant" not in response.cookies, path
    forged = {"Cookie": "streamer_participant=p1.1.AAAA"}
    async with client.get("/watch/hall", headers=forged) as response:
        assert response.cookies["streamer_participant"].value


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "  =1", "\u2068=1\u2069", "＝1"])
def test_no_cell_of_a_table_is_a_formula(text: str) -> None:
    assert cell(text).startswith("'")


def test_other_cells_are_as_they_are() -> None:
    assert [cell("a = b"), cell(3), cell(None), cell("")] == ["a = b", 3, "", ""]
