"""Helpers for several written formats: clean texts, addresses, guids, numbers, slugs and local times. Pure."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from yarl import URL

from streamer.conference.rooms import slug_of
from streamer.conference.schedule import Schedule, ScheduleItem, ScheduleRoom

NAMESPACE = uuid.UUID("6b1f0a52-8d0e-5c1c-9d1b-2f0c4f1c7e35")
"""The namespace of the guids that we make for things without one (RFC 9562, 5.5): the same thing always gets the same
guid."""

# XML 1.0, 2.2: Char ::= #x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF]. The controls from DEL
# on, which XML discourages and iCalendar forbids in part, are removed, too.
_FORBIDDEN = re.compile("[^\t\n\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NUMBER = re.compile(r"[1-9][0-9]{0,14}")
_ADDRESS = re.compile(r"https?://[!-~]+")
_SECOND_MS = 1000


def text_of(text: str) -> str:
    r"""Several lines, without characters that XML and iCalendar cannot hold; ``\n`` between lines."""
    return _FORBIDDEN.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip()


def line_of(text: str) -> str:
    """One line: a name or a title."""
    return " ".join(text_of(text).split())


def address_of(address: str) -> str:
    """An absolute web address in ASCII (RFC 3986); empty if the text is none."""
    address = line_of(address)
    if " " in address:
        return ""
    try:
        parsed = URL(address)
        if not parsed.host:
            return ""
        # A valid address is kept as it is, because others know it in this spelling.
        return address if _ADDRESS.fullmatch(address) else str(parsed) if _ADDRESS.fullmatch(str(parsed)) else ""
    except ValueError:
        return ""


def pairs_of(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """(title, address) of links and attachments that have an address."""
    return [(line_of(title), found) for title, address in pairs if (found := address_of(address))]


def is_uuid(text: str) -> bool:
    return _UUID.fullmatch(text) is not None


def guid_of(*words: str) -> str:
    """A guid made from words."""
    return str(uuid.uuid5(NAMESPACE, "\x1f".join(map(line_of, words))))


def room_guid(room: ScheduleRoom) -> str:
    return room.guid if is_uuid(room.guid) else guid_of("room", room.guid or room.slug or line_of(room.name))


# --- identities ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ExportIdentity:
    """Names of a session in an exported schedule: unique in it, and the same each time it is written."""

    guid: str
    id: int


def identities(items: Sequence[ScheduleItem]) -> list[ExportIdentity]:
    """One for each item. The item's own values are kept if the formats allow them and no other item has them."""
    guids: list[str] = []
    taken_guids: set[str] = set()
    for item in items:
        own = item.guid if is_uuid(item.guid) else guid_of("session", item.guid or item.id or _words_of(item))
        turn = 0
        while own.lower() in taken_guids:
            turn += 1
            own = guid_of("session", item.guid, item.id, _words_of(item), str(turn))
        taken_guids.add(own.lower())
        guids.append(own)

    numbers: dict[int, int] = {}
    taken: set[int] = set()
    for index, item in enumerate(items):
        if _NUMBER.fullmatch(item.id) and int(item.id) not in taken:
            numbers[index] = int(item.id)
            taken.add(int(item.id))
    # In the order of the guids: the order of the items must not decide which of two equal numbers changes.
    for index in sorted((i for i in range(len(items)) if i not in numbers), key=lambda i: guids[i]):
        # 31 bits, because readers store it in a signed integer.
        number = int.from_bytes(hashlib.sha256(guids[index].lower().encode()).digest()[:4], "big") & 0x7FFFFFFF
        while number in taken or number == 0:
            number = (number + 1) & 0x7FFFFFFF
        numbers[index] = number
        taken.add(number)
    return [ExportIdentity(guid, numbers[index]) for index, guid in enumerate(guids)]


def _words_of(item: ScheduleItem) -> str:
    return f"{line_of(item.room)} {item.start_ms} {line_of(item.title)}"


# --- slugs ----------------------------------------------------------------------------------------------


def acronym_of(schedule: Schedule) -> str:
    """At least four of ``a-z0-9_``: what both official schemas accept."""
    known = re.sub(r"[^a-z0-9_]+", "_", (schedule.acronym or slug_of(schedule.title)).lower()).strip("_")
    if len(known) >= 4:
        return known
    year = moment(schedule.start_ms, UTC).year if schedule.start_ms is not None else 0
    return f"{known}{year:04d}" if known and year else f"{known}_schedule".lstrip("_")


def title_slug(text: str) -> str:
    return slug_of(text) or "session"


# --- times ----------------------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def zone_of(name: str) -> tzinfo:
    """UTC for an unknown name."""
    try:
        return ZoneInfo(name) if name else UTC
    except (KeyError, ValueError, OSError):
        return UTC


def moment(time_ms: int, zone: tzinfo) -> datetime:
    utc = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=time_ms)
    return utc.astimezone(zone)


def stamp(time_ms: int, zone: tzinfo) -> str:
    """RFC 3339 in the zone; with milliseconds only if they are not 0."""
    local = moment(time_ms, zone)
    offset = local.utcoffset()
    if offset is None or offset.total_seconds() % 60:
        # Local mean time of the nineteenth century: RFC 3339 has no seconds in an offset.
        local = local.astimezone(UTC)
    return local.isoformat(timespec="milliseconds" if time_ms % 1000 else "seconds")


def clock(time_ms: int, zone: tzinfo, *, seconds: bool = False) -> str:
    """``HH:MM`` in the zone; with ``seconds`` ``HH:MM:SS`` if the seconds are not 0."""
    local = moment(time_ms, zone)
    return local.strftime("%H:%M:%S" if seconds and local.second else "%H:%M")


@dataclass(frozen=True, slots=True)
class Entry:
    item: ScheduleItem
    identity: ExportIdentity


@dataclass(frozen=True, slots=True)
class Day:
    """``index`` from 1; ``end_ms`` is a second before the next day begins, as usual in these files."""

    index: int
    date: date
    start_ms: int
    end_ms: int
    rooms: tuple[tuple[ScheduleRoom, tuple[Entry, ...]], ...]


def all_rooms(schedule: Schedule) -> list[ScheduleRoom]:
    """The schedule's rooms, then those that only its items name; one for each name."""
    rooms: dict[str, ScheduleRoom] = {}
    for room in (*schedule.rooms, *(ScheduleRoom(name=item.room) for item in schedule.items)):
        rooms.setdefault(line_of(room.name), room)
    return list(rooms.values())


def days_of(schedule: Schedule, zone: tzinfo) -> list[Day]:
    """The days that have sessions, each with its rooms in the schedule's order; at least one day.

    Cancelled items are left out, because neither XML nor JSON can mark them. The first day lists every room, so that
    rooms without a session are not lost.
    """
    items = [item for item in schedule.items if not item.cancelled]
    entries = [Entry(item, identity) for item, identity in zip(items, identities(items), strict=True)]
    change = timedelta(minutes=schedule.day_change_minutes)
    rooms = all_rooms(schedule)

    def day_of(time_ms: int) -> date:
        return (moment(time_ms, zone).replace(tzinfo=None) - change).date()

    by_day: dict[date, dict[str, list[Entry]]] = {}
    for entry in sorted(entries, key=lambda e: (e.item.start_ms, e.item.end_ms, e.identity.guid)):
        by_day.setdefault(day_of(entry.item.start_ms), {}).setdefault(line_of(entry.item.room), []).append(entry)
    if not by_day:
        by_day[day_of(schedule.start_ms or 0)] = {}
    days: list[Day] = []
    for index, (day, held) in enumerate(sorted(by_day.items()), start=1):
        listed = tuple(
            (room, tuple(held.get(line_of(room.name), ())))
            for room in rooms
            if index == 1 or line_of(room.name) in held
        )
        start_ms = _wall_ms(day, change, zone)
        end_ms = _wall_ms(day + timedelta(days=1), change, zone) - _SECOND_MS
        days.append(Day(index, day, start_ms, end_ms, listed))
    return days


def _wall_ms(day: date, after: timedelta, zone: tzinfo) -> int:
    wall = datetime(day.year, day.month, day.day, tzinfo=zone) + after
    return (wall.astimezone(UTC) - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)


def hours_minutes(duration_ms: int) -> tuple[int, int, int]:
    """Hours, minutes and seconds; seconds are rounded up, a negative duration becomes 0."""
    seconds = max(0, -(-duration_ms // 1000))
    return seconds // 3600, seconds // 60 % 60, seconds % 60
