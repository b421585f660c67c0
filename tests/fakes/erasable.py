"""A data folder with everything that somebody may want erased, a web process over it, and a search for remains.

The web process is the real application in this process, without a media host: its rooms are closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal, get_args

from aiohttp.test_utils import TestClient, TestServer

from streamer.api.context import SERVICES, Services
from streamer.archive.files import link_name, read_material
from streamer.archive.material import Material
from streamer.audience.chat import ChatSend
from streamer.audience.people import Crew, Participant
from streamer.audience.questions import QuestionAsk, QuestionVote
from streamer.audience.sanctions import Mute, NoteAdd
from streamer.audience.scope import Scope
from streamer.broadcast.media_events import PROGRAMME_OUTPUT
from streamer.broadcast.view import BroadcastView
from streamer.conference.captions import Cue
from streamer.conference.rooms import Room, Venue
from streamer.conference.sessions import Session, SessionState
from streamer.control.run_folder import make_run_dir
from streamer.director.directorship import Directorship, this_process
from streamer.formats.index import HEADER, encode_event
from streamer.settings import Settings, load_settings
from streamer.store.captions import Captions
from streamer.store.rooms import Rooms
from streamer.store.sessions import Sessions
from streamer.store.venues import Venues
from streamer.web.application import make_app
from tests.fakes.packaging import broadcast
from tests.fakes.stores import sqlite_store
from tests.fakes.studio import Studio

Kind = Literal["recording", "stretch", "person", "grant", "retention", "unrecorded"]
KINDS: tuple[Kind, ...] = get_args(Kind)
ADMIN = "admin-token-of-the-tests-of-erasing-0123456789"
BEARER = {"Authorization": f"Bearer {ADMIN}"}
SECRET = "what Ann wrote and nobody else may keep"
NAME = "Ann Unforgettable"
DAY_MS = 86_400_000
ROOM = "salle"
LENGTH_S = 14


@dataclass
class Erasable:
    """The data in a folder that :func:`prepare` made."""

    folder: Path
    person: str = ""
    key: str = ""
    """Ann's token."""
    grant: str = ""
    token: str = ""
    edition: str = ""
    epoch_ms: int = 0
    stretch: tuple[int, int] = (0, 0)
    """Media times: the last six seconds, and what is forgotten with them."""
    places: list[tuple[str, int, int]] = field(default_factory=list)
    """File of the room, offset and size of each part in it."""

    def copied(self, folder: Path) -> Erasable:
        shutil.copytree(self.folder, folder)
        # Hard links become copies: they are made again.
        for link in (folder / "recordings").glob("*/media/*"):
            name = link.name.removeprefix("b-unguessable-")
            source = folder / "rooms" / ROOM / "b-unguessable" / name
            link.unlink()
            link.hardlink_to(source)
        values = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "folder"}
        return Erasable(folder, **values)

    def settings(self) -> Settings:
        return load_settings(None, data=self.folder, admin_token=ADMIN)

    def on_disk(self) -> list[str]:
        """Files, under all their names, in which there is something of the stretch."""
        room = self.folder / "rooms" / ROOM
        names = {name: (room / name, *self._links(name)) for name, _, _ in self.places}
        return [
            str(path)
            for name, offset, size in self.places
            for path in names[name]
            if path.exists() and any(path.read_bytes()[offset : offset + size])
        ]

    def _links(self, name: str) -> list[Path]:
        return [*self.folder.glob(f"recordings/*/{link_name(name)}")]

    def in_database(self, *words: str) -> list[str]:
        """Tables in which one of the words stands."""
        database = sqlite3.connect(f"file:{self.folder / 'streamer.sqlite3'}?mode=ro", uri=True)
        with contextlib.closing(database):
            names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            rows = {name: repr(database.execute(f'SELECT * FROM "{name}"').fetchall()) for name in names}
        return sorted(name for name, found in rows.items() if any(word in found for word in words))

    def left(self, kind: Kind) -> list[str]:
        """The remaining data that ``kind`` should have erased. The web process is closed."""
        found: list[str] = []
        match kind:
            case "recording" | "retention" | "unrecorded":
                found += ["folder"] if (self.folder / "recordings/talk").exists() else []
                found += self._published()
            case "stretch":
                found += self.on_disk()
                found += ["material"] if _holds(self._material(), self.stretch) else []
                found += self.in_database("caption-to-forget")
            case "person":
                found += self.in_database(SECRET, NAME)
                found += [name for name in self.in_database(self.person) if name != "sanctions"]
            case "grant":
                found += [name for name in self.in_database(self.grant) if name != "audit"]
        return found

    def _published(self) -> list[str]:
        database = sqlite3.connect(f"file:{self.folder / 'streamer.sqlite3'}?mode=ro", uri=True)
        with contextlib.closing(database):
            rows = database.execute(
                "SELECT session_id FROM recordings WHERE state != 'deleted' AND session_id = 'talk'"
            )
            return ["row" for _ in rows.fetchall()]

    def _material(self) -> Material:
        return read_material(self.folder / "recordings/talk")


def _holds(material: Material, stretch: tuple[int, int]) -> bool:
    return any(
        reel.ms(part.start) < stretch[1] and reel.ms(part.start + part.duration) > stretch[0]
        for reel in material.reels
        for segments in reel.tracks.values()
        for segment in segments
        for part in segment.parts
    )


async def prepare(folder: Path) -> Erasable:
    """A room with two sessions that have just been recorded, captions, a participant and a grant."""
    made = Erasable(folder)
    made.epoch_ms = time.time_ns() // 1_000_000 - (LENGTH_S + 1) * 1000
    made.stretch = (made.epoch_ms + 8_000, made.epoch_ms + 60_000)
    view = BroadcastView()
    settings = made.settings()
    room_dir = settings.room_dir(ROOM)
    studio = Studio(room_dir, view.apply, of=broadcast(room=ROOM, epoch_ms=made.epoch_ms))
    studio.run(LENGTH_S)
    record = encode_event(view.snapshot())
    assert record is not None
    (room_dir / studio.broadcast.id / "index-000001.sx").write_bytes(HEADER + record)
    database = sqlite_store(folder)
    await database.start()
    async with database.write() as connection:
        await Venues(connection).add(Venue("v", "Maison"))
        await Rooms(connection).add(Room(ROOM, "Salle", "v"))
        for name, begin, end in (("talk", 2, 13), ("other", 0, 2)):
            times = {"start_ms": studio.at(begin), "end_ms": studio.at(end)}
            done = {"state": SessionState.ENDED, "started_ms": studio.at(begin), "ended_ms": studio.at(end)}
            await Sessions(connection).add(Session(name, ROOM, f"Title of {name}", **times, **done))  # type: ignore[arg-type]
        for at, text in ((3, "caption-to-keep"), (9, "caption-to-forget")):
            line = Cue(f"l{at}", ROOM, "fr", text, studio.at(at), 0, 1, studio.at(at), "g", session="talk")
            await Captions(connection).add(line)
    await database.close()
    async with serving(made) as web:
        await web.recorded("talk", "other")
        await _take_part(made, web)
        granted = await web.api("POST", "/grants", {"role": "technician", "room": ROOM, "label": "Tom"})
        made.grant, made.token = granted["id"], granted["token"]
        made.edition = (await web.api("GET", "/recordings/talk"))["editions"][-1]["id"]
    made.places = [
        (part.chunk.file, part.chunk.offset, part.chunk.size)
        for track in view.outputs[PROGRAMME_OUTPUT].tracks.values()
        for segment in track.segments.values()
        for part in segment.parts
        if broadcast_ms(studio, part.start) >= made.stretch[0]
    ]
    assert len(made.places) > 10
    for kind in KINDS:
        assert made.left(kind), kind
    return made


def broadcast_ms(studio: Studio, ticks: int) -> int:
    return studio.broadcast.media_time_ms(ticks)


async def _take_part(made: Erasable, web: Web) -> None:
    audience = web.services.audience
    identity, made.key = audience.new_identity()
    made.person = identity.id
    scope = Scope(ROOM)
    ann = Participant(identity.id, NAME, "row 3", since_ms=identity.since_ms)
    ben = Participant("p-ben", "Ben", "", since_ms=identity.since_ms)
    await audience.run(scope, ann, ChatSend(SECRET))
    await audience.run(scope, ann, QuestionAsk(f"Is it {SECRET}?"))
    asked = await audience.run(scope, ben, QuestionAsk("Another?"))
    await audience.run(scope, ann, QuestionVote(str(asked["id"]), 1))
    moderator = Crew("g-mod", "Mo")
    await audience.run(scope, moderator, NoteAdd(ann.id, f"{NAME} talks a lot"))
    await audience.run(scope, moderator, Mute(ann.id, 3600, f"{NAME} again"))


@dataclass
class Web:
    client: TestClient[Any, Any]
    services: Services

    async def status(self, method: str, path: str, **more: Any) -> int:
        async with self.client.request(method, path, **more) as response:
            await response.read()
            return response.status

    async def api(self, method: str, path: str, body: Any = None) -> Any:
        async with self.client.request(method, f"/api/v1{path}", json=body, headers=BEARER) as response:
            answer = await response.json() if response.status != 204 else None
            assert response.status < 300, answer
            return answer

    async def recorded(self, *sessions: str) -> None:
        async with asyncio.timeout(20):
            for session in sessions:
                while (await self.status("GET", f"/replay/{session}/index.m3u8")) != 200:
                    await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def serving(made: Erasable) -> AsyncIterator[Web]:
    """The web process as ``streamer serve`` runs it."""
    settings = made.settings()
    make_run_dir(settings.run_dir)
    database = sqlite_store(made.folder)
    await database.start()
    try:
        # One of before, which was killed, was of this folder too: nobody is waited for.
        directorship = Directorship(database, this_process(settings.data, settings.run_dir), absent_s=5.0)
        await directorship.take(lambda _holder: None)
        app = make_app(settings, database, directorship, public_url="http://streamer.test")
        async with TestClient(TestServer(app)) as client:
            yield Web(client, app[SERVICES])
        await directorship.release()
    finally:
        await database.close()


async def erase(made: Erasable, web: Web, kind: Kind) -> None:
    """As people do. Returns when it has been acknowledged."""
    match kind:
        case "recording":
            await web.api("DELETE", "/recordings/talk")
        case "stretch":
            stretch = {"from_ms": made.stretch[0], "to_ms": time.time_ns() // 1_000_000}
            await web.api("POST", f"/rooms/{ROOM}/forget", stretch)
        case "person":
            headers = {"Streamer-Participant": made.key}
            assert await web.status("DELETE", "/api/v1/me/data", headers=headers) == 200
        case "grant":
            await web.api("DELETE", f"/grants/{made.grant}")
        case "retention":
            await web.api("POST", "/retention")
        case "unrecorded":
            await web.api("PATCH", "/sessions/talk", {"do_not_record": "yes"})
            async with asyncio.timeout(20):
                while (made.folder / "recordings/talk").exists():
                    await asyncio.sleep(0.005)


async def age(web: Web, kind: Kind) -> None:
    """Make the talk old enough for its room's retention."""
    if kind == "retention":
        await web.api("PATCH", f"/rooms/{ROOM}", {"retention_days": 1})
        async with web.services.database.write() as connection:
            await connection.exec_driver_sql(
                f"UPDATE recordings SET end_ms = end_ms - {2 * DAY_MS} WHERE session_id = 'talk'"
            )


def life(made: Erasable, kind: Kind, told: Connection) -> None:
    """A web process that erases, and is killed meanwhile. It tells ``began`` and ``done``."""

    async def live() -> None:
        async with serving(made) as web:
            await age(web, kind)
            told.send("began")
            await erase(made, web, kind)
            told.send("done")
            await asyncio.sleep(60)

    asyncio.run(live())
