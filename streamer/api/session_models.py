"""The bodies of sessions, holds and actions. The OpenAPI document is made from these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from streamer.api.models import Body, Label, LazyModel, Line, ListQuery, Moment, PartialBody, Slug, to_ms
from streamer.conference.day import planned_end_ms
from streamer.conference.participation import ChatMode, QuestionMode
from streamer.conference.sessions import (
    Flag,
    Kind,
    KindDefaults,
    ReplayPolicy,
    Session,
    SessionState,
    Visibility,
)

EARLIEST_MS = 946_684_800_000
LATEST_MS = 4_102_444_800_000
"""Sessions lie between the years 2000 and 2100; other times are typing errors."""
LONGEST_MS = 7 * 24 * 3600 * 1000


def _flag(value: Any) -> Any:
    """A flag may be sent as a boolean too."""
    return {True: "yes", False: "no"}.get(value, value) if isinstance(value, bool) else value


def in_reach(day: date) -> bool:
    """Whether sessions may lie on this day."""
    return EARLIEST_MS <= datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000 < LATEST_MS


def _in_reach(moment: datetime) -> datetime:
    if not EARLIEST_MS <= moment.timestamp() * 1000 < LATEST_MS:
        raise ValueError("must lie between the years 2000 and 2100")
    return moment


FlagWord = Annotated[Flag, BeforeValidator(_flag)]
Ident = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Text = Annotated[str, StringConstraints(max_length=20_000)]
Url = Annotated[str, StringConstraints(max_length=2000, pattern=r"^(https?://[^\s]+)?$")]
LanguageTag = Annotated[str, StringConstraints(max_length=35, pattern=r"^([A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*)?$")]
Tag = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
Portrait = Annotated[
    str, StringConstraints(max_length=2000, pattern=r"^(https?://[^\s]+|/portraits/[0-9a-f]{24}\.jpg)$")
]
"""The address of a picture elsewhere, which is fetched and shown from here, or one that ``POST /portraits`` answered
with."""
Time = Annotated[Moment, AfterValidator(_in_reach)]


# --- sessions ---------------------------------------------------------------------------------------


Rooms = Annotated[list[Slug], Field(max_length=50)]


class SessionCreate(Body):
    room: Slug | None
    """The room that carries it. Null: it takes place somewhere at the venue, and is never on air."""
    also_in: Rooms = []
    """Other rooms in which it takes place, too. They point to ``room``."""
    venue: Slug | None = None
    """Of a session without a room. Left out: its event's."""
    title: Line
    start: Time
    end: Time
    kind: Kind = Kind.CONFERENCE
    event: Slug | None = None
    subtitle: Label = ""
    abstract: Text = ""
    speakers: list[Tag] = Field(default=[], max_length=100)
    portraits: dict[Tag, Portrait] = Field(default={}, max_length=100)
    """Speaker's name -> address of their picture."""
    language: LanguageTag = ""
    tags: list[Tag] = Field(default=[], max_length=100)
    track: Label = ""
    url: Url = ""
    capacity: int | None = Field(None, ge=0, le=1_000_000)
    visibility: Visibility | None = None
    """Left out: this field and the next five follow from the organisers' template for the kind, else from the kind."""
    do_not_record: FlagWord | None = None
    do_not_stream: FlagWord | None = None
    replay: ReplayPolicy | None = None
    chat: ChatMode | None = None
    """The mode of the audience's chat from the session's beginning on; null: it stays as it is."""
    questions: QuestionMode | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        check_span(ms_of(self.start), ms_of(self.end))
        if self.room is None and self.also_in:
            raise ValueError("a session without a room has no others")
        if self.room is not None and self.venue is not None:
            raise ValueError("venue is for sessions without a room")
        return self

    def session(self, session_id: str, defaults: Mapping[Kind, KindDefaults]) -> Session:
        """A new session from this body."""
        usual = defaults[self.kind]
        visibility = self.visibility or usual.visibility
        return Session(
            id=session_id,
            room=self.room or "",
            also_in=tuple(dict.fromkeys(room for room in self.also_in if room != self.room)),
            title=self.title,
            start_ms=ms_of(self.start),
            end_ms=ms_of(self.end),
            kind=self.kind,
            event=self.event,
            subtitle=self.subtitle,
            abstract=self.abstract,
            speakers=tuple(self.speakers),
            portraits=tuple(self.portraits.items()),
            language=self.language,
            tags=tuple(self.tags),
            track=self.track,
            url=self.url,
            capacity=self.capacity,
            visibility=visibility,
            do_not_record=self.do_not_record or usual.do_not_record,
            do_not_stream=self.do_not_stream or usual.do_not_stream,
            replay=self.replay or usual.replay,
            chat=self.chat if "chat" in self.model_fields_set else usual.chat,
            questions=self.questions if "questions" in self.model_fields_set else usual.questions,
        )


class SessionChange(PartialBody):
    NULLABLE = ("room", "venue", "event", "capacity", "chat", "questions")

    room: Slug | None = None
    """One of ``also_in``, if that is left out: the two change places. Null: it takes place without a room."""
    also_in: Rooms | None = None
    venue: Slug | None = None
    title: Line | None = None
    start: Time | None = None
    end: Time | None = None
    kind: Kind | None = None
    event: Slug | None = None
    subtitle: Label | None = None
    abstract: Text | None = None
    speakers: list[Tag] | None = Field(None, max_length=100)
    portraits: dict[Tag, Portrait] | None = Field(None, max_length=100)
    language: LanguageTag | None = None
    tags: list[Tag] | None = Field(None, max_length=100)
    track: Label | None = None
    url: Url | None = None
    capacity: int | None = Field(None, ge=0, le=1_000_000)
    visibility: Visibility | None = None
    do_not_record: FlagWord | None = None
    do_not_stream: FlagWord | None = None
    replay: ReplayPolicy | None = None
    chat: ChatMode | None = None
    questions: QuestionMode | None = None

    def fields(self) -> dict[str, Any]:
        """The fields that were sent, as fields of a :class:`Session`."""
        sent: dict[str, Any] = {name: getattr(self, name) for name in self.model_fields_set}
        for name in ("start", "end"):
            if name in sent:
                sent[f"{name}_ms"] = to_ms(sent.pop(name))
        if "portraits" in sent:
            sent["portraits"] = tuple(sent["portraits"].items())
        for name in ("speakers", "tags", "also_in"):
            if name in sent:
                sent[name] = tuple(sent[name])
        return sent


def ms_of(moment: datetime) -> int:
    """UTC milliseconds."""
    return round(moment.timestamp() * 1000)


def check_span(start_ms: int, end_ms: int) -> None:
    """Raises ValueError; its message names the fields of the body."""
    if end_ms <= start_ms:
        raise ValueError("end must come after start")
    if end_ms - start_ms > LONGEST_MS:
        raise ValueError("a session lasts a week at most")


@dataclass(frozen=True, slots=True)
class SessionContext:
    """Facts that a session's view needs besides the session. ``shown`` are the times that the audience sees."""

    zone: ZoneInfo
    public_url: str
    shown: tuple[int, int]
    replay: bool = False
    """Whether its replay answers."""
    key: str = ""
    """The caller's key to a closed session; empty: the caller has none."""
    link: str = ""
    """The key in an unlisted session's shared link, for callers who may pass it on."""
    portraits: Mapping[str, str] = field(default_factory=dict)
    """Speaker's name -> the path of their picture, as far as it is here."""
    venue: str | None = None
    """The id of the venue where it takes place."""


class SessionView(LazyModel):
    """A session as everybody may see it, if it is public at all."""

    id: str
    room: str | None
    """The room that carries it; null: it takes place at the venue without a room, and is never on air."""
    also_in: list[str]
    """Other rooms in which it takes place, too. Its media, chat and replay are those of ``room``."""
    venue: str | None
    event: str | None
    title: str
    subtitle: str
    abstract: str
    speakers: list[str]
    portraits: dict[str, str]
    """Speaker's name -> the path of their picture on this server, for those who have one."""
    language: str
    tags: list[str]
    track: str
    url: str
    kind: Kind
    capacity: int | None
    visibility: Visibility
    do_not_record: Flag
    do_not_stream: Flag
    replay: ReplayPolicy
    state: SessionState
    start: str
    """As planned now, delays included; RFC 3339 in the venue's zone, like all times of the session."""
    end: str
    shown_start: str
    """As the audience sees it: later while something before it overruns."""
    shown_end: str
    expected_end: str
    """The planned end: ``end``, or the time it was extended to. An overrun does not move it, so timers count from
    it."""
    delay_minutes: int
    started: str | None
    ended: str | None
    started_at_ms: int | None
    """The media time of its start mark."""
    ended_at_ms: int | None
    ad_hoc: bool
    watch_url: str
    replay_url: str | None

    @classmethod
    def of(cls, session: Session, context: SessionContext) -> SessionView:
        return SessionView(**_fields(session, context))


class SessionCrewView(SessionView):
    """A session as its crew and the holders of its grants see it."""

    key: str
    """The caller's key to a closed session: it opens the output, the replay and the files, and ends with the grant or
    the login. Empty in news that go to several people."""
    live_url: str
    """Empty without a key, and without a room."""
    record_answer: bool | None
    stream_answer: bool | None
    guid: str
    external_id: str
    chat: ChatMode | None
    questions: QuestionMode | None
    portrait_sources: dict[str, str]
    """As ``portraits`` of a body."""

    @classmethod
    def of(cls, session: Session, context: SessionContext) -> SessionCrewView:
        output = f"~{context.key}/" if session.closed else ""
        opens = context.key or not session.closed
        return SessionCrewView(
            **_fields(session, context),
            key=context.key,
            live_url=f"/live/{session.room}/{output}index.m3u8" if session.room and opens else "",
            record_answer=session.record_answer,
            stream_answer=session.stream_answer,
            guid=session.guid,
            external_id=session.external_id,
            chat=session.chat,
            questions=session.questions,
            portrait_sources=dict(session.portraits),
        )


def _fields(session: Session, context: SessionContext) -> dict[str, Any]:
    def told(ms: int | None) -> str | None:
        return None if ms is None else in_zone(ms, context.zone)

    replay = None
    if context.replay and (context.key or not session.closed):
        replay = f"{context.public_url}{replay_path(session, context.key)}/index.m3u8"
    return {
        "id": session.id,
        "room": session.room or None,
        "also_in": list(session.also_in),
        "venue": context.venue,
        "event": session.event,
        "title": session.title,
        "subtitle": session.subtitle,
        "abstract": session.abstract,
        "speakers": list(session.speakers),
        "portraits": dict(context.portraits),
        "language": session.language,
        "tags": list(session.tags),
        "track": session.track,
        "url": session.url,
        "kind": session.kind,
        "capacity": session.capacity,
        "visibility": session.visibility,
        "do_not_record": session.do_not_record,
        "do_not_stream": session.do_not_stream,
        "replay": session.replay,
        "state": session.state,
        "start": told(session.start_ms),
        "end": told(session.end_ms),
        "shown_start": told(context.shown[0]),
        "shown_end": told(context.shown[1]),
        "expected_end": told(planned_end_ms(session)),
        "delay_minutes": round(session.delay_ms / 60_000),
        "started": told(session.started_ms),
        "ended": told(session.ended_ms),
        "started_at_ms": session.started_ms,
        "ended_at_ms": session.ended_ms,
        "ad_hoc": session.ad_hoc,
        "watch_url": f"{context.public_url}/session/{session.id}{f'/{context.link}' if context.link else ''}",
        "replay_url": replay,
    }


def replay_path(session: Session, key: str, *, published: bool = True) -> str:
    """The base address of its replay, with a key if not everybody may watch it."""
    return f"/replay/{session.id}" + (f"/~{key}" if session.closed or not published else "")


def in_zone(ms: int, zone: ZoneInfo) -> str:
    """RFC 3339 with the zone's offset; with milliseconds only if they are not 0."""
    moment = datetime.fromtimestamp(ms / 1000, UTC).astimezone(zone)
    return moment.isoformat(timespec="milliseconds" if ms % 1000 else "seconds")


class SessionList(LazyModel):
    items: list[SessionView | SessionCrewView]
    cursor: str | None


class SessionQuery(ListQuery):
    room: Slug | None = None
    venue: Slug | None = None
    event: Slug | None = None
    language: LanguageTag | None = None
    state: SessionState | None = None
    from_: Moment | None = Field(None, alias="from")
    """Sessions that end after this."""
    until: Moment | None = None
    """Sessions that begin before this."""
