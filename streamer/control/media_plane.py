"""The media plane as the web plane sees it: all of a machine's rooms, and a link to each open one. On the loop.

:class:`streamer.control.client.MediaPlaneClient` and :class:`streamer.control.link.RoomClient` are these over sockets.
Tests of the web plane have one stand-in, which a test holds to the real ones.

Requests raise StreamerErrors and are bounded in time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

from streamer.broadcast.view import BroadcastView
from streamer.control.messages import Answer, Candidates, Forgot, Offer, RoomConfig, RoomStatus
from streamer.control.part_cache import PartCache

Change = Literal["added", "up", "down", "status", "meters", "removed"]
"""What is new about a link: it is in ``rooms``, its process answers, or does so no more, it has told its status, or the
meters' reading, it is in ``rooms`` no more. What changed is read from the link."""


class RoomLink(Protocol):
    """A web process's link to one room. What it shows others only read."""

    @property
    def room(self) -> str:
        """The room's id."""

    @property
    def up(self) -> bool:
        """Whether the room's process answers right now."""

    @property
    def status(self) -> RoomStatus | None:
        """What the process told last; None before it has. It stays while the process is away, with no source up."""

    @property
    def meters(self) -> dict[str, Any] | None:
        """The newest reading of the programme's meters, by channel; None where there is none."""

    @property
    def view(self) -> BroadcastView:
        """The mirror of the room's broadcast. It stays while the process is away."""

    @property
    def bytes(self) -> PartCache:
        """Of recent parts, by the file and offset of their chunks."""

    def subscribe(self, callback: Callable[[], None], /) -> Callable[[], None]:
        """Have ``callback`` called after every media event, and when the link comes up or goes down. It must be quick
        and not raise. Returns the function that ends it."""

    def counters(self) -> dict[str, float]:
        """What this process counts of the link, by metric name; monotonic."""

    async def offer(self, offer: Offer) -> Answer:
        """Begin a WebRTC connection. Errors: as :class:`Offer` tells; ``room_unavailable`` 503 with Retry-After while
        the process is away, ``timed_out`` 504. So do the requests below."""

    async def candidates(self, candidates: Candidates) -> Answer | None:
        """Add ICE candidates, or restart ICE; an answer only to that. Errors: as :class:`Candidates` tells."""

    async def hangup(self, resource: str) -> None:
        """End a connection. Errors: ``no_such_resource`` 404."""

    async def forget(self, from_ms: int, to_ms: int) -> Forgot:
        """Remove the media between two media times from every output, memory and disk."""


class MediaPlane(Protocol):
    """All rooms of this machine's media host."""

    @property
    def rooms(self) -> Mapping[str, RoomLink]:
        """By room id: the open rooms, whether or not their processes are up just now, and for some seconds those that
        have just closed."""

    @property
    def host_up(self) -> bool:
        """Whether the media host answers right now."""

    @property
    def host_reconnects(self) -> int:
        """Connections to the media host lost; monotonic."""

    async def start(self) -> None:
        """Connect to whoever is there. Returns once the rooms that run have told their state, or soon at the latest."""

    async def close(self) -> None:
        """Let go of everything; the rooms go on."""

    def listen(self, listener: Callable[[RoomLink, Change], None], /) -> Callable[[], None]:
        """Have ``listener`` called for what happens to any room. It must be quick and not raise. Returns the function
        that ends it."""

    async def ensure(self, config: RoomConfig) -> RoomLink:
        """The room's link, up. The room is opened if it is not, and gets ``config`` in any case.

        Errors: ``media_host_unavailable`` 503 with Retry-After, ``too_many_rooms`` 503, ``room_start_failed`` 503,
        ``bad_room_id`` 400.
        """

    async def configure(self, config: RoomConfig) -> None:
        """Tell an open room its new config; one that is not open learns it when it opens. Errors: as ``ensure``."""

    async def stop(self, room: str) -> None:
        """Close a room for good. Errors: ``media_host_unavailable`` 503, ``no_such_room`` 404."""
