"""The whole application in this process, for searches: nothing holds a search back, and the log is watched."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any

import aiohttp
import structlog
from aiohttp import DummyCookieJar
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from streamer.api.context import SERVICES
from streamer.conference.hall_codes import HallCode
from streamer.conference.rooms import Room, Venue
from streamer.conference.sessions import Event, Session, SessionState, Visibility
from streamer.settings import load_settings
from streamer.store.events import Events
from streamer.store.hall_codes import HallCodes
from streamer.store.rooms import Rooms
from streamer.store.sessions import Sessions
from streamer.store.venues import Venues
from streamer.web.application import REALTIME, assemble
from tests.fakes.fuzzed_web import Finds, damaged
from tests.fakes.media_plane import FakePlane
from tests.fakes.stores import sqlite_store

ADMIN = "admin-token-of-the-searches-0123456789"
AS_ADMIN = {"Authorization": f"Bearer {ADMIN}"}
NOON_MS = 1_780_308_000_000
MANY = 10**6


class FuzzedApp:
    def __init__(self, client: TestClient[Any, Any], log: list[MutableMapping[str, Any]]) -> None:
        self.client = client
        self._log = log

    @property
    def url(self) -> str:
        return str(self.client.make_url("")).rstrip("/")

    async def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> int:
        url = URL(f"{self.url}{path}", encoded=True)
        async with asyncio.timeout(20):
            async with self.client.session.request(
                method, url, headers=headers, data=body or None, allow_redirects=False
            ) as response:
                await response.read()
                return response.status

    def exceptions(self) -> list[str]:
        """The exceptions of our own code in the log."""
        return [str(entry)[:500] for entry in self._log if entry.get("exc_info") or entry["log_level"] == "error"]


@contextlib.asynccontextmanager
async def fuzzed(folder: Path) -> AsyncIterator[FuzzedApp]:
    settings = load_settings(
        None,
        data=folder,
        admin_token=ADMIN,
        room={"failed_attempts_per_minute": MANY, "attempts_per_minute": MANY},
        realtime={"commands_burst": MANY, "commands_per_s": MANY, "newcomer_s": 0},
    )
    database = sqlite_store(settings.data)
    await database.start()
    async with database.write() as connection:
        await Venues(connection).add(Venue("v", "Venue"))
        await Rooms(connection).add(Room("a", "A", venue="v"))
        await Events(connection).add(Event("e", "Event", venue="v"))
        await HallCodes(connection).add(HallCode("CD5H8K", "a", "Hall", 1))
        for number, visibility in enumerate(Visibility):
            await Sessions(connection).add_many(
                [
                    Session(
                        id=f"s{number}", room="a", title="T", start_ms=NOON_MS, end_ms=NOON_MS + 1, event="e",
                        visibility=visibility, state=SessionState.ENDED,
                    )
                ]
            )  # fmt: skip
    app = assemble(settings, database, FakePlane(), public_url="http://streamer.test")
    services = app[SERVICES]
    for limit in (
        services.exports,
        services.hall_code_lookup.wrong,
        services.failed_passwords,
        services.admin_token.guesses,
    ):
        limit._size = limit._per_s = float(MANY)
    client: TestClient[Any, Any] = TestClient(TestServer(app), cookie_jar=DummyCookieJar())
    await client.start_server()
    await services.director.start()
    await services.audience.start()
    await app[REALTIME].start()
    app[REALTIME].feed.look()
    try:
        with structlog.testing.capture_logs() as log:
            yield FuzzedApp(client, log)
    finally:
        await app[REALTIME].close()
        await services.audience.close()
        await services.director.close()
        await client.close()
        await database.close()


FRAMES = (
    '42/audience,1["chat.send",{"text":"Hello"}]',
    '42/audience,2["question.ask",{"text":"Why?","anonymous":true}]',
    '42/audience,3["name.set",{"name":"Ada","place":"Hall"}]',
    '42/audience,4["question.vote",{"id":"x","value":1}]',
    '42/audience,5["poll.vote",{"id":"x","options":[0]}]',
    '42/audience,6["reaction",{"kind":"clap"}]',
    '42/audience,7["trouble.report",{"kind":"sync"}]',
    '42/moderation,8["room.mode",{"chat":"slow","slow_seconds":5,"words":["x"],"networks":["10.0.0.0/8"]}]',
    '42/moderation,9["poll.open",{"kind":"choice","question":"Q","options":["a","b"]}]',
    '42/moderation,10["participant.ban",{"id":"p1"}]',
    '42/moderation,11["question.add",{"text":"Q","from":"Ada","place":"Hall"}]',
    '42/studio,12["session.start",{"id":"s0","at":1780308000000}]',
    '42/studio,13["air.gain",{"db":-3.5}]',
    '42/studio,14["undo",{"action":"x"}]',
    '40/audience,{"room":"a","name":"Ada","since":3,"participant":"p.1.x"}',
    '40/moderation,{"room":"a","token":"x.y"}',
    "41/audience,",
    "2probe",
    "3",
    "5",
)


async def search_sockets(app: FuzzedApp, rounds: int, dice: random.Random) -> Finds:
    """Frames on WebSockets that are in all three namespaces; who loses the connection by one comes again."""
    finds = Finds()
    async with aiohttp.ClientSession() as http:
        socket = None
        for number in range(rounds):
            if socket is None or socket.closed or number % 500 == 0:
                if socket is not None:
                    await socket.close()
                socket = await http.ws_connect(f"{app.url}/socket.io/?EIO=4&transport=websocket", max_msg_size=0)
                for space in ("audience", "moderation", "studio"):
                    token = f',"token":"{ADMIN}"' if space != "audience" else ""
                    await socket.send_str(f'40/{space},{{"room":"a"{token}}}')
            frame = damaged(dice.choice(FRAMES), dice).encode("utf-8", "replace").decode()
            try:
                await (socket.send_bytes(frame.encode()) if number % 50 == 49 else socket.send_str(frame))
                if number % 10 == 9:
                    await _drained(socket, finds)
            except (ConnectionError, aiohttp.ClientError):
                socket = None
            finds.tried += 1
        if socket is not None:
            await socket.close()
    return finds


async def search_polls(app: FuzzedApp, rounds: int, dice: random.Random) -> Finds:
    """The same as bodies of polling, several to a body."""
    finds, sid = Finds(), ""
    address = "/socket.io/?EIO=4&transport=polling"
    for _ in range(rounds):
        if not sid:
            async with app.client.get(address) as response:
                sid = json.loads((await response.text())[1:])["sid"]
        body = "\x1e".join(damaged(frame, dice) for frame in dice.sample(FRAMES, dice.choice((1, 1, 3))))
        status = await app.ask("POST", f"{address}&sid={sid}", {}, body.encode("utf-8", "surrogatepass"))
        if status != 200:
            sid = ""
        if status >= 500:
            finds.broken.append((str(status), body[:1000]))
        finds.tried += 1
    return finds


async def _drained(socket: aiohttp.ClientWebSocketResponse, finds: Finds) -> None:
    """Read the waiting answers; an internal error among them is a find."""
    while True:
        try:
            message = await socket.receive(timeout=0.02)
        except TimeoutError:
            return
        if message.type is not aiohttp.WSMsgType.TEXT:
            return
        if '"code":"internal"' in message.data:
            finds.broken.append(("an internal error", message.data[:500]))
        if message.data == "2":
            await socket.send_str("3")
