"""An import as a whole, in the database: it finds the event and rooms of a schedule, plans the changes and makes them.

Plan and execution belong into one transaction of ``Database.write``, so that nothing changes in between; a plan alone
(a dry run) may be made in one of ``Database.read``.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from streamer.conference.grants import Grant
from streamer.conference.rooms import DEFAULT_ZONE, Room, Venue, is_slug, slug_of
from streamer.conference.schedule import Schedule, ScheduleRoom
from streamer.conference.sessions import Event, Session, defaults_with
from streamer.errors import Unprocessable
from streamer.planning.apply import Applied, apply
from streamer.planning.rights import ROOM_ELSEWHERE, ROOM_NOT_MADE, limited, may_make_rooms
from streamer.schedules.compare import Difference, compare
from streamer.schedules.detect import read_schedule
from streamer.schedules.matching import matcher_of
from streamer.schedules.reading import Unreadable
from streamer.store.audit import AuditEntry, AuditLog
from streamer.store.database import Database
from streamer.store.events import Events
from streamer.store.rooms import Rooms
from streamer.store.session_templates import SessionTemplates
from streamer.store.sessions import Sessions
from streamer.store.venues import Venues


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """``new_rooms`` are made first; ``difference`` refers to them."""

    event: Event
    event_is_new: bool
    venue: Venue | None
    new_rooms: tuple[Room, ...]
    difference: Difference
    rooms: tuple[Room, ...] = ()
    """All rooms, with the new ones."""
    listed: int = 0
    """The number of rooms that the schedule names."""


async def plan(
    connection: AsyncConnection,
    schedule: Schedule,
    *,
    holder: Grant,
    now_ms: int,
    event: str | None = None,
    venue: str | None = None,
    room: str | None = None,
    otherwise: str = "",
    make_rooms: bool = True,
    templates: bool = True,
) -> ImportPlan:
    """The plan of importing ``schedule`` with the rights of ``holder``; items beyond these rights are blocked.

    ``event``: its id or name; a new one is made. None: the event that the schedule names, by acronym or title, else
    ``otherwise`` (a file's name). ``venue``: of a new event and new rooms; None: the event's, or the only one.
    ``room``: the room of sessions without a room. ``templates``: whether new sessions take the organisers' defaults.
    Raises NotFound for a venue or room that does not exist, Unprocessable ``no_event`` if nothing names the event,
    Unreadable if there is nothing in it either.
    """
    venues = await Venues(connection).all()
    rooms = await Rooms(connection).all()
    if venue is not None:
        await Venues(connection).get(venue)
    named = None if room is None else await Rooms(connection).get(room)
    chosen, is_new = await _event(connection, schedule, event, otherwise)
    where = venue or chosen.venue or (venues[0].id if len(venues) == 1 else None)
    if is_new:
        chosen = replace(chosen, venue=where)
    existing = [] if is_new else await Sessions(connection).of_event(chosen.id)
    matcher = matcher_of(rooms, venues, where, _venues_of(existing, rooms, named))
    schedule = matcher.placed(schedule)
    if named is not None:
        schedule = _in_room(schedule, named)
    new_rooms: tuple[Room, ...] = ()
    refused_rooms = {}
    for name, match in matcher.match_all(schedule.rooms).items():
        if match.elsewhere:
            refused_rooms[name] = ROOM_ELSEWHERE
        elif match.room is None and not match.ambiguous and make_rooms and not may_make_rooms(holder, where):
            refused_rooms[name] = ROOM_NOT_MADE
    if make_rooms and may_make_rooms(holder, where):
        planned = matcher.planned(schedule)
        matcher, new_rooms = planned.matcher, planned.new
    defaults = defaults_with(await SessionTemplates(connection).all() if templates else (), where)
    difference = compare(existing, schedule, matcher, chosen.id, now_ms=now_ms, defaults=defaults)
    by_id = {room.id: room for room in matcher.rooms}
    return ImportPlan(
        event=chosen,
        event_is_new=is_new,
        venue=next((known for known in venues if known.id == where), None),
        new_rooms=new_rooms,
        difference=limited(difference, holder, chosen, by_id, refused_rooms),
        rooms=matcher.rooms,
        listed=len(schedule.rooms),
    )


async def carry_out(
    connection: AsyncConnection,
    planned: ImportPlan,
    accept: Collection[str] | Literal["all"] = (),
    *,
    now_ms: int,
    who: str,
    label: str,
    source: str,
    leave: Collection[str] = (),
) -> Applied:
    """Write the plan of :func:`plan`, in the same transaction, with a row in the audit log if anything changes. ``who``
    and ``label`` are for the audit log, ``source`` is a file's name or an address."""
    done = apply(
        planned.difference,
        accept,
        new_id=lambda: secrets.token_urlsafe(9),
        now_ms=now_ms,
        leave=leave,
    )
    if planned.event_is_new:
        await Events(connection).add(planned.event)
    for room in planned.new_rooms:
        await Rooms(connection).add(room)
    if done.new:
        await Sessions(connection).add_many(done.new)
    if done.changed:
        await Sessions(connection).save_many(done.changed)
    if planned.event_is_new or planned.new_rooms or done.new or done.changed:
        await AuditLog(connection).add(
            AuditEntry(
                at_ms=now_ms,
                who=who,
                label=label,
                action="schedule.import",
                target_kind="event",
                target_id=planned.event.id,
                venue=planned.venue.id if planned.venue is not None else None,
                details=_details(planned, done, source),
            )
        )
    return done


def _venues_of(existing: Iterable[Session], rooms: Iterable[Room], named: Room | None) -> frozenset[str]:
    """The venues where the event takes place already, and the venue of the room ``named``."""
    taken = {room for session in existing for room in session.rooms} | ({named.id} if named is not None else set())
    return frozenset(room.venue for room in rooms if room.id in taken and room.venue is not None)


async def _event(
    connection: AsyncConnection, schedule: Schedule, named: str | None, otherwise: str
) -> tuple[Event, bool]:
    """(event, whether it is new)."""
    candidates = [named] if named is not None else [schedule.acronym, schedule.title, otherwise]
    wanted = next((text for text in candidates if text and slug_of(text)), "")
    event_id = wanted if is_slug(wanted) else slug_of(wanted)
    if not event_id:
        if not schedule.items and schedule.warnings:
            # Not the name is missing: nothing of it could be read.
            raise Unreadable([warning.message for warning in schedule.warnings])
        raise Unprocessable("The schedule names no event: choose one.", code="no_event")
    known = await Events(connection).find(event_id)
    if known is not None:
        return known, False
    event = Event(
        id=event_id,
        name=schedule.title or named or otherwise or event_id,
        start_ms=schedule.start_ms,
        end_ms=schedule.end_ms,
        language=schedule.language,
        url=schedule.url,
        acronym=schedule.acronym,
    )
    return event, True


def _in_room(schedule: Schedule, room: Room) -> Schedule:
    """The schedule with ``room`` for sessions without a room."""
    if all(item.room for item in schedule.items):
        return schedule
    rooms = (*schedule.rooms, ScheduleRoom(name=room.id, guid=room.guid, slug=room.id))
    items = tuple(item if item.room else replace(item, room=room.id) for item in schedule.items)
    warnings = tuple(warning for warning in schedule.warnings if warning.code != "no_room")
    return replace(schedule, rooms=rooms, items=items, warnings=warnings)


def _details(planned: ImportPlan, done: Applied, source: str) -> dict[str, Any]:
    difference = planned.difference
    return {
        "source": source,
        "added": len(done.new),
        "changed": len(done.changed),
        "waiting": len(done.waiting),
        "unchanged": difference.unchanged,
        "rooms": [room.id for room in planned.new_rooms],
        "sessions": [session.id for session in (*done.new, *done.changed)][:1000],
    }


@dataclass(frozen=True, slots=True)
class ScheduleFile:
    data: bytes
    source: str
    event: str | None
    venue: str | None
    room: str | None
    etag: str = ""
    last_modified: str = ""
    templates: bool = True


async def read_and_plan(database: Database, file: ScheduleFile, holder: Grant, now: int) -> tuple[Schedule, ImportPlan]:
    """Times without a zone are the venue's. The venue is known with the event, so the schedule is then read again."""
    zone = DEFAULT_ZONE
    schedule = await asyncio.to_thread(read_schedule, file.data, timezone=zone, now_ms=now)
    async with database.read() as connection:
        found = await plan_in(connection, schedule, file, holder, now)
    if found.venue is not None and found.venue.timezone != zone:
        schedule = await asyncio.to_thread(read_schedule, file.data, timezone=found.venue.timezone, now_ms=now)
        async with database.read() as connection:
            found = await plan_in(connection, schedule, file, holder, now)
    return schedule, found


async def plan_in(
    connection: AsyncConnection,
    schedule: Schedule,
    file: ScheduleFile,
    holder: Grant,
    now: int,
    *,
    make_rooms: bool = True,
) -> ImportPlan:
    return await plan(
        connection,
        schedule,
        holder=holder,
        now_ms=now,
        event=file.event,
        venue=file.venue,
        room=file.room,
        otherwise="",
        make_rooms=make_rooms,
        templates=file.templates,
    )


def zone_of(found: ImportPlan) -> ZoneInfo:
    """The zone for showing an import's times."""
    return ZoneInfo(found.venue.timezone if found.venue is not None else DEFAULT_ZONE)
