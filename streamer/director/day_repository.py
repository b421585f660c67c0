"""Reads days from the database, and writes a change as a whole or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from streamer.conference.alarm_memory import AlarmMemory
from streamer.conference.day import DAY_MS, HOUR_MS, LeftOut, MediaState, RoomDay, sorted_day
from streamer.conference.rooms import Room, Venue
from streamer.conference.sessions import Event, Mark, MarkKind, Session
from streamer.conference.taps import Refused
from streamer.conference.undo import Effect, restore
from streamer.director.news import Actor
from streamer.director.stored_alarms import restored, stored
from streamer.store import revision
from streamer.store.actions import Actions, StoredAction
from streamer.store.answers import Answer, CommandAnswer, CommandAnswers, CommandId, Once
from streamer.store.audit import AuditEntry, AuditLog, changed_fields
from streamer.store.database import Database
from streamer.store.events import Events
from streamer.store.marks import Marks
from streamer.store.people import UNDO_DAYS
from streamer.store.recordings import Editions, Recordings
from streamer.store.room_states import (
    Acknowledgement,
    Acknowledgements,
    AlarmMemories,
    RoomStates,
    StoredRehearsal,
    StoredRehearsals,
    StoredRoomState,
)
from streamer.store.rooms import Rooms
from streamer.store.sessions import Sessions
from streamer.store.venues import Venues

__all__ = ["Acknowledgement", "DayChange", "DayRepository", "Loaded", "LoadedRoom", "StoredAction"]

PAST_MS = 24 * HOUR_MS
AHEAD_MS = 48 * HOUR_MS
"""The days in memory: a session that ended yesterday can be reopened, and tomorrow's are shown."""
UNDO_MS = UNDO_DAYS * DAY_MS
"""Actions are remembered for as long as somebody may ask about the room's past. Undo works while nothing followed."""
LATER = 200
"""The number of later actions that are checked for a conflict with an undo."""
UTC_ZONE = "UTC"
_MOVED = {"start_ms", "end_ms", "started_ms", "ended_ms", "record_answer", "stream_answer"}
"""Fields that taps change, for the audit log."""


@dataclass(frozen=True, slots=True)
class LoadedRoom:
    room: Room
    venue: Venue | None
    day: RoomDay
    acknowledged: Mapping[str, Acknowledgement]
    memory: AlarmMemory


@dataclass(frozen=True, slots=True)
class Loaded:
    """All rooms as one transaction saw them."""

    revision: int
    rooms: Mapping[str, LoadedRoom]
    events: Mapping[str, Event] = field(default_factory=dict)
    venues: Mapping[str, Venue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DayChange:
    """The changes of one transaction. ``action`` names it for undo, with the images that undo needs."""

    actor: Actor
    kind: str
    at_ms: int
    room: str | None = None
    session: str | None = None
    added: tuple[Session, ...] = ()
    changed: tuple[Session, ...] = ()
    removed: tuple[Session, ...] = ()
    state: StoredRoomState | None = None
    opened: tuple[Mark, ...] = ()
    """Incidents that begin."""
    closed: tuple[tuple[str, int], ...] = ()
    """(session, media time) of incidents that end."""
    action: str | None = None
    done: Effect = field(default_factory=Effect)
    """The changes that an undo of the action takes back."""
    undone: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    once: Once | None = None
    answer: Answer = field(default_factory=dict)
    """Stored as the first answer to ``once``."""
    audited: bool = True
    """Whether it is written to the audit log; effects of the media are not."""

    @property
    def empty(self) -> bool:
        return not (self.added or self.changed or self.removed or self.state is not None)


class DayRepository:
    """Works on one database. Raises StoreUnavailable and the errors of the repositories."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self, now_ms: int) -> Loaded:
        async with self._database.read() as connection:
            seen = await revision.current(connection)
            venues = {venue.id: venue for venue in await Venues(connection).all()}
            events = {event.id: event for event in await Events(connection).all()}
            rooms = await Rooms(connection).all()
            states = await RoomStates(connection).all()
            acknowledged = await Acknowledgements(connection).all()
            memories = await AlarmMemories(connection).all()
            by_room: dict[str, list[Session]] = {}
            for session in await Sessions(connection).of_rooms(None, now_ms - PAST_MS, now_ms + AHEAD_MS):
                by_room.setdefault(session.room, []).append(session)
            left_out = await _left_out(connection, by_room)
        found = {}
        for room in rooms:
            venue = venues.get(room.venue) if room.venue else None
            state = states.get(room.id, StoredRoomState(room.id))
            day = day_of_room(room, venue, state, by_room.get(room.id, ()), left_out.get(room.id, ()))
            memory = restored(memories[room.id]) if room.id in memories else AlarmMemory()
            found[room.id] = LoadedRoom(room, venue, day, acknowledged.get(room.id, {}), memory)
        return Loaded(seen, found, events, venues)

    async def revision(self) -> int:
        async with self._database.read() as connection:
            return await revision.current(connection)

    async def session(self, session_id: str) -> Session:
        """Raises NotFound."""
        async with self._database.read() as connection:
            return await Sessions(connection).get(session_id)

    async def around(self, session: Session) -> list[Session]:
        """The sessions of its room on the same day, and some of the days beside it."""
        async with self._database.read() as connection:
            from_ms, until_ms = session.start_ms - PAST_MS, session.start_ms + AHEAD_MS
            found = await Sessions(connection).of_room_around(session.room, from_ms, until_ms)
        return found if any(one.id == session.id for one in found) else [*found, session]

    async def action(self, action_id: str) -> StoredAction:
        """Raises NotFound."""
        async with self._database.read() as connection:
            return await Actions(connection).get(action_id)

    async def latest(self, room: str, now_ms: int, limit: int) -> list[StoredAction]:
        """A room's newest actions, undone ones too, as far as they are remembered."""
        async with self._database.read() as connection:
            return await Actions(connection).latest(room, since_ms=now_ms - UNDO_MS, limit=limit)

    async def is_alone(self, action: StoredAction) -> bool:
        """Whether all later actions of people on its sessions have been undone."""
        async with self._database.read() as connection:
            later = await Actions(connection).latest(action.room, since_ms=action.at_ms, limit=LATER)
        return len(later) < LATER and is_alone(action, [one for one in later if one.id != action.id])

    async def answered(self, once: Once) -> Answer | None:
        """The first answer to the command. Raises Unprocessable ``id_reused``."""
        async with self._database.read() as connection:
            return await CommandAnswers(connection).find(once)

    async def first_answer(self, command: CommandId) -> Answer | None:
        """The first answer to the command or to a part of it, whatever it says."""
        async with self._database.read() as connection:
            answers = await CommandAnswers(connection).all_of(command)
        return answers[0].answer if answers else None

    async def acknowledge(
        self, room: str, alarm: str, actor: Actor, now_ms: int, answer: CommandAnswer | None = None
    ) -> Acknowledgement:
        taken = Acknowledgement(room, alarm, actor.id, actor.label, now_ms)
        async with self._database.write() as connection:
            await _put_answer(connection, answer)
            await Acknowledgements(connection).put(taken)
            await AuditLog(connection).add(
                AuditEntry(now_ms, actor.id, actor.label, "alarm.acknowledge", "alarm", alarm, room=room)
            )
        return taken

    async def save_alarms(
        self,
        room: str,
        memory: AlarmMemory,
        entry: AuditEntry | None = None,
        answer: CommandAnswer | None = None,
    ) -> None:
        """``entry``: what somebody did with an alarm."""
        async with self._database.write() as connection:
            await _put_answer(connection, answer)
            await AlarmMemories(connection).put(room, stored(memory))
            if entry is not None:
                await AuditLog(connection).add(entry)

    async def rehearsals(self) -> list[StoredRehearsal]:
        async with self._database.read() as connection:
            return await StoredRehearsals(connection).all()

    async def save_rehearsal(self, found: StoredRehearsal) -> None:
        async with self._database.write() as connection:
            await StoredRehearsals(connection).put(found)

    async def alarms_over(self, room: str, alarms: Sequence[str]) -> None:
        async with self._database.write() as connection:
            await Acknowledgements(connection).remove(room, alarms)

    async def note(self, actor: Actor, action: str, room: Room, details: Mapping[str, Any], now_ms: int) -> None:
        """Write to the audit log only."""
        async with self._database.write() as connection:
            await AuditLog(connection).add(
                AuditEntry(now_ms, actor.id, actor.label, action, "room", room.id, room.id, room.venue, details)
            )

    async def write(self, change: DayChange, venue: str | None = None) -> tuple[int, int]:
        """Returns the revision before and after it."""
        async with self._database.write() as connection:
            seen = await revision.current(connection)
            sessions = Sessions(connection)
            known = await sessions.find_many([session.id for session in (*change.added, *change.changed)])
            # A failed write is repeated with the next one, new and old changes together.
            new = [session for session in (*change.added, *change.changed) if session.id not in known]
            await sessions.add_many(new)
            await sessions.save_many([s for s in (*change.added, *change.changed) if known.get(s.id, s) != s])
            if change.removed:
                ids = [session.id for session in change.removed]
                # A session that an undo removes was no session, so it has no recording.
                await Recordings(connection).drop_growing(ids)
                await sessions.remove_many(ids)
            if change.state is not None:
                await RoomStates(connection).save(change.state)
            await _write_incidents(connection, change)
            if change.action is not None and change.room is not None:
                await Actions(connection).add(
                    StoredAction(
                        change.action,
                        change.room,
                        change.session,
                        change.at_ms,
                        change.actor.id,
                        change.actor.label,
                        change.kind,
                        {},
                        msgspec.to_builtins(change.done),
                    )
                )
            if change.undone is not None:
                await Actions(connection).mark_undone(change.undone, change.at_ms)
            if change.once is not None:
                await _put_answer(connection, change.once.answered(change.answer, change.at_ms))
            if change.audited:
                await _audit(connection, change, venue)
            return seen, await revision.current(connection)


def effect_of(action: StoredAction) -> Effect:
    """The effect of an action. Raises msgspec.ValidationError for one of another version."""
    return msgspec.convert(dict(action.after), Effect)


def touched(action: StoredAction) -> list[str]:
    """Sessions that an action changed. Those that it made disappear with its undo."""
    with contextlib.suppress(msgspec.ValidationError):
        return [image.id for image in effect_of(action).sessions if image.after is not None]
    return []


def can_be_undone(day: RoomDay, action: StoredAction, now_ms: int, alone: bool) -> bool:
    try:
        restore(day, effect_of(action), now_ms, alone=alone)
    except (Refused, msgspec.ValidationError):
        return False
    return True


def is_alone(action: StoredAction, later: Iterable[StoredAction]) -> bool:
    """Whether no action of ``later`` that still holds changed a session of ``action``."""
    try:
        touched = {image.id for image in effect_of(action).sessions}
        return not any(
            one.undone_ms is None and touched & {image.id for image in effect_of(one).sessions} for one in later
        )
    except msgspec.ValidationError:
        return False


async def _left_out(
    connection: AsyncConnection, by_room: Mapping[str, Sequence[Session]]
) -> dict[str, tuple[LeftOut, ...]]:
    """Room -> the stretches that the replays of its sessions leave out, cut by people or because the room was
    covered."""
    begun = {session.id: room for room, sessions in by_room.items() for session in sessions if session.started_ms}
    marks = await Marks(connection).of_sessions(begun)
    editions = await Editions(connection).current_of(begun)
    found: dict[str, tuple[LeftOut, ...]] = {}
    for session, room in begun.items():
        hidden = [m for m in marks.get(session, ()) if m.kind is MarkKind.INCIDENT and m.hidden]
        covered = {(mark.at_ms, mark.until_ms) for mark in hidden}
        stretches = [LeftOut(*span, by_hand=False) for span in sorted(covered, key=lambda span: span[0])]
        edition = editions.get(session)
        # During the session its edition has only the incidents, and lasting ones reach to a far end.
        if edition is not None and edition.end_ms is not None:
            stretches += [LeftOut(*span) for span in edition.skips if span not in covered]
        found[room] = (*found.get(room, ()), *stretches)
    return found


def day_of_room(
    room: Room,
    venue: Venue | None,
    state: StoredRoomState,
    sessions: Sequence[Session],
    left_out: tuple[LeftOut, ...] = (),
) -> RoomDay:
    """The day as a restart finds it."""
    day = RoomDay(
        room=room.id,
        name=room.name,
        start=room.start,
        between=room.between,
        media=MediaState(False, state.media_up_since_ms, state.media_stopped_ms),
        hold=state.hold,
        slate=state.slate,
        source=state.source,
        sources=state.sources,
        zone=venue.timezone if venue is not None else UTC_ZONE,
        left_out=left_out,
    )
    return sorted_day(day, sessions)


def state_of(day: RoomDay) -> StoredRoomState:
    return StoredRoomState(
        day.room,
        day.hold,
        day.slate,
        day.source,
        day.sources,
        day.media.up_since_ms,
        day.media.stopped_ms,
    )


def between(before: RoomDay, after: RoomDay, *, actor: Actor, kind: str, at_ms: int) -> DayChange:
    """The change to write so that ``after`` is stored instead of ``before``."""
    old = {session.id: session for session in before.sessions}
    new = {session.id for session in after.sessions}
    state = state_of(after)
    return DayChange(
        actor,
        kind,
        at_ms,
        room=after.room,
        added=tuple(s for s in after.sessions if s.id not in old),
        changed=tuple(s for s in after.sessions if s.id in old and old[s.id] != s),
        removed=tuple(s for s in before.sessions if s.id not in new),
        state=state if state != state_of(before) else None,
    )


async def _put_answer(connection: AsyncConnection, answer: CommandAnswer | None) -> None:
    if answer is not None:
        await CommandAnswers(connection).put_many([answer])


async def _write_incidents(connection: AsyncConnection, change: DayChange) -> None:
    marks = Marks(connection)
    for mark in change.opened:
        if not await marks.open_incidents([mark.session]):
            await marks.add(mark)
    for session, at_ms in change.closed:
        for mark in await marks.open_incidents([session]):
            if mark.kind is MarkKind.INCIDENT:
                await marks.save(replace(mark, until_ms=max(at_ms, mark.at_ms)))


async def _audit(connection: AsyncConnection, change: DayChange, venue: str | None) -> None:
    log = AuditLog(connection)
    who = (change.at_ms, change.actor.id, change.actor.label)
    touched = (*change.added, *change.changed, *change.removed)
    images = {image.id: image for image in change.done.sessions}
    for session in touched:
        image = images.get(session.id)
        moved = {} if image is None else changed_fields(image.before, image.after, _MOVED)
        details = {"state": session.state.value, "title": session.title, **change.details, **moved}
        room, place = (session.room, venue) if session.room else (None, session.venue)
        await log.add(AuditEntry(*who, change.kind, "session", session.id, room, place, details))
    if not touched and change.room is not None:
        before, after = change.done.before, change.done.after
        shown = changed_fields(before, after, {"slate", "source", "gain_db"})
        held = after.hold or before.hold
        if before.hold != after.hold and held is not None:
            shown |= {"message": held.message, "until_ms": held.until_ms}
        details = {**change.details, **shown}
        await log.add(AuditEntry(*who, change.kind, "room", change.room, change.room, venue, details))
