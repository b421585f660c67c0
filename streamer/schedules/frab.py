"""Reads frab's and pentabarf's schedule.xml, as pretalx, Engelsystem, voctomix and others write it. Pure.

The file is read as a stream: an event's elements are freed after it was read. No DTD, no entities, no network.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

from lxml import etree

from streamer.conference.day import DAY_MS
from streamer.conference.schedule import Schedule
from streamer.schedules.entries import EntryDay, day_change_minutes, read_day, read_entry
from streamer.schedules.reading import MAX_ENTRIES, Collector, Unreadable
from streamer.schedules.times import at, located, milliseconds, read_clock, read_date, read_moment
from streamer.schedules.words import address_of, one_line, text_of

_MAX_ELEMENTS = 1_500_000
_TAIL = 4096
_PLAIN = (
    "title", "subtitle", "date", "start", "end", "duration", "room", "slug", "track", "type", "language",
    "abstract", "description", "url", "logo", "do_not_record", "do_not_stream", "state",
)  # fmt: skip


def read_frab(data: bytes, *, timezone: str) -> Schedule:
    """Raises Unreadable."""
    try:
        return _Reader(timezone).read(data, recover=False)
    except etree.XMLSyntaxError as error:
        # Real exports hold a bare & or a control character. They are worth reading, but not if half of the file is
        # missing.
        if b"</schedule" not in data[-_TAIL:]:
            raise Unreadable([f"it is not complete, or not XML: {_reason(error)}"]) from error
        reader = _Reader(timezone)
        reader.collector.warn("not_well_formed", f"The XML is broken: {_reason(error)}.")
        try:
            return reader.read(data, recover=True)
        except etree.XMLSyntaxError as again:
            raise Unreadable([f"its XML is broken: {_reason(again)}"]) from again


def _reason(error: etree.XMLSyntaxError) -> str:
    return " ".join(str(error.msg or "unknown").split())[:200].rstrip(".")


class _Reader:
    def __init__(self, timezone: str) -> None:
        self.collector = Collector(timezone)
        self._conference: dict[str, Any] = {}
        self._version = ""
        self._address = ""
        self._day = EntryDay()
        self._days: list[EntryDay] = []
        self._room = ""
        self._open: list[str] = []

    def read(self, data: bytes, *, recover: bool) -> Schedule:
        walk = etree.iterparse(
            BytesIO(data),
            events=("start", "end"),
            recover=recover,
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            dtd_validation=False,
            huge_tree=False,
            remove_comments=True,
            remove_pis=True,
        )
        for count, (what, element) in enumerate(walk):
            if count > 2 * _MAX_ELEMENTS:
                raise Unreadable(f"it has more than {_MAX_ELEMENTS} elements")
            name = _local(element)
            if what == "start":
                self._open.append(name)
                if len(self._open) == 1:
                    self._check_root(element, name)
                elif self._open[1:] == ["day"]:
                    self._begin_day(element)
                elif self._open[1:] == ["day", "room"]:
                    self._room = self.collector.room(element.get("name"), guid=one_line(element.get("guid"), 128))
            else:
                self._end(element)
                self._open.pop()
        if not self._conference and not self._days:
            raise Unreadable("it has neither a conference nor a day")
        return self._schedule()

    def _check_root(self, element: etree._Element, name: str) -> None:
        doctype = element.getroottree().docinfo.internalDTD
        if doctype is not None and any(True for _ in doctype.iterentities()):
            raise Unreadable("it declares XML entities, which are not read")
        if name == "schedule":
            return
        if name.lower() == "icalendar":
            raise Unreadable("it is xCal (iCalendar as XML), which is not read: take the schedule.xml, .json or .ics")
        if name.lower() in ("html", "rss", "feed"):
            raise Unreadable(f"it is a web page or feed ({name}), not a schedule")
        raise Unreadable(f"its XML is a <{name[:40]}>, not a <schedule>")

    def _begin_day(self, element: etree._Element) -> None:
        attributes = {str(key): str(value) for key, value in element.attrib.items()}
        self._day = read_day(attributes, self.collector)
        self._days.append(self._day)
        self._room = ""

    def _end(self, element: etree._Element) -> None:
        path = self._open[1:]
        match path:
            case ["version"]:
                self._version = one_line(_text(element), 200)
            case ["url"]:
                self._address = address_of(_text(element))
            case ["conference"]:
                self._conference = {_local(child): _text(child) for child in _children(element)}
                self.collector.in_zone(self._conference.get("time_zone_name"))
                element.clear()
            case ["day", "room", "event"] | ["day", "event"]:
                self._event(element)
                element.clear()
            case ["day", "room"]:
                self._room = ""
                element.clear()
            case ["day"]:
                element.clear()
            case _ if len(path) > 6 or path[:1] not in (["conference"], ["day"]):
                element.clear()

    def _event(self, element: etree._Element) -> None:
        raw: dict[str, Any] = {"guid": element.get("guid"), "id": element.get("id"), "code": element.get("code")}
        for child in _children(element):
            name = _local(child)
            if name in _PLAIN:
                raw.setdefault(name, _text(child))
            elif name == "persons":
                raw["persons"] = [_person(person) for person in _children(child, "person")]
            elif name in ("links", "attachments"):
                raw[name] = [
                    {"url": entry.get("href") or _text(entry), "title": _text(entry)} for entry in _children(child)
                ]
            elif name == "recording":
                optout = next((_text(entry) for entry in _children(child, "optout")), None)
                raw.setdefault("do_not_record", optout)
            elif name in ("tags", "keywords"):
                raw["tags"] = [_text(tag) for tag in _children(child)] or _text(child).split(",")
        inner = text_of(raw.get("room"))
        room = self._room or self.collector.room(inner)
        if self._room and inner.strip() and one_line(inner) != self._room:
            self.collector.warn(
                "room_differs",
                f"It stands under the room {self._room} and says {one_line(inner, 80)}: the former counts.",
                text_of(raw["guid"]) or text_of(raw["id"]) or one_line(raw.get("title")),
            )
        read_entry(raw, room, self._day, self.collector)

    def _schedule(self) -> Schedule:
        conference = self._conference
        if not conference:
            self.collector.warn("no_conference", "The schedule has no title.")
        if not self._version:
            self.collector.warn("no_version", "The schedule has no version.")
        start_ms, end_ms = conference_span(conference, self.collector)
        return self.collector.schedule(
            title=one_line(conference.get("title")),
            acronym=one_line(conference.get("acronym"), 128),
            version=self._version,
            url=self._address or address_of(conference.get("url")) or address_of(conference.get("base_url")),
            start_ms=start_ms,
            end_ms=end_ms,
            day_change_minutes=day_change_minutes(self._days),
        )


def conference_span(conference: dict[str, Any], collector: Collector) -> tuple[int | None, int | None]:
    """The first and last moment of a conference; a date alone is that whole day."""
    span: list[int | None] = []
    for field, whole_days in (("start", 0), ("end", 1)):
        value = conference.get(field)
        moment = read_moment(value)
        day = read_date(value)
        midnight = read_clock("00:00")
        if moment is not None:
            span.append(milliseconds(located(moment, collector.zone)))
        elif day is not None and midnight is not None:
            begin = at(day, midnight, collector.zone, plus_days=whole_days)
            span.append(milliseconds(begin) if begin is not None else None)
        else:
            span.append(None)
    start_ms, end_ms = span
    if start_ms is not None and end_ms is not None and not start_ms < end_ms <= start_ms + 400 * DAY_MS:
        return start_ms, None
    return start_ms, end_ms


def _person(element: etree._Element) -> str | dict[str, str]:
    """The schema has no picture; some exports add one as an attribute, with the name that JSON has for it."""
    for name in ("avatar", "avatar_url"):
        if (address := element.get(name)) is not None:
            return {"name": _text(element), name: address}
    return _text(element)


def _local(element: etree._Element) -> str:
    """The name without a namespace."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def _children(element: etree._Element, name: str | None = None) -> Iterator[etree._Element]:
    count = 0
    for child in element:
        if isinstance(child.tag, str) and (name is None or _local(child) == name):
            count += 1
            if count > MAX_ENTRIES:
                return
            yield child


def _text(element: etree._Element) -> str:
    """All text inside, including the markup of unescaped HTML as text."""
    return "".join(str(piece) for piece in element.itertext())
