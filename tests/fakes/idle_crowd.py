"""An idle crowd at a real web process, which may open few descriptors; and the three who have to go on meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp

from tests.fakes.publishing import smallest_camera
from tests.fakes.replaying import Player
from tests.fakes.running import ADMIN_TOKEN, Running, serving
from tests.fakes.waiting import until_answered

DESCRIPTORS = 512
SETTINGS = {
    "STREAMER_MEDIA__RUNGS": "[]",
    "STREAMER_HLS__SEGMENT_S": "1",
    "STREAMER_HLS__TARGET_DURATION_S": "2",
    "STREAMER_SERVER__HEADERS_S": "2",
    "STREAMER_SERVER__BODY_S": "2",
    "STREAMER_SERVER__IDLE_S": "30",
}
HEAD = b"GET /livez HTTP/1.1\r\nHost: a\r\n"
KINDS = {
    "silent": b"",
    "half-sent headers": HEAD + b"X-Half: ",
    "kept after a request": HEAD + b"\r\n",
    "half-sent body": b"POST /api/v1/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    b"Content-Length: 1000\r\n\r\n{",
    "silent WebSocket": b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
}
SLOWEST_S = 10.0
"""An answer takes no longer, on a machine that others use too."""


@contextlib.contextmanager
def many_descriptors() -> Any:
    """The most descriptors that the test's own process may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@dataclass
class Crowd:
    """Connects, sends what its kind sends, and waits."""

    there: tuple[str, int]
    sockets: list[socket.socket] = field(default_factory=list)

    async def come(self, count: int) -> None:
        loop = asyncio.get_running_loop()
        for number in range(count):
            sock = socket.socket()
            self.sockets.append(sock)
            sock.setblocking(False)
            # Four strangers; the crew of this test comes from the address of the first.
            sock.bind((f"127.0.0.{1 + number // 5 % 4}", 0))
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(2):
                    await loop.sock_connect(sock, self.there)
                    await loop.sock_sendall(sock, list(KINDS.values())[number % 5])
            if number % 50 == 49:
                # A crowd that is idle, not one that storms the door.
                await asyncio.sleep(0.05)

    def go(self) -> None:
        for sock in self.sockets:
            sock.close()
        self.sockets.clear()


@dataclass
class Goes:
    """Requests that are sent all the time, each over a new connection, with the times of their answers."""

    url: str
    headers: dict[str, str]
    address: str
    took_s: list[float] = field(default_factory=list)

    async def on(self, enough: asyncio.Event) -> None:
        connector = aiohttp.TCPConnector(force_close=True, local_addr=(self.address, 0))
        async with aiohttp.ClientSession(connector=connector) as session:
            while not enough.is_set():
                began = time.monotonic()
                async with asyncio.timeout(SLOWEST_S), session.get(self.url, headers=self.headers) as response:
                    assert response.status == 200, await response.text()
                    await response.read()
                self.took_s.append(time.monotonic() - began)
                await asyncio.sleep(0.1)


def descriptors(server: Running) -> int:
    return len(os.listdir(f"/proc/{server.pid('web')}/fd"))


async def _session(server: Running, room: str) -> dict[str, Any]:
    now = time.time()
    begin, end = (datetime.fromtimestamp(at, UTC).isoformat() for at in (now, now + 3600))
    body = {"room": room, "title": "Talk", "start": begin, "end": end}
    session: dict[str, Any] = await server.api("POST", "/sessions", body, status=201)
    await server.api("POST", f"/sessions/{session['id']}/start", {}, status=200)
    return session


async def _end(server: Running, session: str) -> None:
    async def ended() -> bool:
        answer = await server.api("POST", f"/sessions/{session}/end", {})
        return "error" not in answer

    await until_answered(ended)


async def _replayed(server: Running, session: str) -> None:
    """The recording is whole, and its files are read."""
    player = Player(server.session, f"{server.url}/replay/{session}/index.m3u8")

    async def whole() -> bool:
        player.renditions, player.playlists = {}, {}
        try:
            await player.open()
            await player.reload()
        except (AssertionError, aiohttp.ClientError):
            return False
        return all(playlist.ended for playlist in player.playlists.values())

    await until_answered(whole)
    assert len(await player.run("v90")) > 10_000


@contextlib.asynccontextmanager
async def small_server() -> AsyncIterator[Running]:
    with many_descriptors():
        async with serving(environment=SETTINGS, before=("prlimit", f"--nofile={DESCRIPTORS}:{DESCRIPTORS}")) as server:
            yield server


async def idle_crowd(server: Running, *, people: int, rounds: int) -> None:
    """``people`` idle connections, ``rounds`` times; the crew, a viewer and the archivist go on."""
    await server.room("hall", start="auto")
    host, port = server.url.removeprefix("http://").split(":")
    async with smallest_camera(server, "hall"):
        await server.wait_state("hall", "live")
        quiet = descriptors(server)
        crew = Goes(f"{server.url}/api/v1/alarms", {"Authorization": f"Bearer {ADMIN_TOKEN}"}, "127.0.0.1")
        viewer = Goes(f"{server.url}/live/hall/index.m3u8", {}, "127.0.0.77")
        for _ in range(rounds):
            session = await _session(server, "hall")
            crowd, enough = Crowd((host, int(port))), asyncio.Event()
            async with contextlib.AsyncExitStack() as stack, asyncio.TaskGroup() as group:
                stack.callback(crowd.go)
                for each in (crew, viewer):
                    group.create_task(each.on(enough))
                await crowd.come(people)
                assert descriptors(server) <= DESCRIPTORS - 32
                # The archivist links and reads files while all places are taken.
                await _end(server, session["id"])
                await _replayed(server, session["id"])
                enough.set()
            # On a busy machine each takes seconds.
            assert min(len(crew.took_s), len(viewer.took_s)) > 2, (crew.took_s, viewer.took_s)
            crowd.go()

            async def free() -> bool:
                return descriptors(server) <= quiet + 12

            await until_answered(free, what=lambda: f"{descriptors(server)} descriptors, {quiet} before")
    assert "Too many open files" not in server.logged()
