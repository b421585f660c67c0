"""The control protocol between the web plane, the media host and the room processes.

Messages are msgspec structs, msgpack on the wire, each framed by a 4-byte big-endian length. Version 1. A field may be
added with a default; nothing is renamed or removed within a version, so that today's web process works with yesterday's
room process.

``epoch`` grows when another web process on the same database takes over the direction. A media host and a room remember
the highest epoch that they have received, and refuse requests of an older one (``not_the_director`` 409); a web process
ignores events of an older one. 0, as yesterday's process sends, is unknown and is not refused.

Sockets (files in ``DIR/run``, mode 0600, reached through ``/proc/self/fd/N`` because a Unix address holds 107 bytes):
``media.sock`` is the media host's (requests about rooms, room up/down events), ``room-{id}.control.sock`` a room's
(requests, status events, meters), ``room-{id}.data.sock`` a room's data socket (a snapshot, then the media events of
broadcast/media_events.py; no requests).
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
    """The epoch of the web process that asks."""


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
    """The highest epoch that the sender has obeyed."""


ControlMessage = Request | Reply | ControlEvent

HOST_METHODS = ("hello", "ensure", "list", "stop", "shutdown")
"""``ensure`` takes RoomConfig and answers RoomEntry once the room's sockets are there;
``list`` answers [RoomEntry]; ``stop`` {room} closes a room for good; ``shutdown`` {rooms: bool}."""

ROOM_METHODS = ("hello", "status", "configure", "offer", "candidates", "hangup", "forget", "picture", "close")
"""``configure`` RoomConfig · ``offer`` Offer -> Answer · ``candidates`` Candidates ·
``hangup`` {resource} · ``forget`` Forget -> Forgot · ``picture`` PictureWanted -> CrewPicture ·
``close`` ends the broadcast."""


class RoomConfig(msgspec.Struct):
    """The room process's knowledge of its room. Sent at its start and with every change."""

    id: str
    name: str
    venue: str = ""
    language: str = "en"
    slate_title: str = ""
    slate_text: str = ""
    between: str = "slate"
    max_height: int = 0
    """The height of the top rendition if the room opens before a source's size is known; 0: the setting."""
    orders: RoomOrders = RoomOrders()
    """The director's present orders to the room."""
    caption_languages: tuple[str, ...] = ()
    """The caption languages of the next broadcast; a running one keeps its own."""
    epoch: int = 0
    """The epoch of the web process that ordered it; stored with it for a restart."""
    media_rules: dict[str, float] = {}
    """Code of a :class:`MediaTrouble` -> its on-time in seconds, where the operator's settings differ from the room
    process's own."""
    source_kinds: dict[str, str] = {}
    """Source -> ``camera``, ``slides`` or ``mixed``; a source that is not here is of unknown kind."""
    suppressed_sources: tuple[str, ...] = ()
    """Sources whose sender says that it suppresses noise: quiet tells nothing of their microphones."""

    @property
    def whole_orders(self) -> RoomOrders:
        """The orders. A browser that suppresses noise levels its microphone too: twice would pump."""
        return msgspec.structs.replace(self.orders, not_levelled=self.suppressed_sources)


class Forget(msgspec.Struct):
    """The media between two media times must be deleted: from every output, from memory and from the disk."""

    from_ms: int
    to_ms: int
    """At most the present time."""


class Forgot(msgspec.Struct):
    bytes: int = 0
    """Bytes that were overwritten with zeros on disk. Media in memory only are not counted."""
    complete: bool = True
    """False: the disk failed, or was too slow."""


class PictureWanted(msgspec.Struct):
    """A small picture for the crew's wall. Errors: ``no_picture`` 404, ``no_such_source`` 404."""

    source: str = ""
    """The source as it comes in; "" is the programme, where the public output shows it."""


class CrewPicture(msgspec.Struct):
    jpeg: bytes
    at_ms: int
    """When it came, the machine's UTC ms. Equal pictures have the same."""


class RoomEntry(msgspec.Struct):
    """The media host's entry of a room."""

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
    """The identity of the publish grant: the same grant takes over an occupied source."""
    takeover: bool = False
    client: str = ""
    """The client's User-Agent, for the technician."""
    output: str = "public"
    household: str = ""
    """The household of the client's address (``household.py``), the unit of shares."""


class Answer(msgspec.Struct):
    """``resource`` is the secret that PATCH and DELETE name, and cannot be guessed; ``etag`` is the ICE session's."""

    sdp: str
    resource: str
    etag: str


class Candidates(msgspec.Struct):
    """A trickle-ICE fragment (RFC 8840). One with new ufrag and password asks for an ICE restart, which is refused.

    Errors: ``no_such_resource`` 404, ``bad_fragment`` 400, ``etag_mismatch`` 412,
    ``restart_unsupported`` 422, ``too_many_candidates`` 429.
    """

    resource: str
    fragment: str
    if_match: str | None = None


class TrackStatus(msgspec.Struct):
    codec: str
    bitrate: int = 0
    """Bits per second, averaged over the last seconds."""
    packets: int = 0
    lost: int = 0
    jitter_ms: float = 0.0
    width: int = 0
    height: int = 0
    frame_rate: float = 0.0
    channels: int = 0


class SourceStatus(msgspec.Struct):
    """One source of a room for its technicians."""

    name: str
    up: bool
    """Whether packets came within the last second."""
    publication: str = ""
    """The id of the publication that feeds it (not its secret)."""
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
    """Stable codes of notes for the technician: ``encoded_b_frames``, ``encoded_keyframe_interval``,
    ``encoded_irregular``, ``no_audio``, ``no_video``, ``picture_too_large``, ``picture_unreadable``, ``too_much_data``
    ..."""


class MediaTrouble(msgspec.Struct):
    """A trouble that the room process found in sound, picture or way; it is told while it lasts.

    Codes: ``sound_dead``, ``sound_silent``, ``sound_quiet``, ``sound_loud``, ``sound_clipping``, ``sound_one_channel``,
    ``sound_polarity``, ``sound_hum``, ``sound_howl``, ``sound_dropouts``; ``picture_broken``, ``picture_black``,
    ``picture_flat``, ``picture_frozen``, ``picture_dark``, ``picture_washed_out``, ``frames_few``, ``keyframes_rare``;
    ``upload_weak``, ``encoder_slow``.
    """

    code: str
    source: str = ""
    """The source that has it; "" is the programme."""
    since_ms: int = 0
    """The machine's UTC ms at which the trouble itself began, not when its on-time was over."""
    details: dict[str, float | str | None] = {}
    """Measured values that prove it, by name."""


class MediaMeasure(msgspec.Struct):
    """The last findings in a source's media, or in the programme's. Times are the machine's UTC ms; None is never yet,
    or not known."""

    loudness: float | None = None
    """LUFS over the last ten seconds of voiced sound."""
    heard_ms: int | None = None
    """The last sound above the source's own noise floor."""
    voice_ms: int | None = None
    """The last voice."""
    moved_ms: int | None = None
    """The last movement in the picture."""
    keyframe_s: float | None = None
    """The distance of the last two key frames that nobody asked for."""


class RoomStatus(msgspec.Struct):
    """Everything that a room process knows of itself except the media. Sent with every change."""

    room: str
    pid: int
    version: int = PROTOCOL_VERSION
    started_ms: int = 0
    broadcast: str | None = None
    """The id of the broadcast as soon as its renditions are fixed."""
    on_programme: str = "slate"
    """The source that the programme takes now, or ``slate``."""
    aired: bool = True
    sources: dict[str, SourceStatus] = {}
    viewers_whep: int = 0
    shedding: list[str] = []
    """Renditions that run at a reduced rate or replace one another, as ``v720:half``."""
    alarms: list[str] = []
    """Stable codes: ``encoder_overload``, ``disk_behind``, ``disk_full``, ``task_failing`` ..."""
    counters: dict[str, float] = {}
    """Monotonic counters for metrics, named without prefix: ``frames_dropped_total`` ..."""
    shows: dict[str, Shows] = {}
    """Output -> its present content: ``public``, and ``~key`` of each closed session that is not over."""
    media_up: bool = False
    """``main`` or ``spare``, or the source that was taken, delivers sound or picture."""
    media_since_ms: int | None = None
    """The media time since which they come; None while none come."""
    media_stopped_ms: int | None = None
    """The media time of the last packet; None while packets come, and before the first."""
    duels: dict[str, int] = {}
    """Sources that two publishers with the same grant take from each other -> the time since when, UTC ms."""
    loop_held_ms: float = 0.0
    """The longest time that anything blocked the room's loop since the last status, ms of its own processor time."""
    first_words_ms: int | None = None
    """The media time of the first speech after ten seconds of silence, the newest."""
    clock_offset_ms: int = 0
    """Media time minus the machine's clock at the time of this status: not 0 if the clock was set while the room is
    open."""
    troubles: list[MediaTrouble] = []
    """The troubles of sound, picture and way now: on-time and clearing are applied."""
    measures: dict[str, MediaMeasure] = {}
    """Source -> what was found in it last; "" is the programme. Sources that nobody decodes have pictures only."""
