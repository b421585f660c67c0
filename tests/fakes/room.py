"""A small room process: real sockets, a made-up broadcast, no media.

Run as a script by a media host (``python tests/fakes/room.py --data --room --settings``), or use
:class:`FakeRoom` in a test's own loop. The broadcast's id is kept on disk, so that a restarted process goes on.
``DIR/rooms/{id}/behaviour`` may hold ``crash`` (exit 3 at once), ``deaf`` (never listen) or ``fade`` (stop
answering after a moment).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import signal
import sys
import time
from pathlib import Path
from typing import Any

import uvloop

from streamer.broadcast.media_events import (
    PUBLIC,
    Closed,
    InitMade,
    IntervalOpened,
    MediaEvent,
    Opened,
    PartBytes,
    PartMade,
    SegmentDone,
    SegmentOpened,
    Snapshot,
)
from streamer.broadcast.programme import Broadcast, Chunk, InitSection, Interval, Part, Rendition, Segment
from streamer.broadcast.view import BroadcastView
from streamer.control import process_files, run_folder
from streamer.control.data import DataServer
from streamer.control.messages import Answer, Offer, RoomConfig, RoomStatus, SourceStatus
from streamer.control.server import ControlServer, typed
from streamer.errors import Conflict
from streamer.room.forking import fork_rooms, wait_for_room

PART_TICKS = 30_000
PARTS = 6
RING_PARTS = 120


class FakeRoom:
    """A room whose one rendition ``v360`` gets a part whenever :meth:`tick` is called."""

    def __init__(self, run_dir: Path, room: str, *, broadcast: str = "", part_bytes: int = 100) -> None:
        self.room = room
        self.view = BroadcastView()
        self.config: RoomConfig | None = None
        self.closed = asyncio.Event()
        self.requests: list[str] = []
        self.deaf = False
        self._part_bytes = part_bytes
        self._ring: list[PartBytes] = []
        self._written = 0
        self._broadcast = broadcast
        self.status = RoomStatus(room=room, pid=os.getpid(), started_ms=int(time.time() * 1000))
        self.control = ControlServer(
            run_dir / run_folder.control_socket(room),
            {
                "hello": self._hello,
                "status": self._status,
                "configure": typed(RoomConfig, self._configure),
                "offer": typed(Offer, self._offer),
                "close": self._close,
                "slow": self._slow,
                "fail": self._fail,
            },
            request_limit_s=1.0,
        )
        self.data = DataServer(run_dir / run_folder.data_socket(room), self.snapshot)

    async def start(self) -> None:
        if self._broadcast:
            self.open(self._broadcast)
        await self.data.start()
        await self.control.start()
        self.control.publish("status", self.status)

    async def stop(self) -> None:
        await self.data.close()
        await self.control.close()

    # --- the broadcast -------------------------------------------------------------------------------

    def open(self, broadcast: str) -> None:
        rendition = Rendition(
            name="v360",
            kind="video",
            codecs="avc1.42e01e",
            bandwidth=800_000,
            average_bandwidth=700_000,
            width=640,
            height=360,
            frame_rate=30.0,
        )
        self.publish(
            Opened(broadcast=Broadcast(id=broadcast, room=self.room, epoch_ms=1_000_000, renditions=(rendition,)))
        )
        self.publish(InitMade(init=InitSection(id=1, rendition="v360", codecs="avc1.42e01e", data=b"init")))
        self.publish(IntervalOpened(output=PUBLIC, interval=Interval(index=0, key="k0", aired=True, start=0)))
        self.status.broadcast = broadcast
        self.status.sources = {"main": SourceStatus(name="main", up=True)}
        self.control.publish("status", self.status)

    def publish(self, event: MediaEvent) -> None:
        # As a real room must: state and event change in the same turn of the loop.
        self.view.apply(event)
        if isinstance(event, PartMade):
            chunk = event.part.chunk
            self._ring = [
                *self._ring[-RING_PARTS + 1 :],
                PartBytes(file=chunk.file, offset=chunk.offset, data=event.data),
            ]
        self.data.publish(event)
        self.view.seq = self.data.seq

    def snapshot(self) -> tuple[Snapshot, list[PartBytes]]:
        return self.view.snapshot(), list(self._ring)

    def tick(self) -> None:
        """The next part."""
        count = self._written
        msn, index = divmod(count, PARTS)
        start = count * PART_TICKS
        if index == 0:
            segment = Segment(msn=msn, start=start, init=1, discontinuity=False, interval=0)
            self.publish(SegmentOpened(output=PUBLIC, rendition="v360", segment=segment))
        data = f"{msn}.{index}|".encode().ljust(self._part_bytes, b".")
        chunk = Chunk(file="v360.000", offset=count * self._part_bytes, size=self._part_bytes)
        part = Part(start=start, duration=PART_TICKS, independent=index == 0, chunk=chunk)
        self.publish(PartMade(output=PUBLIC, rendition="v360", msn=msn, index=index, part=part, data=data))
        if index == PARTS - 1:
            self.publish(SegmentDone(output=PUBLIC, rendition="v360", msn=msn))
        self._written += 1

    # --- requests ------------------------------------------------------------------------------------

    async def _hello(self, params: dict[str, Any]) -> dict[str, Any]:
        while self.deaf:
            await asyncio.sleep(3600)
        return {"version": 1, "pid": os.getpid()}

    async def _status(self, params: dict[str, Any]) -> RoomStatus:
        return self.status

    async def _configure(self, config: RoomConfig) -> None:
        self.config = config
        self.status.alarms = [f"named_{config.name}"]
        self.control.publish("status", self.status)

    async def _offer(self, offer: Offer) -> Answer:
        self.requests.append("offer")
        if offer.source == "taken":
            raise Conflict("Somebody publishes there.", code="source_occupied", details={"source": offer.source})
        return Answer(sdp="v=0", resource="secret", etag="e1")

    async def _close(self, params: dict[str, Any]) -> None:
        self.publish(Closed())
        self.closed.set()

    async def _slow(self, params: dict[str, Any]) -> None:
        await asyncio.sleep(3600)

    async def _fail(self, params: dict[str, Any]) -> None:
        raise RuntimeError("a secret of the room's insides")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--room")
    parser.add_argument("--fork-server", action="store_true")
    parser.add_argument("--spare", action="store_true")
    parser.add_argument("--settings", type=Path, required=True)
    options = parser.parse_args()
    if options.fork_server or options.spare:
        options.room = fork_rooms() if options.fork_server else wait_for_room()
    return uvloop.run(serve_room(options)) if options.room is not None else 0  # as the real one


async def serve_room(options: argparse.Namespace) -> int:
    settings = process_files.read_settings(options.settings)
    folder = settings.room_dir(options.room)
    behaviour = folder / "behaviour"
    manner = behaviour.read_text() if behaviour.exists() else ""
    if manner == "crash":
        return 3
    kept = folder / "broadcast"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(secrets.token_hex(4))
    if manner == "deaf":
        await asyncio.sleep(3600)
    room = FakeRoom(settings.run_dir, options.room, broadcast=kept.read_text())
    room.config = process_files.load_room(settings, options.room)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, room.closed.set)
    await room.start()
    while not room.closed.is_set():
        room.tick()
        if manner == "fade" and room.view.seq > 20:
            room.deaf = True
        try:
            async with asyncio.timeout(0.05):
                await room.closed.wait()
        except TimeoutError:
            pass
    if room.view.closed:
        kept.unlink()
    await room.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
