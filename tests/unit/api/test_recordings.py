"""Recordings over the API: who sees what, cuts, publishing, stills, retention."""

from __future__ import annotations

import base64
import io
from typing import Any

import pytest
from PIL import Image

from streamer.api.context import SERVICES
from streamer.broadcast.view import BroadcastView
from streamer.conference.sessions import Session, SessionState, Visibility
from streamer.formats import erasures
from streamer.formats.index import HEADER, encode_event
from streamer.settings import Settings
from streamer.store.database import Database
from streamer.store.erasing import Unfinished
from streamer.store.sessions import Sessions
from tests.fakes.studio import Studio
from tests.unit.api.conftest import Api, Client, bearer


@pytest.fixture
async def studio(api: Api, client: Client, database: Database, settings: Settings) -> Studio:
    """Fourteen seconds of a room: a talk, then a board's meeting."""
    view = BroadcastView()
    await api("POST", "/venues", {"id": "v", "name": "Maison"})
    await api("POST", "/rooms", {"id": "salle", "name": "Salle", "venue": "v"})
    room_dir = settings.room_dir("salle")
    studio = Studio(room_dir, view.apply)
    studio.run(14.5)
    record = encode_event(view.snapshot())
    assert record is not None
    (room_dir / studio.broadcast.id / "index-000001.sx").write_bytes(HEADER + record)
    for name, start, end, visibility in (
        ("talk", 2.0, 8.0, Visibility.PUBLIC),
        ("board", 8.0, 14.0, Visibility.PRIVATE),
    ):
        session = Session(
            name,
            "salle",
            f"Title of {name}",
            studio.at(start),
            studio.at(end),
            state=SessionState.ENDED,
            started_ms=studio.at(start),
            ended_ms=studio.at(end),
            visibility=visibility,
        )
        async with database.write() as connection:
            await Sessions(connection).add(session)
    archivist = client.app[SERVICES].archivist  # type: ignore[union-attr]
    for name in ("talk", "board"):
        await archivist.look(name)
    await client.app[SERVICES].director.refresh()  # type: ignore[union-attr]
    return studio


async def sessions_of(api: Api, query: str = "") -> list[str]:
    return [item["session"] for item in (await api("GET", f"/recordings{query}"))["items"]]


async def test_who_sees_which_recordings(api: Api, studio: Studio) -> None:
    nobody = api.as_("")
    assert await sessions_of(nobody) == ["talk"]
    shown = await nobody("GET", "/recordings/talk")
    assert shown["title"] == "Title of talk"
    assert shown["replay_url"] == "http://streamer.test/replay/talk/index.m3u8"
    assert {"bytes", "editions", "pinned"}.isdisjoint(shown)
    hidden = await nobody("GET", "/recordings/board", expect=404)
    assert hidden == await nobody("GET", "/recordings/nothing", expect=404)
    technician = api.as_(await api.grant("technician", room="salle"))
    assert sorted(await sessions_of(technician)) == ["board", "talk"]
    viewer = api.as_(await api.grant("viewer", venue="v"))
    board = await viewer("GET", "/recordings/board")
    key = (await viewer("GET", "/sessions/board"))["key"]
    assert board["replay_url"] == f"http://streamer.test/replay/board/~{key}/index.m3u8"
    assert "editions" not in board
    await api("POST", "/rooms", {"id": "other", "name": "Other", "venue": "v"})
    stranger = api.as_(await api.grant("technician", room="other"))
    assert await sessions_of(stranger) == ["talk"]
    await stranger("GET", "/recordings/board", expect=404)


async def test_an_organiser_moves_the_cut(api: Api, studio: Studio) -> None:
    organiser = api.as_(await api.grant("organiser", venue="v", label="Anne"))
    before = await organiser("GET", "/recordings/talk")
    assert (before["start_ms"], before["end_ms"]) == (studio.at(2), studio.at(8))
    assert before["bytes"] > 100_000
    change: dict[str, Any] = {
        "start_ms": studio.at(2.5),
        "skips": [{"from_ms": studio.at(4), "to_ms": studio.at(5)}],
    }
    after = await organiser("PATCH", "/recordings/talk", change)
    assert after["start_ms"] == studio.at(2.5)
    assert [bool(e["replaced"]) for e in after["editions"]] == [True, False]
    assert after["editions"][1]["skips"] == [[studio.at(4), studio.at(5)]]
    again = await organiser("PATCH", "/recordings/talk", change)
    assert again["editions"] == after["editions"]
    refused = await organiser("PATCH", "/recordings/talk", {"end_ms": studio.at(99)}, expect=422)
    assert refused["error"]["code"] == "bad_cut"
    for wrong in ({"start_ms": None}, {"start_ms": "x"}, {"other": 1}, {"skips": [{"from_ms": 1}]}):
        await organiser("PATCH", "/recordings/talk", wrong, expect=422)
    entry = (await api("GET", "/audit?kind=recording&id=talk"))["items"][0]
    assert (entry["action"], entry["label"], entry["id"] is not None) == ("recording.change", "Anne", True)


async def test_unpublished_it_is_for_its_reviewers(api: Api, studio: Studio) -> None:
    organiser = api.as_(await api.grant("organiser", venue="v"))
    shown = await organiser("PATCH", "/recordings/talk", {"published": False})
    assert not shown["published"]
    assert shown["replay_url"] == shown["editions"][-1]["url"]
    assert [bool(e["replaced"]) for e in shown["editions"]] == [True, False]
    assert await sessions_of(api.as_("")) == []
    await organiser("PATCH", "/recordings/talk", {"published": True})
    assert await sessions_of(api.as_("")) == ["talk"]


async def test_a_technician_looks_and_changes_nothing(api: Api, studio: Studio) -> None:
    technician = api.as_(await api.grant("technician", room="salle"))
    await technician("PATCH", "/recordings/talk", {"pinned": True}, expect=403)
    await technician("DELETE", "/recordings/talk", expect=403)
    await api.as_("")("PATCH", "/recordings/talk", {"pinned": True}, expect=401)


async def test_stills_frame_by_frame(api: Api, client: Client, studio: Studio) -> None:
    technician = await api.grant("technician", room="salle")
    path = f"/api/v1/recordings/talk/still.jpg?at={studio.at(3.01)}"
    async with client.get(path, headers=bearer(technician)) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "image/jpeg"
        assert response.headers["Cache-Control"] == "no-store"
        assert int(response.headers["X-Media-Time"]) == studio.at(3.0)
        assert int(response.headers["X-Frame-After"]) == studio.at(3.0) + 34
        assert int(response.headers["X-Frame-Before"]) == studio.at(3.0) - 33
        with Image.open(io.BytesIO(await response.read())) as picture:
            assert picture.size == (320, 180)
    async with client.get(path) as response:
        assert response.status == 401
    async with client.get("/api/v1/recordings/talk/still.jpg?at=5", headers=bearer(technician)) as response:
        assert response.status == 404


async def test_the_waveform_is_the_crews(api: Api, studio: Studio) -> None:
    technician = api.as_(await api.grant("technician", room="salle"))
    made = await technician("GET", "/recordings/talk/waveform")
    shown = await technician("GET", "/recordings/talk")
    assert (made["from_ms"], made["bin_ms"], made["complete"]) == (shown["material_from_ms"], 40, True)
    peaks = base64.b64decode(made["peaks"])
    # The board's meeting follows. Nothing of it is in the talk's waveform.
    assert studio.at(0) + len(peaks) * 40 <= studio.at(8) + 40
    assert min(peaks[5:-5]) > 200
    for stranger in ("", await api.grant("viewer", venue="v"), await api.grant("moderator", room="salle")):
        await api.as_(stranger)("GET", "/recordings/talk/waveform", expect=403 if stranger else 401)
    await api("POST", "/rooms", {"id": "far", "name": "Far"})
    await api.as_(await api.grant("technician", room="far"))("GET", "/recordings/board/waveform", expect=404)
    await api("DELETE", "/recordings/talk")
    await api("GET", "/recordings/talk/waveform", expect=404)


async def test_the_whole_material_plays_for_its_crew_alone(api: Api, client: Client, studio: Studio) -> None:
    technician, viewer = await api.grant("technician", room="salle"), await api.grant("viewer", venue="v")
    shown = await api.as_(technician)("GET", "/recordings/talk")
    _, _, _, _, session, key, whole, _ = shown["material_url"].split("/")
    services = client.app[SERVICES]  # type: ignore[union-attr]
    opened = await services.keys.open_replay(session, key.removeprefix("~"))
    assert (opened.holds, opened.cuts) == (True, True)
    state = await services.archivist.find("talk")
    assert (state.whole.id, state.edition(whole), state.whole.event) == (whole, state.whole, False)
    # The key of somebody who may only watch, and no key.
    board = await api.as_(viewer)("GET", "/recordings/board")
    watching = await services.keys.open_replay("board", board["replay_url"].split("/~")[1].split("/")[0])
    everybody = await services.keys.open_replay("talk", None)
    assert [(one.holds, one.cuts) for one in (watching, everybody)] == [(True, False), (True, False)]
    # A stretch is forgotten that the cut does not touch. The address of before opens nothing.
    await api("POST", "/rooms/salle/forget", {"from_ms": studio.at(1), "to_ms": studio.at(1.5)}, expect=200)
    assert (await services.archivist.find("talk")).edition(whole) is None
    again = await api.as_(technician)("GET", "/recordings/talk")
    assert whole not in again["material_url"]
    assert again["editions"] == shown["editions"]


async def test_a_stretch_that_the_disk_does_not_forget_yet_is_shown_nowhere(
    api: Api, client: Client, studio: Studio
) -> None:
    before = base64.b64decode((await api("GET", "/recordings/talk/waveform"))["peaks"])
    stretch = erasures.StretchErasure(studio.at(5), "salle", studio.at(3), studio.at(4))
    erasing = client.app[SERVICES].erasing  # type: ignore[union-attr]
    erasing._unfinished[stretch] = Unfinished(stretch, studio.at(5), problem="the disk is read-only")
    after = base64.b64decode((await api("GET", "/recordings/talk/waveform"))["peaks"])
    bins = slice(3000 // 40 + 1, 4000 // 40 - 1)
    assert min(before[bins]) > 200
    assert set(after[bins]) == {0}
    for at, status in ((2.5, 200), (3.5, 404)):
        path = f"/api/v1/recordings/talk/still.jpg?at={studio.at(at)}"
        async with client.get(path, headers=bearer(api.token)) as response:
            assert response.status == status
    del erasing._unfinished[stretch]


async def asked(api: Api, name: str = "talk", **more: Any) -> tuple[dict[str, Any], Api]:
    """The question, and the speaker's own requests."""
    made = await api("POST", f"/recordings/{name}/approval", {"label": "Zoé", **more})
    page, _, token = made["link"].partition("#token=")
    assert page == f"http://streamer.test/approve/{name}"
    return made, api.as_(token)


async def test_a_replay_waits_for_its_speaker(api: Api, studio: Studio) -> None:
    await api("PATCH", "/recordings/talk", {"published": False})
    made, zoe = await asked(api)
    assert (made["state"], made["publish"], made["title"]) == ("asked", True, "Title of talk")
    refused = await api("PATCH", "/recordings/talk", {"published": True}, expect=409)
    assert refused["error"]["code"] == "approval_waits"
    seen = await zoe("GET", "/recordings/talk/approval")
    assert (seen["duration_ms"], seen["edition"]) == (6000, made["edition"])
    change = {"edition": seen["edition"], "approved": False, "note": "Without the first second, please."}
    await zoe("POST", "/recordings/talk/approval/answer", {**change, "note": " "}, expect=422)
    told = await zoe("POST", "/recordings/talk/approval/answer", change, expect=200)
    assert (told["state"], told["note"]) == ("change_wanted", "Without the first second, please.")
    assert (await api("GET", "/recordings/talk"))["approval"] == "change_wanted"
    # Another cut is another question. An answer about the old one does not count.
    await api("PATCH", "/recordings/talk", {"start_ms": studio.at(3)})
    assert [one["approval"] for one in (await api("GET", "/recordings"))["items"]] == ["asked", None]
    yes = {"edition": seen["edition"], "approved": True}
    late = await zoe("POST", "/recordings/talk/approval/answer", yes, expect=409)
    assert late["error"]["code"] == "replaced"
    again = await zoe("GET", "/recordings/talk/approval")
    assert (again["state"], again["duration_ms"], again["published"]) == ("asked", 5000, False)
    done = await zoe("POST", "/recordings/talk/approval/answer", {**yes, "edition": again["edition"]}, expect=200)
    assert (done["state"], done["published"]) == ("approved", True)
    assert await sessions_of(api.as_("")) == ["talk"]
    log = (await api("GET", "/audit?kind=recording&id=talk"))["items"]
    assert [(one["action"].removeprefix("recording."), one["label"]) for one in log[:3]] == [
        ("publish", "Zoé"),
        ("approve", "Zoé"),
        ("change", "STREAMER_ADMIN_TOKEN"),
    ]
    assert log[3]["details"] == {"note": "Without the first second, please."}
    assert log[4]["action"] == "recording.ask_approval"


async def test_an_approvers_link_is_good_for_one_cut_and_nothing_else(
    api: Api, client: Client, database: Database, studio: Studio
) -> None:
    made, zoe = await asked(api, "board")
    keys = client.app[SERVICES].keys  # type: ignore[union-attr]
    key = (await zoe("GET", "/recordings/board/approval"))["url"].split("/~")[1].split("/")[0]
    opened = await keys.open_replay("board", key)
    assert (opened.holds, opened.unpublished, opened.finished_only, opened.cuts) == (True, True, True, False)
    # A session that goes on is not theirs to watch.
    async with database.read() as connection:
        session = await Sessions(connection).get("board")
    assert [keys._admits(session, opened.holder, live=live) for live in (False, True)] == [True, False]
    crew = (await api("GET", "/recordings/board"))["material_url"].split("/~")[1].split("/")[0]
    watching = await keys.open_replay("board", crew)
    assert (watching.finished_only, keys._admits(session, watching.holder, live=True)) == (False, True)
    for method, path, body, expect in (
        ("GET", "/sessions/board", None, 404),
        ("GET", "/recordings/board", None, 404),
        ("GET", "/recordings/talk/approval", None, 404),
        ("GET", "/recordings/board/waveform", None, 403),
        ("GET", f"/recordings/board/still.jpg?at={studio.at(9)}", None, 403),
        ("PATCH", "/recordings/board", {"published": True}, 403),
        ("DELETE", "/recordings/board/approval", None, 403),
        ("POST", "/grants", {"role": "viewer", "session": "board"}, 403),
    ):
        await zoe(method, path, body, expect=expect)
    await api("POST", "/grants", {"role": "approver", "session": "board"}, expect=422)
    # An organiser does not answer in the speaker's place.
    yes = {"edition": made["edition"], "approved": True}
    await api("POST", "/recordings/board/approval/answer", yes, expect=404)
    assert (await api("GET", "/recordings/board/approval"))["label"] == "Zoé"
    # Asked again, and withdrawn: the links of before are over, and with them the keys.
    _, newer = await asked(api, "board", publish=False)
    await zoe("GET", "/recordings/board/approval", expect=401)
    assert not opened.holds
    assert await keys.open_replay("board", key) is None
    await api("DELETE", "/recordings/board/approval")
    await newer("GET", "/recordings/board/approval", expect=401)
    await api("GET", "/recordings/board/approval", expect=404)
    await api("PATCH", "/recordings/board", {"published": True})


async def test_who_asks_for_approval_and_for_how_long(api: Api, studio: Studio) -> None:
    technician = api.as_(await api.grant("technician", room="salle"))
    await technician("POST", "/recordings/talk/approval", {"label": "Zoé"}, expect=403)
    await api.as_("")("GET", "/recordings/talk/approval", expect=401)
    for wrong in ({}, {"label": ""}, {"label": "Z", "expires": "2020-01-01T00:00:00Z"}):
        await api("POST", "/recordings/talk/approval", wrong, expect=422)
    await api("POST", "/recordings/talk/approval", {"label": "Z", "expires": "2099-01-01T00:00:00Z"}, expect=422)
    await api("POST", "/recordings/nothing/approval", {"label": "Z"}, expect=404)
    made, zoe = await asked(api)
    (link,) = [one for one in (await api("GET", "/grants"))["items"] if one["role"] == "approver"]
    assert (link["label"], link["session_title"], link["expires"]) == ("Zoé", "Title of talk", made["expires"])
    await api("DELETE", f"/grants/{link['id']}")
    await zoe("GET", "/recordings/talk/approval", expect=401)
    assert (await api("GET", "/recordings/talk/approval"))["expires"] is None
    await api("DELETE", "/recordings/talk")
    await api("GET", "/recordings/talk/approval", expect=404)


async def test_deleted_and_pinned(api: Api, studio: Studio) -> None:
    await api("PATCH", "/recordings/talk", {"pinned": True})
    refused = await api("DELETE", "/recordings/talk", expect=409)
    assert refused["error"]["code"] == "pinned"
    await api("PATCH", "/recordings/talk", {"pinned": False})
    await api("DELETE", "/recordings/talk")
    assert (await api("GET", "/recordings/talk"))["state"] == "deleted"
    await api("DELETE", "/recordings/talk", expect=404)
    assert await sessions_of(api.as_("")) == []


async def test_retention_is_shown_before_it_happens(api: Api, studio: Studio) -> None:
    assert (await api("GET", "/retention"))["items"] == []
    plan = await api("GET", "/retention?days=0&room=salle")
    assert {item["session"] for item in plan["items"]} == {"talk", "board"}
    await api("PATCH", "/rooms/salle", {"retention_days": 1})
    await api("PATCH", "/recordings/board", {"pinned": True})
    # The studio's clock stands in the year 2026, and so does nobody's retention before the day after.
    done = await api("POST", "/retention", {}, expect=200)
    assert all(item["session"] == "talk" for item in done["items"])
    room_organiser = api.as_(await api.grant("organiser", venue="v"))
    await room_organiser("GET", "/retention", expect=403)
    await room_organiser("GET", "/retention?room=salle")
