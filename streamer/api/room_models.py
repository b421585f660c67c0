"""The bodies of rooms. The OpenAPI document is made from these."""

from __future__ import annotations

from typing import Annotated, Any, Self

import msgspec
from pydantic import AfterValidator, Field, StringConstraints

from streamer.api.models import Body, LazyModel, Line, Moment, PartialBody, Slug, to_moment
from streamer.api.session_models import SessionCrewView, SessionView
from streamer.api.tap_models import HoldView
from streamer.broadcast.orders import RoomOrders
from streamer.conference.airing import PublicStatus
from streamer.conference.alarm_memory import Normal
from streamer.conference.alarm_words import LANGUAGES, words_of
from streamer.conference.alarms import Alarm
from streamer.conference.captions import language_tag
from streamer.conference.day import RoomDay
from streamer.conference.rooms import Between, Room, StartRule
from streamer.conference.sources import (
    MAX_GAIN_DB,
    MIN_GAIN_DB,
    SETTING_FIELDS,
    SourceKind,
    SourceSetting,
    setting_of,
)
from streamer.control.messages import RoomStatus, SourceStatus
from streamer.store.room_states import Acknowledgement

Alias = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Aliases = Annotated[tuple[Alias, ...], Field(max_length=50)]
Guid = Annotated[str, StringConstraints(max_length=100)]


def _each_once(tags: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(tags)) != len(tags):
        raise ValueError("must name each language once")
    return tags


LanguageTag = Annotated[str, StringConstraints(max_length=35), AfterValidator(language_tag)]
CaptionLanguages = Annotated[tuple[LanguageTag, ...], Field(max_length=8), AfterValidator(_each_once)]
"""BCP 47 tags, such as ``fr`` or ``pt-BR``."""
AnySession = SessionCrewView | SessionView
# --- rooms ------------------------------------------------------------------------------------------


class RoomCreate(Body):
    id: Slug
    name: Line
    venue: Slug | None = None
    start: StartRule = StartRule.TAP
    between: Between = Between.SLATE
    aliases: Aliases = ()
    guid: Guid = ""
    retention_days: int | None = Field(None, ge=1, le=36_500)
    caption_languages: CaptionLanguages = ()
    levelling: bool = False
    """Brings voices to -18 LUFS, slowly, by 12 dB at most; not in a source whose browser does so itself."""


class RoomChange(PartialBody):
    NULLABLE = ("venue", "retention_days")

    name: Line | None = None
    venue: Slug | None = None
    """null takes the room out of its venue."""
    start: StartRule | None = None
    between: Between | None = None
    aliases: Aliases | None = None
    guid: Guid | None = None
    retention_days: int | None = Field(None, ge=1, le=36_500)
    """null: the retention of the settings."""
    caption_languages: CaptionLanguages | None = None
    """From the next opening of the room on."""
    levelling: bool | None = None


class TrackView(LazyModel):
    codec: str
    bitrate: int
    packets: int
    lost: int
    jitter_ms: float
    width: int
    height: int
    frame_rate: float
    channels: int


class SourceView(LazyModel):
    """The public facts about a source."""

    up: bool


class SourceChange(PartialBody):
    """Changes a source's sound in every output, and says of what kind its picture is."""

    NULLABLE = ("kind",)

    gain_db: float | None = Field(None, ge=MIN_GAIN_DB, le=MAX_GAIN_DB)
    mute: bool | None = None
    mono: bool | None = None
    """Both channels get the mean of the two."""
    kind: SourceKind | None = None
    """null: unknown. A picture that stands still is a trouble of a ``camera`` only."""


class SourceSet(LazyModel):
    """The crew's settings of a source, there or not."""

    gain_db: float = 0.0
    mute: bool = False
    mono: bool = False
    kind: SourceKind | None = None


class SourceChanged(SourceSet):
    """The source's settings after a change, and the change's id for undoing it; null if nothing changed."""

    name: str
    action: str | None


class SourceCrewView(SourceView, SourceSet):
    """A source as the room's crew sees it."""

    publication: str
    client: str
    since_ms: int
    last_packet_ms: int
    connection: str
    video: TrackView | None
    audio: TrackView | None
    round_trip_ms: float | None
    passthrough: bool
    notes: list[str]

    @classmethod
    def of(cls, source: SourceStatus, setting: SourceSetting) -> Self:
        return cls(
            **set_of(setting),
            up=source.up,
            publication=source.publication,
            client=source.client,
            since_ms=source.since_ms,
            last_packet_ms=source.last_packet_ms,
            connection=source.connection,
            video=None if source.video is None else TrackView.model_validate(source.video, from_attributes=True),
            audio=None if source.audio is None else TrackView.model_validate(source.audio, from_attributes=True),
            round_trip_ms=source.round_trip_ms,
            passthrough=source.passthrough,
            notes=list(source.notes),
        )


class AlarmWords(LazyModel):
    """The cause of an alarm and its remedy, in words."""

    cause: str
    remedy: str


class NormalView(LazyModel):
    """An alarm that somebody has called normal in the present session."""

    id: str
    kind: str
    words: dict[str, AlarmWords]
    """Language -> cause and remedy."""

    @classmethod
    def of(cls, normal: Normal, zone: str) -> Self:
        alarm = Alarm(normal.alarm, normal.kind, "notice", 0, "technician")
        return cls(id=normal.alarm, kind=normal.kind, words=_words(alarm, zone))


class AlarmView(AlarmWords):
    """A condition that somebody must know of. ``cause`` and ``remedy`` are in the language of ``Accept-Language``."""

    id: str
    """It stays while the trouble lasts, also when a graver cause comes to light, and for ten minutes after."""
    kind: str
    """``picture_black``, ``upload_weak``, ``not_started``, …"""
    code: str
    """The same as ``kind``."""
    severity: str
    """``ringing``: somebody must act; ``warning``: it never sounds."""
    level: str
    """``alarm``, ``warning`` or ``notice``."""
    since: Moment
    owner: str
    """The role that should act: ``technician``, ``organiser``, ``operator``."""
    session: str | None
    details: dict[str, Any]
    acknowledged: str | None
    """The person who has acknowledged it."""
    taken_by: str | None
    """The same as ``acknowledged``."""
    times: int
    """The times that it came within ten minutes of its last end; from the third time on it is intermittent."""
    snoozed_until: Moment | None
    """It is silenced until then."""
    words: dict[str, AlarmWords]
    """Language -> cause and remedy."""

    @classmethod
    def of(cls, alarm: Alarm, taken: Acknowledgement | None, language: str, zone: str) -> Self:
        cause, remedy = words_of(alarm, language, zone)
        who = None if taken is None else taken.label or taken.who
        return cls(
            id=alarm.id,
            kind=alarm.code,
            code=alarm.code,
            severity=alarm.severity,
            level=alarm.level,
            cause=cause,
            remedy=remedy,
            taken_by=who,
            times=alarm.times,
            snoozed_until=to_moment(alarm.snoozed_until_ms),
            words=_words(alarm, zone),
            since=to_moment(alarm.since_ms),
            owner=alarm.owner,
            session=alarm.session,
            details=dict(alarm.details),
            acknowledged=who,
        )


def _words(alarm: Alarm, zone: str) -> dict[str, AlarmWords]:
    said = {name: words_of(alarm, name, zone) for name in LANGUAGES}
    return {name: AlarmWords(cause=cause, remedy=remedy) for name, (cause, remedy) in said.items()}


class ElsewhereView(LazyModel):
    """A public session that takes place in a room, too, but that another room carries."""

    room: str
    room_name: str
    session: AnySession


class RoomView(LazyModel):
    """A room as everybody may see it."""

    id: str
    name: str
    venue: str | None
    start: StartRule
    between: Between
    caption_languages: list[str] = []
    state: str
    """``off``, ``slate`` or ``live``: the public output."""
    sources: dict[str, SourceView]
    word: str
    """The reason for what the room shows: ``on_air``, ``overrun``, ``paused``, ``between``, ``before``, ``reserved``,
    ``not_streamed``, ``hold``, ``free``."""
    session: AnySession | None = None
    """The session that is on air now."""
    next: AnySession | None = None
    reserved_until: Moment | None = None
    hold: HoldView | None = None
    elsewhere: ElsewhereView | None = None
    """Told from ten minutes before the start of such a session on, until it is over."""

    @classmethod
    def of(
        cls,
        room: Room,
        state: str,
        status: RoomStatus | None,
        public: PublicStatus,
        now: AnySession | None,
        following: AnySession | None,
    ) -> RoomView:
        sources = {name: SourceView(up=source.up) for name, source in (status.sources if status else {}).items()}
        return RoomView(sources=sources, **_common(room, state, public, now, following))


class RoomCrewView(RoomView):
    """A room as its crew sees it."""

    sources: dict[str, SourceCrewView]  # type: ignore[assignment]
    aliases: list[str]
    levelling: bool = False
    guid: str
    retention_days: int | None
    broadcast: str | None
    on_programme: str | None
    """The source that the programme takes now, or ``slate``; null while the room is off."""
    shows: dict[str, str]
    """Output -> ``programme``, ``slate`` or ``picture_muted``. A closed session's output is ``~{session id}``."""
    orders: dict[str, Any]
    """The state that the director orders from the room process."""
    slate: bool
    """Whether somebody put the slate up by hand."""
    media_up: bool
    media_stopped: Moment | None
    first_words: Moment | None
    """The time of the first speech after the last long silence."""
    viewers_whep: int
    shedding: list[str]
    alarms: list[AlarmView]
    normals: list[NormalView]
    """Alarms that somebody has called normal in the present session: they are not told meanwhile."""
    meters: dict[str, dict[str, Any]] | None
    """``sound`` (LUFS, dBFS, dBTP, silence) and ``picture`` (luma, black, frozen) of the programme; null while off."""

    @classmethod
    def for_crew(
        cls,
        room: Room,
        state: str,
        status: RoomStatus | None,
        meters: dict[str, dict[str, Any]] | None,
        public: PublicStatus,
        day: RoomDay,
        orders: RoomOrders,
        shows: dict[str, str],
        alarms: list[AlarmView],
        normals: list[NormalView],
        now: AnySession | None,
        following: AnySession | None,
    ) -> RoomCrewView:
        return RoomCrewView(
            sources=_sources(status, day),
            aliases=list(room.aliases),
            levelling=room.levelling,
            guid=room.guid,
            retention_days=room.retention_days,
            broadcast=status.broadcast if status else None,
            on_programme=status.on_programme if status else None,
            shows=shows,
            orders=msgspec.to_builtins(orders),
            slate=day.slate,
            media_up=day.media.up,
            media_stopped=to_moment(day.media.stopped_ms),
            first_words=to_moment(status.first_words_ms) if status else None,
            viewers_whep=status.viewers_whep if status else 0,
            shedding=list(status.shedding) if status else [],
            alarms=alarms,
            normals=normals,
            meters=meters,
            **_common(room, state, public, now, following),
        )


def set_of(setting: SourceSetting) -> dict[str, Any]:
    return {name: getattr(setting, name) for name in SETTING_FIELDS}


def _sources(status: RoomStatus | None, day: RoomDay) -> dict[str, SourceCrewView]:
    """Those that have come since the room opened, and those of which something is set."""
    there = {one.name: SourceStatus(one.name, up=False) for one in day.sources} | (status.sources if status else {})
    return {name: SourceCrewView.of(source, setting_of(day.sources, name)) for name, source in there.items()}


def _common(
    room: Room, state: str, public: PublicStatus, now: AnySession | None, following: AnySession | None
) -> dict[str, Any]:
    return {
        "id": room.id,
        "name": room.name,
        "venue": room.venue,
        "start": room.start,
        "between": room.between,
        "caption_languages": list(room.caption_languages),
        "state": state,
        "word": public.word,
        "session": now,
        "next": following,
        "reserved_until": to_moment(public.reserved_until_ms),
        "hold": HoldView.of(public.hold),
    }


class RoomList(LazyModel):
    items: list[RoomCrewView | RoomView]
    cursor: str | None
