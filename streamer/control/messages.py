"""The control protocol between the web plane, the media host and the room processes.

Messages are msgspec structs, msgpack on the wire, each framed by a 4-byte big-endian length.
Version 1. A field may be added with a default; nothing is renamed or removed within a version, so
that today's web process gets on with yesterday's room process.

``epoch`` counts the changes of hands between web processes that direct over one database. A media host and a room
remember the highest that they have been told, and refuse requests of an older one (``not_the_director`` 409); a
web process does not take in events of an older one. 0, and what yesterday's process sends: not known, not refused.

Sockets (files in ``DIR/run``, mode 0600, reached through ``/proc/self/fd/N`` because a Unix
address holds 107 bytes):

``media.sock``               the media host: requests about rooms, room up/down events
``room-{id}.control.sock``   one room: requests, status events, meters
``room-{id}.data.sock``      one room: a snapshot, then media events (broadcast/media_events.py), no requests
"""

from __future__ import annotations

from typing import Any

import msgspec

from streamer.broadcast.orders import RoomOrders, Shows

PROTOCOL_VERSION = 1
MAX_FRAME_BYTES = 32 * 1024 * 1024

# --- requests and replies (control sockets) -------------------------------------------------------


class Request(msgspec.Struct, tag="request"):
    """``method`` is one of the ``*_METHODS`` below; ``params`` is the named struct, as builtins."""

    id: int
    method: str
    params: dict[str, Any] = {}
    epoch: int = 0
    """Of the web process that asks."""


class Reply(msgspec.Struct, tag="reply"):
    """Either ``result`` or ``error`` (a :class:`ProtocolError`)."""

    id: int
    result: Any = None
    error: ProtocolError | None = None


class ProtocolError(msgspec.Struct):
    """A :class:`streamer.errors.StreamerError` on the wire."""

    code: str
    message: str
    status: int = 500
    details: Any = None
    headers: dict[str, str] = {}


class ControlEvent(msgspec.Struct, tag="event"):
    """``kind``: ``status`` (RoomStatus), ``meters`` (dict), ``room`` (RoomEntry, media host only)."""

    kind: str
    data: Any
    epoch: int = 0
    """The highest that the sender has obeyed."""


ControlMessage = Request | Reply | ControlEvent

HOST_METHODS = ("hello", "ensure", "list", "stop", "shutdown")
"""``ensure`` takes RoomConfig and answers RoomEntry once the room's sockets are there;
``list`` answers [RoomEntry]; ``stop`` {room} closes a room for good; ``shutdown`` {rooms: bool}."""

ROOM_METHODS = ("hello", "status", "configure", "offer", "candidates", "hangup", "forget", "close")
"""``configure`` RoomConfig · ``offer`` Offer -> Answer · ``candidates`` Candidates -> Answer | None ·
``hangup`` {resource} or {grant} · ``forget`` Forget -> Forgot · ``close`` ends the broadcast."""


class RoomConfig(msgspec.Struct):
    """What a room process must know of its room. Sent at start and whenever it changes."""

    id: str
    name: str
    venue: str = ""
    language: str = "en"
    slate_title: str = ""
    slate_text: str = ""
    between: str = "slate"
    max_height: int = 0
    """Height of the top rendition if the room opens before a source's size is known; 0: setting."""
    orders: RoomOrders = RoomOrders()
    """What the director wants of the room now."""
    caption_languages: tuple[str, ...] = ()
    """What the next broadcast declares; one that is on keeps its own."""
    epoch: int = 0
    """Of the web process that ordered it; kept with it for a restart."""


class Forget(msgspec.Struct):
    """Media between two media times is to be gone: from every output, from memory and from the disk."""

    from_ms: int
    to_ms: int
    """Now at the latest."""


class Forgot(msgspec.Struct):
    bytes: int = 0
    """Of media that were made zeros on disk; those in memory only are not counted."""
    complete: bool = True
    """False: the disk did not take it, or not in time."""


class RoomEntry(msgspec.Struct):
    """A room as the media host knows it."""

    room: str
    pid: int
    state: str
    """``starting``, ``up``, ``backing_off``, ``closed``."""
    restarts: int = 0
    since_ms: int = 0


class Offer(msgspec.Struct):
    """An SDP offer for WHIP (``kind`` publish) or WHEP (``kind`` play).

    Errors: ``source_occupied`` 409, ``publication_duel`` 409 with Retry-After, ``bad_offer`` 400,
    ``unsupported_media`` 422/406, ``too_many_viewers`` 503 with Retry-After, ``too_many_publications`` 503.
    """

    kind: str
    sdp: str
    source: str = "main"
    grant: str = ""
    """Identity of the publish grant: the same grant takes over an occupied source."""
    takeover: bool = False
    client: str = ""
    """The client's User-Agent, for the technician."""
    output: str = "public"
    household: str = ""
    """Whose address it is (``household.py``): the unit of shares."""


class Answer(msgspec.Struct):
    """``resource`` is the unguessable secret that PATCH and DELETE name; ``etag`` the ICE session's."""

    sdp: str
    resource: str
    etag: str


class Candidates(msgspec.Struct):
    """A trickle-ICE fragment (RFC 8840). With new ufrag and password it asks for an ICE restart.

    Errors: ``no_such_resource`` 404, ``bad_fragment`` 400, ``etag_mismatch`` 412,
    ``restart_unsupported`` 422, ``too_many_candidates`` 429.
    """

    resource: str
    fragment: str
    if_match: str | None = None


class TrackStatus(msgspec.Struct):
    codec: str
    bitrate: int = 0
    """Bits per second over the last seconds."""
    packets: int = 0
    lost: int = 0
    jitter_ms: float = 0.0
    width: int = 0
    height: int = 0
    frame_rate: float = 0.0
    channels: int = 0


class SourceStatus(msgspec.Struct):
    """One source of a room, as technicians see it."""

    name: str
    up: bool
    """Packets came within the last second."""
    publication: str = ""
    """Id of the publication that feeds it (not its secret)."""
    client: str = ""
    since_ms: int = 0
    last_packet_ms: int = 0
    connection: str = "new"
    """``new``, ``connecting``, ``connected``, ``failed``, ``closed``."""
    video: TrackStatus | None = None
    audio: TrackStatus | None = None
    round_trip_ms: float | None = None
    passthrough: bool = False
    notes: list[str] = []
    """Stable codes of what the technician should know: ``encoded_b_frames``,
    ``encoded_keyframe_interval``, ``encoded_irregular``, ``no_audio``, ``no_video``, ``picture_too_large``,
    ``picture_unreadable``, ``too_much_data`` ..."""


class RoomStatus(msgspec.Struct):
    """The whole of what a room process knows of itself, but the media. Sent on change."""

    room: str
    pid: int
    version: int = PROTOCOL_VERSION
    started_ms: int = 0
    broadcast: str | None = None
    """Id of the broadcast once its renditions are fixed."""
    on_programme: str = "slate"
    """The source that the programme takes now, or ``slate``."""
    aired: bool = True
    sources: dict[str, SourceStatus] = {}
    viewers_whep: int = 0
    shedding: list[str] = []
    """Renditions that run at a reduced rate or stand in for one another, as ``v720:half``."""
    alarms: list[str] = []
    """Stable codes: ``encoder_overload``, ``disk_behind``, ``disk_full``, ``task_failing`` ..."""
    counters: dict[str, float] = {}
    """Monotonic counters for metrics, named without prefix: ``frames_dropped_total`` ..."""
    shows: dict[str, Shows] = {}
    """What each output shows now: ``public``, and ``~key`` of each closed session that is not over."""
    media_up: bool = False
    """``main`` or ``spare``, or the source that was taken, delivers sound or picture."""
    media_since_ms: int | None = None
    """Media time since when; None while nothing comes."""
    media_stopped_ms: int | None = None
    """Media time of the last packet; None while something comes, and before the first."""
    duels: dict[str, int] = {}
    """Sources that two publishers by one grant take from each other, each with the time since when, UTC ms."""
    loop_held_ms: float = 0.0
    """The longest that anything has held the room's loop since the last status, ms of its own processor time."""
    first_words_ms: int | None = None
    """Media time at which somebody began to speak, the newest time after ten seconds of silence."""
    clock_offset_ms: int = 0
    """Media time minus the machine's clock when this was told: not 0 where that was set while the room is open."""
