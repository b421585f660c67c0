"""The API's view of the media plane. ``streamer.control.client`` implements it; tests use hand-written fakes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from streamer.control.messages import Answer, Candidates, Offer, RoomConfig, RoomStatus


class RoomLink(Protocol):
    """A web process's connection to one room process. Errors are StreamerErrors, waits are bounded."""

    @property
    def status(self) -> RoomStatus | None: ...

    @property
    def meters(self) -> dict[str, dict[str, Any]] | None:
        """The newest reading of the programme's meters."""

    @property
    def up(self) -> bool:
        """Whether the room process answers right now."""

    @property
    def view(self) -> Any:
        """The broadcast's copy in this process (broadcast/view.py)."""

    async def offer(self, offer: Offer) -> Answer: ...

    async def candidates(self, candidates: Candidates) -> Answer | None: ...

    async def hangup(self, resource: str) -> None: ...


class MediaPlane(Protocol):
    """All rooms of this machine's media host."""

    @property
    def rooms(self) -> Mapping[str, RoomLink]:
        """The open rooms, and for some seconds rooms that have just closed."""

    @property
    def host_up(self) -> bool:
        """Whether the media host answers right now."""

    async def ensure(self, config: RoomConfig) -> RoomLink:
        """Open the room if it is closed; idempotent."""

    async def configure(self, config: RoomConfig) -> None:
        """Tell an open room its new config. A closed room learns it when it opens."""

    async def stop(self, room: str) -> None:
        """Close a room for good."""


PublicState = Callable[[RoomLink], str]
"""The state of the room's public output: ``off``, ``slate`` or ``live``."""
