"""Makes a :class:`Schedule` for everybody from sessions. Pure.

It contains nothing of a closed session: no name, no time, and no room because of it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import msgspec

from streamer.conference.day import DAY_MS
from streamer.conference.rooms import Room, Venue
from streamer.conference.schedule import Schedule, ScheduleItem, ScheduleRoom
from streamer.conference.sessions import Event, Kind, Session, SessionState
from streamer.schedules.fields import guid_of, line_of

DAY_CHANGE_MINUTES = 240
"""A session that begins before four in the morning belongs to the day before, as in pretalx."""
_TYPE_NAMES: Mapping[Kind, str] = {kind: "talk" if kind is Kind.CONFERENCE else kind.value for kind in Kind}
"""The kinds' names in these files."""


def session_page(public_url: str, session: Session) -> str:
    """The page where a session counts down, is live and is replayed."""
    return f"{public_url}/session/{session.id}"


def from_sessions(
    sessions: Iterable[Session],
    rooms: Sequence[Room],
    venues: Mapping[str, Venue],
    *,
    title: str,
    public_url: str,
    event: Event | None = None,
    url: str = "",
    timezone: str = "UTC",
    now_ms: int = 0,
) -> Schedule:
    """The public sessions in ``rooms`` and those without a room, with planned times (with delays, without overruns).
    Each is there once: one of several rooms in the first of them that is listed, one without a room under the name of
    its venue.

    ``rooms`` are listed whether or not they have a session; sessions in other rooms are left out. ``timezone`` is for
    rooms without a venue. ``now_ms`` dates a schedule without sessions. ``url``: the schedule's page; left out, the
    event's or this instance's. The version depends on the public contents only.
    """
    names = room_names(rooms, venues)
    places = _Places(names, venues, title)
    shown = sorted(
        ((session, found) for session in sessions if not session.closed and (found := places.of(session))),
        key=lambda one: (one[0].start_ms, one[1][0], one[0].id),
    )
    taken: set[str] = set()
    items: list[ScheduleItem] = []
    for session, found in shown:
        guid = session.guid
        if not guid or guid.lower() in taken:
            guid = guid_of("session", session.id)
        taken.add(guid.lower())
        items.append(_item(session, found, guid, public_url))
    start_ms = min((item.start_ms for item in items), default=now_ms - now_ms % DAY_MS)
    end_ms = max((item.end_ms for item in items), default=start_ms + DAY_MS)
    schedule = Schedule(
        title=title if event is None else event.name,
        acronym="" if event is None else event.acronym or event.id,
        timezone=_timezone([*(room.venue for room in rooms), *places.venues], venues, event, timezone),
        url=url or (event.url if event is not None else "") or public_url,
        language="" if event is None else event.language,
        start_ms=event.start_ms if event is not None and event.start_ms is not None else start_ms,
        end_ms=event.end_ms if event is not None and event.end_ms is not None else end_ms,
        day_change_minutes=DAY_CHANGE_MINUTES,
        rooms=(
            *(
                ScheduleRoom(name=names[room.id], guid=room.guid or guid_of("room", room.id), slug=room.id)
                for room in rooms
            ),
            *(ScheduleRoom(name=name, guid=venue_guid(venue)) for venue, name in places.venues.items()),
        ),
        items=tuple(items),
    )
    return replace(schedule, version=digest_of(schedule)[:12])


class _Places:
    """The names of a session's rooms. A venue's name stands for its sessions without a room, because files know no
    others."""

    def __init__(self, names: Mapping[str, str], venues: Mapping[str, Venue], title: str) -> None:
        self._names, self._known, self._title = names, venues, title
        self.venues: dict[str | None, str] = {}
        """Those that have such sessions -> the name."""

    def of(self, session: Session) -> list[str]:
        """Empty: it takes place in none of the rooms."""
        if session.room:
            return [self._names[room] for room in session.rooms if room in self._names]
        venue = self._known.get(session.venue or "")
        key = None if venue is None else venue.id
        if key not in self.venues:
            name = (line_of(venue.name) if venue is not None else line_of(self._title)) or venue_guid(key)
            taken = {*self._names.values(), *self.venues.values()}
            self.venues[key] = name if name not in taken else f"{name} ({key or venue_guid(key)})"
        return [self.venues[key]]


def venue_guid(venue: str | None) -> str:
    """The guid of what stands for a room where a session of this venue has none."""
    return guid_of("venue", venue or "")


def room_names(rooms: Sequence[Room], venues: Mapping[str, Venue]) -> dict[str, str]:
    """Room id -> a name that no other of these rooms has: files distinguish rooms by name alone."""
    plain = {room.id: line_of(room.name) or room.id for room in rooms}
    count = Counter(plain.values())
    names: dict[str, str] = {}
    for room in rooms:
        name = plain[room.id]
        venue = venues.get(room.venue) if room.venue is not None else None
        if count[name] > 1 and venue is not None:
            name = f"{name} ({line_of(venue.name)})"
        names[room.id] = name
    again = Counter(names.values())
    return {room_id: name if again[name] == 1 else f"{name} ({room_id})" for room_id, name in names.items()}


def digest_of(value: object) -> str:
    """64 hexadecimal digits that change if, and only if, the value changes."""
    return hashlib.sha256(msgspec.json.encode(value)).hexdigest()


def _item(session: Session, rooms: Sequence[str], guid: str, public_url: str) -> ScheduleItem:
    return ScheduleItem(
        title=session.title,
        start_ms=session.start_ms,
        end_ms=session.end_ms,
        room=rooms[0],
        also_in=tuple(rooms[1:]),
        guid=guid,
        id=session.external_id,
        subtitle=session.subtitle,
        abstract=session.abstract,
        speakers=session.speakers,
        language=session.language,
        track=session.track,
        kind=session.kind,
        type_name=_TYPE_NAMES[session.kind],
        tags=session.tags,
        url=session_page(public_url, session),
        do_not_record=session.do_not_record,
        do_not_stream=session.do_not_stream,
        cancelled=session.state is SessionState.CANCELLED,
        sequence=session.sequence,
        links=((session.url, session.url),) if session.url else (),
    )


def _timezone(places: Sequence[str | None], venues: Mapping[str, Venue], event: Event | None, otherwise: str) -> str:
    """The zone of the event's venue; else the zone of most of the venues in ``places``."""
    if event is not None and event.venue is not None and event.venue in venues:
        return venues[event.venue].timezone
    zones = Counter(venues[place].timezone for place in places if place is not None and place in venues)
    return min(zones, key=lambda zone: (-zones[zone], zone)) if zones else otherwise
