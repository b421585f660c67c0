"""A media plane without processes: rooms that answer offers and remember what they were asked."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from streamer.errors import NotFound, StreamerError
from streamer.room.protocol import Answer, Candidates, Forgot, Offer, RoomConfig, RoomStatus, SourceStatus

ANSWER_SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"


@dataclass
class FakeRoom:
    """A room link. ``fail_with`` is raised by the next offer."""

    config: RoomConfig
    status: RoomStatus | None = None
    meters: dict[str, dict[str, Any]] | None = None
    up: bool = True
    state: str = "slate"
    view: None = None
    offers: list[Offer] = field(default_factory=list)
    trickled: list[Candidates] = field(default_factory=list)
    hung_up: list[str] = field(default_factory=list)
    forgotten: list[tuple[int, int]] = field(default_factory=list)
    resources: dict[str, Offer] = field(default_factory=dict)
    fail_with: StreamerError | None = None
    restart_answer: Answer | None = None
    bytes: dict[tuple[str, int], Any] = field(default_factory=dict)
    """Of recent parts: none, all is read from the disk."""

    def __post_init__(self) -> None:
        self.status = RoomStatus(room=self.config.id, pid=1)

    def counters(self) -> dict[str, float]:
        return {"room_reconnects_total": 2}

    async def offer(self, offer: Offer) -> Answer:
        if self.fail_with is not None:
            raise self.fail_with
        self.offers.append(offer)
        resource = secrets.token_urlsafe(24)
        self.resources[resource] = offer
        if offer.kind == "publish":
            assert self.status is not None
            self.status.sources[offer.source] = SourceStatus(
                name=offer.source, up=True, publication="p1", client=offer.client, notes=["no_audio"]
            )
        return Answer(sdp=ANSWER_SDP, resource=resource, etag="etag-1")

    async def candidates(self, candidates: Candidates) -> Answer | None:
        if candidates.resource not in self.resources:
            raise NotFound("There is no such resource.", code="no_such_resource")
        self.trickled.append(candidates)
        return self.restart_answer

    async def hangup(self, resource: str) -> None:
        if self.resources.pop(resource, None) is None:
            raise NotFound("There is no such resource.", code="no_such_resource")
        self.hung_up.append(resource)

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

    async def ensure(self, config: RoomConfig) -> FakeRoom:
        self.configured.append(config)
        return self.rooms.setdefault(config.id, FakeRoom(config))

    async def configure(self, config: RoomConfig) -> None:
        if config.id in self.rooms:
            self.configured.append(config)

    async def stop(self, room: str) -> None:
        self.stopped.append(room)
        del self.rooms[room]
