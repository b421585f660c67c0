"""Writes schedule.ics: iCalendar (RFC 5545 and 7986). Pure.

Subtitle, speakers and description have no properties of their own; calendars show them with the abstract, as paragraphs
of the description. Times are in UTC; the zone is given beside them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from icalendar import Calendar, Event, vText, vUri

from streamer import __version__
from streamer.conference.schedule import Schedule, ScheduleItem
from streamer.conference.sessions import Kind, Visibility
from streamer.schedules.fields import address_of, identities, line_of, moment, pairs_of, text_of, zone_of

_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
_REFRESH = timedelta(minutes=15)
_CLASSES = {Visibility.PUBLIC: "PUBLIC", Visibility.UNLISTED: "CONFIDENTIAL", Visibility.PRIVATE: "PRIVATE"}


def write_ical(schedule: Schedule, *, stamp_ms: int, changed_ms: Mapping[str, int] | None = None) -> bytes:
    """The calendar, with cancelled sessions.

    ``changed_ms`` tells by an item's guid when it was changed last (UTC milliseconds); ``stamp_ms`` stands for those
    that are not in it. An item's UID is its guid; one without gets a guid that stays the same. A schedule made by
    :func:`streamer.schedules.assemble.from_sessions` has a guid for each item.
    """
    calendar = Calendar()
    calendar.add("PRODID", f"-//Streamer//Streamer {__version__}//EN")
    calendar.add("VERSION", "2.0")
    calendar.add("CALSCALE", "GREGORIAN")
    calendar.add("METHOD", "PUBLISH")
    title = line_of(schedule.title)
    if title:
        # RFC 7986's names, and the older ones.
        calendar.add("NAME", title)
        calendar.add("X-WR-CALNAME", title)
    if schedule.timezone:
        calendar.add("X-WR-TIMEZONE", line_of(schedule.timezone))
    url = address_of(schedule.url)
    if url:
        calendar.add("URL", url)
    calendar.add("REFRESH-INTERVAL", _REFRESH, parameters={"VALUE": "DURATION"})
    calendar.add("X-PUBLISHED-TTL", "PT15M")
    changed = changed_ms or {}
    for item, uid in zip(schedule.items, _uids(schedule), strict=True):
        calendar.add_component(_event(item, uid, schedule.timezone, changed.get(item.guid, stamp_ms)))
    return bytes(calendar.to_ical())


def _uids(schedule: Schedule) -> list[str]:
    """A UID may be any text: the item's own guid as it is, unless another item has it."""
    taken: set[str] = set()
    uids: list[str] = []
    for item, identity in zip(schedule.items, identities(schedule.items), strict=True):
        own = line_of(item.guid)
        uid = own if own and own not in taken else identity.guid
        taken.add(uid)
        uids.append(uid)
    return uids


def _event(item: ScheduleItem, uid: str, zone: str, changed_ms: int) -> Event:
    event = Event()
    event.add("UID", uid)
    changed = _utc(changed_ms)
    # RFC 5545, 3.8.7.2: with METHOD the instant at which this instance was made. If it changed with every request,
    # every poll of a calendar would find a change.
    event.add("DTSTAMP", changed)
    event.add("LAST-MODIFIED", changed)
    event.add("SEQUENCE", max(0, item.sequence))
    event.add("STATUS", "CANCELLED" if item.cancelled else "CONFIRMED")
    if item.all_day:
        local = zone_of(zone)
        first, last = moment(item.start_ms, local).date(), moment(item.end_ms, local).date()
        event.add("DTSTART", first)
        event.add("DTEND", max(last, first + timedelta(days=1)))
    else:
        event.add("DTSTART", _utc(item.start_ms))
        # RFC 5545, 3.8.2.2: DTEND must be later than DTSTART; without it the event takes no time.
        if _utc(item.end_ms) > _utc(item.start_ms):
            event.add("DTEND", _utc(item.end_ms))
    language = {"LANGUAGE": item.language} if _LANGUAGE.fullmatch(item.language) else {}
    event.add("SUMMARY", line_of(item.title), parameters=language)
    _optional(event, "DESCRIPTION", _description(item))
    _optional(event, "LOCATION", ", ".join(line_of(room) for room in (item.room, *item.also_in)))
    url = address_of(item.url)
    if url:
        event.add("URL", vUri(url))
    categories = _categories(item)
    if categories:
        event.add("CATEGORIES", categories)
    if item.visibility is not None:
        event.add("CLASS", _CLASSES[item.visibility])
    for title, address in pairs_of(item.attachments):
        # RFC 8607, 4.2. A parameter's value cannot hold a quotation mark, and some readers fail at a backslash.
        named = {"FILENAME": title.replace('"', "'").replace("\\", "/")} if title else {}
        event.add("ATTACH", vUri(address), parameters=named)
    logo = address_of(item.logo)
    if logo:
        event.add("IMAGE", vUri(logo), parameters={"VALUE": "URI"})
    return event


def _categories(item: ScheduleItem) -> list[str]:
    """The tags, and before them the kind unless it is a talk: calendars have no other property for it."""
    kind = [] if item.kind is Kind.CONFERENCE else [line_of(item.type_name) or item.kind.value]
    return [name for name in dict.fromkeys((*kind, *map(line_of, item.tags))) if name]


def _description(item: ScheduleItem) -> str:
    speakers = ", ".join(name for name in map(line_of, item.speakers) if name)
    paragraphs = (line_of(item.subtitle), speakers, text_of(item.abstract), text_of(item.description))
    return "\n\n".join(text for text in paragraphs if text)


def _optional(event: Event, name: str, text: str) -> None:
    if text:
        event.add(name, vText(text))


def _utc(time_ms: int) -> datetime:
    return moment(time_ms, UTC).replace(microsecond=0)
