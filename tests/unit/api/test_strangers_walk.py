"""A stranger's walk: whoever is told nothing of a session finds no word, id or key of it at any address, however far
they go. Anonymously, and with grants of every role for something else."""

from __future__ import annotations

import re
import secrets
from base64 import b64encode
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from aiohttp import web
from socketio.exceptions import ConnectionError

from streamer.api.context import SERVICES
from streamer.audience.chat import ChatSend
from streamer.audience.people import Participant
from streamer.audience.questions import QuestionAsk
from streamer.audience.scope import Scope
from streamer.broadcast.view import BroadcastView
from streamer.conference.captions import Cue
from streamer.conference.participation import Question, QuestionState
from streamer.conference.sessions import Mark, MarkKind, Session, SessionState, Visibility
from streamer.formats.index import HEADER, encode_event
from streamer.settings import Settings
from streamer.store.captions import Captions
from streamer.store.marks import Marks
from streamer.store.questions import Questions
from streamer.store.sessions import Sessions
from streamer.web.application import REALTIME
from tests.fakes.attendees import Attendee
from tests.fakes.media_plane import FakePlane
from tests.fakes.studio import Studio
from tests.fakes.varnish import at_edge, varnish_program
from tests.fakes.walking import OPEN, Hidden, walk
from tests.unit.api.conftest import ADMIN, bearer
from tests.unit.api.test_sockets import Whole
from tests.unit.api.test_sockets import whole as whole

WORD = "marmot"
"""In all words and ids of what is hidden."""
GRANTS: list[tuple[str, dict[str, str]]] = [
    *(
        (role, {"session": "TALK"})
        for role in ("organiser", "technician", "moderator", "captioner", "speaker", "viewer")
    ),
    ("technician", {"room": "far"}),
    ("moderator", {"venue": "nantes"}),
    ("organiser", {"event": "other"}),
]
SPACES = ("/audience", "/moderation", "/studio")


@dataclass
class World:
    whole: Whole
    hidden: Hidden
    talk: str
    next: str
    """The private session that is armed behind the public talk."""
    code: str
    """A hall's."""


def _soon(minutes: float, length: float = 30) -> dict[str, str]:
    start = datetime.now(UTC) + timedelta(minutes=minutes)
    return {"start": start.isoformat(), "end": (start + timedelta(minutes=length)).isoformat()}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """All walks lead through a front process."""
    return settings.model_copy(update={"server": settings.server.model_copy(update={"web_processes": 1})})


@pytest.fixture
async def world(whole: Whole, settings: Settings) -> World:
    api, services = whole.api, whole.app[SERVICES]
    for venue in ("paris", "nantes"):
        await api("POST", "/venues", {"id": venue, "name": venue})
    await api("PATCH", "/rooms/hall", {"venue": "paris"})
    await api("POST", "/rooms", {"id": "far", "name": "Far", "venue": "nantes"})
    for event in ("days", "other"):
        await api("POST", "/events", {"id": event, "name": event, "venue": "paris"})
    hidden = Hidden({WORD})
    await _past(whole, settings, hidden)
    public = await api("POST", "/sessions", {"room": "hall", "event": "days", "title": f"{OPEN} talk", **_soon(-5)})
    closed = {"room": "hall", "event": "days", "abstract": f"{WORD} abstract", "speakers": [f"{WORD} speaker"]}
    private = await api(
        "POST",
        "/sessions",
        {**closed, "title": f"{WORD} next", "visibility": "private", "do_not_record": "ask", **_soon(5)},
    )
    training = await api(
        "POST", "/sessions", {**closed, "title": f"{WORD} training", "visibility": "unlisted", **_soon(60)}
    )
    await api("POST", f"/sessions/{public['id']}/start", {}, expect=200)
    await api("POST", f"/sessions/{private['id']}/delay", {"minutes": 1}, expect=200)
    await api("POST", "/grants", {"role": "viewer", "session": private["id"], "label": f"{WORD} guest"})
    hidden.words |= {private["id"], training["id"]}
    for item in (await api("GET", "/sessions?limit=200"))["items"]:
        if item["visibility"] != "public":
            hidden.words |= {item["key"], item["watch_url"].rpartition("/")[2]} - {"", item["id"]}
    code = (await api("POST", "/rooms/hall/hall-codes", {}))["code"]
    await _said(whole, public["id"], OPEN)
    await services.director.refresh()
    assert any(alarm.session == private["id"] for alarm in services.director.alarms("hall"))
    assert services.director.config("hall").orders.outputs
    # The room's process tells what it shows, as it was ordered to.
    plane = cast(FakePlane, services.plane)
    room = await plane.ensure(services.director.config("hall"))
    room.view, status = BroadcastView(), room.status  # type: ignore[assignment]
    assert status is not None
    status.shows = {"public": "programme"} | {
        one.name: "slate" for one in services.director.config("hall").orders.outputs
    }
    return World(whole, hidden, public["id"], private["id"], code)


async def _past(whole: Whole, settings: Settings, hidden: Hidden) -> None:
    """A talk, a training by link and a board's meeting: recorded, published, talked about."""
    services = whole.app[SERVICES]
    view = BroadcastView()
    studio = Studio(settings.room_dir("hall"), view.apply)
    studio.run(20.5)
    record = encode_event(view.snapshot())
    assert record is not None
    (settings.room_dir("hall") / studio.broadcast.id / "index-000001.sx").write_bytes(HEADER + record)
    for number, visibility in enumerate(Visibility):
        word = OPEN if visibility is Visibility.PUBLIC else WORD
        start_ms, end_ms = studio.at(2 + 6 * number), studio.at(8 + 6 * number)
        session = Session(
            f"{word}-{visibility.value}",
            "hall",
            f"{word} {visibility.value} title",
            start_ms,
            end_ms,
            event="days",
            abstract=f"{word} {visibility.value} abstract",
            speakers=(f"{word} {visibility.value} speaker",),
            visibility=visibility,
            state=SessionState.ENDED,
            started_ms=start_ms,
            ended_ms=end_ms,
        )
        scope = "hall" if visibility is Visibility.PUBLIC else f"session:{session.id}"
        question = Question(
            f"q-{word}-{number}", "hall", scope, session.id, None, "", "", "", f"{word} {visibility.value}?",
            start_ms + 1, start_ms + 1,
            state=QuestionState.APPROVED,
        )  # fmt: skip
        at_ms = start_ms + 1000
        line = Cue(
            f"c-{word}-{number}",
            "hall",
            "fr",
            f"{word} {visibility.value} caption",
            at_ms,
            at_ms,
            at_ms + 1,
            at_ms,
            "g",
        )
        async with services.database.write() as connection:
            await Sessions(connection).add(session)
            await Marks(connection).add(
                Mark(
                    f"m-{word}-{number}",
                    session.id,
                    MarkKind.CHAPTER,
                    at_ms,
                    label=f"{word} {visibility.value} chapter",
                )
            )
            await Questions(connection).put_many([question])
            await Captions(connection).add(replace(line, session=session.id))
        await services.archivist.look(session.id)
    await services.director.refresh()
    for item in (await whole.api("GET", "/recordings"))["items"]:
        if OPEN not in item["session"]:
            hidden.words |= {edition["id"] for edition in item["editions"]}
    assert len((await whole.api("GET", "/recordings"))["items"]) == 3


async def _said(whole: Whole, session: str, word: str) -> None:
    audience, person = whole.app[SERVICES].audience, Participant("p1", "Ada")
    await audience.run(Scope("hall"), person, ChatSend(f"{word} chat"))
    await audience.run(Scope("hall"), person, QuestionAsk(f"{word} question?"))


def addresses(app: web.Application, world: World) -> list[str]:
    """Every list one by one, and every address that is served, for what is public."""
    talk = f"{OPEN}-public"
    known = {"rooms": "hall", "sessions": talk, "venues": "paris", "events": "days", "recordings": talk}
    found = []
    for route in app.router.routes():
        path = route.resource.canonical if route.resource is not None else ""
        if route.method != "GET" or path.startswith("/socket.io"):
            continue
        kind = path.split("/")[3] if path.startswith("/api/v1/") else ""
        path = path.replace("{id}", known.get(kind, f"q-{OPEN}-0")).replace("{room}", "hall").replace("{session}", talk)
        if re.search(r"[{]", path):
            continue
        found += [path, f"{path}?limit=1"] if kind else [path]
        if kind in ("sessions", "recordings", "questions", "polls"):
            found += [f"{path}?limit=1&{name}" for name in ("room=hall", "event=days", "venue=paris", "published=true")]
            found.append(f"{path}?format=csv")
    found += [f"/schedule.{form}?{name}" for form in ("xml", "json", "ics") for name in ("event=days", "room=hall")]
    found += [f"/session/{world.talk}", f"/api/v1/sessions/{world.talk}"]
    return found + [f"/api/v1/{name}?room=hall&limit=1" for name in ("alarms", "actions", "grants", "audit")]


def test_a_hidden_word_is_found_however_it_is_written() -> None:
    written = ["Marm%6ft", "&#109;armot"]
    written += [b64encode(f"{before}-Marmot-behind".encode()).decode() for before in "abcd"]
    written += [f"/live/{b64encode(f'{before}marmot {{}}'.encode()).decode()}/x" for before in ("", "a", "ab", "abc")]
    assert [text for text in written if Hidden({WORD, "other"}).found_in(f"<p>{text}</p>") != [WORD]] == []
    assert Hidden({WORD}).found_in(f"mar mot {b64encode(b'a long text without it').decode()}") == []


async def test_nothing_hidden_is_found_at_any_address(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Anonymously: pages, playlists, media and exports, too."""
    hidden = Hidden(world.hidden.words | {world.code})
    await look(world, "", hidden, addresses(world.whole.app, world), capsys)


async def test_nothing_hidden_is_found_with_a_grant_for_something_else(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    # The interface's description is the same for all, and long.
    found = [one for one in addresses(world.whole.app, world) if one.startswith("/api/v1/")]
    begin = [one for one in found if "limit=1&" not in one and "openapi" not in one]
    for role, scope in GRANTS:
        own = {name: world.talk if value == "TALK" else value for name, value in scope.items()}
        token = await world.whole.api.grant(role, **own)
        # The talk's own crew may read its room's codes.
        words = world.hidden.words if "session" in scope else world.hidden.words | {world.code}
        await look(world, token, Hidden(words), begin, capsys, within="/api/v1/")


async def test_a_hidden_session_that_somebody_names_is_one_that_does_not_exist(world: World) -> None:
    organiser = world.whole.api.as_(await world.whole.api.grant("organiser", room="far"))
    for method, path, body in (
        ("GET", "/sessions/NAME", None),
        ("PATCH", "/sessions/NAME", {"title": "Mine"}),
        ("DELETE", "/sessions/NAME", None),
        ("POST", "/sessions/NAME/start", {}),
        ("GET", "/sessions/NAME/timeline?whole=true", None),
        ("GET", "/sessions/NAME/audience", None),
        ("GET", "/recordings/NAME", None),
        ("PATCH", "/recordings/NAME", {"pinned": True}),
        ("GET", "/recordings/NAME/still.jpg?at=1", None),
        ("GET", "/recordings/NAME/waveform", None),
        ("GET", "/recordings/NAME/approval", None),
        ("POST", "/recordings/NAME/approval", {"label": "Zoé"}),
        ("POST", "/recordings/NAME/approval/answer", {"edition": "e", "approved": True}),
        ("GET", "/questions?session=NAME", None),
        ("GET", "/grants?session=NAME", None),
        ("POST", "/grants", {"role": "viewer", "session": "NAME"}),
        ("GET", "/audit?kind=session&id=NAME", None),
    ):
        answers = []
        for name in (world.next, f"{WORD}-private", f"{WORD}-unlisted", "there-is-none"):
            sent = None if body is None else {key: name if value == "NAME" else value for key, value in body.items()}
            url = f"/api/v1{path.replace('NAME', name)}"
            async with organiser.client.request(method, url, json=sent, headers=bearer(organiser.token)) as response:
                answers.append((response.status, (await response.text()).replace(name, "NAME")))
        assert answers == answers[-1:] * 4, (method, path)


async def test_the_link_of_an_unlisted_session_opens_that_session_and_nothing_else(world: World) -> None:
    api, unlisted = world.whole.api, f"{WORD}-unlisted"
    page = (await api("GET", f"/sessions/{unlisted}"))["watch_url"].removeprefix("http://streamer.test")
    key = page.rpartition("/")[2]
    of = f"/api/v1/sessions/{unlisted}"
    begin = [page, f"{of}?key={key}", f"{of}/timeline?key={key}", f"/api/v1/recordings/{unlisted}?key={key}"]
    begin += [f"/api/v1/{kind}?session={unlisted}&limit=1&key={key}" for kind in ("questions", "polls")]
    hidden = Hidden({world.next, world.code, f"{WORD} private", f"{WORD}-private", f"{WORD} next"})
    done = await walk(api.client, begin, {}, hidden)
    assert done.finds == []
    assert [address for address in begin if done.seen[address] != 200] == []
    # It plays, and its file can be had.
    played = [address for address, status in done.seen.items() if address.startswith("/replay/") and status == 200]
    assert any(address.endswith(".m4s") for address in played), done.seen
    assert any(address.endswith(".mp4") for address in played), done.seen
    for address in begin[1:]:
        async with api.client.get(address.replace(key, "guessed")) as response:
            told = await response.text()
            assert response.status == 404 or told == '{"items":[],"cursor":null}', address


@pytest.mark.skipif(varnish_program() is None, reason="varnish is not installed")
async def test_an_edge_gives_strangers_nothing_of_what_others_had_from_it(world: World, tmp_path: Path) -> None:
    api = world.whole.api
    async with at_edge(tmp_path / "varnish", world.whole.url) as edge:
        begin = []
        for kind in ("private", "unlisted"):
            session = await api("GET", f"/sessions/{WORD}-{kind}")
            begin.append(f"/replay/{session['id']}/~{session['key']}/index.m3u8")
        crew = await walk(edge, begin, bearer(ADMIN), Hidden(), "/replay/")
        played = [address for address, status in crew.seen.items() if status == 200]
        assert sum(address.endswith(".m4s") for address in played) > 1, crew.seen
        # The crew's addresses without their key, and all that leads on from what is public.
        without = [re.sub("/~[^/]+", "", address) for address in played]
        stranger = await walk(edge, without + addresses(world.whole.app, world), {}, world.hidden)
    assert stranger.finds == []
    assert {stranger.seen[address] for address in without} == {404}
    assert any(address.endswith(".m4s") and status == 200 for address, status in stranger.seen.items())


async def look(
    world: World, token: str, hidden: Hidden, begin: list[str], capsys: pytest.CaptureFixture[str], within: str = "/"
) -> None:
    api, headers = world.whole.api, bearer(token) if token else {}
    sockets = await connected(world, token)
    capsys.readouterr()
    done = await walk(api.client, begin, headers, hidden, within)
    assert done.finds == []
    assert [address for address, status in done.seen.items() if status == 500] == []
    assert done.found, "a walk that finds nothing public has gone nowhere"
    # Meanwhile something happens to what is hidden, and then to what is not.
    await api("PATCH", f"/sessions/{world.next}", {"title": f"{WORD} {len(token)} {secrets.token_hex(4)}"})
    await api("POST", f"/sessions/{world.next}/delay", {"minutes": 1}, expect=200)
    world.whole.app[REALTIME].feed.look()
    title = f"{OPEN} {secrets.token_hex(4)}"
    await api("PATCH", f"/sessions/{world.talk}", {"title": title})
    for attendee in sockets:
        await attendee.told("session.changed", lambda data: data["title"] == title)
        assert hidden.found_in(attendee.text) == [], attendee.namespace
        await attendee.close()
    assert hidden.found_in(capsys.readouterr().out) == []


async def connected(world: World, token: str) -> list[Attendee]:
    """Everywhere that lets them in."""
    found = []
    for namespace in SPACES:
        for auth in ({"room": "hall"}, {"session": world.talk}):
            try:
                attendee = await world.whole.connect(namespace, **auth, **({"token": token} if token else {}))
            except ConnectionError:
                continue
            found.append(attendee)
    assert found
    return found
