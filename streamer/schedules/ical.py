"""Reads iCalendar (RFC 5545) from calendars, conference tools and hand-written scripts. Pure.

The file is cut into its components here, and the library reads each of them separately, so that a broken event costs
only that event.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

from icalendar import Event, Timezone

from streamer.conference.day import MINUTE_MS
from streamer.conference.schedule import Schedule, ScheduleItem
from streamer.conference.sessions import KIND_DEFAULTS, Kind, Visibility
from streamer.schedules.reading import MAX_ENTRIES, MAX_ITEMS, Collector, Unreadable
from streamer.schedules.recurrence import Budget, expand
from streamer.schedules.times import LONGEST_MS, located, milliseconds, zone_named
from streamer.schedules.words import address_of, kind_of, language_of, one_line, paragraphs

_FOLD = re.compile(rb"\r*\n[ \t]")
_LINE_END = re.compile(r"[\r\n]+")
_PROPERTY = re.compile(r"^[A-Za-z0-9-]+[;:]")
_VENDOR_ZONE = re.compile(r';TZID="?/[^:;"]*/([A-Za-z]+/[A-Za-z_+-]+)"?(?=[:;])')
"""A globally unique TZID (RFC 5545, 3.2.19) that ends in an IANA name; the library only warns and guesses the same."""
_LONGEST_LINE = 200_000
_MOST_LINES = 1_500_000
_CLOSED_CLASSES = frozenset({"PRIVATE", "CONFIDENTIAL"})


@dataclass(slots=True)
class _Pieces:
    properties: dict[str, str] = field(default_factory=dict)
    events: list[list[str]] = field(default_factory=list)
    timezones: list[list[str]] = field(default_factory=list)
    broken_lines: int = 0
    complete: bool = False


@dataclass(frozen=True, slots=True)
class _Entry:
    """One VEVENT: the item as it stands, its wall-clock start and its rules of repetition."""

    item: ScheduleItem
    start: datetime
    zone: tzinfo
    uid: str
    recurrence: datetime | date | None
    """RECURRENCE-ID: an aware moment in UTC, or a date."""
    and_future: bool
    rules: tuple[str, ...]
    dates: tuple[datetime, ...]
    but: tuple[datetime | date, ...]


def read_ical(data: bytes, *, timezone: str, now_ms: int) -> Schedule:
    """Raises Unreadable."""
    reader = _Reader(timezone, now_ms)
    return reader.read(_cut(_decoded(data, reader.collector)))


def _decoded(data: bytes, collector: Collector) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        data = data.decode("utf-16", errors="replace").encode()
    # Folded lines are joined as bytes, because exporters fold in the middle of a character.
    data = _FOLD.sub(b"", data.removeprefix(b"\xef\xbb\xbf"))
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        collector.warn("not_utf8", "A part of the file is not UTF-8: it is read as Windows-1252.")
        return "\n".join(map(_decoded_line, data.split(b"\n")))


def _decoded_line(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("cp1252", errors="replace")


def _cut(text: str) -> _Pieces:
    """Splits the text into components by their BEGIN and END. A line that is no property belongs to the one before
    (unfolded by hand)."""
    pieces = _Pieces()
    inside: list[str] = []
    lines: list[str] = []
    for number, line in enumerate(_LINE_END.split(text)):
        if number > _MOST_LINES:
            raise Unreadable(f"it has more than {_MOST_LINES} lines")
        line = line[:_LONGEST_LINE]
        if ";TZID=" in line:
            line = _VENDOR_ZONE.sub(r";TZID=\1", line)
        if not line.strip():
            continue
        upper = line.strip().upper()
        if upper.startswith("BEGIN:"):
            inside.append(upper[6:])
            if inside[1:] in (["VEVENT"], ["VTIMEZONE"]):
                lines = []
            if len(inside) > 20:
                raise Unreadable("its components are nested too deep")
        if "VEVENT" in inside[1:] or "VTIMEZONE" in inside[1:]:
            if _PROPERTY.match(line):
                lines.append(line)
            elif lines:
                pieces.broken_lines += 1
                lines[-1] = (lines[-1] + "\\n" + line)[:_LONGEST_LINE]
        elif len(inside) == 1 and _PROPERTY.match(line) and len(pieces.properties) < 100:
            name = re.split("[;:]", line, maxsplit=1)[0].upper()
            pieces.properties.setdefault(name, line.rpartition(":")[2] if name != "URL" else line.partition(":")[2])
        if upper.startswith("END:"):
            ended = upper[4:]
            if inside[1:] == [ended] == ["VEVENT"]:
                pieces.events.append(lines)
                if len(pieces.events) > MAX_ITEMS:
                    raise Unreadable(f"it has more than {MAX_ITEMS} sessions")
            elif inside[1:] == [ended] == ["VTIMEZONE"] and len(pieces.timezones) < 100:
                pieces.timezones.append(lines)
            while inside and inside[-1] != ended and ended in inside:
                inside.pop()
            if inside and inside[-1] == ended:
                inside.pop()
            pieces.complete = pieces.complete or ended == "VCALENDAR"
    if inside[1:2] == ["VEVENT"]:
        raise Unreadable("it is not complete: it ends inside an event")
    return pieces


class _Reader:
    def __init__(self, timezone: str, now_ms: int) -> None:
        self.collector = Collector(timezone)
        self._now_ms = now_ms
        self._budget = Budget()
        self._own_zones: dict[str, tzinfo] = {}
        self._cancelled = False

    def read(self, pieces: _Pieces) -> Schedule:
        properties = pieces.properties
        self.collector.in_zone(properties.get("X-WR-TIMEZONE") or properties.get("TIMEZONE-ID"))
        self._read_timezones(pieces.timezones)
        self._cancelled = properties.get("METHOD", "").strip().upper() == "CANCEL"
        if not pieces.complete:
            self.collector.warn("no_end", "The file ends too early: a part may be missing.")
        if pieces.broken_lines:
            self.collector.warn("broken_lines", f"{pieces.broken_lines} lines are folded wrongly.")
        series: dict[str, list[_Entry]] = {}
        for number, lines in enumerate(pieces.events):
            entry = self._entry(lines)
            if entry is not None:
                series.setdefault(entry.uid or f"\x00{number}", []).append(entry)
        for entries in series.values():
            self._series(entries)
        return self.collector.schedule(
            title=one_line(_unescaped(properties.get("X-WR-CALNAME") or properties.get("NAME") or "")),
            version=one_line(properties.get("LAST-MODIFIED") or "", 64),
            url=address_of(properties.get("URL") or properties.get("X-ORIGINAL-URL") or ""),
        )

    def _read_timezones(self, pieces: list[list[str]]) -> None:
        """The file's own zones count only if their name is no well-known one."""
        named: list[str] = []
        for lines in pieces:
            name = next((line.partition(":")[2].strip() for line in lines if line.upper().startswith("TZID")), "")
            known = zone_named(name)
            if known is not None:
                named.append(str(known))
                continue
            # The library remembers definitions for the whole process, under names that every file may choose. A known
            # name is left alone.
            unnamed = ["TZID:UTC" if line.upper().startswith("TZID") else line for line in lines]
            try:
                definition: Any = Timezone.from_ical("\r\n".join(unnamed) + "\r\n")
                self._own_zones[name] = definition.to_tz(lookup_tzid=False)
            except Exception:  # the library raises any error for a broken definition
                self.collector.warn("unknown_timezone", f"The time zone {one_line(name, 64)} cannot be read.")
        if not self.collector.timezone and len(set(named)) == 1:
            self.collector.timezone = named[0]

    def _entry(self, lines: list[str]) -> _Entry | None:
        raw_uid = next((line.partition(":")[2] for line in lines if line.upper().startswith("UID")), "")
        try:
            event = Event.from_ical("\r\n".join(lines) + "\r\n")
            return self._understood(event)
        except Exception as error:  # the library's own error for a calendar that is not allowed; one event is lost
            # It says so in words about its own classes. Who has the file finds the line by its text.
            broken = str(error).partition("broken property '")[2].partition("'")[0]
            line = next((line for line in lines if broken and line.upper().startswith(broken)), "")
            why = f"“{one_line(line, 80)}” cannot be read" if line else one_line(str(error), 120)
            self.collector.warn("bad_event", f"It is left out: {why}.", one_line(raw_uid, 128))
            return None

    def _understood(self, event: Any) -> _Entry | None:
        uid = one_line(_first(event, "UID"), 200)
        title = one_line(_first(event, "SUMMARY"))
        name = uid or title or "?"
        start_value = getattr(_first(event, "DTSTART"), "dt", None)
        if not isinstance(start_value, date):
            self.collector.warn("no_start", "It is left out: its begin is unknown.", name)
            return None
        if not title:
            self.collector.warn("no_title", "It has no title.", name)
        all_day = not isinstance(start_value, datetime)
        zone = self._zone(event, "DTSTART", start_value, name)
        start = _wall(start_value, zone)
        start_ms = milliseconds(located(start, zone))
        if start_ms is None:
            self.collector.warn("no_start", "It is left out: its date is not valid.", name)
            return None
        categories = tuple(_categories(event))
        type_name = next((category for category in categories if kind_of(category) is not Kind.CONFERENCE), "")
        kind = kind_of(type_name, title)
        if all_day:
            self.collector.warn("all_day", "It has no time of day: it lasts from midnight to midnight.", name)
        room = self.collector.room(_first(event, "LOCATION"))
        if not room:
            self.collector.warn("no_room", "It has no room: it is shown as the venue's.", name)
        summary_language = getattr(_first(event, "SUMMARY"), "params", {}).get("LANGUAGE", "")
        item = ScheduleItem(
            title=title or "?",
            start_ms=start_ms,
            end_ms=self._end(event, start_ms, start, zone, kind, all_day, name),
            room=room,
            guid=uid,
            abstract=paragraphs(_first(event, "DESCRIPTION")),
            language=language_of(summary_language),
            kind=kind,
            type_name=type_name or (categories[0] if categories else ""),
            tags=categories,
            url=address_of(_first(event, "URL")),
            cancelled=self._cancelled or one_line(_first(event, "STATUS"), 40).upper() in ("CANCELLED", "CANCELED"),
            all_day=all_day,
            sequence=_number(_first(event, "SEQUENCE")),
            attachments=tuple(_attachments(event)),
            visibility=Visibility.PRIVATE if one_line(_first(event, "CLASS"), 40).upper() in _CLOSED_CLASSES else None,
            unsaid=_unsaid(event, categories, bool(summary_language), kind),
        )
        identity = _first(event, "RECURRENCE-ID")
        at_value = getattr(identity, "dt", None)
        params = getattr(identity, "params", {})
        return _Entry(
            item=item,
            start=start,
            zone=zone,
            uid=uid,
            recurrence=self._recurrence(event, at_value, name),
            and_future=str(params.get("RANGE", "")).upper() == "THISANDFUTURE",
            rules=tuple(self._rule(value, zone) for value in _all(event, "RRULE")),
            dates=tuple(_wall(value, zone) for value in _listed(event, "RDATE")),
            but=tuple(
                _wall(value, zone) if isinstance(value, datetime) else value for value in _listed(event, "EXDATE")
            ),
        )

    def _zone(self, event: Any, key: str, value: date, name: str) -> tzinfo:
        if isinstance(value, datetime) and value.tzinfo is not None:
            return value.tzinfo
        named = str(getattr(event.get(key), "params", {}).get("TZID", ""))
        if not named:
            return self.collector.zone
        zone = zone_named(named) or self._own_zones.get(named)
        if zone is None:
            self.collector.warn("unknown_timezone", f"There is no time zone called {one_line(named, 64)}.", name)
            return self.collector.zone
        return zone

    def _recurrence(self, event: Any, value: object, name: str) -> datetime | date | None:
        if not isinstance(value, datetime):
            return value if isinstance(value, date) else None
        zone = self._zone(event, "RECURRENCE-ID", value, name)
        return located(value, zone).astimezone(UTC)

    def _end(
        self, event: Any, start_ms: int, start: datetime, zone: tzinfo, kind: Kind, all_day: bool, name: str
    ) -> int:
        value = getattr(_first(event, "DTEND"), "dt", None)
        length = getattr(_first(event, "DURATION"), "dt", None)
        end_ms: int | None = None
        if isinstance(value, date):
            own = self._zone(event, "DTEND", value, name) if isinstance(value, datetime) else zone
            end_ms = milliseconds(located(_wall(value, own), own))
        elif isinstance(length, timedelta):
            end_ms = start_ms + round(length.total_seconds() * 1000)
        elif all_day:
            end_ms = milliseconds(located(start + timedelta(days=1), zone))
        if end_ms is not None and start_ms < end_ms <= start_ms + LONGEST_MS:
            return end_ms
        minutes = KIND_DEFAULTS[kind].minutes
        self.collector.warn("no_duration", f"It has no end that can be read: {minutes} minutes are taken.", name)
        return start_ms + minutes * MINUTE_MS

    def _rule(self, value: Any, zone: tzinfo) -> str:
        """The rule's text with UNTIL on the wall clock."""
        fields = {str(key).upper(): value[key] for key in value}
        out = []
        for key, parts in fields.items():
            if key == "UNTIL":
                moment = parts[0] if isinstance(parts, list) else parts
                if isinstance(moment, datetime) and moment.tzinfo is not None:
                    moment = moment.astimezone(zone).replace(tzinfo=None)
                form = "%Y%m%dT%H%M%S" if isinstance(moment, datetime) else "%Y%m%d"
                out.append(f"UNTIL={moment.strftime(form)}")
            else:
                out.append(f"{key}=" + ",".join(str(part) for part in (parts if isinstance(parts, list) else [parts])))
        return ";".join(out)

    def _series(self, entries: list[_Entry]) -> None:
        """All the events of one UID: a master, its repetitions, and single occurrences that differ."""
        masters: dict[datetime | date, _Entry] = {}
        changed: dict[datetime | date, _Entry] = {}
        for entry in entries:
            into, key = (masters, entry.start) if entry.recurrence is None else (changed, entry.recurrence)
            before = into.get(key)
            if before is not None and _elsewhere(before.item, entry.item):
                also_in = tuple(dict.fromkeys((*before.item.also_in, entry.item.room)))
                into[key] = replace(before, item=replace(before.item, also_in=also_in))
            elif before is None or entry.item.sequence >= before.item.sequence:
                into[key] = entry
        for master in masters.values():
            if not master.rules and not master.dates:
                self.collector.add(master.item)
                continue
            self._repeat(master, changed)
        for at, entry in changed.items():
            moment = at if isinstance(at, datetime) else located(_wall(at, entry.zone), entry.zone)
            self.collector.add(_occurrence(entry, moment, timedelta(0)))

    def _repeat(self, master: _Entry, changed: dict[datetime | date, _Entry]) -> None:
        """Adds each occurrence; removes the used ones from ``changed``."""
        now = datetime.fromtimestamp(self._now_ms / 1000, UTC).astimezone(master.zone).replace(tzinfo=None)
        found = expand(master.start, master.rules, dates=master.dates, but=master.but, now=now, budget=self._budget)
        if found.problem:
            self.collector.warn("recurrence", f"Not all its repetitions are here: {found.problem}.", master.uid)
        current, since = master, master.start
        for start in found.starts:
            original = located(start, master.zone)
            own = changed.pop(original.astimezone(UTC), None) or changed.pop(start.date(), None)
            if own is not None and own.and_future:
                current, since = own, start
            if own is not None:
                self.collector.add(_occurrence(own, original, timedelta(0)))
            else:
                self.collector.add(_occurrence(current, original, start - since))


def _elsewhere(first: ScheduleItem, again: ScheduleItem) -> bool:
    """Whether an event that the calendar has twice is one in two rooms, and not a newer version of it."""
    rooms, same = (first.room, *first.also_in), first.sequence == again.sequence and first.end_ms == again.end_ms
    return same and first.cancelled is again.cancelled and bool(first.room and again.room) and again.room not in rooms


def _occurrence(entry: _Entry, original: datetime, shift: timedelta) -> ScheduleItem:
    """The entry moved by ``shift`` on the wall clock. Its guid names the original start, which never changes."""
    stamp = original.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    guid = f"{entry.uid}#{stamp}" if entry.uid else ""
    if not shift:
        return replace(entry.item, guid=guid)
    start_ms = milliseconds(located(entry.start + shift, entry.zone))
    if start_ms is None:
        return replace(entry.item, guid=guid)
    return replace(entry.item, guid=guid, start_ms=start_ms, end_ms=start_ms + entry.item.end_ms - entry.item.start_ms)


def _all(event: Any, key: str) -> list[Any]:
    value = event.get(key)
    return [] if value is None else value[:MAX_ENTRIES] if isinstance(value, list) else [value]


def _first(event: Any, key: str) -> Any:
    values = _all(event, key)
    return values[0] if values else None


def _listed(event: Any, key: str) -> Iterator[Any]:
    for line in _all(event, key):
        for entry in getattr(line, "dts", ()):
            value = entry.dt[0] if isinstance(entry.dt, tuple) else entry.dt
            if isinstance(value, date):
                yield value


def _wall(value: date, zone: tzinfo) -> datetime:
    """A date or time on the zone's wall clock; a date is its midnight."""
    if not isinstance(value, datetime):
        return datetime.combine(value, time(0))
    return (value.astimezone(zone) if value.tzinfo is not None else value).replace(tzinfo=None)


def _categories(event: Any) -> Iterator[str]:
    seen = set()
    for line in _all(event, "CATEGORIES"):
        for entry in list(getattr(line, "cats", [line]))[:MAX_ENTRIES]:
            name = one_line(str(entry), 100)
            if name and name not in seen:
                seen.add(name)
                yield name


def _attachments(event: Any) -> Iterator[tuple[str, str]]:
    for entry in _all(event, "ATTACH"):
        address = address_of(str(entry)) if isinstance(entry, str) else ""
        if address:
            params = getattr(entry, "params", {})
            yield (one_line(str(params.get("FILENAME") or params.get("X-FILENAME") or "")), address)


def _number(value: Any) -> int:
    try:
        return max(0, min(int(value), 2**31 - 1))
    except (TypeError, ValueError):
        return 0


def _unescaped(text: str) -> str:
    return text.replace("\\n", " ").replace("\\,", ",").replace("\\;", ";").replace("\\\\", "\\")


def _unsaid(event: Any, categories: tuple[str, ...], language: bool, kind: Kind) -> frozenset[str]:
    """The fields of a session that iCalendar cannot express."""
    out = {"subtitle", "speakers", "portraits", "track", "do_not_record", "do_not_stream", "logo", "slug", "links"}
    out.update(() if event.get("DESCRIPTION") is not None else {"abstract"})
    out.update(() if event.get("URL") is not None else {"url"})
    out.update(() if categories else {"tags"})
    out.update(() if language else {"language"})
    out.update({"kind"} if not categories and kind is Kind.CONFERENCE else ())
    return frozenset(out)
