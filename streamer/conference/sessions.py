"""Sessions, events and marks as values. Pure.

Times are UTC milliseconds. A session's planned times are ``start_ms`` and ``end_ms``, with every delay included;
``started_ms`` and ``ended_ms`` are its start and end marks: the media times at which it really began and ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum

from streamer.conference.looks import Look, Typeface
from streamer.conference.participation import ChatMode, QuestionMode


class SessionState(StrEnum):
    """``scheduled -> armed -> on_air -> (overrun) -> ended``, or ``cancelled``."""

    SCHEDULED = "scheduled"
    ARMED = "armed"
    ON_AIR = "on_air"
    OVERRUN = "overrun"
    ENDED = "ended"
    CANCELLED = "cancelled"


RUNNING = frozenset({SessionState.ON_AIR, SessionState.OVERRUN})
OPEN = frozenset({SessionState.SCHEDULED, SessionState.ARMED, *RUNNING})
"""States of sessions that are on air or may still go on air."""


class Kind(StrEnum):
    CONFERENCE = "conference"
    WORKSHOP = "workshop"
    SEMINAR = "seminar"
    TRAINING = "training"
    MEETING = "meeting"
    SOCIAL = "social"
    BREAK = "break"


class Visibility(StrEnum):
    """``unlisted``: everybody with the link may see it; ``private``: people with a grant. The public learns of
    neither."""

    PUBLIC = "public"
    UNLISTED = "unlisted"
    PRIVATE = "private"


class Flag(StrEnum):
    """``do_not_record`` and ``do_not_stream``. ``ask``: the technician is asked when the session is armed; without an
    answer it is recorded and not published."""

    NO = "no"
    YES = "yes"
    ASK = "ask"


class ReplayPolicy(StrEnum):
    AT_ONCE = "at_once"
    AFTER_REVIEW = "after_review"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class KindDefaults:
    """The values of a new session of a kind."""

    visibility: Visibility = Visibility.PUBLIC
    do_not_record: Flag = Flag.NO
    do_not_stream: Flag = Flag.NO
    replay: ReplayPolicy = ReplayPolicy.AT_ONCE
    minutes: int = 60
    chat: ChatMode | None = None
    questions: QuestionMode | None = None
    """None, of both: the audience's stay as they are."""


KIND_DEFAULTS: Mapping[Kind, KindDefaults] = {
    Kind.CONFERENCE: KindDefaults(minutes=45),
    Kind.WORKSHOP: KindDefaults(minutes=120),
    Kind.SEMINAR: KindDefaults(minutes=90),
    Kind.TRAINING: KindDefaults(visibility=Visibility.UNLISTED, minutes=180),
    Kind.MEETING: KindDefaults(visibility=Visibility.PRIVATE, minutes=120),
    Kind.SOCIAL: KindDefaults(replay=ReplayPolicy.NEVER, minutes=120),
    Kind.BREAK: KindDefaults(replay=ReplayPolicy.NEVER, minutes=30),
}


@dataclass(frozen=True, slots=True)
class SessionTemplate:
    """An organiser's own defaults for new sessions of a kind. None: it says nothing of that."""

    id: str
    kind: Kind
    venue: str | None = None
    """None: everywhere. A venue's own outranks that one, field by field."""
    visibility: Visibility | None = None
    do_not_record: Flag | None = None
    do_not_stream: Flag | None = None
    replay: ReplayPolicy | None = None
    minutes: int | None = None
    chat: ChatMode | None = None
    questions: QuestionMode | None = None


def defaults_with(templates: Iterable[SessionTemplate], venue: str | None) -> Mapping[Kind, KindDefaults]:
    """The defaults at a venue, for each kind."""
    found = dict(KIND_DEFAULTS)
    for template in sorted(templates, key=lambda one: one.venue is not None):
        if template.venue in (None, venue):
            said = {name: value for name in _TEMPLATE if (value := getattr(template, name)) is not None}
            found[template.kind] = replace(found[template.kind], **said)
    return found


_TEMPLATE = tuple(field.name for field in fields(KindDefaults))


@dataclass(frozen=True, slots=True)
class Session:
    """One slot of the schedule. ``id`` cannot be guessed and is part of addresses."""

    id: str
    room: str
    """The room that carries its sound and picture. Empty: it takes place somewhere at the venue (a dinner), and is only
    told of."""
    title: str
    start_ms: int
    end_ms: int
    kind: Kind = Kind.CONFERENCE
    event: str | None = None
    subtitle: str = ""
    abstract: str = ""
    speakers: tuple[str, ...] = ()
    portraits: tuple[tuple[str, str], ...] = ()
    """(speaker's name, address): of a picture that was uploaded here, or elsewhere as a schedule has it. That one is
    fetched, and shown from here only."""
    language: str = ""
    """BCP 47; empty: not known."""
    tags: tuple[str, ...] = ()
    track: str = ""
    url: str = ""
    """The session's page elsewhere (the schedule's own)."""
    capacity: int | None = None
    visibility: Visibility = Visibility.PUBLIC
    do_not_record: Flag = Flag.NO
    do_not_stream: Flag = Flag.NO
    replay: ReplayPolicy = ReplayPolicy.AT_ONCE
    state: SessionState = SessionState.SCHEDULED
    delay_ms: int = 0
    """The difference between ``start_ms`` and the schedule's own start."""
    shortened_ms: int = 0
    """The time that delays took of its length (a break absorbs them); the schedule's own length is the sum."""
    started_ms: int | None = None
    ended_ms: int | None = None
    extended_until_ms: int | None = None
    """The time until which a person has extended it: a closed session that follows waits until then, and no longer."""
    changed_ms: int | None = None
    """The time when it last went on air, was extended, ended, reopened, cancelled, or one of these was undone. By the
    server's clock, unlike the marks, which may lie minutes back."""
    ad_hoc: bool = False
    """Begun without a plan."""
    record_answer: bool | None = None
    """The technician's answer if ``do_not_record`` is ``ask``: may it be recorded?"""
    stream_answer: bool | None = None
    """The technician's answer if ``do_not_stream`` is ``ask``: may it be streamed?"""
    generation: int = 1
    """Grows whenever fewer people may see it than before: keys of an older generation open nothing."""
    guid: str = ""
    """The schedule's globally unique id, or empty."""
    external_id: str = ""
    """The schedule's id within its event, or empty."""
    sequence: int = 0
    """iCalendar's SEQUENCE: grows with each change that an attendee should learn of."""
    venue: str | None = None
    """The venue of a session without a room. Others have their room's."""
    chat: ChatMode | None = None
    """The mode of its audience's chat from its beginning on; None: it stays as it is."""
    questions: QuestionMode | None = None
    also_in: tuple[str, ...] = ()
    """Other rooms in which it takes place, too. They point to ``room``."""

    @property
    def rooms(self) -> tuple[str, ...]:
        """All rooms in which it takes place, the one that carries it first."""
        return (self.room, *self.also_in) if self.room else ()

    @property
    def running(self) -> bool:
        return self.state in RUNNING

    @property
    def closed(self) -> bool:
        """Unlisted or private: it must not be told or shown in public."""
        return self.visibility is not Visibility.PUBLIC

    @property
    def recorded(self) -> bool:
        """Whether its programme may be written to disk. Without an answer it may."""
        if self.do_not_record is Flag.ASK:
            return self.record_answer is not False
        return self.do_not_record is Flag.NO

    @property
    def streamed(self) -> bool:
        """Whether its audience may see it live. Without an answer it may not."""
        if self.do_not_stream is Flag.ASK:
            return self.stream_answer is True
        return self.do_not_stream is Flag.NO

    @property
    def published(self) -> bool:
        """Whether flags and policy allow a replay without a review."""
        if self.do_not_record is Flag.ASK and self.record_answer is None:
            return False
        return self.recorded and self.streamed and self.replay is ReplayPolicy.AT_ONCE


@dataclass(frozen=True, slots=True)
class Event:
    """A named run of sessions. ``id`` is a slug. Times are None if they follow from its sessions."""

    id: str
    name: str
    venue: str | None = None
    start_ms: int | None = None
    end_ms: int | None = None
    language: str = ""
    url: str = ""
    acronym: str = ""
    logos: tuple[str, ...] = ()
    """Addresses of partners' logos, for the slate and the pages."""
    source_url: str = ""
    """The address of its schedule, which is polled; empty: none."""
    colour: str = ""
    """``#rrggbb`` or empty, as the next three a part of its look."""
    typeface: Typeface = Typeface.SHIPPED
    logo: str = ""
    """Its own one, beside its name at the top of pages."""
    cover: str = ""

    @property
    def look(self) -> Look:
        return Look(self.colour, self.typeface, self.logo, self.cover)


class MarkKind(StrEnum):
    CHAPTER = "chapter"
    INCIDENT = "incident"
    """A stretch that replays skip while it is hidden (a hold, a fire alarm)."""


CLOSED_CHAPTER = "cq-"
"""The prefix of the ids of chapters made of questions that were asked in a closed session's own audience."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Start and end are the session's own ``started_ms`` and ``ended_ms``; these are the other marks. Media times."""

    id: str
    session: str
    kind: MarkKind
    at_ms: int
    until_ms: int | None = None
    """The end of an incident; None while it lasts."""
    label: str = ""
    hidden: bool = True
    """Whether replays skip the incident."""

    @property
    def said_closed(self) -> bool:
        """Whether its label was written in a closed session's own audience. It stays there, whatever the session
        becomes."""
        return self.id.startswith(CLOSED_CHAPTER)


@dataclass(frozen=True, slots=True)
class Hold:
    """Everything stops (fire alarm): slate, silence, a message. Sessions keep their state."""

    since_ms: int
    message: str
    until_ms: int | None = None
    """The expected end; it is only shown, and nothing resumes by itself."""
