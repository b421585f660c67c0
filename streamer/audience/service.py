"""The audience service: one desk per scope, commands one after the other, stored before they are acknowledged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from streamer.audience.commands import Command
from streamer.audience.identity import Identity
from streamer.audience.news import Answer, Listener, Viewpoint
from streamer.audience.people import Participant, Who
from streamer.audience.scope import Scope
from streamer.conference.sessions import Session
from streamer.settings import AudienceSettings
from streamer.store.database import Database


class SessionsPort(Protocol):
    """The rooms' days. ``streamer.director.Director`` knows all of it; an adapter is a few lines."""

    def sessions(self, room: str) -> Sequence[Session]:
        """Those of the room in view, closed ones too. Raises NotFound ``no_such_room``."""

    def find(self, session_id: str) -> Session | None: ...

    def listen(self, listener: Callable[[str], None]) -> Callable[[], None]:
        """Have ``listener`` called with a room's id when one of its sessions has changed. Returns what ends it."""


class Audience:
    """``clock``: UTC milliseconds. ``start`` first, ``close`` last; everything else in between, on the loop.

    ``marks_changed``: told a session's id when a chapter of it was made or taken away.
    """

    def __init__(
        self,
        database: Database,
        *,
        clock: Callable[[], int],
        sessions: SessionsPort,
        settings: AudienceSettings,
        marks_changed: Callable[[str], None] = lambda _session: None,
    ) -> None: ...

    # --- life ---------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Raises StoreUnavailable."""

    async def close(self) -> None:
        """What was asked before is stored and answered."""

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Have ``listener`` told every event of every scope, for all viewpoints. Returns what ends it."""
        raise NotImplementedError

    # --- who ----------------------------------------------------------------------------------------

    def new_identity(self) -> tuple[Identity, str]:
        """A new participant's identity, and the token for the cookie and ``you.key``."""
        raise NotImplementedError

    def identity(self, token: str) -> Identity | None:
        """Whose token it is; None where it is none of ours."""
        raise NotImplementedError

    # --- taking part --------------------------------------------------------------------------------

    async def join(self, scope: Scope, participant: Participant, address: str) -> None:
        """Somebody has connected. Once for each connection. Raises Forbidden ``banned``, StoreUnavailable."""

    def leave(self, scope: Scope, participant: str) -> None:
        """One connection of theirs has ended."""

    async def run(self, scope: Scope, who: Who, command: Command) -> Answer:
        """Do it. Acknowledged means stored.

        Raises StreamerError: ``banned``, ``muted``, ``chat_closed``, ``read_only``, ``questions_only``,
        ``questions_closed``, ``slow_mode``, ``flood``, ``repeated``, ``empty_text``, ``too_long``,
        ``no_such_message`` (``_question``, ``_poll``, ``_action``, ``_participant``), ``poll_closed``,
        ``superseded``, ``forbidden``, ``busy``, ``store_unavailable``; nothing has changed then. Those that
        pass by themselves have ``Retry-After``.
        """
        raise NotImplementedError

    async def snapshot(self, scope: Scope, viewpoint: Viewpoint, participant: str | None = None) -> Mapping[str, Any]:
        """What is so now for a viewpoint: ``own`` wants the ``participant`` and holds only what is theirs alone."""
        raise NotImplementedError

    def set_viewers(self, scope: Scope, *, hls: int, whep: int) -> None:
        """How many watch by each way, besides those who are connected; as often as it is known."""

    # --- records ------------------------------------------------------------------------------------

    async def card(self, scope: Scope, participant: str) -> Mapping[str, Any]:
        """A participant as moderators see them: names, history, notes. Raises NotFound ``no_such_participant``."""
        raise NotImplementedError

    async def export(self, participant: str) -> Mapping[str, Any]:
        """All that is stored of a participant, for themselves."""
        raise NotImplementedError

    async def erase(self, participant: str) -> Mapping[str, int]:
        """Remove a participant's texts, names and votes for good. Returns how many of each."""
        raise NotImplementedError

    async def timeline(self, session: Session, from_ms: int, to_ms: int) -> Mapping[str, Any]:
        """What a replay shows in step, by media time: ``chat``, ``questions``, ``polls``; only what is public."""
        raise NotImplementedError

    async def watched(self, session_id: str) -> Mapping[str, Any]:
        """``peak``, ``average`` viewers and ``minutes`` watched in all."""
        raise NotImplementedError
