"""Writes schedule.xml: frab's and pentabarf's format, in the form of c3voc's XSD. Pure.

The format cannot express cancelled and all-day sessions, tags, forbidden streams and capacities.
"""

from __future__ import annotations

from datetime import tzinfo
from xml.etree import ElementTree as ET

from streamer import __version__
from streamer.conference.schedule import Schedule, ScheduleRoom
from streamer.conference.sessions import Flag
from streamer.schedules.fields import (
    Day,
    Entry,
    acronym_of,
    address_of,
    clock,
    days_of,
    hours_minutes,
    is_uuid,
    line_of,
    pairs_of,
    stamp,
    text_of,
    title_slug,
    zone_of,
)
from streamer.schedules.slugs import Slugs

_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_SCHEMA = "https://c3voc.de/schedule/schema.xsd"
_LONGEST_H = 99
"""``[0-9]{1,2}:[0-9]{2}``: longer durations are cut to this."""


def write_frab(schedule: Schedule, *, address: str = "") -> bytes:
    """The document in UTF-8. Times in the schedule's zone; a session belongs to the day on which it starts.
    ``address``: the document's own address."""
    zone = zone_of(schedule.timezone)
    days = days_of(schedule, zone)
    root = ET.Element("schedule", {f"{{{_XSI}}}noNamespaceSchemaLocation": _SCHEMA})
    ET.SubElement(root, "generator", {"name": "Streamer", "version": __version__})
    _optional(root, "url", address_of(address))
    _text(root, "version", line_of(schedule.version))
    _conference(ET.SubElement(root, "conference"), schedule, days, zone)
    slugs = Slugs()
    for day in days:
        element = ET.SubElement(
            root,
            "day",
            {
                "index": str(day.index),
                "date": day.date.isoformat(),
                "start": stamp(day.start_ms, zone),
                "end": stamp(day.end_ms, zone),
            },
        )
        for room, entries in day.rooms:
            in_room = ET.SubElement(element, "room", _room(room))
            for entry in entries:
                _event(in_room, entry, zone, slugs)
    ET.indent(root)
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode").encode("utf-8") + b"\n"


def _conference(conference: ET.Element, schedule: Schedule, days: list[Day], zone: tzinfo) -> None:
    _text(conference, "title", line_of(schedule.title))
    _text(conference, "acronym", schedule.acronym if _fits_acronym(schedule.acronym) else acronym_of(schedule))
    if schedule.start_ms is not None:
        _text(conference, "start", stamp(schedule.start_ms, zone))
    if schedule.end_ms is not None:
        _text(conference, "end", stamp(schedule.end_ms, zone))
    _text(conference, "days", str(len(days)))
    _text(conference, "timeslot_duration", "00:05")
    _optional(conference, "base_url", address_of(schedule.url))
    _optional(conference, "url", address_of(schedule.url))
    _optional(conference, "time_zone_name", line_of(schedule.timezone))
    for name in dict.fromkeys(line_of(item.track) for item in schedule.items if not item.cancelled):
        if name:
            slug = title_slug(name)
            # The schema's slug begins with a letter and has two characters or more.
            fits = len(slug) > 1 and slug[0].isalpha()
            ET.SubElement(conference, "track", {"name": name, **({"slug": slug} if fits else {})})


def _fits_acronym(text: str) -> bool:
    return len(text) >= 4 and all(c in "abcdefghijklmnopqrstuvwxyz0123456789_-" for c in text)


def _room(room: ScheduleRoom) -> dict[str, str]:
    return {"name": line_of(room.name), **({"guid": room.guid} if is_uuid(room.guid) else {})}


def _event(room: ET.Element, entry: Entry, zone: tzinfo, slugs: Slugs) -> None:
    item, identity = entry.item, entry.identity
    event = ET.SubElement(room, "event", {"guid": identity.guid, "id": str(identity.id)})
    _text(event, "date", stamp(item.start_ms, zone))
    _text(event, "start", clock(item.start_ms, zone, seconds=True))
    _text(event, "duration", _duration(item.end_ms - item.start_ms))
    _text(event, "room", line_of(item.room))
    _optional(event, "slug", slugs.xml(item.slug))
    _optional(event, "url", address_of(item.url))
    _text(event, "title", line_of(item.title))
    _optional(event, "subtitle", line_of(item.subtitle))
    _text(event, "track", line_of(item.track))
    _text(event, "type", line_of(item.type_name) or item.kind.value)
    _optional(event, "language", line_of(item.language))
    _text(event, "abstract", text_of(item.abstract))
    _optional(event, "description", text_of(item.description))
    _optional(event, "logo", address_of(item.logo))
    recording = ET.SubElement(event, "recording")
    _text(recording, "license", "")
    # A program that records by this file must not do so before somebody was asked.
    _text(recording, "optout", "false" if item.do_not_record is Flag.NO else "true")
    persons = ET.SubElement(event, "persons")
    for name in map(line_of, item.speakers):
        if name:
            _text(persons, "person", name)
    _references(event, "links", "link", item.links)
    _references(event, "attachments", "attachment", item.attachments)


def _references(event: ET.Element, outer: str, inner: str, pairs: tuple[tuple[str, str], ...]) -> None:
    element = ET.SubElement(event, outer)
    for title, address in pairs_of(pairs):
        ET.SubElement(element, inner, {"href": address}).text = title or address


def _duration(duration_ms: int) -> str:
    hours, minutes, seconds = hours_minutes(duration_ms)
    if hours > _LONGEST_H:
        hours, minutes, seconds = _LONGEST_H, 59, 0
    return f"{hours:02d}:{minutes:02d}" + (f":{seconds:02d}" if seconds else "")


def _text(parent: ET.Element, name: str, text: str) -> None:
    ET.SubElement(parent, name).text = text


def _optional(parent: ET.Element, name: str, text: str) -> None:
    if text:
        _text(parent, name, text)
