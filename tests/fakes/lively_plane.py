"""The stand-in media plane with rooms that live: for the page of all rooms, which shows what changes all the time.

A room whose id begins with ``wall-`` has, as soon as it is opened, a broadcast, meters four times a second, a status
each second and a new picture every two seconds. ``wall-…-silent`` hears nothing, ``wall-…-slate`` shows the slate, of
``wall-…-hung`` nothing comes any more after :data:`HANGS_AFTER_S`.
"""

from __future__ import annotations

import asyncio
import io
import math
import time

from PIL import Image, ImageDraw

from streamer.control.messages import CrewPicture, RoomConfig, SourceStatus, TrackStatus
from streamer.supervision import start_kept
from tests.fakes.broadcast import FakeBroadcast
from tests.fakes.media_plane import FakePlane, FakeRoom

HANGS_AFTER_S = 2.0
METERS_S, STATUS_EVERY, PICTURE_EVERY = 0.25, 4, 8


class LivelyPlane(FakePlane):
    """Rooms without that prefix are as in :class:`FakePlane`."""

    def __init__(self) -> None:
        super().__init__()
        self._lives: dict[str, asyncio.Task[None]] = {}

    async def close(self) -> None:
        for life in self._lives.values():
            life.cancel()
        await asyncio.gather(*self._lives.values(), return_exceptions=True)
        await super().close()

    async def ensure(self, config: RoomConfig) -> FakeRoom:
        room = await super().ensure(config)
        if config.id.startswith("wall-") and config.id not in self._lives:
            self._lives[config.id] = start_kept(f"{config.id} lives", lambda: self._live(room))
        return room

    async def _live(self, room: FakeRoom) -> None:
        kind, status = room.room.rpartition("-")[2], room.status
        assert status is not None
        broadcast = FakeBroadcast(room.feed, room.room).open(aired=kind != "slate")
        broadcast.segments(2)
        status.sources["main"] = SourceStatus(
            "main", up=True, client="OBS", connection="connected", video=TrackStatus("h264", width=1280, height=720)
        )
        status.on_programme, status.media_up = "main", True
        status.shows = {"public": "slate" if kind == "slate" else "programme"}
        began, turn = time.monotonic(), 0
        while True:
            await asyncio.sleep(METERS_S)
            if kind == "hung" and time.monotonic() - began > HANGS_AFTER_S:
                continue
            if turn % PICTURE_EVERY == 0:
                picture = CrewPicture(_picture(room.room, turn), time.time_ns() // 1_000_000)
                room.pictures = {"main": picture} if kind == "slate" else {"main": picture, "": picture}
            if turn % STATUS_EVERY == 0:
                self.tell(room, "status")
            level = -70.0 if kind == "silent" else -22 + 5 * math.sin(turn / 3)
            room.meters = {"sound": {"momentary": level, "short_term": level, "true_peak": level + 12}, "picture": {}}
            self.tell(room, "meters")
            turn += 1


def _picture(room: str, turn: int) -> bytes:
    """A JPEG as large as a room's."""
    shade = sum(room.encode()) % 160
    image = Image.new("RGB", (480, 270), (40 + shade, 200 - shade, 90))
    draw = ImageDraw.Draw(image)
    for line in range(0, 270, 6):
        draw.line((0, line, 480, (line * 7 + turn * 11) % 270), fill=(255 - shade, line % 255, turn % 255))
    draw.text((20, 20), f"{room} {turn}", fill="white", font_size=48)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=60)
    return out.getvalue()
