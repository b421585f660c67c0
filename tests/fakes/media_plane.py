"""A media plane without processes: rooms that answer offers and remember what they were asked.

``tests/unit/room/test_stand_in.py`` holds it to the real one.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from streamer.broadcast.view import BroadcastView
from streamer.control import run_folder
from streamer.control.messages import Answer, Candidates, Forgot, Offer, RoomConfig, RoomStatus, SourceStatus
from streamer.errors import Conflict, NotFound, StreamerError

ANSWER_SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"


@dataclass
class FakeRoom:
    """A room link. ``fail_with`` is raised by the next offer."""

    config: RoomConfig
    status: RoomStatus | None = None
    meters: dict[str, dict[str, Any]] | None = None
    up: bool = True
    state: str = "slate"
    view: BroadcastView = field(default_factory=BroadcastView)
    """It stays empty."""
    offers: list[Offer] = field(default_factory=list)
    trickled: list[Candidates] = field(default_factory=list)
    hung_up: list[str] = field(default_factory=list)
    forgotten: list[tuple[int, int]] = field(default_factory=list)
    resources: dict[str, Offer] = field(default_factory=dict)
    fail_with: StreamerError | None = None
    restart_answer: Answer | None = None
    bytes: dict[tuple[str, int], Any] = field(default_factory=dict)
    """Of recent parts: none, all is read from the disk."""
    tell: Callable[[FakeRoom, str, Any], None] = lambda room, what, data: None

    def __post_init__(self) -> None:
        self.status = RoomStatus(room=self.config.id, pid=1)

    def counters(self) -> dict[str, float]:
        return {"room_reconnects_total": 2}

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        return lambda: None

    async def offer(self, offer: Offer) -> Answer:
        if self.fail_with is not None:
            raise self.fail_with
        if offer.kind == "publish":
            for resource, other in list(self.resources.items()):
                if (other.kind, other.source) == (offer.kind, offer.source):
                    if other.grant != offer.grant and not offer.takeover:
                        raise Conflict("Somebody else sends here.", code="source_occupied")
                    del self.resources[resource]
        self.offers.append(offer)
        resource = secrets.token_urlsafe(24)
        self.resources[resource] = offer
        if offer.kind == "publish":
            assert self.status is not None
            self.status.sources[offer.source] = SourceStatus(
                name=offer.source, up=True, publication="p1", client=offer.client, notes=["no_audio"]
            )
            self.tell(self, "status", self.status)
        return Answer(sdp=ANSWER_SDP, resource=resource, etag="etag-1")

    async def candidates(self, candidates: Candidates) -> Answer | None:
        if candidates.resource not in self.resources:
            raise NotFound("There is no such resource.", code="no_such_resource")
        self.trickled.append(candidates)
        return self.restart_answer

    async def hangup(self, resource: str) -> None:
        offer = self.resources.pop(resource, None)
        if offer is None:
            raise NotFound("There is no such resource.", code="no_such_resource")
        self.hung_up.append(resource)
        if offer.kind == "publish" and self.status is not None:
            self.status.sources[offer.source].up = False
            self.tell(self, "status", self.status)

    async def forget(self, from_ms: int, to_ms: int) -> Forgot:
        self.forgotten.append((from_ms, to_ms))
        return Forgot()


class FakePlane:
    """Opens a room at once."""

    def __init__(self) -> None:
        self.rooms: dict[str, FakeRoom] = {}
        self.host_up = True
        self.host_reconnects = 0
        self.configured: list[RoomConfig] = []
        self.stopped: list[str] = []
        self.listeners: list[Callable[[Any, str, Any], None]] = []

    async def start(self) -> None:
        """There is nobody to connect to."""

    async def close(self) -> None:
        self.rooms.clear()

    def listen(self, listener: Callable[[Any, str, Any], None]) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    def _tell(self, room: FakeRoom, what: str, data: Any) -> None:
        for listener in list(self.listeners):
            listener(room, what, data)

    async def ensure(self, config: RoomConfig) -> FakeRoom:
        run_folder.check_room_id(config.id)
        self.configured.append(config)
        if config.id not in self.rooms:
            room = self.rooms[config.id] = FakeRoom(config, tell=self._tell)
            for what, data in (("added", None), ("status", room.status), ("up", None)):
                self._tell(room, what, data)
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
            self._tell(link, what, None)
