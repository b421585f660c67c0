"""The room's side of its WHEP relay: starts the relay process with the first viewer, feeds it, stops it a minute
after the last. All on the loop; pushing never waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable

import msgspec
import structlog

from streamer.broadcast.media_events import PUBLIC
from streamer.control.framing import builtins_to, encode_frame
from streamer.control.messages import Answer, Candidates, ControlEvent, Offer
from streamer.errors import NotFound, StreamerError
from streamer.room.ended import EndedConnections
from streamer.room.feed import GOP_MAX_BYTES, GOP_MAX_US
from streamer.room.relay_link import RelayProcess, relay_unavailable
from streamer.room.relay_wire import AudioFrame, VideoFrame, ViewerCounts, feed_of
from streamer.room.whep_places import WhepPlaces
from streamer.settings import Settings

log = structlog.get_logger(__name__)

IDLE_S = 60.0
RESYNC_US = 5_000_000
"""If a feed's clock is this far from ours, its mapping is made anew."""


class _Clock:
    """Maps a feed's ticks to UTC microseconds; its pictures and its sound share one, so that they stay in step."""

    def __init__(self) -> None:
        self._base_us: int | None = None

    def at(self, ticks: int) -> int:
        us = ticks * 100 // 9
        now_us = time.time_ns() // 1000
        if self._base_us is None or abs(self._base_us + us - now_us) > RESYNC_US:
            self._base_us = now_us - us
        return self._base_us + us


class _Feed:
    """A feed on the room's side: a new relay process gets the pictures since the last IDR."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.clock = _Clock()
        self.until_idr = False
        self._gop: list[VideoFrame] = []
        self._gop_bytes = 0

    @property
    def gop(self) -> list[VideoFrame]:
        return list(self._gop)

    def keep(self, frame: VideoFrame) -> None:
        if frame.idr:
            self._gop, self._gop_bytes = [frame], len(frame.data)
        elif self._gop:
            self._gop.append(frame)
            self._gop_bytes += len(frame.data)
            if self._gop_bytes > GOP_MAX_BYTES or frame.media_us - self._gop[0].media_us > GOP_MAX_US:
                self._gop, self._gop_bytes = [], 0


class Relay:
    """``on_keyframe_wanted`` is called when viewers of the public feed need an IDR,
    ``on_source_keyframe_wanted(source)`` when those of a source's preview do. Both at most twice a second.

    A feed is ``public`` (the content of the public output, the slate included) or ``source/NAME``. Other feeds than the
    public one need only be pushed while :meth:`wants` is true for them.
    """

    def __init__(
        self,
        room: str,
        settings: Settings,
        *,
        on_keyframe_wanted: Callable[[], None],
        on_source_keyframe_wanted: Callable[[str], None] | None = None,
        idle_s: float = IDLE_S,
    ) -> None:
        self._room = room
        self._settings = settings
        self._on_keyframe_wanted = on_keyframe_wanted
        self._on_source_keyframe_wanted = on_source_keyframe_wanted
        self._idle_s = idle_s
        self._feeds: dict[str, _Feed] = {}
        self._process: RelayProcess | None = None
        self._starting = asyncio.Lock()
        self._idle_timer: asyncio.TimerHandle | None = None
        self._stopping: set[asyncio.Task[None]] = set()
        self._closed = False
        self._asking: dict[str, int] = {}
        """Feed -> the number of offers that are being answered."""
        self._places = WhepPlaces(settings.whep)
        """Places of offers until the relay process answers, which has the same limits."""
        self._resources: dict[str, str] = {}
        self._ended = EndedConnections()
        self._deleted: set[str] = set()
        """Connections that end because of their DELETE."""
        self._connected = 0
        self._relay_counters: dict[str, float] = {}
        self._earlier_counters: dict[str, float] = {}
        self.dropped = 0
        """Frames that were dropped because the relay process was behind."""
        self.crashes = 0

    # --- media ----------------------------------------------------------------------------------------

    def push_video(self, data: bytes, start: int, idr: bool, *, feed: str = PUBLIC) -> None:
        """One access unit of H.264, Annex B, of the feed; ``start`` in ticks of 1/90000 s of the feed's clock."""
        known = self._known(feed)
        frame = VideoFrame(feed=feed, media_us=known.clock.at(start), idr=idr, data=data)
        known.keep(frame)
        process = self._process
        if process is None or not process.ready:
            return
        if process.behind or (known.until_idr and not idr):
            known.until_idr = True
            self.dropped += 1
            return
        known.until_idr = False
        process.write(encode_frame(frame))

    def push_audio(self, data: bytes, start: int, *, feed: str = PUBLIC) -> None:
        """One Opus packet, on the same clock."""
        media_us = self._known(feed).clock.at(start)
        process = self._process
        if process is None or not process.ready:
            return
        if process.behind:
            self.dropped += 1
            return
        process.write(encode_frame(AudioFrame(feed=feed, media_us=media_us, data=data)))

    def wants(self, feed: str) -> bool:
        """Whether somebody watches the feed or is connecting."""
        return feed in self._asking or feed in self._resources.values()

    def _known(self, name: str) -> _Feed:
        feed = self._feeds.get(name)
        if feed is None:
            feed = self._feeds[name] = _Feed(name)
        return feed

    # --- viewers ----------------------------------------------------------------------------------------

    @property
    def viewers(self) -> int:
        """Connected viewers of the audience."""
        return self._connected

    @property
    def counters(self) -> dict[str, float]:
        """Monotonic counters for metrics."""
        totals = dict(self._earlier_counters)
        for name, value in self._relay_counters.items():
            totals[name] = totals.get(name, 0) + value
        return {
            **totals,
            "relay_frames_dropped_total": float(self.dropped),
            "relay_crashes_total": float(self.crashes),
        }

    async def offer(self, offer: Offer) -> Answer:
        """Errors: ``too_many_viewers`` 503 with Retry-After, ``bad_offer`` 400, ``unsupported_media`` 406 or 422,
        ``relay_unavailable`` 503."""
        feed = feed_of(offer)
        place = self._places.take(offer)
        self._asking[feed] = self._asking.get(feed, 0) + 1
        try:
            process = await self._running()
            try:
                answer = builtins_to(await process.request("offer", offer), Answer)
            except msgspec.ValidationError as error:
                raise StreamerError("The relay's answer is unreadable.", code="bad_reply") from error
            if process is self._process:
                self._resources.setdefault(answer.resource, feed)
            return answer
        finally:
            place.leave()
            self._asking[feed] -= 1
            if not self._asking[feed]:
                del self._asking[feed]
            self._note_idle()

    async def candidates(self, candidates: Candidates) -> None:
        """Raises the errors of :class:`Candidates`."""
        await self._of(candidates.resource).request("candidates", candidates)

    async def hangup(self, resource: str) -> None:
        """A connection that has ended by itself needs no more than this. Errors: ``no_such_resource`` 404."""
        if self._ended.settle(resource):
            return
        process = self._of(resource)
        if resource in self._deleted:
            raise NotFound("There is no such connection.", code="no_such_resource")
        self._deleted.add(resource)
        with contextlib.suppress(NotFound):  # it has ended by itself, and its room has not been told yet
            await process.request("hangup", {"resource": resource})

    async def close(self) -> None:
        """End the relay process and with it every viewer's connection."""
        self._closed = True
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        self._stop()
        if self._stopping:
            await asyncio.wait(self._stopping)

    def _of(self, resource: str) -> RelayProcess:
        process = self._process
        if process is None or resource not in self._resources:
            raise NotFound("There is no such connection.", code="no_such_resource")
        return process

    # --- the process --------------------------------------------------------------------------------------

    async def _running(self) -> RelayProcess:
        async with self._starting:
            if self._closed:
                raise relay_unavailable()
            process = self._process
            if process is not None and process.ready:
                return process
            try:
                process = await RelayProcess.start(self._room, self._settings, self._on_event, self._on_end)
            except (OSError, TimeoutError) as error:
                log.error("relay_not_started", room=self._room, error=str(error))
                raise relay_unavailable() from error
            self._process = process
            for feed in self._feeds.values():
                for frame in feed.gop:
                    process.write(encode_frame(frame))
            return process

    def _on_event(self, event: ControlEvent) -> None:
        if event.kind == "keyframe":
            if event.data == PUBLIC:
                self._on_keyframe_wanted()
            elif self._on_source_keyframe_wanted is not None:
                self._on_source_keyframe_wanted(str(event.data).removeprefix("source/"))
        elif event.kind == "viewers":
            told = builtins_to(event.data, ViewerCounts)
            for resource in self._resources.keys() - told.resources.keys():
                if resource in self._deleted:
                    self._deleted.discard(resource)
                else:
                    self._ended.add(resource)
            self._resources = told.resources
            self._connected = told.connected
            self._relay_counters = told.counters
            self._note_idle()

    def _on_end(self, process: RelayProcess) -> None:
        """The process has ended by itself, with its viewers; the next offer starts another."""
        if process is self._process:
            self.crashes += 1
            log.error("relay_died", room=self._room)
            self._stop()

    def _stop(self) -> None:
        process, self._process = self._process, None
        for name, value in self._relay_counters.items():
            self._earlier_counters[name] = self._earlier_counters.get(name, 0) + value
        self._relay_counters = {}
        for resource in self._resources:
            self._ended.add(resource)
        self._resources = {}
        self._deleted.clear()
        self._connected = 0
        if process is not None:
            task = asyncio.create_task(process.stop(), name=f"room {self._room} relay stop")
            self._stopping.add(task)
            task.add_done_callback(self._stopping.discard)

    def _note_idle(self) -> None:
        for name in [name for name in self._feeds if name != PUBLIC and not self.wants(name)]:
            # It is not pushed any more: kept pictures would not fit those of a later push.
            del self._feeds[name]
        idle = not self._resources and not self._asking
        if not idle and self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None
        elif idle and self._idle_timer is None and self._process is not None:
            self._idle_timer = asyncio.get_running_loop().call_later(self._idle_s, self._idle)

    def _idle(self) -> None:
        self._idle_timer = None
        if not self._resources and not self._asking:
            log.info("relay_idle", room=self._room)
            self._stop()
