"""Finds our room for a schedule's room: by guid, name, alias or slug. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from streamer.conference.rooms import Room, Venue, slug_of
from streamer.conference.schedule import Schedule, ScheduleItem, ScheduleRoom, ScheduleWarning
from streamer.schedules.assemble import venue_guid
from streamer.schedules.fields import guid_of
from streamer.schedules.words import folded

_SLUG_LENGTH = 48
_SEPARATORS = re.compile(r"\s*[,;/+&|]\s*|\s+(?:and|et|und)\s+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class RoomMatch:
    """``room`` is the id, None for an unknown room; ``ambiguous``: several rooms have this name; ``elsewhere``: it
    belongs to a venue that is not the event's."""

    room: str | None
    ambiguous: tuple[str, ...] = ()
    elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class PlannedRooms:
    """``new`` are the rooms to make for the unknown rooms of a schedule; ``matcher`` knows them already."""

    new: tuple[Room, ...]
    matcher: RoomMatcher


@dataclass(frozen=True, slots=True)
class RoomMatcher:
    """``venue``: names count within it only, because every venue has a *Grande salle*, and guids within it and
    ``also``. None: both count everywhere."""

    rooms: tuple[Room, ...]
    venue: str | None = None
    venues: Mapping[str, Venue] = field(default_factory=dict)
    also: frozenset[str] = frozenset()
    """Other venues where the event takes place already."""
    _by_guid: dict[str, list[str]] = field(init=False, repr=False, compare=False)
    _elsewhere: frozenset[str] = field(init=False, repr=False, compare=False)
    _by_name: tuple[dict[str, list[str]], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_guid: dict[str, list[str]] = {}
        names: dict[str, list[str]] = {}
        aliases: dict[str, list[str]] = {}
        slugs: dict[str, list[str]] = {}
        elsewhere: set[str] = set()
        for room in self.rooms:
            # The guid in our own exports.
            own_guid = room.guid or guid_of("room", room.id)
            if self.venue is not None and room.venue not in (None, self.venue, *self.also):
                elsewhere.add(own_guid.lower())
                continue
            for guid in (own_guid, *room.aliases):
                _put(by_guid, guid.lower(), room.id)
            if self.venue is not None and room.venue not in (None, self.venue):
                continue
            if self.venue is not None and room.venue not in (None, self.venue):
                continue
            _put(names, folded(room.name), room.id)
            venue = self.venues.get(room.venue or "")
            if venue is not None:
                # The name in our own exports for a room whose name also exists in another venue.
                _put(aliases, folded(f"{room.name} ({venue.name})"), room.id)
            for alias in room.aliases:
                _put(aliases, folded(alias), room.id)
            _put(slugs, room.id, room.id)
            _put(slugs, slug_of(room.name), room.id)
        object.__setattr__(self, "_by_guid", by_guid)
        object.__setattr__(self, "_elsewhere", frozenset(elsewhere))
        object.__setattr__(self, "_by_name", (names, aliases, slugs))

    def match(self, room: ScheduleRoom) -> RoomMatch:
        found = self._by_guid.get(room.guid.lower(), []) if room.guid else []
        if len(found) == 1:
            return RoomMatch(found[0])
        if room.guid.lower() in self._elsewhere:
            # The name must not find it either, because another room of that name is a different room.
            return RoomMatch(None, elsewhere=True)
        names, aliases, slugs = self._by_name
        for index, key in (
            (names, folded(room.name)),
            (aliases, folded(room.name)),
            (aliases, folded(room.slug)),
            (slugs, room.slug.lower()),
            (slugs, slug_of(room.name)),
        ):
            found = index.get(key, []) if key else []
            if len(found) == 1:
                return RoomMatch(found[0])
            if found:
                return RoomMatch(None, tuple(found))
        return RoomMatch(None)

    def match_all(self, rooms: Iterable[ScheduleRoom]) -> dict[str, RoomMatch]:
        """The schedule's name -> its room."""
        return {room.name: self.match(room) for room in rooms}

    def placed(self, schedule: Schedule) -> Schedule:
        """``schedule`` with what is no room in it, or several. A venue's name is none, as our own files have it for
        sessions without a room; *A, B* are A and B if both are known. A room that we know stays what it is."""
        guids = {venue_guid(venue) for venue in (None, *self.venues)}
        own = self.venues.get(self.venue or "")
        names = set() if own is None else {folded(own.name), folded(f"{own.name} ({own.id})")}
        written = {folded(room.name): room for room in schedule.rooms}
        told: dict[str, tuple[str, ...]] = {}
        rooms: dict[str, ScheduleRoom] = {}
        warnings = list(schedule.warnings)
        for room in schedule.rooms:
            match = self.match(room)
            known = match.room is not None or match.ambiguous or match.elsewhere
            parts = () if known else self._parts(room.name, written)
            if not known and (room.guid in guids or folded(room.name) in names):
                told[room.name] = ()
            elif parts:
                told[room.name] = tuple(part.name for part in parts)
                rooms.update({part.name: part for part in parts if part.name not in rooms})
                warnings.append(ScheduleWarning("several_rooms", f"{room.name} is taken for {len(parts)} rooms."))
            else:
                rooms[room.name] = room
        if not told:
            return schedule
        says = any(len(parts) > 1 for parts in told.values())
        items = tuple(_in_rooms(item, told, says) for item in schedule.items)
        return replace(schedule, rooms=tuple(rooms.values()), items=items, warnings=tuple(warnings))

    def _parts(self, name: str, written: Mapping[str, ScheduleRoom]) -> tuple[ScheduleRoom, ...]:
        """The rooms in a name that lists several; empty if one of them is not known."""
        found = []
        for part in _SEPARATORS.split(name):
            room = written.get(folded(part)) or ScheduleRoom(part)
            if folded(part) not in written and self.match(room).room is None:
                return ()
            found.append(room)
        return tuple(found) if len({room.name for room in found}) > 1 else ()

    def planned(self, schedule: Schedule) -> PlannedRooms:
        """New rooms, in this matcher's venue, for the unknown ones. Ambiguous ones are not made: somebody must decide
        which is meant (by an alias)."""
        new: list[Room] = []
        taken = {known.id for known in self.rooms}
        seen: set[str] = set()
        for room in schedule.rooms:
            match = self.match(room)
            # All names by which the matcher will know a new room: another spelling of it is no other room.
            names = {folded(room.name), slug_of(room.name), room.guid.lower(), room.slug.lower()} - {""}
            if match.room is None and not (match.ambiguous or match.elsewhere or names & seen):
                seen |= names
                made = Room(
                    id=_free_slug(slug_of(room.name) or "room", taken),
                    name=room.name,
                    venue=self.venue,
                    aliases=(room.slug,) if room.slug and room.slug != slug_of(room.name) else (),
                    guid=room.guid,
                )
                taken.add(made.id)
                new.append(made)
        return PlannedRooms(tuple(new), RoomMatcher((*self.rooms, *new), self.venue, self.venues, self.also))


def matcher_of(
    rooms: Sequence[Room],
    venues: Sequence[Venue] = (),
    venue: str | None = None,
    also: frozenset[str] = frozenset(),
) -> RoomMatcher:
    return RoomMatcher(tuple(rooms), venue, {known.id: known for known in venues}, also)


def _in_rooms(item: ScheduleItem, told: Mapping[str, tuple[str, ...]], says: bool) -> ScheduleItem:
    """``told``: name -> the rooms that it stands for; ``says``: whether the file lists sessions in several rooms."""
    named = (room for room in (item.room, *item.also_in) if room)
    first, *others = tuple(dict.fromkeys(part for name in named for part in told.get(name, (name,)))) or ("",)
    unsaid = item.unsaid - {"also_in"} if says else item.unsaid
    return replace(item, room=first, also_in=tuple(others), unsaid=unsaid)


def _put(index: dict[str, list[str]], key: str, room: str) -> None:
    if key and room not in index.setdefault(key, []):
        index[key].append(room)


def _free_slug(slug: str, taken: set[str]) -> str:
    made, count = slug, 1
    while made in taken:
        count += 1
        ending = f"-{count}"
        made = slug[: _SLUG_LENGTH - len(ending)].rstrip("-") + ending
    return made
