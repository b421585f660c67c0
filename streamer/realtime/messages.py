"""Every message's schema. ``protocol.md`` explains them; tests compare the code with both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from streamer import PROTOCOL_VERSION
from streamer.audience.command import ClientMessage, Ident
from streamer.store.answers import KEPT_MS

Place = Annotated[str, Meta(max_length=40)]
Since = Annotated[int, Meta(ge=0, le=2**53 - 1)]

EVERY_ROOM = "*"


class Handshake(ClientMessage, frozen=True):
    """``auth`` of a connection. ``name`` and ``place`` are the participant's own."""

    room: Ident | None = None
    session: Ident | None = None
    token: Annotated[str, Meta(max_length=512)] | None = None
    name: Place | None = None
    place: Place | None = None
    since: Since | None = None
    participant: Annotated[str, Meta(max_length=512)] | None = None
    key: Annotated[str, Meta(max_length=256)] | None = None
    """The key of an unlisted session's shared link."""
    protocol: Annotated[int, Meta(ge=1, le=2**31 - 1)] | None = None
    """The version that the client was written for; None: any."""


# --- events -----------------------------------------------------------------------------------------


class HoldData(msgspec.Struct, frozen=True):
    message: str
    since: str
    until: str | None


class BroadcastChanged(msgspec.Struct, frozen=True):
    """The same for everybody, except that a closed session's own audience gets the session's own output."""

    room: str
    state: Literal["off", "slate", "live"]
    word: str
    reserved_until: str | None
    hold: HoldData | None
    session: str | None
    next: str | None
    elsewhere: str | None = None
    """The session that another room carries for this one, too."""


class SessionRemoved(msgspec.Struct, frozen=True):
    """Gone for this audience: deleted, moved to another room, or closed."""

    id: str
    room: str
    removed: Literal[True] = True


class PublicationState(msgspec.Struct, frozen=True):
    """One source of a room; ``publication`` is empty if nobody feeds it any more."""

    room: str
    source: str
    up: bool
    publication: str
    client: str = ""
    connection: str = ""
    video: str | None = None
    """Codec and size, such as ``h264 1280x720``."""
    audio: str | None = None
    passthrough: bool = False
    notes: list[str] = []


class AlarmWording(msgspec.Struct, frozen=True):
    cause: str
    remedy: str


class AlarmData(msgspec.Struct, frozen=True):
    room: str
    id: str
    code: str
    level: str
    since: str
    owner: str
    session: str | None
    details: dict[str, Any]
    acknowledged: str | None
    """The person who has acknowledged it."""
    ringing: bool
    """false: it is over."""
    kind: str = ""
    """The same as ``code``."""
    severity: Literal["ringing", "warning"] = "warning"
    """A warning never sounds."""
    cause: str = ""
    """In the language of the venue; ``words`` has the others."""
    remedy: str = ""
    taken_by: str | None = None
    """The same as ``acknowledged``."""
    times: int = 1
    """The times that it came within ten minutes of its last end."""
    snoozed_until: str | None = None
    words: dict[str, AlarmWording] = {}
    """Language -> cause and remedy."""


class GrantExpired(msgspec.Struct, frozen=True):
    room: str
    label: str


class Meters(msgspec.Struct, frozen=True):
    room: str
    meters: Any


class Pulse(msgspec.Struct, frozen=True):
    """Only to those who follow all rooms, once a second for each."""

    room: str
    age_ms: int | None
    """Age of the last word of the room's process; None: the room is off."""
    viewers: int
    """People who watch the public output, about."""
    readiness: str | None = None
    """``running`` during a session; ``ready``, ``not_ready``, ``not_yet`` from ten minutes before one, or while
    something comes in; else None."""
    missing: tuple[str, ...] = ()
    """The lines of ``GET /api/v1/rooms/{id}/readiness`` that are wrong; where none is, those that are *not yet*."""


class AirSource(msgspec.Struct, frozen=True):
    """The crew's settings of a source."""

    gain_db: float
    mute: bool
    mono: bool
    kind: str | None


class Air(msgspec.Struct, frozen=True):
    room: str
    slate: bool
    source: str | None
    gain_db: float
    """Of the source that is on."""
    sources: dict[str, AirSource] = {}
    """Those of which something is set."""


SessionObject = dict[str, Any]
"""As over REST."""

EVENTS: Mapping[str, Any] = {
    "session.changed": SessionObject,
    "broadcast.changed": BroadcastChanged,
    "publication.changed": PublicationState,
    "alarm": AlarmData,
    "grant.expired": GrantExpired,
    "meters": Meters,
    "pulse": Pulse,
    "air.changed": Air,
}
"""Event type -> the schema of its ``data``."""


class EventEntry(msgspec.Struct, frozen=True):
    """One event of the list in ``events``, as a client reads it."""

    seq: int
    type: str
    at: str
    data: Any
    media_at: int | None = None


class You(msgspec.Struct, frozen=True):
    id: str
    role: str | None
    name: str
    place: str
    key: str | None = None


class RoomSnapshot(msgspec.Struct, frozen=True):
    seq: int
    resumed: bool
    reset: bool
    at: str
    you: You
    rooms: dict[str, dict[str, Any]]
    session: SessionObject | None = None
    audience: Any = None
    own: Any = None
    stage: Any = None
    moderation: Any = None
    lines: Any = None
    protocol: int = PROTOCOL_VERSION
    repeat_s: int = KEPT_MS // 1000
    """A command may be sent again with its id for this time."""
