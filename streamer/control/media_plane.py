"""The web plane's view of the media plane: all of a machine's rooms, and a link to each open one. On the loop.

:class:`streamer.control.client.MediaPlaneClient` and :class:`streamer.control.link.RoomClient` implement these over
sockets. Tests of the web plane have one stand-in, which a test compares with the real ones. Requests raise
StreamerErrors and are bounded in time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

from streamer.broadcast.view import BroadcastView
from streamer.control.messages import Answer, Candidates, CrewPicture, Forgot, Offer, RoomConfig, RoomStatus
from streamer.control.part_cache import PartCache

Change = Literal["added", "up", "down", "status", "meters", "removed"]
"""The news about a link: it was added to ``rooms``, its process is up or down, its status or its meters have changed,
it was removed from ``rooms``. The listener reads the new values from the link."""


class RoomLink(Protocol):
    """A web process's link to one room. Users of the link do not change its values."""

    @property
    def room(self) -> str:
        """The room's id."""

    @property
    def up(self) -> bool:
        """Whether the room's process answers right now."""

    @property
    def ended(self) -> bool:
        """Whether the media host has closed the room: its process went as it should."""

    @property
    def status(self) -> RoomStatus | None:
        """The newest status; None before the first. It stays while the process is away, with no source up."""

    @property
    def meters(self) -> dict[str, Any] | None:
        """The newest reading of the programme's meters, by channel; None without one."""

    @property
    def view(self) -> BroadcastView:
        """The mirror of the room's broadcast. It stays while the process is away."""

    @property
    def bytes(self) -> PartCache:
        """The bytes of recent parts, by the file and offset of their chunks."""

    def subscribe(self, callback: Callable[[], None], /) -> Callable[[], None]:
        """Have ``callback`` called after every media event, and when the link comes up or goes down. It must be quick
        and not raise. Returns the function that ends it."""

    def counters(self) -> dict[str, float]:
        """Metric name -> this process's counter of the link; monotonic."""

    async def ask_status(self) -> RoomStatus:
        """The status of this moment; :attr:`status` is up to a second old."""

    async def offer(self, offer: Offer) -> Answer:
        """Begin a WebRTC connection. Raises the errors of :class:`Offer`; ``room_unavailable`` 503 with Retry-After
        while the process is away, ``timed_out`` 504. The other requests raise these, too."""

    async def candidates(self, candidates: Candidates) -> None:
        """Add ICE candidates. Raises the errors of :class:`Candidates`."""

    async def hangup(self, resource: str) -> None:
        """End a connection. Errors: ``no_such_resource`` 404."""

    async def forget(self, from_ms: int, to_ms: int) -> Forgot:
        """Remove the media between two media times from every output, memory and disk."""

    async def picture(self, source: str) -> CrewPicture:
        """A small picture of a source as it comes in; of the programme with "". Raises the errors of
        :class:`.messages.PictureWanted`."""


class MediaPlane(Protocol):
    """All rooms of this machine's media host."""

    @property
    def rooms(self) -> Mapping[str, RoomLink]:
        """Room id -> link: the open rooms, also while their processes are down, and for some seconds rooms that have
        just closed."""

    @property
    def host_up(self) -> bool:
        """Whether the media host answers right now."""

    @property
    def host_reconnects(self) -> int:
        """Lost connections to the media host; monotonic."""

    async def start(self) -> None:
        """Connect to the media host and the rooms. Returns when the running rooms have sent their state, or after a
        short limit."""

    async def close(self) -> None:
        """Disconnect from everything; the rooms go on."""

    def listen(self, listener: Callable[[RoomLink, Change], None], /) -> Callable[[], None]:
        """Have ``listener`` called for the changes of every room. It must be quick and not raise. Returns the function
        that ends it."""

    async def ensure(self, config: RoomConfig) -> RoomLink:
        """The room's link, up. A closed room is opened; an open one gets ``config``, too.

        Errors: ``media_host_unavailable`` 503 with Retry-After, ``too_many_rooms`` 503, ``room_start_failed`` 503,
        ``bad_room_id`` 400.
        """

    async def configure(self, config: RoomConfig) -> None:
        """Tell an open room its new config. A closed room learns it when it opens. Raises the errors of ``ensure``."""

    async def stop(self, room: str) -> None:
        """Close a room for good. Errors: ``media_host_unavailable`` 503, ``no_such_room`` 404."""
