"""Shared parts of all readers: the bounds, the error, and the collector that makes clean entries from odd ones. Pure.

A schedule is refused only if its structure cannot be trusted. A bad entry costs a default or that entry, and a warning
names it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from streamer.conference.schedule import Schedule, ScheduleItem, ScheduleRoom, ScheduleWarning
from streamer.errors import Unprocessable
from streamer.schedules.times import zone_named
from streamer.schedules.words import NAME_CHARACTERS, folded, one_line

MAX_BYTES = 20_000_000
MAX_ITEMS = 20_000
MAX_ROOMS = 2_000
MAX_WARNINGS = 2_000
MAX_ENTRIES = 100
"""Speakers, tags, links or attachments of one session."""
MAX_REASONS = 20


class Unreadable(Unprocessable):
    """The data is no schedule, or one that cannot be relied on. ``details``: ``{"reasons": [text, ...]}``."""

    code = "unreadable_schedule"

    def __init__(self, reasons: str | Sequence[str]) -> None:
        self.reasons = [reasons] if isinstance(reasons, str) else list(reasons)
        shown = self.reasons[:MAX_REASONS]
        if len(self.reasons) > MAX_REASONS:
            shown.append(f"and {len(self.reasons) - MAX_REASONS} more")
        super().__init__(f"This schedule cannot be read: {shown[0]}", details={"reasons": shown})


class Collector:
    """Takes rooms, items and warnings while a file is read, and makes the :class:`Schedule` from them."""

    def __init__(self, timezone: str) -> None:
        """``timezone``: the IANA name for a file that names none."""
        self.zone: tzinfo = zone_named(timezone) or ZoneInfo("UTC")
        self.timezone = ""
        self._rooms: dict[str, ScheduleRoom] = {}
        self._known_as: dict[tuple[str, str], str] = {}
        self._items: list[ScheduleItem] = []
        self._warnings: list[ScheduleWarning] = []
        self._more_warnings = 0

    def in_zone(self, name: object) -> None:
        """The file's own zone."""
        text = one_line(name, 64)
        if not text:
            return
        zone = zone_named(text)
        if zone is None:
            self.warn("unknown_timezone", f"There is no time zone called {text}.")
        else:
            self.zone, self.timezone = zone, str(zone)

    def warn(self, code: str, message: str, item: str = "") -> None:
        if len(self._warnings) < MAX_WARNINGS:
            self._warnings.append(ScheduleWarning(code, message, item))
        else:
            self._more_warnings += 1

    def room(self, name: object, *, guid: str = "", slug: str = "", capacity: int | None = None) -> str:
        """Adds a room; returns its name as kept, empty without a name."""
        clean = one_line(name, NAME_CHARACTERS)
        if not clean:
            return ""
        for key in (("guid", guid), ("slug", slug)):
            if key[1]:
                self._known_as.setdefault(key, clean)
        known = self._rooms.get(clean)
        if known is None:
            if len(self._rooms) >= MAX_ROOMS:
                raise Unreadable(f"it has more than {MAX_ROOMS} rooms")
            self._rooms[clean] = ScheduleRoom(clean, guid[:128], slug[:128], capacity)
        else:
            self._rooms[clean] = replace(
                known,
                guid=known.guid or guid[:128],
                slug=known.slug or slug[:128],
                capacity=known.capacity if known.capacity is not None else capacity,
            )
        return clean

    def room_by(self, *, guid: str = "", slug: str = "") -> str:
        """The name of a known room; empty if there is none."""
        return (self._known_as.get(("guid", guid)) if guid else None) or self._known_as.get(("slug", slug), "")

    def add(self, item: ScheduleItem) -> None:
        if len(self._items) >= MAX_ITEMS:
            raise Unreadable(f"it has more than {MAX_ITEMS} sessions")
        self._items.append(item)

    def __len__(self) -> int:
        return len(self._items)

    def schedule(self, **fields: Any) -> Schedule:
        """``fields``: the Schedule's own (title, acronym, version ...)."""
        items = self._identified()
        if not any(item.also_in for item in items):
            # A file that lists no session in several rooms does not say that there are none.
            items = [replace(item, unsaid=item.unsaid | {"also_in"}) for item in items]
        self._report_overlaps(items)
        rooms = self._distinct_rooms()
        if not items:
            self.warn("empty", "There is no session in this schedule.")
        warnings = list(self._warnings)
        if self._more_warnings:
            warnings.append(ScheduleWarning("more_warnings", f"There are {self._more_warnings} more warnings."))
        return Schedule(timezone=self.timezone, rooms=rooms, items=tuple(items), warnings=tuple(warnings), **fields)

    def _joined(self) -> list[ScheduleItem]:
        """One item for a session that the file lists in several rooms: of one guid, or of one id (pretalx gives each
        slot of a submission a guid of its own), with the same title and times. The room that is listed first carries
        it."""
        kept: list[ScheduleItem] = []
        places: dict[tuple[str, str, int, int, str], int] = {}
        for item in self._items:
            plan = (item.start_ms, item.end_ms, folded(item.title))
            keys = [(kind, name, *plan) for kind, name in (("guid", item.guid), ("id", item.id)) if name]
            at = next((places[key] for key in keys if key in places), None)
            if at is not None and item.room and kept[at].room and item.cancelled is kept[at].cancelled:
                first = kept[at]
                others = dict.fromkeys((*first.also_in, item.room, *item.also_in))
                # The smaller of two guids: the order of the rooms must not decide which session this is.
                guid = min(first.guid, item.guid) if first.guid and item.guid else first.guid or item.guid
                if item.room != first.room and item.room not in first.also_in:
                    also_in = tuple(room for room in others if room != first.room)
                    kept[at] = replace(first, guid=guid, id=first.id or item.id, also_in=also_in)
                    continue
            places.update({key: len(kept) for key in keys if key not in places})
            kept.append(item)
        return kept

    def _identified(self) -> list[ScheduleItem]:
        """A guid or id that occurs twice belongs to the earliest session only (pretalx exports each slot of a
        submission with the submission's id)."""
        items = sorted(self._joined(), key=lambda item: (item.start_ms, item.end_ms, item.room, item.title))
        guids: set[str] = set()
        ids: set[str] = set()
        out = []
        for item in items:
            name = name_of(item)
            if item.guid in guids:
                self.warn("duplicate_guid", f"The guid {item.guid} stands for two sessions.", name)
                item = replace(item, guid="", id=f"{item.guid}@{item.start_ms}")
            elif item.guid and item.id in ids:
                # The guid identifies the session; the id is only needed for sessions without a guid.
                self.warn("duplicate_id", f"The id {item.id} stands for two sessions.", name)
                item = replace(item, id="")
            elif item.id and item.id in ids:
                self.warn("duplicate_id", f"The id {item.id} stands for two sessions.", name)
                item = replace(item, id=f"{item.id}@{item.start_ms}")
            if (not item.guid and not item.id) or (not item.guid and item.id in ids):
                item = replace(item, id=_made_id(item, ids))
            guids.add(item.guid)
            ids.add(item.id)
            guids.discard("")
            ids.discard("")
            out.append(item)
        return out

    def _report_overlaps(self, items: Iterable[ScheduleItem]) -> None:
        latest: dict[str, ScheduleItem] = {}
        for item in items:
            if item.cancelled or item.all_day or not item.room:
                continue
            for room in (item.room, *item.also_in):
                before = latest.get(room)
                if before is not None and before.end_ms > item.start_ms:
                    self.warn("overlap", f"It begins in {room} before “{before.title}” ends.", name_of(item))
                if before is None or item.end_ms >= before.end_ms:
                    latest[room] = item

    def _distinct_rooms(self) -> tuple[ScheduleRoom, ...]:
        """Two rooms with one guid are two rooms; the guid is then ignored."""
        seen: dict[str, int] = {}
        for room in self._rooms.values():
            seen[room.guid] = seen.get(room.guid, 0) + 1
        rooms = []
        for room in self._rooms.values():
            if room.guid and seen[room.guid] > 1:
                self.warn("duplicate_room_guid", f"The guid of the room {room.name} is another room's too.")
                room = replace(room, guid="")
            rooms.append(room)
        return tuple(rooms)


def name_of(item: ScheduleItem) -> str:
    """The name of an item in a warning: its guid, id or title."""
    return item.guid or item.id or item.title


def _made_id(item: ScheduleItem, taken: set[str]) -> str:
    """An id for a session without guid and id, made from its title and start."""
    base = f"{folded(item.title)[:80]}@{item.start_ms}"
    made, count = base, 1
    while made in taken:
        count += 1
        made = f"{base}#{count}"
    return made
