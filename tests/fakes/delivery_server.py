"""A real aiohttp server with delivery over a fake room."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from streamer.delivery import routes
from streamer.delivery.captions import CaptionSource
from streamer.delivery.stats import DeliveryStats
from streamer.settings import Settings
from tests.fakes.broadcast import FakeBroadcast
from tests.fakes.keys import FakeKeys
from tests.fakes.media_plane import FakePlane, FakeRoom, on_air


@dataclass
class Served:
    url: str
    link: FakeRoom
    plane: FakePlane
    stats: DeliveryStats
    room_dir: Path
    app: web.Application
    keys: FakeKeys
    asked: list[web.BaseRequest]
    """All requests but those for ``/livez``, oldest first."""
    leaving: asyncio.Event
    """Cleared: answers are made, and wait before they leave."""
    alive: asyncio.Event
    """Cleared: ``/livez`` does not answer."""

    def broadcast(self, **options: Any) -> FakeBroadcast:
        """A fake broadcast in the room, its bytes on disk and in memory."""
        return FakeBroadcast(self.link.feed, room_dir=self.room_dir, **options)

    def media(self, fake: FakeBroadcast, path: str) -> str:
        """Address of a part, segment or init section in the newest interval, as ``v720/3.0.m4s``."""
        assert fake.interval is not None
        return f"/live/salle/{fake.id}/{fake.interval.key}/{path}"

    def playlist(self, fake: FakeBroadcast, rendition: str = "v720", query: str = "") -> str:
        return f"/live/salle/{fake.id}/{rendition}.m3u8{query}"


def client_address(request: web.BaseRequest) -> str:
    return request.headers.get("X-Test-Address", "127.0.0.1")


@asynccontextmanager
async def serve(
    data: Path, *, captions: CaptionSource | None = None, port: int = 0, names: Sequence[str] = (), **hls: Any
) -> AsyncIterator[Served]:
    """``names``: of edges."""
    settings = Settings.model_validate({"data": data, "hls": hls, "edges": {"names": names}})
    link = on_air()
    plane = FakePlane(link)
    asked: list[web.BaseRequest] = []
    leaving, alive = asyncio.Event(), asyncio.Event()
    leaving.set()
    alive.set()

    @web.middleware
    async def note(request: web.Request, handler: Callable[[web.Request], Awaitable[Any]]) -> web.StreamResponse:
        if request.path != "/livez":
            asked.append(request)
        response: web.StreamResponse = await handler(request)
        if request.path != "/livez":
            await leaving.wait()
        return response

    async def livez(_request: web.Request) -> web.Response:
        await alive.wait()
        return web.Response()

    app, keys = web.Application(middlewares=[note]), FakeKeys()
    app.router.add_get("/livez", livez)
    routes.setup(app, plane, settings, client_address, keys, captions=captions)
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    port = runner.addresses[0][1]
    try:
        url, room_dir = f"http://127.0.0.1:{port}", settings.room_dir("salle")
        yield Served(url, link, plane, app[routes.STATS], room_dir, app, keys, asked, leaving, alive)
    finally:
        await runner.cleanup()
