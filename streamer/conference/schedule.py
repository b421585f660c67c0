"""A schedule from a file or for one: the common parts of frab XML, c3voc JSON and iCalendar. Pure.

Times are UTC milliseconds. Nothing here is trusted: titles may be empty, rooms unknown, times doubled.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from streamer.conference.sessions import Flag, Kind, Visibility


@dataclass(frozen=True, slots=True)
class ScheduleRoom:
    name: str
    guid: str = ""
    slug: str = ""
    """The file's other name for it (an alias); empty if it has none."""
    capacity: int | None = None


@dataclass(frozen=True, slots=True)
class ScheduleItem:
    """One session of a schedule. ``guid`` or ``id`` identifies it when the schedule is read again."""

    title: str
    start_ms: int
    end_ms: int
    room: str
    """The name of a :class:`ScheduleRoom`; empty: it has none, and takes place somewhere at the venue."""
    guid: str = ""
    id: str = ""
    subtitle: str = ""
    abstract: str = ""
    description: str = ""
    speakers: tuple[str, ...] = ()
    portraits: tuple[tuple[str, str], ...] = ()
    """(speaker's name, address of their picture)"""
    language: str = ""
    track: str = ""
    kind: Kind = Kind.CONFERENCE
    type_name: str = ""
    """The file's own word for its kind, kept for writing it again."""
    tags: tuple[str, ...] = ()
    url: str = ""
    slug: str = ""
    do_not_record: Flag = Flag.NO
    do_not_stream: Flag = Flag.NO
    cancelled: bool = False
    all_day: bool = False
    sequence: int = 0
    links: tuple[tuple[str, str], ...] = ()
    """(title, address)"""
    attachments: tuple[tuple[str, str], ...] = ()
    logo: str = ""
    also_in: tuple[str, ...] = ()
    """Names of other rooms in which it takes place, too."""
    visibility: Visibility | None = None
    """The file's own value (iCalendar's CLASS); None: the kind decides."""
    unsaid: frozenset[str] = field(default=frozenset(), compare=False)
    """Fields of this class that the file does not mention: a session keeps its values of them."""


@dataclass(frozen=True, slots=True)
class ScheduleWarning:
    """A problem of the schedule, or of one item that could not be read."""

    code: str
    message: str
    item: str = ""
    """The session's guid, id or title; empty: the whole schedule."""


@dataclass(frozen=True, slots=True)
class Schedule:
    title: str
    acronym: str = ""
    timezone: str = ""
    """IANA name; empty if the file names none."""
    version: str = ""
    url: str = ""
    language: str = ""
    start_ms: int | None = None
    end_ms: int | None = None
    day_change_minutes: int = 0
    rooms: tuple[ScheduleRoom, ...] = ()
    items: tuple[ScheduleItem, ...] = ()
    warnings: tuple[ScheduleWarning, ...] = ()
