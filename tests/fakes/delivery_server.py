"""A real aiohttp server with delivery over a fake room."""

from __future__ import annotations

from collections.abc import AsyncIterator
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
async def serve(data: Path, *, captions: CaptionSource | None = None, **hls: Any) -> AsyncIterator[Served]:
    settings = Settings.model_validate({"data": data, "hls": hls})
    link = on_air()
    plane = FakePlane(link)
    app, keys = web.Application(), FakeKeys()
    routes.setup(app, plane, settings, client_address, keys, captions=captions)
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield Served(f"http://127.0.0.1:{port}", link, plane, app[routes.STATS], settings.room_dir("salle"), app, keys)
    finally:
        await runner.cleanup()
