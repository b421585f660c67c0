"""What Socket.IO needs of the rest of the web plane. ``streamer.sockets`` connects it; tests use hand-written fakes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from aiohttp import web

from streamer.audience.commands import Command as Asked
from streamer.audience.identity import Identity
from streamer.audience.news import Answer, Viewpoint
from streamer.audience.news import Listener as AudienceListener
from streamer.audience.people import Participant, Who
from streamer.audience.scope import Scope
from streamer.conference.airing import PublicFace
from streamer.conference.alarms import Alarm
from streamer.conference.day import RoomDay
from streamer.conference.grants import Grant
from streamer.conference.rooms import Room, Venue
from streamer.conference.sessions import Session
from streamer.conference.taps import Command
from streamer.control.messages import RoomStatus
from streamer.director.day_repository import StoredAction
from streamer.director.director import Tapped
from streamer.director.news import Actor, Listener
from streamer.store.room_states import Acknowledgement


class Director(Protocol):
    """As :class:`streamer.director.director.Director`."""

    @property
    def rooms(self) -> Mapping[str, Room]: ...

    def listen(self, listener: Listener) -> Callable[[], None]: ...

    def venue_of(self, room_id: str) -> Venue | None: ...

    def day(self, room_id: str) -> RoomDay: ...

    def following(self, room_id: str) -> Session | None: ...

    def find(self, session_id: str) -> Session | None: ...

    def face(self, room_id: str) -> PublicFace: ...

    def alarms(self, room_id: str) -> tuple[Alarm, ...]: ...

    def acknowledged(self, room_id: str) -> Mapping[str, Acknowledgement]: ...

    async def run(self, room_id: str, command: Command, actor: Actor) -> Tapped: ...

    async def action(self, action_id: str) -> StoredAction: ...

    async def undo(self, action_id: str, actor: Actor) -> Tapped: ...

    async def acknowledge(self, room_id: str, alarm_id: str, actor: Actor) -> None: ...


class Link(Protocol):
    """A web process's connection to one room process."""

    @property
    def status(self) -> RoomStatus | None: ...

    @property
    def meters(self) -> Any: ...

    @property
    def up(self) -> bool: ...


class Plane(Protocol):
    """All rooms of this machine's media host. ``listen``: ``(link, what, data)``, ``what`` as in the room's client."""

    @property
    def rooms(self) -> Mapping[str, Link]: ...

    def listen(self, listener: Callable[[Any, str, Any], None]) -> Callable[[], None]: ...


class Caller(Protocol):
    """Who is at the door. ``login``: the digest of the login that it came by; None: a token."""

    @property
    def grant(self) -> Grant: ...

    @property
    def login(self) -> bytes | None: ...


class Doors(Protocol):
    """Who may come in."""

    def address(self, request: web.Request) -> str:
        """The client's, behind trusted proxies."""

    async def identify(self, request: web.Request, token: str | None) -> Caller | None:
        """By the token, else by the request's login cookie; None for anybody.

        Raises Unauthorized for a token that is good for nothing now, TooMany where an address tries too many.
        """

    def is_link(self, session: Session, key: str) -> bool:
        """Whether ``key`` is that of an unlisted session's shared link as it is now."""

    async def renew(self, caller: Caller) -> Caller | None:
        """The same, with the grant as it is now; None: it holds no more."""


class Views(Protocol):
    """Sessions as JSON objects, as over REST."""

    def public(self, session: Session) -> dict[str, Any]: ...

    def crew(self, session: Session, caller: Caller | None = None, link: str = "") -> dict[str, Any]:
        """For the crew and for those who may see it: with the caller's key, or that of the
        link that they came with; without one in news."""


class Audience(Protocol):
    """As :class:`streamer.audience.service.Audience`."""

    def listen(self, listener: AudienceListener) -> Callable[[], None]: ...

    def new_identity(self) -> tuple[Identity, str]: ...

    def identity(self, token: str) -> Identity | None: ...

    async def join(self, scope: Scope, participant: Participant, address: str) -> None: ...

    def leave(self, scope: Scope, participant: str) -> None: ...

    async def run(self, scope: Scope, who: Who, command: Asked) -> Answer: ...

    async def snapshot(
        self, scope: Scope, viewpoint: Viewpoint, participant: str | None = None
    ) -> Mapping[str, Any]: ...

    async def lines(self, scope: Scope) -> list[dict[str, Any]]: ...

    async def card(self, scope: Scope, participant: str) -> Mapping[str, Any]: ...

    async def actions(
        self, scope: Scope, *, before_ms: int | None = None, limit: int = 100
    ) -> list[dict[str, Any]]: ...


FindSession = Callable[[str], Any]
"""``async (id) -> Session | None``: any session, in view or not."""
StateOf = Callable[[str], str]
"""Room id -> ``off``, ``slate`` or ``live``: what its public output shows."""
Clock = Callable[[], int]
"""UTC milliseconds."""
