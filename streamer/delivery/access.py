"""Access to media that are not public, as delivery asks for it. ``streamer.api.session_keys`` grants it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol


class MediaAccess(Protocol):
    """The access of a request with a key: ``streamer.api.session_keys.KeyAccess``."""

    @property
    def output(self) -> str:
        """The closed session's output in its room."""
        ...

    @property
    def unpublished(self) -> bool:
        """Whether this access opens a recording that is not published."""
        ...

    @property
    def finished_only(self) -> bool:
        """Whether this access opens no recording that grows: its holder may not watch the session."""
        ...

    @property
    def cuts(self) -> bool:
        """Whether this access opens all that is recorded, what the cut leaves out too."""
        ...

    @property
    def holds(self) -> bool:
        """Whether the same caller would still get this access now. Answered from memory."""
        ...

    def on_end(self, callback: Callable[[], None], /) -> Callable[[], None]:
        """Have ``callback`` called when the access ends. Returns the function that cancels this."""
        ...


class AccessKeys(Protocol):
    """The keys of closed sessions: ``streamer.api.session_keys.SessionKeys``. Asked at each request."""

    async def open_live(self, room: str, outputs: Collection[str], key: str, /) -> MediaAccess | None:
        """The access of a key to one of the room's outputs."""
        ...

    async def open_replay(self, session: str, key: str | None, /) -> MediaAccess | None:
        """The access of a key, or of no key, to a session's recording."""
        ...
