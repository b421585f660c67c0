"""Finds our room for a schedule's room: by guid, name, alias or slug. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from streamer.conference.rooms import Room, Venue, slug_of
from streamer.conference.schedule import Schedule, ScheduleRoom
from streamer.schedules.fields import guid_of
from streamer.schedules.words import folded

_SLUG_LENGTH = 48


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
