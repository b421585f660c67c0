"""Writes schedule.json: c3voc's format, version 1. Pure.

The format cannot express cancelled and all-day sessions and tags.
"""

from __future__ import annotations

import json
import re
from datetime import tzinfo
from typing import Any

from streamer import __version__
from streamer.conference.schedule import Schedule, ScheduleRoom
from streamer.conference.sessions import Flag
from streamer.schedules.fields import (
    Day,
    Entry,
    acronym_of,
    address_of,
    all_rooms,
    clock,
    days_of,
    hours_minutes,
    line_of,
    pairs_of,
    room_guid,
    stamp,
    text_of,
    title_slug,
    zone_of,
)
from streamer.schedules.slugs import Slugs

_SCHEMA = "https://c3voc.de/schedule/schema.json"
_ACRONYM = re.compile(r"[a-z0-9_-][a-z0-9_]{3,}(-2[0-9]{3}-[a-z]+)?")
_ZONE = re.compile(r"^([A-Z][a-z]+/[A-Z][a-z]+)|UTC$")
_ROOM_SLUG = re.compile(r"[a-z0-9_-]+[a-z0-9]")


def write_json(schedule: Schedule) -> bytes:
    """The document in UTF-8. Times in the schedule's zone; a session belongs to the day on which it starts."""
    zone = zone_of(schedule.timezone)
    days = days_of(schedule, zone)
    base_url = address_of(schedule.url)
    slugs = Slugs()
    acronym = schedule.acronym if _ACRONYM.fullmatch(schedule.acronym) else acronym_of(schedule)
    conference: dict[str, Any] = {
        "acronym": acronym,
        "title": line_of(schedule.title),
        "start": stamp(schedule.start_ms if schedule.start_ms is not None else days[0].start_ms, zone),
        "end": stamp(schedule.end_ms if schedule.end_ms is not None else days[-1].end_ms, zone),
        "daysCount": len(days),
        "timeslot_duration": "00:05",
    }
    if _ZONE.search(schedule.timezone):
        conference["time_zone_name"] = schedule.timezone
    if base_url:
        conference["url"] = base_url
    tracks = dict.fromkeys(line_of(item.track) for item in schedule.items if not item.cancelled)
    conference["tracks"] = [_track(name) for name in tracks if name]
    conference["rooms"] = [_room(room) for room in all_rooms(schedule)]
    conference["days"] = [_day(day, schedule, zone, slugs, acronym) for day in days]
    body: dict[str, Any] = {"version": line_of(schedule.version)}
    if base_url:
        body["base_url"] = base_url
    body["conference"] = conference
    document = {"$schema": _SCHEMA, "generator": {"name": "Streamer", "version": __version__}, "schedule": body}
    return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode("utf-8")


def _track(name: str) -> dict[str, Any]:
    slug = title_slug(name)
    return {"name": name, **({"slug": slug} if len(slug) > 1 else {})}


def _room(room: ScheduleRoom) -> dict[str, Any]:
    known: dict[str, Any] = {"name": line_of(room.name), "guid": room_guid(room)}
    if _ROOM_SLUG.fullmatch(room.slug):
        known["slug"] = room.slug
    if room.capacity is not None:
        known["capacity"] = room.capacity
    return known


def _day(day: Day, schedule: Schedule, zone: tzinfo, slugs: Slugs, acronym: str) -> dict[str, Any]:
    return {
        "index": day.index,
        "date": day.date.isoformat(),
        "day_start": stamp(day.start_ms, zone),
        "day_end": stamp(day.end_ms, zone),
        "rooms": {
            line_of(room.name): [_event(entry, schedule, zone, slugs, acronym) for entry in entries]
            for room, entries in day.rooms
        },
    }


def _event(entry: Entry, schedule: Schedule, zone: tzinfo, slugs: Slugs, acronym: str) -> dict[str, Any]:
    item, identity = entry.item, entry.identity
    hours, minutes, seconds = hours_minutes(item.end_ms - item.start_ms)
    # The schema's duration has minutes only: rounded up, ``end`` is exact.
    minutes_in_all = hours * 60 + minutes + (seconds > 0)
    event: dict[str, Any] = {
        "guid": identity.guid,
        "id": identity.id,
        "date": stamp(item.start_ms, zone),
        "start": clock(item.start_ms, zone),
        "end": stamp(max(item.start_ms, item.end_ms), zone),
        "duration": f"{minutes_in_all // 60:02d}:{minutes_in_all % 60:02d}",
        "room": line_of(item.room),
        "slug": slugs.json(item.slug, f"{acronym}-{identity.id}-{title_slug(item.title)}"),
        # The schema needs an address of every session; a urn is one.
        "url": address_of(item.url) or address_of(schedule.url) or f"urn:uuid:{identity.guid}",
        "title": line_of(item.title),
        "subtitle": line_of(item.subtitle),
        "track": line_of(item.track) or None,
        "type": line_of(item.type_name) or item.kind.value,
        "language": line_of(item.language) or None,
        "abstract": text_of(item.abstract),
        "description": text_of(item.description),
        "recording_license": "",
        "do_not_record": _flag(item.do_not_record, ask=None),
        "do_not_stream": _flag(item.do_not_stream, ask="ask"),
        # Older readers look for ``public_name``.
        "persons": [{"name": name, "public_name": name} for name in map(line_of, item.speakers) if name],
        "links": _references(item.links),
        "attachments": _references(item.attachments),
    }
    logo = address_of(item.logo)
    if logo:
        event["logo"] = logo
    return event


def _flag(flag: Flag, *, ask: str | None) -> bool | str | None:
    return ask if flag is Flag.ASK else flag is Flag.YES


def _references(pairs: tuple[tuple[str, str], ...]) -> list[dict[str, str]]:
    return [{"title": title or address, "url": address} for title, address in pairs_of(pairs)]
