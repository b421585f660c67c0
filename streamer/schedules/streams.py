"""Writes /streams/v2.json: the present and next session of each room, in the form of c3voc's stream API, version 2.
Pure.

Conferences contain groups, groups contain rooms, and each room has its present and next session and its streams.
Current events are the conferences and venues the groups; rooms outside of any current event stand under their venue.
Fields of our own: a room's ``state``, ``isCurrentlyStreaming`` and ``reservedUntil``.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from streamer.conference.airing import TEXTS, SlateTexts
from streamer.conference.rooms import Room, Venue
from streamer.conference.schedule import ScheduleRoom
from streamer.conference.sessions import Event, Flag, Session, SessionState
from streamer.schedules.assemble import room_names, session_page
from streamer.schedules.fields import clock, guid_of, is_uuid, line_of, moment, room_guid, stamp, zone_of

NEAR_MS = 12 * 3_600_000
"""An event is current from this long before its first session until this long after its last."""
_MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Talk:
    """A public session with its expected begin and end (UTC milliseconds)."""

    session: Session
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class StreamRoom:
    """A room as everybody may see it. ``state`` is its public output's: ``off``, ``slate`` or ``live``."""

    room: Room
    state: str = "off"
    current: Talk | None = None
    next: Talk | None = None
    reserved_until_ms: int | None = None
    video_size: tuple[int, int] | None = None
    """Width and height of the best rendition; None if unknown."""


@dataclass(frozen=True, slots=True)
class CurrentEvent:
    """A current event: its begin and end, and its rooms, from its public sessions."""

    event: Event
    start_ms: int
    end_ms: int
    rooms: frozenset[str]


def current_event(event: Event, sessions: Iterable[Session], now_ms: int) -> CurrentEvent | None:
    """The event if it is current. An event without a public session is hidden."""
    public = [s for s in sessions if not s.closed and s.state is not SessionState.CANCELLED]
    if not public:
        return None
    start_ms = min(s.start_ms for s in public) if event.start_ms is None else event.start_ms
    end_ms = max(s.end_ms for s in public) if event.end_ms is None else event.end_ms
    if not start_ms - NEAR_MS <= now_ms <= end_ms + NEAR_MS:
        return None
    return CurrentEvent(event, start_ms, end_ms, frozenset(room for s in public for room in s.rooms))


def write_streams(
    rooms: Sequence[StreamRoom],
    venues: Mapping[str, Venue],
    current_events: Iterable[CurrentEvent],
    *,
    title: str,
    public_url: str,
    timezone: str,
    now_ms: int,
) -> bytes:
    """The document in UTF-8. ``title`` and ``timezone`` are for rooms without a venue."""
    writer = _Writer(rooms, venues, public_url, timezone, now_ms)
    conferences: list[dict[str, Any]] = []
    shown: set[str] = set()
    for held in sorted(current_events, key=lambda g: (g.start_ms, g.event.id)):
        inside = [room for room in rooms if room.room.id in held.rooms]
        shown.update(room.room.id for room in inside)
        venue = venues.get(held.event.venue or "")
        zone = zone_of(venue.timezone if venue is not None else timezone)
        conferences.append(
            writer.conference(
                slug=held.event.id,
                title=line_of(held.event.name),
                author=line_of(venue.name) if venue is not None else "",
                schedule=f"{public_url}/schedule.xml?event={held.event.id}",
                starts_at=stamp(held.start_ms, zone),
                ends_at=stamp(held.end_ms, zone),
                rooms=inside,
            )
        )
    taken = {str(conference["slug"]) for conference in conferences}
    for venue_id in dict.fromkeys(room.room.venue for room in rooms):
        left = [room for room in rooms if room.room.venue == venue_id and room.room.id not in shown]
        venue = venues.get(venue_id or "")
        slug = venue_id or "rooms"
        if left:
            conferences.append(
                writer.conference(
                    slug=slug if slug not in taken else f"{slug}-rooms",
                    title=line_of(venue.name) if venue is not None else title,
                    author=line_of(venue.name) if venue is not None else "",
                    schedule=f"{public_url}/schedule.xml",
                    starts_at=None,
                    ends_at=None,
                    rooms=left,
                )
            )
    return (json.dumps(conferences, ensure_ascii=False, indent=1) + "\n").encode("utf-8", "replace")


class _Writer:
    def __init__(
        self,
        rooms: Sequence[StreamRoom],
        venues: Mapping[str, Venue],
        public_url: str,
        timezone: str,
        now_ms: int,
    ) -> None:
        self._names = room_names([room.room for room in rooms], venues)
        self._venues = venues
        self._url = public_url
        self._timezone = timezone
        self._now_ms = now_ms

    def conference(
        self,
        *,
        slug: str,
        title: str,
        author: str,
        schedule: str,
        starts_at: str | None,
        ends_at: str | None,
        rooms: Collection[StreamRoom],
    ) -> dict[str, Any]:
        groups: dict[str, list[dict[str, Any]]] = {}
        for room in rooms:
            venue = self._venue_of(room)
            groups.setdefault(line_of(venue.name) if venue is not None else title, []).append(self._room(room))
        return {
            "mandator": slug,
            "conference": title,
            "slug": slug,
            "author": author,
            "description": "",
            "keywords": "",
            "schedule": schedule,
            "startsAt": starts_at,
            "endsAt": ends_at,
            "isCurrentlyStreaming": any(room.state == "live" for room in rooms),
            "groups": [{"group": name, "rooms": listed} for name, listed in groups.items()],
        }

    def _venue_of(self, room: StreamRoom) -> Venue | None:
        return self._venues.get(room.room.venue) if room.room.venue is not None else None

    def _room(self, room: StreamRoom) -> dict[str, Any]:
        venue = self._venue_of(room)
        zone = zone_of(venue.timezone if venue is not None else self._timezone)
        name = line_of(room.room.name) or room.room.id
        live = f"{self._url}/live/{room.room.id}"
        reserved_ms = room.reserved_until_ms
        if reserved_ms is not None:
            texts = TEXTS.get(venue.language if venue is not None else "en", TEXTS["en"])
            current: dict[str, Any] | None = self._reserved(reserved_ms, texts, zone)
        else:
            current = None if room.current is None else self._talk(room.current, zone)
        return {
            "guid": room_guid(
                ScheduleRoom(name, guid=room.room.guid or guid_of("room", room.room.id), slug=room.room.id)
            ),
            "slug": room.room.id,
            "schedulename": self._names[room.room.id],
            "thumb": f"{live}/still.jpg",
            "poster": f"{live}/still.jpg",
            "link": f"{self._url}/watch/{room.room.id}",
            "display": name,
            "stream": room.room.id,
            "state": room.state,
            "isCurrentlyStreaming": room.state == "live",
            "reservedUntil": None if reserved_ms is None else stamp(reserved_ms, zone),
            "talks": {"current": current, "next": None if room.next is None else self._talk(room.next, zone)},
            "streams": [
                {
                    # The address belongs to the room for good, on air or not; players wait there.
                    "slug": "hd-native",
                    "display": f"{name} FullHD Video" if (room.video_size or (0, 0))[1] >= 1080 else f"{name} Video",
                    "type": "video",
                    "isTranslated": False,
                    "videoSize": None if room.video_size is None else list(room.video_size),
                    "urls": {
                        "hls": {"display": "HLS", "tech": "H.264, AAC, LL-HLS (CMAF)", "url": f"{live}/index.m3u8"}
                    },
                }
            ],
        }

    def _talk(self, talk: Talk, zone: tzinfo) -> dict[str, Any]:
        session = talk.session
        return {
            **_times(talk.start_ms, talk.end_ms, zone),
            "guid": session.guid if is_uuid(session.guid) else guid_of("session", session.guid or session.id),
            "code": session.external_id,
            "track": line_of(session.track),
            "title": line_of(session.title),
            "subtitle": line_of(session.subtitle),
            "speaker": ", ".join(name for name in map(line_of, session.speakers) if name),
            "language": session.language,
            "room_known": True,
            "optout": not session.streamed or session.do_not_record is Flag.YES,
            "url": session_page(self._url, session),
        }

    def _reserved(self, until_ms: int, texts: SlateTexts, zone: tzinfo) -> dict[str, Any]:
        # The begin of a closed session would be visible in another value; the present minute tells nothing.
        since_ms = min(until_ms, self._now_ms - self._now_ms % _MINUTE_MS)
        title = texts.reserved.format(time=clock(until_ms, zone))
        return {**_times(since_ms, until_ms, zone), "special": "reserved", "title": title, "room_known": True}


def _times(start_ms: int, end_ms: int, zone: tzinfo) -> dict[str, Any]:
    offset = moment(start_ms, zone).utcoffset()
    return {
        "fstart": stamp(start_ms // 1000 * 1000, zone),
        "fend": stamp(end_ms // 1000 * 1000, zone),
        "tstart": clock(start_ms, zone),
        "tend": clock(end_ms, zone),
        "start": start_ms // 1000,
        "end": end_ms // 1000,
        "offset": 0 if offset is None else int(offset.total_seconds()),
        "duration": max(0, (end_ms - start_ms) // 1000),
    }
