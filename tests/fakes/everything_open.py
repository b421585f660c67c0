"""A whole web plane with a closed session on air and another's recording, and all that one holder can hold open of
them: what ends with a grant, a login or a session's openness ends here in every way there is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import DummyCookieJar, web
from aiohttp.test_utils import TestClient, TestServer

from streamer.api.context import SERVICES, Services
from streamer.broadcast.view import BroadcastView
from streamer.conference.sessions import Session, SessionState, Visibility
from streamer.conference.spans import output_name
from streamer.control import run_folder
from streamer.control.server import wait_cancelled
from streamer.formats.index import HEADER, encode_event
from streamer.settings import Settings
from streamer.store.database import Database
from streamer.store.sessions import Sessions
from streamer.web.application import LAPSES, REALTIME, assemble
from streamer.web.core import Core
from streamer.web.front import front_application
from tests.fakes.attendees import Attendee
from tests.fakes.broadcast import FakeBroadcast
from tests.fakes.media_plane import FakePlane, FakeRoom
from tests.fakes.slow_reader import SlowReader
from tests.fakes.stores import sqlite_store
from tests.fakes.studio import Studio
from tests.fakes.waiting import in_time, until

SECOND = 1.0
OFFER = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n"
    "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=fingerprint:sha-256 AA:BB\r\na=%s\r\n"
)


@dataclass
class Venue:
    """Served. ``board`` is closed and on air, ``done`` is closed and recorded; both are in room ``hall``."""

    http: Any
    url: str
    app: web.Application
    plane: FakePlane
    database: Database
    live: FakeBroadcast
    admin: Mapping[str, str]
    opened: list[Everything] = field(default_factory=list)

    @property
    def services(self) -> Services:
        return self.app[SERVICES]

    async def api(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Any:
        asked = self.admin if headers is None else headers
        async with self.http.request(method, f"/api/v1{path}", json=body, headers=asked) as r:
            assert r.status < 300, (method, path, r.status, await r.text())
            return await r.json() if r.status != 204 else None

    async def grant(self, role: str, **scope: Any) -> tuple[str, dict[str, str]]:
        made = await self.api("POST", "/grants", {"role": role, **scope})
        return made["id"], {"Authorization": f"Bearer {made['token']}"}

    async def login(self, body: Mapping[str, str]) -> dict[str, str]:
        async with self.http.post("/api/v1/login", json=body) as r:
            assert r.status == 200
            return {"Cookie": f"streamer_session={r.cookies['streamer_session'].value}"}

    async def everything(self, headers: Mapping[str, str], source: str = "") -> Everything:
        """All that may be open; with a ``source``, a publication and a preview too."""
        made = Everything(self, headers)
        self.opened.append(made)
        await made.open(source)
        return made

    async def by_links(self) -> Everything:
        """All that the links of the two sessions open, which are unlisted."""
        links = {}
        for name in ("board", "done"):
            session = await self.api("GET", f"/sessions/{name}")
            links[name] = session["watch_url"].rpartition("/")[2]
        made = Everything(self, {}, links)
        self.opened.append(made)
        await made.open()
        return made

    async def change(self, name: str, **fields: Any) -> None:
        await self.api("PATCH", f"/sessions/{name}", fields)
        await self.services.archivist.look(name)


@dataclass
class Everything:
    """Everything that one holder has open, by name: whether it has ended, and whether it goes on as before."""

    venue: Venue
    headers: Mapping[str, str]
    links: Mapping[str, str] = field(default_factory=dict)
    over: dict[str, Callable[[], Any]] = field(default_factory=dict)
    held: dict[str, asyncio.Task[int]] = field(default_factory=dict)
    attendees: list[Attendee] = field(default_factory=list)
    reader: SlowReader | None = None
    ended: dict[str, float] = field(default_factory=dict)
    """Seconds after the look began."""

    async def status(self, path: str, headers: Mapping[str, str] | None = None) -> int:
        async with self.venue.http.get(path, headers=headers or {}) as r:
            await r.read()
            return int(r.status)

    async def open(self, source: str = "") -> None:
        venue, live = self.venue, self.venue.live
        keys = {name: f"?key={key}" for name, key in self.links.items()}
        of_board, of_done = keys.get("board", ""), keys.get("done", "")
        board = await venue.api("GET", f"/sessions/board{of_board}", headers=self.headers)
        recorded = await venue.api("GET", f"/recordings/done{of_done}", headers=self.headers)
        base = board["live_url"].removesuffix("index.m3u8")
        assert live.interval is not None
        media = f"{base}{live.id}/{live.interval.key}"
        replay = recorded["replay_url"].removeprefix(venue.services.public_url)
        edition = recorded["download_url"].removeprefix(venue.services.public_url).removesuffix("download.mp4")
        plain = {
            "multivariant playlist": board["live_url"],
            "segment": f"{media}/v720/1.m4s",
            "init section": f"{media}/v720/init-{live.init['v720']}.mp4",
            "still": f"{base}still.jpg",
            "replay": replay,
            "replay playlist": f"{edition}v180.m3u8",
            "replay segment": f"{edition}v180/1.m4s",
        }
        for name, path in plain.items():
            self._refuses(name, path, {}, 404)
        for name, path in (
            ("REST", f"/api/v1/sessions/board{of_board}"),
            ("timeline", f"/api/v1/sessions/done/timeline{of_done}"),
            ("recording", f"/api/v1/recordings/done{of_done}"),
        ):
            self._refuses(name, path, self.headers, 404)
        if not self.links:
            self._refuses("who am I", "/api/v1/me", self.headers, 401)
        for name, path in (
            ("held video playlist", f"{base}{live.id}/v720.m3u8?_HLS_msn={live.msn}&_HLS_part=0"),
            ("held audio playlist", f"{base}{live.id}/a128.m3u8?_HLS_msn={live.msn}&_HLS_part=0"),
            ("hinted part", f"{media}/v720/{live.msn}.0.m4s"),
        ):
            self.held[name] = asyncio.create_task(self.status(path), name=name)
            self.over[name] = lambda task=self.held[name]: task.done() and task.result() == 404
        self.reader = SlowReader(venue.url)
        await self.reader.ask(f"{edition}download.mp4")
        assert await self.reader.first_line() == "HTTP/1.1 200 OK"
        self.over["download"] = lambda: self.reader is not None and self.reader.cut
        places = {"/audience": {"session": "board"}, "/studio": {"room": "hall"}}
        if self.links:
            places = {"/audience": {"session": "board", "key": self.links["board"]}}
        for namespace, place in places.items():
            attendee = Attendee(namespace)
            self.attendees.append(attendee)
            auth = {**place}
            if "Authorization" in self.headers:
                auth["token"] = self.headers["Authorization"].removeprefix("Bearer ")
            cookie = {k: v for k, v in self.headers.items() if k == "Cookie"}
            await attendee.connect(venue.url, auth, ["websocket"], cookie)
            assert not attendee.disconnected.is_set(), namespace
            self.over[f"socket {namespace}"] = attendee.disconnected.is_set
        if source:
            await self._connect(source)
        for name, over in self.over.items():
            found = over()
            assert not (await found if asyncio.iscoroutine(found) else found), f"{name} is not open"
        await until(lambda: venue.services.keys.held_now >= 3)

    async def _connect(self, source: str) -> None:
        """WebRTC: a publication, and a preview of it."""
        room = self.venue.plane.rooms["hall"]
        headers = {**self.headers, "Content-Type": "application/sdp"}
        for kind, way in (("whip", "sendonly"), ("whep", "recvonly")):
            before = set(room.resources)
            async with self.venue.http.post(f"/{kind}/hall/{source}", data=OFFER % way, headers=headers) as r:
                assert r.status == 201, await r.text()
            (resource,) = set(room.resources) - before
            self.over[kind] = lambda resource=resource: resource in room.hung_up

    def _refuses(self, name: str, path: str, headers: Mapping[str, str], status: int) -> None:
        async def over() -> bool:
            found = await self.status(path, headers)
            assert found in (200, status, 401), (name, found)
            return found != 200

        self.over[name] = over

    async def all_over(self, besides: frozenset[str] = frozenset()) -> None:
        """All of it is over within a second. ``ended`` tells when each was."""
        began = time.monotonic()

        async def watch(name: str) -> None:
            while True:
                found = self.over[name]()
                if await found if asyncio.iscoroutine(found) else found:
                    self.ended[name] = time.monotonic() - began
                    return
                await asyncio.sleep(0.02)

        try:
            with in_time(SECOND):
                async with asyncio.timeout(30):
                    await asyncio.gather(*(watch(name) for name in self.over if name not in besides))
        except TimeoutError:
            raise AssertionError(f"still open: {set(self.over) - set(self.ended) - besides}") from None
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.ended}") from None

    async def all_open(self) -> None:
        for name, over in self.over.items():
            found = over()
            assert not (await found if asyncio.iscoroutine(found) else found), f"{name} is over"
        assert not any(task.done() for task in self.held.values())

    async def answered(self) -> list[int]:
        """The answer of a held request, when it has come."""
        async with asyncio.timeout(5):
            return list(await asyncio.gather(*self.held.values()))

    async def close(self) -> None:
        for task in self.held.values():
            await wait_cancelled(task)
        for attendee in self.attendees:
            await attendee.close()
        if self.reader is not None:
            self.reader.close()


def _session(name: str, began_ms: int, ended_ms: int | None) -> Session:
    state = SessionState.ON_AIR if ended_ms is None else SessionState.ENDED
    end_ms = began_ms + 3600_000 if ended_ms is None else ended_ms
    return Session(
        name,
        "hall",
        f"Title of {name}",
        began_ms,
        end_ms,
        state=state,
        started_ms=began_ms,
        ended_ms=ended_ms,
        visibility=Visibility.PRIVATE,
    )


@asynccontextmanager
async def served(app: web.Application, settings: Settings, plane: FakePlane) -> AsyncIterator[Any]:
    """A client of the application; with ``server.web_processes``, of a front process before it."""
    if not settings.server.web_processes:
        async with TestClient(TestServer(app), cookie_jar=DummyCookieJar()) as client:
            yield client
        return
    core = web.AppRunner(app, access_log=None)
    await core.setup()
    await web.SockSite(core, run_folder.listen(settings.run_dir, run_folder.CORE_SOCKET)).start()
    front = TestServer(front_application(settings, plane, Core(settings.run_dir)))
    await front.start_server(auto_decompress=False)
    try:
        async with TestClient(front, cookie_jar=DummyCookieJar()) as client:
            yield client
    finally:
        await core.cleanup()


@asynccontextmanager
async def venue(settings: Settings, url: str = "http://streamer.test") -> AsyncIterator[Venue]:
    database = sqlite_store(settings.data)
    await database.start()
    plane = FakePlane()
    app = assemble(settings, database, plane, public_url=url)
    services, realtime = app[SERVICES], app[REALTIME]
    stack = AsyncExitStack()
    http = await stack.enter_async_context(served(app, settings, plane))
    await services.keys.start()
    await services.director.start()
    await services.audience.start()
    await realtime.start()
    watch = asyncio.create_task(app[LAPSES].run(), name="lapses")
    admin = {"Authorization": f"Bearer {settings.admin_token}"}
    now_ms = time.time_ns() // 1_000_000
    room_dir = settings.room_dir("hall")
    made = Venue(http, str(http.make_url("")).rstrip("/"), app, plane, database, FakeBroadcast(_nothing), admin)
    try:
        await made.api("POST", "/rooms", {"id": "hall", "name": "Hall"})
        room = plane.rooms["hall"] = FakeRoom(services.director.config("hall"))
        old = BroadcastView()
        studio = Studio(room_dir, old.apply)
        studio.run(24.5)
        record = encode_event(old.snapshot())
        assert record is not None
        (room_dir / studio.broadcast.id / "index-000001.sx").write_bytes(HEADER + record)
        board = _session("board", now_ms - 60_000, None)
        async with database.write() as connection:
            await Sessions(connection).add(board)
            await Sessions(connection).add(_session("done", studio.at(1), studio.at(24)))
        await services.archivist.look("done")
        await services.director.refresh()
        # Held requests are held for three target durations: longer than a busy machine needs to open everything.
        made.live = FakeBroadcast(
            room.feed, room="hall", room_dir=room_dir, output=output_name(board), target_duration_s=30
        ).open()
        made.live.segments(3)
        made.live.still()
        realtime.feed.look()
        yield made
    finally:
        for opened in made.opened:
            await opened.close()
        await wait_cancelled(watch)
        await realtime.close()
        await services.audience.close()
        await services.director.close()
        await stack.aclose()
        await database.close()


def _nothing(_event: object) -> None:
    """A listener that does nothing."""
