"""The relay process of a room sends the programme's encoded pictures and sound to WHEP viewers.

It is a separate process, so that viewers never delay a camera's packets. It lives as long as its socket to the room
process.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import socket
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import structlog
import uvloop

from streamer.broadcast.media_events import PUBLIC
from streamer.control import process_files
from streamer.control.channel import READ_LIMIT_BYTES
from streamer.control.framing import FrameError, builtins_to, encode_frame, read_frame, to_protocol_error
from streamer.control.messages import Answer, Candidates, ControlEvent, Offer, ProtocolError, Reply, Request
from streamer.control.outbound import Outbound
from streamer.control.serving import close_writer
from streamer.errors import BadRequest, NotFound, StreamerError, Unavailable
from streamer.observe.logs import configure_logging
from streamer.room.feed import ViewerFeed
from streamer.room.relay_wire import AudioFrame, VideoFrame, ViewerCounts, decode_relay, feed_of
from streamer.room.whep import Viewer
from streamer.room.whep_places import Place, WhepPlaces
from streamer.rtc import aiortc_hooks as hooks
from streamer.rtc.ice import binding_from
from streamer.settings import Settings
from streamer.supervision import start_kept

log = structlog.get_logger(__name__)

OFFER_LIMIT_S = 8.0
"""The wait for candidates from STUN and TURN servers."""
TELL_EVERY_S = 1.0


class RelayServer:
    """The feeds and the viewers. All on the loop."""

    def __init__(self, room: str, settings: Settings, writer: asyncio.StreamWriter) -> None:
        self._room = room
        self._settings = settings
        self._binding = binding_from(settings)
        self._writer = writer
        self._out = Outbound(writer)
        self._feeds: dict[str, ViewerFeed] = {}
        self._viewers: dict[str, Viewer] = {}
        self._places = WhepPlaces(settings.whep)
        self._tasks: set[asyncio.Task[None]] = set()
        self._answering: Counter[str] = Counter()
        """Feed -> the number of offers that are being answered."""
        self._counted: dict[str, float] = {}

    async def run(self, reader: asyncio.StreamReader) -> None:
        """Runs until the room closes the connection."""
        pump = asyncio.create_task(self._out.run(), name="relay pump")
        # Without this task it could answer nobody: the room starts another.
        pump.add_done_callback(lambda _: self._writer.transport.abort())
        tell = start_kept("relay viewers", self._tell_regularly)
        try:
            while (payload := await read_frame(reader)) is not None:
                self._take_in(payload)
        finally:
            for viewer in self._viewers.values():
                viewer.hang_up()
            for task in (pump, tell):
                task.cancel()
            await asyncio.gather(pump, tell, return_exceptions=True)
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=OFFER_LIMIT_S)

    def _take_in(self, payload: bytes) -> None:
        message = decode_relay(payload)
        if isinstance(message, VideoFrame):
            self._feed(message.feed).push_video(message.data, message.media_us, message.idr, time.monotonic_ns())
        elif isinstance(message, AudioFrame):
            self._feed(message.feed).push_audio(message.data, message.media_us)
        elif isinstance(message, Request):
            self._own(self._answer(message), f"relay {message.method}")

    def _feed(self, name: str) -> ViewerFeed:
        feed = self._feeds.get(name)
        if feed is None:
            feed = self._feeds[name] = ViewerFeed(name, lambda: self._say("keyframe", name))
        return feed

    def _own(self, work: Any, name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _say(self, kind: str, data: Any) -> None:
        self._out.send(encode_frame(ControlEvent(kind=kind, data=data)))

    # --- viewers -------------------------------------------------------------------------------------

    async def _answer(self, request: Request) -> None:
        try:
            reply = Reply(id=request.id, result=await self._call(request))
        except StreamerError as error:
            reply = Reply(id=request.id, error=to_protocol_error(error))
        except msgspec.ValidationError as error:
            reply = Reply(id=request.id, error=to_protocol_error(BadRequest(str(error), code="bad_params")))
        except Exception:
            log.exception("relay_request_failed", method=request.method)
            reply = Reply(id=request.id, error=ProtocolError(code="internal", message="The relay failed.", status=500))
        self._out.send(encode_frame(reply))

    async def _call(self, request: Request) -> Answer | None:
        if request.method == "offer":
            return await self._offer(builtins_to(request.params, Offer))
        if request.method == "candidates":
            wanted = builtins_to(request.params, Candidates)
            await self._viewer(wanted.resource).candidates(wanted)
            return None
        if request.method == "hangup":
            self._viewer(str(request.params.get("resource"))).hang_up()
            return None
        raise NotFound("No such method.", code="unknown_method")

    def _viewer(self, resource: str) -> Viewer:
        viewer = self._viewers.get(resource)
        if viewer is None:
            raise NotFound("There is no such connection.", code="no_such_resource")
        return viewer

    async def _offer(self, offer: Offer) -> Answer:
        place = self._places.take(offer)
        feed = self._feed(feed_of(offer))
        self._answering[feed.name] += 1
        try:
            viewer = Viewer(
                offer,
                feed,
                self._binding,
                self._settings.whep.connect_timeout_s,
                self._settings.ice.max_candidates,
                lambda: self._connect(place),
            )
            try:
                async with asyncio.timeout(OFFER_LIMIT_S):
                    answer = await viewer.answer()
            except TimeoutError as error:
                await viewer.close()
                raise Unavailable("No address for media was found in time.", code="ice_unavailable") from error
            except BaseException:
                await viewer.close()
                raise
            self._viewers[viewer.resource] = viewer
        except BaseException:
            place.leave()
            raise
        finally:
            self._answering[feed.name] -= 1
            self._forget(feed)
        self._own(self._keep(viewer, place), "whep viewer")
        self._tell()
        return answer

    def _connect(self, place: Place) -> bool:
        connected = place.connect()
        self._tell()
        return connected

    async def _keep(self, viewer: Viewer, place: Place) -> None:
        reason = await viewer.live()
        place.leave()
        log.info("viewer_left", room=self._room, feed=viewer.feed.name, reason=reason)
        del self._viewers[viewer.resource]
        for name, value in viewer.counters.items():
            self._counted[name] = self._counted.get(name, 0) + value
        self._forget(viewer.feed)
        self._tell()
        await viewer.close()

    def _forget(self, feed: ViewerFeed) -> None:
        # The room stops feeding a preview that nobody watches. Pictures from before that gap would show the next viewer
        # a broken picture up to the next IDR.
        watched = self._answering[feed.name] or any(viewer.feed is feed for viewer in self._viewers.values())
        if feed.name != PUBLIC and not watched:
            self._feeds.pop(feed.name, None)

    # --- status ----------------------------------------------------------------------------------------

    async def _tell_regularly(self) -> None:
        while True:
            await asyncio.sleep(TELL_EVERY_S)
            if self._viewers:
                self._tell()

    def _tell(self) -> None:
        counters = dict(self._counted)
        for viewer in self._viewers.values():
            for name, value in viewer.counters.items():
                counters[name] = counters.get(name, 0) + value
        resources = {resource: viewer.feed.name for resource, viewer in self._viewers.items()}
        counters["whep_refused_total"] = float(self._places.refused_total)
        self._say("viewers", ViewerCounts(resources=resources, counters=counters, connected=self._places.connected))


async def serve_relay(room: str, settings: Settings, descriptor: int) -> int:
    """Run the relay on an open socket to its room. Returns the exit code when the room has closed it."""
    hooks.install()
    # Ctrl-C and a service manager's SIGTERM reach the whole group; the room decides when its viewers are disconnected.
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, lambda: None)
    reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=descriptor), limit=READ_LIMIT_BYTES)
    try:
        await RelayServer(room, settings, writer).run(reader)
    except (ConnectionError, FrameError) as error:
        log.warning("relay_connection_lost", error=str(error))
        return 1
    finally:
        await close_writer(writer)
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="streamer.room.relay_process")
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--room", required=True)
    parser.add_argument("--settings", type=Path, required=True)
    options = parser.parse_args(arguments)
    settings = process_files.read_settings(options.settings)
    configure_logging(settings.log, role="relay")
    for chatty in ("aioice", "aiortc"):
        # Each connectivity check of each viewer would be a line.
        logging.getLogger(chatty).setLevel(logging.WARNING)
    return uvloop.run(serve_relay(options.room, settings, options.fd))
