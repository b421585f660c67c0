"""The director applies the rules to the clock, the media and people's actions, and carries out the results.

Everything runs on one loop. A person's action is written to the database before it takes effect. Effects of the clock
or the media hold in any case (privacy must not wait for a disk) and are written as soon as possible.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from streamer.conference import airing, clockwork, taps
from streamer.conference.airing import PublicStatus
from streamer.conference.day import RoomDay, find, following, next_obeyed_ms
from streamer.conference.delays import shown_times
from streamer.conference.rooms import Room, Venue
from streamer.conference.sessions import Session
from streamer.conference.sources import differences
from streamer.conference.undo import effect, restore
from streamer.control.media_plane import Change, MediaPlane, RoomLink
from streamer.control.messages import RoomConfig
from streamer.director import ahead, editing
from streamer.director.alarm_actions import AlarmActions
from streamer.director.day_cache import DayCache
from streamer.director.day_repository import (
    DayChange,
    DayRepository,
    StoredAction,
    between,
    can_be_undone,
    effect_of,
    is_alone,
    state_of,
    touched,
)
from streamer.director.effects import Effects
from streamer.director.incidents import Incidents, incidents
from streamer.director.kinds import kind_of, session_of
from streamer.director.news import CLOCK, Actor, IncidentChanged, Listener, StretchForgotten
from streamer.director.room_alarms import RoomAlarms
from streamer.director.room_state import RoomState
from streamer.director.tapped import ActionRequest, Recent, Tapped, answer_of
from streamer.errors import NotFound, StreamerError
from streamer.store.answers import CommandId, Once
from streamer.store.audit import changed_fields
from streamer.supervision import TASKS, start_kept

TICK_S = 0.5
STILL_COMING_S = 0.7
"""A picture leaves the packager at most this long after it was taken."""


class Director:
    """``clock`` is UTC milliseconds. ``start`` it first, ``close`` it last; everything else in between, on the loop."""

    def __init__(
        self,
        day_repository: DayRepository,
        plane: MediaPlane,
        *,
        clock: Callable[[], int],
        room_alarms: RoomAlarms,
        logos: Path,
    ) -> None:
        self._day_repository = day_repository
        self._plane = plane
        self._clock = clock
        self.room_alarms = room_alarms
        self.effects = Effects(day_repository, plane, room_alarms, logos)
        self._cache = DayCache(day_repository, self.effects)
        self.alarm_actions = AlarmActions(day_repository, self._cache, self.effects, clock)
        self.alarms, self.acknowledged = self.alarm_actions.alarms, self.alarm_actions.acknowledged
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._unlisten: Callable[[], None] | None = None
        self._roomless = asyncio.Lock()
        """For sessions without a room."""

    # --- life --------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Raises StreamerError if the database does not answer."""
        await self._cache.load(self._clock())
        for state in self._cache.states.values():
            await self.look(state)
        self._unlisten = self._plane.listen(self._on_media)
        self._task = start_kept("director", self._run)

    async def close(self) -> None:
        if self._unlisten is not None:
            self._unlisten()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Send the news to ``listener``. Returns the function that ends it."""
        return self.effects.listen(listener)

    # --- state -------------------------------------------------------------------------------------

    @property
    def faults(self) -> int:
        """Failed looks, writes and listeners; each is logged."""
        return self.effects.faults

    def readiness_at_a_glance(self, room: str) -> tuple[str | None, tuple[str, ...]]:
        """See :meth:`.rehearsals.Rehearsals.at_a_glance`."""
        state = self._cache.states.get(room)
        if state is None:
            return None, ()
        link = self._plane.rooms.get(room)
        return self.effects.rehearsals.at_a_glance(state.room, state.day, link, self._clock())

    @property
    def room_states(self) -> list[RoomState]:
        return list(self._cache.states.values())

    @property
    def rooms(self) -> Mapping[str, Room]:
        return {name: state.room for name, state in self._cache.states.items()}

    def room(self, room_id: str) -> Room | None:
        state = self._cache.states.get(room_id)
        return state.room if state is not None else None

    def venue_of(self, room_id: str) -> Venue | None:
        state = self._cache.states.get(room_id)
        return state.venue if state is not None else None

    def place_of(self, session: Session) -> Venue | None:
        """The venue where a session takes place, in a room or without one."""
        return self.venue_of(session.room) if session.room else self._cache.venues.get(session.venue or "")

    def rooms_of_venue(self, venue: str) -> list[Room]:
        return [state.room for state in self._cache.states.values() if state.room.venue == venue]

    def rooms_of_event(self, event: str) -> list[Room]:
        """The rooms in memory that have a session of the event."""
        return [
            state.room
            for state in self._cache.states.values()
            if any(session.event == event for session in state.day.sessions)
        ]

    def day(self, room_id: str) -> RoomDay:
        """Raises NotFound ``no_such_room``."""
        return self._cache.state(room_id).day

    def following(self, room_id: str) -> Session | None:
        """The session that would go on air next, closed or not; for the crew. Raises NotFound."""
        return following(self._cache.state(room_id).day, self._clock())

    def find(self, session_id: str) -> Session | None:
        """A session of the days in memory."""
        for state in self._cache.states.values():
            if (session := find(state.day, session_id)) is not None:
                return session
        return None

    def public_status(self, room_id: str) -> PublicStatus:
        """The public status of the room. Raises NotFound."""
        return airing.public_status(self._cache.state(room_id).day, self._clock())

    def shown(self, session: Session) -> tuple[int, int]:
        """The expected begin and end of the session; UTC milliseconds."""
        state = self._cache.states.get(session.room)
        times = shown_times(state.day, self._clock()).get(session.id) if state is not None else None
        return (session.start_ms, session.end_ms) if times is None else (times.start_ms, times.end_ms)

    def config(self, room_id: str) -> RoomConfig:
        """The present config for the room's process; opening the room sends it. Raises NotFound."""
        state = self._cache.state(room_id)
        return self.effects.config(state, self._clock())

    # --- taps --------------------------------------------------------------------------------------

    async def run(self, room_id: str, command: taps.Command, actor: Actor, once: Once | None = None) -> Tapped:
        """``room_id`` empty: of a session without a room. ``once``: a command that has been run changes nothing.

        Raises NotFound, :class:`~streamer.conference.taps.Refused`, StoreUnavailable, Unprocessable ``id_reused``; then
        nothing has changed.
        """
        kind, session = kind_of(command), session_of(command)
        if not room_id:
            return await self._run_without_room(command, kind, session, actor, once)
        state = self._cache.state(room_id)
        async with state.lock:
            if (done := await self._done(once)) is not None:
                return done
            now_ms = self._clock()
            asked = ActionRequest(kind, session, actor, now_ms, once)
            # An ad-hoc session is new, so it is stored nowhere yet.
            named = () if isinstance(command, taps.AdHoc) else (session,)
            far = await ahead.day_around(self._day_repository, state.day, named)
            if far is None:
                before = clockwork.advance(self.effects.with_media(state, now_ms), now_ms)
                after = clockwork.advance(taps.apply(before, command, now_ms), now_ms)
                return await self._tapped(state, before, after, asked)
            after = ahead.planned(far, command, now_ms)
            tapped = await self._written(state, far, after, asked)
        await self.refresh()
        return tapped

    async def _run_without_room(
        self, command: taps.Command, kind: str, session: str | None, actor: Actor, once: Once | None
    ) -> Tapped:
        async with self._roomless:
            if (done := await self._done(once)) is not None:
                return done
            change = await ahead.without_room(self._day_repository, command, session, actor, kind, self._clock())
            if change.changed or once is not None:
                await self._cache.write(replace(change, once=once, answer=answer_of(None, session, change.changed)))
            return Tapped(None, change.changed)

    async def run_all(
        self, room_ids: Sequence[str], command: taps.Command, actor: Actor, once: Once | None = None
    ) -> list[tuple[str, Tapped]]:
        """The same command in several rooms. Where it does not apply (a resume without a hold) nothing changes."""
        done = []
        for room_id in room_ids:
            part = None if once is None else once.of(room_id)
            done.append((room_id, await self.run(room_id, command, actor, part)))
        return done

    async def first_answer(self, asked: CommandId | None) -> Mapping[str, Any]:
        """``action``, ``session`` (the one that the command was about), ``sessions`` and, of an alarm, ``room`` and
        ``alarm`` of the command's first answer; empty if it has not been run."""
        return (asked and await self._day_repository.first_answer(asked)) or {}

    async def _done(self, once: Once | None) -> Tapped | None:
        """The result of a command that has been run, with its sessions as they are now."""
        answer = None if once is None else await self._day_repository.answered(once)
        if answer is None:
            return None
        sessions = []
        for session in answer["sessions"]:
            with contextlib.suppress(NotFound):
                sessions.append(self.find(session) or await self._day_repository.session(session))
        return Tapped(answer["action"], tuple(sessions))

    async def action(self, action_id: str) -> StoredAction:
        """Raises NotFound."""
        return await self._day_repository.action(action_id)

    async def recent(self, room_id: str, limit: int) -> list[Recent]:
        """People's actions in the room of the last days, newest first. Raises NotFound."""
        state = self._cache.state(room_id)
        now_ms = self._clock()
        latest = await self._day_repository.latest(room_id, now_ms, limit)
        found = []
        for newer, action in enumerate(latest):
            undoable = False
            if action.undone_ms is None:
                day = await ahead.day_around(self._day_repository, state.day, touched(action)) or state.day
                undoable = can_be_undone(day, action, now_ms, is_alone(action, latest[:newer]))
            found.append(Recent(action, undoable))
        return found

    async def undo(self, action_id: str, actor: Actor, once: Once | None = None) -> Tapped:
        """Undo an action. A second undo changes nothing. Raises NotFound, Refused ``superseded``, Unprocessable
        ``id_reused``."""
        stored = await self._day_repository.action(action_id)
        state = self._cache.state(stored.room)
        async with state.lock:
            if (done := await self._done(once)) is not None:
                return done
            stored = await self._day_repository.action(action_id)
            if stored.undone_ms is not None:
                return Tapped(None)
            now_ms = self._clock()
            asked = ActionRequest(f"{stored.kind}.undo", stored.session, actor, now_ms, once, undone=action_id)
            alone = await self._day_repository.is_alone(stored)
            far = await ahead.day_around(self._day_repository, state.day, touched(stored))
            if far is None:
                before = clockwork.advance(self.effects.with_media(state, now_ms), now_ms)
                after = clockwork.advance(restore(before, effect_of(stored), now_ms, alone=alone), now_ms)
                return await self._tapped(state, before, after, asked)
            after = restore(far, effect_of(stored), now_ms, alone=alone)
            tapped = await self._written(state, far, after, asked)
        await self.refresh()
        return tapped

    async def media_now_ms(self, room_id: str) -> int:
        """Now, as media time of the room. It differs from the machine's clock if that was set while the room was open.
        The room is asked: the clock may have been set since its last status."""
        link = self._plane.rooms.get(room_id)
        status = link.status if link is not None else None
        if link is not None and link.up:
            with contextlib.suppress(StreamerError):
                status = await link.ask_status()
        return self._clock() + (status.clock_offset_ms if status is not None else 0)

    async def forget(self, room_id: str, from_ms: int, to_ms: int, actor: Actor | None = None) -> bool:
        """Remove the programme between two media times from everything that the room shows and holds. Returns whether
        the room's disk has nothing of it any more. ``actor``: the person who asks; None if it is tried again.

        Raises the errors of the room process; then the result is open.
        """
        link = self._plane.rooms.get(room_id)
        complete = True
        if link is not None and link.up:
            complete = (await link.forget(from_ms, to_ms)).complete
            # Pictures from before the action that were still in the encoders have arrived by now.
            await asyncio.sleep(STILL_COMING_S)
            complete = (await link.forget(from_ms, to_ms)).complete and complete
        self.effects.tell(StretchForgotten(room_id, from_ms, to_ms))
        if actor is not None:
            # The database comes last, because privacy does not wait for it.
            details = {"from_ms": from_ms, "to_ms": to_ms}
            await self._day_repository.note(
                actor, "media.forget", self._cache.state(room_id).room, details, self._clock()
            )
        return complete

    # --- planning ----------------------------------------------------------------------------------

    async def add(self, sessions: Sequence[Session], actor: Actor) -> list[Session]:
        """New sessions. Raises Conflict, Unprocessable."""
        now_ms = self._clock()
        await self._cache.write(DayChange(added=tuple(sessions), actor=actor, kind="session.create", at_ms=now_ms))
        await self.refresh()
        return [self.find(session.id) or session for session in sessions]

    async def change(self, session_id: str, fields: Mapping[str, Any], actor: Actor) -> Session:
        """Edit a session; changes of privacy take effect at once. Raises NotFound, Refused."""
        session = self.find(session_id) or await self._day_repository.session(session_id)
        state = self._cache.states.get(session.room)
        async with contextlib.AsyncExitStack() as held:
            if state is not None:
                await held.enter_async_context(state.lock)
            now_ms = self._clock()
            session = self.find(session_id) or await self._day_repository.session(session_id)
            edited = editing.edited(session, fields)
            if edited == session:
                return session
            change = DayChange(
                changed=(edited,),
                actor=actor,
                kind="session.change",
                at_ms=now_ms,
                details=changed_fields(session, edited, set(fields)),
            )
            await self._cache.write(change, None if state is None else state.room.venue)
        await self.refresh()
        return self.find(session_id) or edited

    async def remove(self, session_id: str, actor: Actor) -> None:
        """Raises NotFound, Refused ``session_began`` for one that has been on air."""
        session = self.find(session_id) or await self._day_repository.session(session_id)
        editing.check_removable(session)
        await self._cache.write(DayChange(removed=(session,), actor=actor, kind="session.delete", at_ms=self._clock()))
        await self.refresh()

    async def refresh(self) -> None:
        """Read the changes of the database: rooms, venues, sessions."""
        await self._cache.load(self._clock())
        for state in self.room_states:
            await self.look(state)

    # --- looking -----------------------------------------------------------------------------------

    async def _run(self) -> None:
        ticks, pressing = 0, False
        while True:
            self._woken.clear()
            try:
                ticks += 1
                # Privacy does not wait for the database.
                if not pressing and await self._cache.is_due(ticks):
                    await self._cache.load(self._clock())
            except Exception:
                self.effects.note_fault("director_cannot_read")
            # In parallel: a room whose process does not answer delays no other room.
            async with asyncio.TaskGroup() as group:
                for state in self.room_states:
                    group.create_task(self._look_safely(state), name=f"director {state.room.id}")
            wait_s = self._wait_s()
            pressing = wait_s < TICK_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._woken.wait()

    def _wait_s(self) -> float:
        """Seconds until the next look: a guarded session's rules must hold on time, not half a second later."""
        now_ms = self._clock()
        times = (next_obeyed_ms(state.day, now_ms) for state in self._cache.states.values())
        return min(TICK_S, *((at_ms - now_ms) / 1000 for at_ms in times if at_ms is not None), TICK_S)

    async def _look_safely(self, state: RoomState) -> None:
        try:
            await self.look(state)
        except Exception:
            TASKS.note("director")
            self.effects.note_fault("director_look_failed", room=state.room.id)

    def _on_media(self, _link: RoomLink, what: Change) -> None:
        if what != "meters":
            self._woken.set()

    async def look(self, state: RoomState) -> None:
        """Bring one room to the present: rules, orders, public status, alarms."""
        async with state.lock:
            now_ms = self._clock()
            before = state.day
            day = self.effects.with_media(state, now_ms)
            beside = self._cache.beside(state.room.id)
            if not day.spare_id or beside != day.beside:
                day = replace(day, spare_id=day.spare_id or secrets.token_urlsafe(9), beside=beside)
            after = clockwork.advance(day, now_ms)
            changed = after.sessions != before.sessions or after.hold != before.hold
            state.day = after
            sending = self.effects.send_orders(state, now_ms)
            if changed or state.unsaved or after.media != before.media:
                # Privacy does not wait for a disk, and no mark waits for a room that does not answer.
                saving = self._save_clockwork(state, before, now_ms)
                for failed in await asyncio.gather(sending, saving, return_exceptions=True):
                    if failed is not None:
                        raise failed
            else:
                await sending
            await self.effects.put_into_effect(state, before, now_ms)

    async def _save_clockwork(self, state: RoomState, before: RoomDay, now_ms: int) -> None:
        change = between(before, state.day, actor=CLOCK, kind="clock", at_ms=now_ms)
        if state.unsaved:
            change = replace(change, changed=state.day.sessions, added=(), state=state_of(state.day))
        # The audit log leaves out states that follow from the time (armed, overrun) or the media.
        change = replace(change, audited=any(_moved(before, session) for session in (*change.added, *change.changed)))
        covered = incidents(before, state.day, now_ms)
        change = replace(change, opened=covered.opened, closed=covered.closed)
        try:
            await self._cache.write(change, state.room.venue)
            state.unsaved = False
            self._tell_incidents(state, covered)
        except (StreamerError, OSError) as error:
            state.unsaved = True
            self.effects.note_fault("director_cannot_write", room=state.room.id, error=str(error))
        except Exception:
            state.unsaved = True
            self.effects.note_fault("director_cannot_write", room=state.room.id)

    async def _tapped(self, state: RoomState, before: RoomDay, after: RoomDay, asked: ActionRequest) -> Tapped:
        """Write an action and carry it out. The caller holds the lock."""
        shown = state.day
        # Earlier effects of the clock are written with it.
        tapped = await self._written(state, before, after, asked, written=shown)
        state.day = after
        await self.effects.put_into_effect(state, shown, asked.now_ms)
        self._tell_incidents(state, incidents(shown, after, asked.now_ms))
        return tapped

    async def _written(
        self, state: RoomState, before: RoomDay, after: RoomDay, asked: ActionRequest, *, written: RoomDay | None = None
    ) -> Tapped:
        """Write the result of an action on ``before``; ``written``: the day that the database has, if it is another."""
        done = effect(before, after)
        shown = before if written is None else written
        action = None if asked.undone is not None or done.empty else secrets.token_urlsafe(9)
        sessions = tuple(image.after for image in done.sessions if image.after is not None)
        change = between(shown, after, actor=asked.actor, kind=asked.kind, at_ms=asked.now_ms)
        change = replace(
            change,
            session=asked.session,
            action=action,
            done=done,
            undone=asked.undone,
            once=asked.once,
            answer=answer_of(action, asked.session, sessions),
            details=differences(shown.sources, after.sources),
            audited=not done.empty,
        )
        covered = incidents(shown, after, asked.now_ms)
        change = replace(change, opened=covered.opened, closed=covered.closed)
        if not change.empty or action is not None or asked.undone is not None or asked.once is not None:
            await self._cache.write(change, state.room.venue)
        return Tapped(action, sessions)

    def _tell_incidents(self, state: RoomState, covered: Incidents) -> None:
        for session in covered.sessions:
            self.effects.tell(IncidentChanged(state.room.id, session))


def _moved(before: RoomDay, session: Session) -> bool:
    """Whether the clock has begun, ended or made the session."""
    old = find(before, session.id)
    return old is None or (old.started_ms, old.ended_ms) != (session.started_ms, session.ended_ms)
