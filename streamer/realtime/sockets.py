"""Sessions of Engine.IO and the hub that serves them: what the core and a front process have in common."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any, Generic
from urllib.parse import urlsplit

from aiohttp import web

from streamer.errors import BadRequest, StreamerError, Unavailable
from streamer.realtime.access import Clock
from streamer.realtime.engine import EngineServer, Wire
from streamer.realtime.hub import NAMESPACES, Hub, R, TargetOf
from streamer.realtime.stats import Stats
from streamer.settings import RealtimeSettings

CHECK_S = 0.5
"""Time between two searches for clients that need a check."""
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class Sockets(Generic[R]):
    """``target_of``: as the hub takes it. On the loop."""

    def __init__(
        self,
        settings: RealtimeSettings,
        origins: frozenset[str],
        clock: Clock,
        target_of: TargetOf = lambda _room: None,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self._origins = origins
        self.stats = Stats()
        self.hub: Hub[R] = Hub(settings, self.stats, clock, target_of)
        self.server = EngineServer(
            self,
            NAMESPACES,
            cors_allowed_origins=sorted(origins),
            max_http_buffer_size=settings.max_message_bytes,
            ping_interval=settings.ping_interval_s,
            ping_timeout=settings.ping_timeout_s,
            http_compression=False,
        )
        self._tasks: list[asyncio.Task[None]] = []
        """They end with :meth:`close`."""
        self._opened: dict[str, tuple[Wire, float]] = {}
        """Engine.IO sessions without a namespace, and their begins."""
        self._closed = False

    async def close(self) -> None:
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.server.engine.close()

    async def let_go(self, _app: web.Application) -> None:
        """Called before the web server waits for its requests to end: clients come back to the next process."""
        self._closed = True
        await self.server.engine.close()

    def check_request(self, request: web.Request) -> None:
        """Raises StreamerError for a page that may not connect, and for new sessions while this process ends."""
        origin = request.headers.get("Origin")
        if origin is not None and origin not in self._origins:
            raise BadRequest("This page may not connect.", code="origin_not_allowed")
        if self._closed and begins(request):
            raise Unavailable("The server is about to end.", code="unavailable", headers={"Retry-After": "1"})

    # --- called by the engine -----------------------------------------------------------------------

    def opened(self, wire: Wire, address: str) -> None:
        self.stats.sessions += 1
        self._opened[wire.sid] = (wire, time.monotonic())

    def ended(self, wire: Wire, address: str) -> None:
        self.stats.sessions -= 1
        self._opened.pop(wire.sid, None)

    async def enter(self, wire: Wire, namespace: str, auth: Any, request: web.Request) -> R | None:
        raise NotImplementedError

    def entered(self, client: R) -> None:
        raise NotImplementedError

    async def command(self, client: R, name: str, payload: list[Any]) -> Any:
        raise NotImplementedError

    def left(self, client: R) -> None:
        self.hub.leave(client)
        if not client.wire.clients and not client.wire.closed:
            self._opened[client.wire.sid] = (client.wire, time.monotonic())

    # --- inside -------------------------------------------------------------------------------------

    def _take_out(self, client: R, error: StreamerError) -> None:
        self.stats.taken_out_total += 1
        wire = client.wire
        self.server.take_out(client, wire, error)
        self._cut_soon(wire)

    def let_out(self, client: R) -> None:
        """Let a client out that has been told why."""
        self.server.leave(client.wire, client)
        self._cut_soon(client.wire)

    def _cut_soon(self, wire: Wire) -> None:
        """Clients end a session without namespaces themselves; this is for those that do not."""
        if not wire.clients:
            asyncio.get_running_loop().call_later(CHECK_S, _cut_if_idle, wire)

    def _cut_idle(self) -> None:
        """Cut sessions that have been in no namespace for too long."""
        now = time.monotonic()
        for wire, since in list(self._opened.values()):
            if now - since >= self.settings.join_s and not wire.clients:
                self._opened.pop(wire.sid, None)
                self.stats.cut_idle_total += 1
                wire.cut()


def begins(request: web.Request) -> bool:
    """Whether the request asks for a new session."""
    return request.method == "GET" and "sid" not in request.query


def _cut_if_idle(wire: Wire) -> None:
    if not wire.clients:
        wire.cut()


def origins_of(public_url: str, allowed: Iterable[str]) -> frozenset[str]:
    """The instance's own origin and those of the settings. The names of loopback count as one, because people type
    either."""
    own = urlsplit(public_url)
    found = {f"{own.scheme}://{own.netloc}"}
    host = f"[{own.hostname}]" if own.hostname and ":" in own.hostname else own.hostname
    if host in LOOPBACK:
        port = "" if own.port is None else f":{own.port}"
        found |= {f"{own.scheme}://{name}{port}" for name in LOOPBACK}
    return frozenset(found | {origin.rstrip("/") for origin in allowed})
