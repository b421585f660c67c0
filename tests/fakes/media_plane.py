"""The stand-in for the media plane, without processes: rooms that show the fed events, answer offers and remember their
requests. ``tests/unit/room/test_stand_in.py`` compares it with the real one."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from streamer.broadcast.media_events import MediaEvent, PartBytes, PartMade
from streamer.broadcast.view import BroadcastView
from streamer.control import run_folder
from streamer.control.media_plane import Change, RoomLink
from streamer.control.messages import (
    Answer,
    Candidates,
    CrewPicture,
    Forgot,
    Offer,
    RoomConfig,
    RoomStatus,
    SourceStatus,
)
from streamer.control.part_cache import PartCache
from streamer.errors import Conflict, NotFound, StreamerError

ANSWER_SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"


@dataclass(eq=False)
class FakeRoom:
    """A room's link. ``fail_with`` is raised by the next offer."""

    config: RoomConfig
    status: RoomStatus | None = None
    meters: dict[str, dict[str, Any]] | None = None
    up: bool = True
    ended: bool = False
    state: str = "slate"
    view: BroadcastView = field(default_factory=BroadcastView)
    """It shows the fed events."""
    offers: list[Offer] = field(default_factory=list)
    trickled: list[Candidates] = field(default_factory=list)
    hung_up: list[str] = field(default_factory=list)
    forgotten: list[tuple[int, int]] = field(default_factory=list)
    pictures: dict[str, CrewPicture] = field(default_factory=dict)
    """Source ("": what goes out) -> its picture."""
    pictures_asked: int = 0
    taken_over: set[str] = field(default_factory=set)
    resources: dict[str, Offer] = field(default_factory=dict)
    fail_with: StreamerError | None = None
    bytes: PartCache = field(default_factory=lambda: PartCache(64 * 1024 * 1024))
    tell: Callable[[RoomLink, Change], None] = lambda room, what: None
    callbacks: dict[object, Callable[[], None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.status = RoomStatus(room=self.room, pid=1)

    @property
    def room(self) -> str:
        return self.config.id

    @property
    def subscribers(self) -> int:
        return len(self.callbacks)

    def feed(self, event: MediaEvent) -> None:
        """As the room's process tells it."""
        if isinstance(event, PartMade):
            self.bytes.put((event.part.chunk.file, event.part.chunk.offset), event.data)
        elif isinstance(event, PartBytes):
            self.bytes.put((event.file, event.offset), event.data)
        self.view.apply(event)
        for callback in list(self.callbacks.values()):
            callback()

    def counters(self) -> dict[str, float]:
        return {"room_reconnects_total": 2}

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        ticket = object()
        self.callbacks[ticket] = callback

        def end() -> None:
            self.callbacks.pop(ticket, None)

        return end

    async def offer(self, offer: Offer) -> Answer:
        if self.fail_with is not None:
            raise self.fail_with
        if offer.kind == "publish":
            for resource, other in list(self.resources.items()):
                if (other.kind, other.source) == (offer.kind, offer.source):
                    if other.grant != offer.grant and not offer.takeover:
                        raise Conflict("Somebody else sends here.", code="source_occupied")
                    del self.resources[resource]
                    self.taken_over.add(resource)
        self.offers.append(offer)
        resource = secrets.token_urlsafe(24)
        self.resources[resource] = offer
        if offer.kind == "publish":
            assert self.status is not None
            self.status.sources[offer.source] = SourceStatus(
                name=offer.source, up=True, publication="p1", client=offer.client, notes=["no_audio"]
            )
            self.tell(self, "status")
        return Answer(sdp=ANSWER_SDP, resource=resource, etag="etag-1")

    async def candidates(self, candidates: Candidates) -> None:
        if candidates.resource not in self.resources:
            raise NotFound("There is no such resource.", code="no_such_resource")
        self.trickled.append(candidates)

    async def hangup(self, resource: str) -> None:
        if resource in self.taken_over:
            # Its DELETE comes late, once.
            self.taken_over.remove(resource)
            return
        offer = self.resources.pop(resource, None)
        if offer is None:
            raise NotFound("There is no such resource.", code="no_such_resource")
        self.hung_up.append(resource)
        if offer.kind == "publish" and self.status is not None:
            self.status.sources[offer.source].up = False
            self.tell(self, "status")

    async def ask_status(self) -> RoomStatus:
        assert self.status is not None
        return self.status

    async def forget(self, from_ms: int, to_ms: int) -> Forgot:
        self.forgotten.append((from_ms, to_ms))
        return Forgot()

    async def picture(self, source: str) -> CrewPicture:
        self.pictures_asked += 1
        if source not in self.pictures:
            raise NotFound("There is no picture of this.", code="no_picture")
        return self.pictures[source]


def on_air(room: str = "salle", source: str = "main") -> FakeRoom:
    """A room whose programme takes a source that is up."""
    link = FakeRoom(RoomConfig(room, room))
    link.status = RoomStatus(room, 1, on_programme=source, sources={source: SourceStatus(name=source, up=True)})
    return link


class FakePlane:
    """Opens a room at once."""

    def __init__(self, *rooms: FakeRoom) -> None:
        self.rooms: dict[str, FakeRoom] = {link.room: link for link in rooms}
        self.host_up = True
        self.host_reconnects = 0
        self.configured: list[RoomConfig] = []
        self.stopped: list[str] = []
        self.listeners: list[Callable[[RoomLink, Change], None]] = []

    async def start(self) -> None:
        """There is nobody to connect to."""

    async def close(self) -> None:
        self.rooms.clear()

    def listen(self, listener: Callable[[RoomLink, Change], None]) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    def tell(self, link: RoomLink, what: Change) -> None:
        for listener in list(self.listeners):
            listener(link, what)

    async def ensure(self, config: RoomConfig) -> FakeRoom:
        run_folder.check_room_id(config.id)
        self.configured.append(config)
        if config.id not in self.rooms:
            room = self.rooms[config.id] = FakeRoom(config, tell=self.tell)
            for what in ("added", "status", "up"):
                self.tell(room, what)
        return self.rooms[config.id]

    async def configure(self, config: RoomConfig) -> None:
        if config.id in self.rooms:
            self.configured.append(config)

    async def stop(self, room: str) -> None:
        if room not in self.rooms:
            raise NotFound("There is no such room.", code="no_such_room")
        self.stopped.append(room)
        link = self.rooms.pop(room)
        link.up = False
        for what in ("down", "removed"):
            self.tell(link, what)
