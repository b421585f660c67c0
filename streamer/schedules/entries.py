"""One entry of frab XML, c3voc JSON v1 or schedule2, as a mapping with the JSON formats' names. Pure.

The three are dialects of one another. The readers bring them into this form, and oddities are handled here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from streamer.conference.day import DAY_MS, MINUTE_MS
from streamer.conference.schedule import ScheduleItem
from streamer.conference.sessions import KIND_DEFAULTS, Flag, Kind
from streamer.schedules.reading import MAX_ENTRIES, Collector
from streamer.schedules.times import (
    LONGEST_MS,
    at,
    located,
    milliseconds,
    read_clock,
    read_date,
    read_duration,
    read_moment,
)
from streamer.schedules.words import (
    NAME_CHARACTERS,
    address_of,
    flag_of,
    is_clear_flag,
    kind_of,
    language_of,
    one_line,
    paragraphs,
    text_of,
)

Raw = Mapping[str, Any]

_CANCELLED = frozenset({"CANCELED", "CANCELLED", "WITHDRAWN", "DELETED", "REJECTED"})
_NOT_YET = frozenset({"DRAFT", "SUBMITTED"})
_TEXT_FIELDS = ("subtitle", "abstract", "description", "language", "track", "url", "logo")


@dataclass(frozen=True, slots=True)
class EntryDay:
    """The day of the file in which an entry stands. None: the file does not tell."""

    date: date | None = None
    start_ms: int | None = None
    end_ms: int | None = None
    begins: time = time(0)
    """The day's first hour: a start before it belongs to the next calendar day."""


def read_day(raw: Raw, collector: Collector) -> EntryDay:
    """``date``, ``start`` and ``end`` (v1: ``day_start`` and ``day_end``)."""
    bounds: list[datetime | None] = []
    for value in (raw.get("day_start") or raw.get("start"), raw.get("day_end") or raw.get("end")):
        moment = read_moment(value)
        bounds.append(located(moment, collector.zone) if moment is not None else None)
    start, end = bounds
    return EntryDay(
        date=read_date(raw.get("date")) or (start.date() if start is not None else None),
        start_ms=milliseconds(start) if start is not None else None,
        end_ms=milliseconds(end) if end is not None else None,
        begins=start.time() if start is not None else time(0),
    )


def day_change_minutes(days: list[EntryDay]) -> int:
    """Minutes after midnight at which all the days begin, if they agree and it is night; else 0."""
    begins = {day.begins for day in days if day.start_ms is not None}
    if len(begins) != 1:
        return 0
    minutes = (first := begins.pop()).hour * 60 + first.minute
    return minutes if minutes <= 9 * 60 else 0


def read_entry(raw: Raw, room: str, day: EntryDay, collector: Collector, *, default_record: Flag = Flag.NO) -> None:
    """Adds the session to the collector, or a warning with the reason. ``room`` is the name of a known room."""
    title = one_line(raw.get("title"))
    guid = one_line(raw.get("guid"), 128)
    identity = one_line(text_of(raw.get("id")) or text_of(raw.get("code")), 128)
    name = guid or identity or title or "?"
    state = one_line(raw.get("state"), 40).upper()
    if state in _NOT_YET:
        collector.warn("unconfirmed", f"It is left out: its state is {state.lower()}.", name)
        return
    start_ms = _start(raw, day, collector, name)
    if start_ms is None:
        return
    if not title:
        collector.warn("no_title", "It has no title.", name)
        title = one_line(raw.get("subtitle")) or "?"
    if not room:
        collector.warn("no_room", "It has no room: it is shown as the venue's.", name)
    type_name = one_line(raw.get("type"), NAME_CHARACTERS)
    kind = kind_of(type_name, title)
    if day.start_ms is not None and not day.start_ms <= start_ms <= (day.end_ms or start_ms + 1):
        collector.warn("outside_day", "It begins outside of its day.", name)
    record, record_said = _flag(raw, "do_not_record", collector, name)
    stream, stream_said = _flag(raw, "do_not_stream", collector, name)
    if record is Flag.NO and default_record is not Flag.NO:
        record, record_said = default_record, True
    language = language_of(raw.get("language"))
    if not language and text_of(raw.get("language")).strip():
        collector.warn("unknown_language", f"{one_line(raw.get('language'), 40)} is no language.", name)
    unsaid = {field for field in _TEXT_FIELDS if raw.get(field) is None}
    unsaid.update({"tags"} if raw.get("tags") is None and raw.get("keywords") is None else ())
    unsaid.update({"speakers"} if raw.get("persons") is None and raw.get("participants") is None else ())
    pictured = any("avatar" in person or "avatar_url" in person for person in _persons(raw))
    unsaid.update(() if pictured else {"portraits"})
    unsaid.update({"kind"} if not type_name and kind is Kind.CONFERENCE else ())
    unsaid.update(() if record_said else {"do_not_record"})
    unsaid.update(() if stream_said else {"do_not_stream"})
    collector.add(
        ScheduleItem(
            title=title,
            start_ms=start_ms,
            end_ms=_end(raw, start_ms, kind, collector, name),
            room=room,
            guid=guid,
            id=identity,
            subtitle=one_line(raw.get("subtitle"), 1000),
            abstract=paragraphs(raw.get("abstract")),
            description=paragraphs(raw.get("description")),
            speakers=tuple(_speakers(raw)),
            portraits=tuple(_portraits(raw)),
            language=language,
            track=_track(raw.get("track")),
            kind=kind,
            type_name=type_name,
            tags=tuple(_names(raw.get("tags") or raw.get("keywords"))),
            url=address_of(raw.get("url")),
            slug=one_line(raw.get("slug"), NAME_CHARACTERS),
            do_not_record=record,
            do_not_stream=stream,
            cancelled=state in _CANCELLED,
            links=tuple(_references(raw.get("links"))),
            attachments=tuple(_references(raw.get("attachments"))),
            logo=_logo(raw.get("logo")),
            unsaid=frozenset(unsaid),
        )
    )


def _start(raw: Raw, day: EntryDay, collector: Collector, name: str) -> int | None:
    """``date`` (v1) or ``start`` (schedule2) if it is a whole moment; else the day and the time of day."""
    moment = read_moment(raw.get("date")) or read_moment(raw.get("start"))
    clock = read_clock(raw.get("start"))
    if moment is None:
        on = read_date(raw.get("date")) or day.date
        if on is None or clock is None:
            collector.warn("no_start", "It is left out: its begin is unknown.", name)
            return None
        night = read_date(raw.get("date")) is None and clock < day.begins
        moment = at(on, clock, collector.zone, plus_days=1 if night else 0)
        collector.warn("no_date", "Its start is made from the day and the time of day.", name)
    elif moment.tzinfo is None:
        collector.warn("no_offset", "Its date has no offset: taken as local time.", name)
        moment = located(moment, collector.zone)
    ms = milliseconds(moment) if moment is not None else None
    if ms is None or moment is None:
        collector.warn("no_start", "It is left out: its date is not valid.", name)
        return None
    if clock is not None and clock.replace(second=0) != moment.time().replace(second=0, microsecond=0):
        local = moment.astimezone(collector.zone).time()
        if clock.replace(second=0) != local.replace(second=0, microsecond=0):
            collector.warn(
                "start_differs", f"Its date says {moment:%H:%M}, its start {clock:%H:%M}: the date counts.", name
            )
    return ms


def _end(raw: Raw, start_ms: int, kind: Kind, collector: Collector, name: str) -> int:
    """``end`` if it is a moment, else ``duration``; else the kind's usual length."""
    moment = read_moment(raw.get("end"))
    end_ms = milliseconds(located(moment, collector.zone)) if moment is not None else None
    if end_ms is not None and start_ms < end_ms <= start_ms + LONGEST_MS:
        return end_ms
    duration_ms = read_duration(raw.get("duration"))
    if duration_ms is None:
        minutes = KIND_DEFAULTS[kind].minutes
        collector.warn("no_duration", f"It has no duration that can be read: {minutes} minutes are taken.", name)
        return start_ms + minutes * MINUTE_MS
    if duration_ms > DAY_MS:
        collector.warn("long", "It lasts longer than a day.", name)
    return start_ms + duration_ms


def _flag(raw: Raw, field: str, collector: Collector, name: str) -> tuple[Flag, bool]:
    value = raw.get(field)
    if not is_clear_flag(value):
        collector.warn("unclear_flag", f"{field} is “{one_line(value, 80)}”: taken as yes.", name)
    return flag_of(value)


def _entries(value: object) -> Iterator[Any]:
    """A list's first entries; a single value counts as a list of one."""
    if isinstance(value, list | tuple):
        yield from value[:MAX_ENTRIES]
    elif value:
        yield value


def _names(value: object) -> Iterator[str]:
    seen = set()
    for entry in _entries(value):
        name = one_line(entry.get("name") if isinstance(entry, Mapping) else entry, NAME_CHARACTERS)
        if name and name not in seen:
            seen.add(name)
            yield name


def _speakers(raw: Raw) -> Iterator[str]:
    """Names in the file's order, with guests who only help (schedule2's CONTRIBUTOR, HOST)."""
    seen = set()
    for person in _people(raw):
        name = _name_of(person)
        if name and name not in seen:
            seen.add(name)
            yield name


def _portraits(raw: Raw) -> Iterator[tuple[str, str]]:
    """pretalx writes ``avatar`` as an address, schedule2 as an object with one."""
    seen = set()
    for person in _persons(raw):
        avatar = person.get("avatar") or person.get("avatar_url")
        address = address_of(avatar.get("url") if isinstance(avatar, Mapping) else avatar)
        name = _name_of(person)
        if name and address and name not in seen:
            seen.add(name)
            yield name, address


def _people(raw: Raw) -> Iterator[Any]:
    yield from _entries(raw.get("persons") if raw.get("persons") is not None else raw.get("participants"))


def _persons(raw: Raw) -> Iterator[Raw]:
    """Those of whom more than the name is told."""
    return (person for person in _people(raw) if isinstance(person, Mapping))


def _name_of(person: Any) -> str:
    if isinstance(person, Mapping):
        person = person.get("name") or person.get("public_name") or person.get("full_public_name") or person.get("code")
    return one_line(person, NAME_CHARACTERS)


def _track(value: object) -> str:
    if isinstance(value, Mapping) and (named := value.get("name") or value.get("slug")):
        value = named
    return one_line(value, NAME_CHARACTERS)


def _references(value: object) -> Iterator[tuple[str, str]]:
    for entry in _entries(value):
        if isinstance(entry, Mapping):
            address = address_of(entry.get("url") or entry.get("href"))
            title = one_line(entry.get("title") or entry.get("name"))
        else:
            address, title = address_of(entry), ""
        if address:
            # A link without a title is written with its address as the text.
            yield ("" if title == address else title, address)


def _logo(value: object) -> str:
    if isinstance(value, Mapping):
        value = value.get("url")
    text = text_of(value).strip()
    return address_of(text) or (text if len(text) < 500 and text.startswith("/") and " " not in text else "")
