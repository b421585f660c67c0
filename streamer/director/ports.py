"""The director's view of the media plane. ``streamer.control.client`` implements it; tests use hand-written fakes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from streamer.control.messages import RoomConfig, RoomStatus


class Link(Protocol):
    """A web process's connection to one room process."""

    @property
    def status(self) -> RoomStatus | None: ...

    @property
    def up(self) -> bool:
        """Whether the room process answers right now."""

    async def forget(self, from_ms: int, to_ms: int) -> Any:
        """Remove the media between two media times from every output and from disk."""


class Plane(Protocol):
    """All rooms of this machine's media host."""

    @property
    def rooms(self) -> Mapping[str, Link]: ...

    def listen(self, listener: Callable[[Any, str, Any], None]) -> Callable[[], None]: ...

    async def configure(self, config: RoomConfig) -> None:
        """Tell an open room its new config. A closed room learns it when it opens."""
