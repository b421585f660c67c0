"""A web process's link to one room: its status, the mirror of its broadcast, the bytes of recent parts, and requests.
All on the loop.

The link reconnects for ever. While a room process is away the mirror stays as it was, so that viewers keep their media.
The snapshot of the next process either continues the broadcast or begins another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import structlog

from streamer.broadcast.chunks import ChunkSet
from streamer.broadcast.media_events import Forgotten, MediaEvent, PartBytes, PartMade, Snapshot
from streamer.broadcast.programme import SLATE
from streamer.broadcast.view import BroadcastView, OutOfStep
from streamer.control import run_folder
from streamer.control.channel import READ_LIMIT_BYTES, REQUEST_LIMIT_S, Channel
from streamer.control.framing import FrameError, builtins_to, decode_media, read_frame
from streamer.control.media_plane import Change
from streamer.control.messages import (
    Answer,
    Candidates,
    ControlEvent,
    CrewPicture,
    Forget,
    Forgot,
    Offer,
    PictureWanted,
    RoomConfig,
    RoomStatus,
)
from streamer.control.part_cache import PartCache
from streamer.control.serving import close_writer
from streamer.errors import NotFound, StreamerError, Unavailable
from streamer.supervision import start_kept

log = structlog.get_logger(__name__)

FIRST_RETRY_S = 0.05
LAST_RETRY_S = 1.0
YIELD_EVERY = 16
"""Frames of a burst that are read before other tasks get their turn."""
CLOSE_LIMIT_S = 12.0
FORGET_LIMIT_S = 15.0
"""The room itself waits ten seconds for its disk."""
PICTURE_LIMIT_S = 2.0
"""The next picture is asked for by then."""
STATUS_LIMIT_S = 2.0
"""The last one is only a second old, and *forget* waits for it."""

OrderEpoch = Callable[[], Awaitable[int]]
"""The epoch for a request. Raises a StreamerError if this process does not direct any more."""


async def no_epoch() -> int:
    return 0


NOT_THE_DIRECTOR = "not_the_director"
"""The error with which a room refuses an older epoch."""

Callback = Callable[[], None]
LinkListener = Callable[["RoomClient", Change], None]


class RoomClient:
    """A :class:`streamer.control.media_plane.RoomLink`."""

    def __init__(
        self,
        run_dir: Path,
        room: str,
        *,
        cache_bytes: int,
        listener: LinkListener,
        remember: Callable[[RoomConfig], Awaitable[None]] | None = None,
        order_epoch: OrderEpoch = no_epoch,
        doubt: Callable[[], None] = lambda: None,
    ) -> None:
        self._order_epoch = order_epoch
        self._doubt = doubt
        self._epoch = 0
        """The epoch of this link's last request: events with an older one come from another director."""
        self.room = room
        self.view = BroadcastView()
        self.bytes = PartCache(cache_bytes)
        self.status: RoomStatus | None = None
        self.meters: dict[str, Any] | None = None
        self.reconnects = 0
        """Lost connections of both sockets."""
        self.ended = False
        """Whether the media host has closed the room; the link stays for the last viewers."""
        self.out_of_step = 0
        """Events that did not fit the mirror, so that a new snapshot was asked for."""
        self.older_epochs = 0
        """Events with an older epoch."""
        self._run_dir = run_dir
        self._listener = listener
        self._remember = remember
        self._subscribers: dict[object, Callback] = {}
        self._channel: Channel | None = None
        self._told = False
        self._following = False
        self._was_up = False
        self._held_snapshot: Snapshot | None = None
        self._changed = asyncio.Event()
        self._tasks = [
            start_kept("room control", partial(self._keep, self._follow_control), task_name=f"room {room} control"),
            start_kept("room data", partial(self._keep, self._follow_data), task_name=f"room {room} data"),
        ]

    # --- state -------------------------------------------------------------------------------------

    @property
    def up(self) -> bool:
        """Whether both sockets are connected and have sent their state."""
        return self._following and self._told and self._channel is not None and self._channel.up

    def subscribe(self, callback: Callback) -> Callback:
        ticket = object()
        self._subscribers[ticket] = callback

        def end() -> None:
            self._subscribers.pop(ticket, None)

        return end

    async def wait_up(self) -> None:
        """Returns when the link is up. The caller sets the limit."""
        while not self.up:
            await self._changed.wait()

    def counters(self) -> dict[str, float]:
        return {
            "room_reconnects_total": self.reconnects,
            "room_out_of_step_total": self.out_of_step,
            "room_older_epochs_total": self.older_epochs,
            "part_cache_hits_total": self.bytes.hits,
            "part_cache_misses_total": self.bytes.misses,
            "part_cache_evicted_total": self.bytes.evicted,
        }

    # --- requests -----------------------------------------------------------------------------------

    async def request(self, method: str, params: Any = None, *, limit_s: float = REQUEST_LIMIT_S) -> Any:
        """A request to the room, one of ``messages.ROOM_METHODS``; the result as builtins.

        Raises the room's StreamerError, ``room_unavailable`` 503 while its process is away, ``timed_out`` 504.
        """
        channel = self._channel
        if channel is None or not channel.up:
            raise _unavailable()
        epoch = self._epoch = await self._order_epoch()
        try:
            return await channel.request(method, params, limit_s=limit_s, epoch=epoch)
        except StreamerError as error:
            if error.code == NOT_THE_DIRECTOR:
                self._doubt()
            raise (_unavailable() if error.code == "connection_lost" else error) from error

    async def offer(self, offer: Offer) -> Answer:
        return _as(Answer, await self.request("offer", offer))

    async def candidates(self, candidates: Candidates) -> None:
        await self._of_resource("candidates", candidates)

    async def hangup(self, resource: str) -> None:
        await self._of_resource("hangup", {"resource": resource})

    async def _of_resource(self, method: str, params: Any) -> None:
        """A request about a connection. The connection ended with its room, so this does not wait for the room."""
        if self.ended and not self.up:
            raise NotFound("There is no such connection.", code="no_such_resource")
        await self.request(method, params)

    async def configure(self, config: RoomConfig) -> None:
        """Tell the room its new config, by the media host if there is one, which keeps it for a restart."""
        if self._remember is not None:
            await self._remember(config)
        else:
            await self.request("configure", config)

    async def ask_status(self) -> RoomStatus:
        result = await self.request("status", limit_s=STATUS_LIMIT_S)
        with _readable("RoomStatus"):
            return builtins_to(result, RoomStatus)

    async def forget(self, from_ms: int, to_ms: int) -> Forgot:
        result = await self.request("forget", Forget(from_ms, to_ms), limit_s=FORGET_LIMIT_S)
        with _readable("Forgot"):
            return builtins_to(result, Forgot)

    async def picture(self, source: str) -> CrewPicture:
        result = await self.request("picture", PictureWanted(source), limit_s=PICTURE_LIMIT_S)
        with _readable("CrewPicture"):
            return builtins_to(result, CrewPicture)

    async def close(self) -> None:
        """End the room's broadcast; its process then ends by itself."""
        await self.request("close", limit_s=CLOSE_LIMIT_S)

    # --- following -----------------------------------------------------------------------------------

    async def disconnect(self) -> None:
        """Stop following the room. The room process goes on."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._note()

    async def _keep(self, follow: Callable[[], Any]) -> None:
        loop = asyncio.get_running_loop()
        retry_s = FIRST_RETRY_S
        while True:
            began = loop.time()
            try:
                await follow()
                self.reconnects += 1
            except OSError as error:
                log.debug("room_not_reached", room=self.room, error=str(error))
            except Exception:
                log.exception("room_link_failed", room=self.room)
                self.reconnects += 1
            self._note()
            if loop.time() - began > LAST_RETRY_S:
                retry_s = FIRST_RETRY_S
            await asyncio.sleep(retry_s)
            retry_s = min(retry_s * 2, LAST_RETRY_S)

    async def _follow_control(self) -> None:
        channel = await Channel.open(self._run_dir, run_folder.control_socket(self.room), self._on_event)
        self._channel = channel
        self._note()
        try:
            if await self._order_epoch():
                # From now on its events carry our epoch.
                await self.request("hello")
            await channel.wait_closed()
        finally:
            self._channel = None
            self._told = False
            await channel.close()

    def _on_event(self, event: ControlEvent) -> None:
        if 0 < event.epoch < self._epoch:
            self.older_epochs += 1
            return
        if 0 < self._epoch < event.epoch:
            self._doubt()
            return
        if event.kind == "status":
            try:
                self.status = builtins_to(event.data, RoomStatus)
            except msgspec.ValidationError as error:
                log.error("room_status_unreadable", room=self.room, error=str(error))
                return
            self._told = True
            self._note()
            self._listener(self, "status")
        elif event.kind == "meters":
            self.meters = event.data if isinstance(event.data, dict) else None
            self._listener(self, "meters")

    async def _follow_data(self) -> None:
        sock = run_folder.connect(self._run_dir, run_folder.data_socket(self.room))
        reader, writer = await asyncio.open_unix_connection(sock=sock, limit=READ_LIMIT_BYTES)
        try:
            taken = 0
            while (payload := await read_frame(reader)) is not None:
                self._take_in(decode_media(payload))
                taken += 1
                if taken % YIELD_EVERY == 0:
                    await asyncio.sleep(0)
        except OutOfStep as error:
            self.out_of_step += 1
            log.warning("room_out_of_step", room=self.room, error=str(error))
        except (FrameError, ConnectionError) as error:
            log.warning("data_connection_lost", room=self.room, error=str(error))
        finally:
            self._following = False
            await close_writer(writer)

    def _take_in(self, event: MediaEvent) -> None:
        if isinstance(event, PartBytes):
            self.bytes.put((event.file, event.offset), event.data)
            return
        if isinstance(event, Snapshot):
            self._begin(event)
        else:
            if self._held_snapshot is not None:
                self._replace(self._held_snapshot)
            if isinstance(event, PartMade) and event.data:
                self.bytes.put((event.part.chunk.file, event.part.chunk.offset), event.data)
            if isinstance(event, Forgotten) and (output := self.view.outputs.get(event.output)) is not None:
                self.bytes.drop(ChunkSet(output.chunks(event.first_msn, event.last_msn)))
            self.view.apply(event)
        self._call_subscribers()

    def _begin(self, snapshot: Snapshot) -> None:
        known = self.view.broadcast
        if snapshot.broadcast is None and known is not None and not self.view.closed:
            # A room process that has just come back has nothing to show yet. Viewers keep their media until it sends
            # something newer.
            self._held_snapshot = snapshot
        else:
            self._replace(snapshot)
        self._following = True
        self._note()

    def _replace(self, snapshot: Snapshot) -> None:
        known = self.view.broadcast
        self._held_snapshot = None
        self.view.apply(snapshot)
        if known is None or snapshot.broadcast is None or snapshot.broadcast.id != known.id:
            self.bytes.clear()

    def _note(self) -> None:
        up = self.up
        if up == self._was_up:
            return
        self._was_up = up
        if not up:
            self.meters = None
        if not up and self.status is not None:
            # The room's sources ended with its process. The next process tells of its own.
            self.status = msgspec.structs.replace(
                self.status,
                on_programme=SLATE,
                sources={
                    name: msgspec.structs.replace(source, up=False, connection="closed")
                    for name, source in self.status.sources.items()
                },
            )
        log.info("room_up" if up else "room_away", room=self.room)
        self._changed.set()
        self._changed = asyncio.Event()
        self._call_subscribers()
        self._listener(self, "up" if up else "down")

    def _call_subscribers(self) -> None:
        for callback in list(self._subscribers.values()):
            callback()


@contextmanager
def _readable(what: str) -> Iterator[None]:
    try:
        yield
    except msgspec.ValidationError as error:
        raise StreamerError(f"The room answered with an unreadable {what}.", code="bad_reply") from error


def _as(kind: type[Answer], value: Any) -> Answer:
    with _readable(kind.__name__):
        return builtins_to(value, kind)


def _unavailable() -> Unavailable:
    return Unavailable("The room is restarting.", code="room_unavailable", headers={"Retry-After": "1"})
