"""While a public talk runs, its crew learn nothing of the private session that follows it, through its whole life."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from streamer.api.context import SERVICES
from streamer.audience.chat import ChatSend
from streamer.audience.people import Participant
from streamer.audience.questions import QuestionAsk
from streamer.audience.scope import Scope
from streamer.conference.captions import Cue
from streamer.store.captions import Captions
from streamer.store.recordings import Editions, Recording, Recordings, RecordingState, StoredEdition
from streamer.web.application import REALTIME
from tests.fakes.attendees import Attendee
from tests.fakes.media_plane import FakePlane
from tests.fakes.waiting import until, until_answered
from tests.fakes.walking import Hidden
from tests.unit.api.conftest import Api
from tests.unit.api.test_captions import put_on
from tests.unit.api.test_sockets import Whole
from tests.unit.api.test_sockets import whole as whole

CREW = ("technician", "moderator", "captioner", "speaker", "viewer")
SPACES = {"technician": "/studio", "moderator": "/moderation"}
WORD = "marmot"
"""In all that is of the private session: title, speakers, abstract, what is said in it."""


@dataclass
class Talk:
    """A public talk on air with its crew, and a private session after it."""

    whole: Whole
    talk: Any
    private: Any
    crew: dict[str, Api]
    sockets: list[Attendee]
    hidden: Hidden = field(default_factory=Hidden)

    @property
    def id(self) -> str:
        found: str = self.private["id"]
        return found

    async def tap(self, name: str, body: Any = None) -> Any:
        return await self.whole.api("POST", f"/sessions/{self.id}/{name}", body or {}, expect=200)

    async def change(self, **fields: Any) -> None:
        await self.whole.api("PATCH", f"/sessions/{self.id}", fields)
        await self.learn_keys()

    async def learn_keys(self) -> None:
        """Learns the keys of those who may see it; nobody else gets them."""
        seen = await self.whole.api("GET", f"/sessions/{self.id}")
        if seen["visibility"] != "public":
            self.hidden.words |= {seen["key"], seen["watch_url"].rpartition("/")[2]} - {"", self.id}

    async def look(self, stage: str) -> None:
        """All that the talk's crew is told at this moment, by REST and by new connections, and has been told so far."""
        self.whole.app[REALTIME].feed.look()
        for role, api in self.crew.items():
            for path in (
                "/rooms",
                "/rooms/hall",
                "/sessions",
                "/recordings",
                "/questions",
                "/polls",
                "/questions?format=csv",
                "/events",
                "/me",
                f"/sessions/{self.talk['id']}",
            ):
                await self._read(api, path, (200,), f"{stage}, {role}")
            for path in ("/alarms", "/alarms?room=hall", "/actions?room=hall", "/rooms/hall/captions"):
                await self._read(api, path, (200, 403), f"{stage}, {role}")
            assert await api("GET", f"/sessions/{self.id}", expect=404) == await api("GET", "/sessions/x", expect=404)
            for path in (f"/sessions/{self.id}/timeline", f"/recordings/{self.id}"):
                await self._read(api, path, (404,), f"{stage}, {role}")
            for name in ("start", "end", "cancel"):
                refused = await self.answer(api, "POST", f"/sessions/{self.id}/{name}")
                assert refused == await self.answer(api, "POST", f"/sessions/x/{name}"), (stage, role, name)
            fresh = await self.whole.connect(SPACES.get(role, "/audience"), room="hall", token=api.token)
            assert self.hidden.found_in(fresh.text) == [], (stage, role)
            await fresh.close()
        for attendee in self.sockets:
            assert self.hidden.found_in(attendee.text) == [], (stage, attendee.namespace)
        slate = self.whole.app[SERVICES].director.config("hall")
        assert self.hidden.found_in(str((slate.orders.slate, slate.slate_title, slate.slate_text))) == [], stage
        # And who may know is told: else there would be nothing to hide.
        assert WORD in str(await self.whole.api("GET", "/sessions")), stage

    async def look_from_outside(self, stage: str) -> None:
        """While the room is the private session's own: it is shut to the talk's crew."""
        for role, api in self.crew.items():
            for path in ("/rooms", "/rooms/hall", "/sessions", "/questions", "/questions?format=csv", "/recordings"):
                await self._read(api, path, (200,), f"{stage}, {role}")
            for path in ("/alarms", "/alarms?room=hall", "/actions?room=hall", "/rooms/hall/captions"):
                await self._read(api, path, (200, 403), f"{stage}, {role}")
        for attendee in self.sockets:
            assert self.hidden.found_in(attendee.text) == [], (stage, attendee.namespace)

    async def _read(self, api: Api, path: str, statuses: tuple[int, ...], stage: str) -> None:
        status, text = await self.answer(api, "GET", path)
        assert status in statuses, (stage, path, text)
        assert self.hidden.found_in(text) == [], (stage, path)

    async def answer(self, api: Api, method: str, path: str) -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {api.token}"}
        async with self.whole.api.client.request(method, f"/api/v1{path}", headers=headers) as response:
            return response.status, await response.text()


def _times(from_minutes: float, minutes: float) -> dict[str, str]:
    start = datetime.now(UTC) + timedelta(minutes=from_minutes)
    return {"start": start.isoformat(), "end": (start + timedelta(minutes=minutes)).isoformat()}


@pytest.fixture
async def talk(whole: Whole) -> Talk:
    api = whole.api
    public = await api("POST", "/sessions", {"room": "hall", "title": "Open talk", **_times(-5, 30)})
    private = await api(
        "POST",
        "/sessions",
        {
            "room": "hall",
            "title": f"{WORD} board",
            "abstract": f"About {WORD} abstracts",
            "speakers": [f"{WORD} speaker"],
            "visibility": "private",
            "do_not_record": "ask",
            **_times(5, 30),
        },
    )
    await api("POST", f"/sessions/{public['id']}/start", {}, expect=200)
    crew = {role: api.as_(await api.grant(role, session=public["id"])) for role in CREW}
    sockets = [
        await whole.connect(SPACES.get(role, "/audience"), room="hall", token=one.token) for role, one in crew.items()
    ]
    sockets.append(await whole.connect(session=public["id"], token=crew["viewer"].token))
    made = Talk(whole, public, private, crew, sockets)
    made.hidden.words = {WORD, private["id"]}
    await made.learn_keys()
    return made


async def _state(talk: Talk, state: str) -> None:
    async def now() -> bool:
        await talk.whole.app[SERVICES].director.refresh()
        seen = await talk.whole.api("GET", f"/sessions/{talk.id}")
        return bool(seen["state"] == state)

    await until_answered(now)


async def test_the_crew_of_a_public_talk_learns_nothing_of_the_private_session_after_it(talk: Talk) -> None:
    api, services = talk.whole.api, talk.whole.app[SERVICES]
    technician, studio = talk.crew["technician"], talk.sockets[0]
    await _state(talk, "armed")
    orders = services.director.config("hall").orders
    assert orders.outputs, "the room waits for it"
    await talk.look("armed")
    # Somebody is asked about it, and it is moved: what rings and what was tapped is not the talk's crew's to know.
    assert any(alarm.session == talk.id for alarm in services.director.alarms("hall"))
    await talk.tap("delay", {"minutes": 1})
    ringing = next(one.id for one in services.director.alarms("hall") if one.session == talk.id)
    for alarm in (ringing, "unanswered:hall:x"):
        answer = await studio.command("alarm.acknowledge", {"id": alarm})
        assert answer["error"]["code"] == "no_such_alarm"
    held = await technician("POST", "/rooms/hall/hold", {"message": "Alarm"}, expect=200)
    resumed = await technician("POST", "/rooms/hall/resume", {"shift": True}, expect=200)
    assert talk.hidden.found_in(str((held, resumed))) == []
    assert (await technician("GET", "/actions?room=hall&limit=1"))["items"] != []
    await talk.look("delayed")
    # It becomes public by mistake, and private again.
    talk.hidden.words = set()
    await talk.change(visibility="public")
    for attendee in talk.sockets:
        await attendee.told("session.changed", lambda data: data["id"] == talk.id)
    await talk.change(visibility="private")
    for attendee in talk.sockets:
        gone = lambda data: data["id"] == talk.id and data.get("removed")  # noqa: E731
        await until(lambda: attendee.of("session.changed", gone))  # noqa: B023
        attendee.snapshots.clear()
        attendee.events.clear()
    talk.hidden.words |= {WORD, talk.id}
    await talk.look("private again")
    # It comes on: by privacy's rule the room is its own now.
    await api("POST", f"/sessions/{talk.talk['id']}/end", {}, expect=200)
    assert (await studio.command("session.start", {"id": talk.id}))["error"]["code"] == "no_such_session"
    assert (await studio.command("session.start", {}))["error"]["code"] == "nothing_to_start"
    await talk.tap("start")
    audience = services.audience
    await audience.run(Scope("hall", talk.id), Participant("p1", "Ada"), ChatSend(f"{WORD} chat"))
    await audience.run(Scope("hall", talk.id), Participant("p1", "Ada"), QuestionAsk(f"{WORD} question?"))
    await _caption(talk)
    await talk.look_from_outside("on air")
    await talk.change(**_times(-20, 19.9))
    await _state(talk, "overrun")
    await talk.look_from_outside("overrun")
    # It is over: the talk's crew may tidy up in the room for half an hour, where its captions still stand.
    await talk.tap("end")
    assert (await technician("GET", "/alarms?room=hall"))["items"] is not None
    await talk.look("ended")
    await _record(talk)
    await talk.look("recorded and published")
    await talk.change(visibility="unlisted")
    await talk.look("unlisted")
    # In public at last: but what was said in it stays with those who were there.
    await talk.change(visibility="public")
    viewer = talk.crew["viewer"]
    assert (await viewer("GET", f"/sessions/{talk.id}"))["title"] == f"{WORD} board"
    assert (await viewer("GET", f"/recordings/{talk.id}"))["title"] == f"{WORD} board"
    for role, one in talk.crew.items():
        for path in ("/questions", f"/questions?session={talk.id}", f"/sessions/{talk.id}/timeline"):
            status, text = await talk.answer(one, "GET", path)
            assert (status, f"{WORD} chat" in text, f"{WORD} question" in text) == (200, False, False), (role, path)
    timeline = await api("GET", f"/sessions/{talk.id}/timeline")
    assert [message["text"] for message in timeline["chat"]] == [f"{WORD} chat"]


async def _caption(talk: Talk) -> None:
    """Typed while the private session is on."""
    fake = put_on(cast(FakePlane, talk.whole.app[SERVICES].plane), "hall")
    now_ms = fake.broadcast.epoch_ms + 8_000
    line = Cue("c1", "hall", "fr", f"{WORD} caption", now_ms, now_ms, now_ms + 4000, now_ms, "g", session=talk.id)
    async with talk.whole.app[SERVICES].database.write() as connection:
        await Captions(connection).add(line)
    assert f"{WORD} caption" in str(await talk.whole.api("GET", "/rooms/hall/captions"))


async def _record(talk: Talk) -> None:
    services = talk.whole.app[SERVICES]
    session = services.director.find(talk.id)
    assert session is not None
    began, ended = session.started_ms, session.ended_ms
    assert began is not None
    recording = Recording(
        talk.id, "hall", "b", "f", began, ended, state=RecordingState.READY, published=True, reviewed=True
    )
    async with services.database.write() as connection:
        await Recordings(connection).put(recording)
        # Wider than its marks: nothing is cut away.
        await Editions(connection).add(StoredEdition("edition-of-it", talk.id, began - 60_000, (ended or 0) + 60_000))
    talk.hidden.words.add("edition-of-it")
    assert (await talk.whole.api("GET", f"/recordings/{talk.id}"))["published"]
