"""The crew's answers to alarms: to take one on, to silence it, to call it normal. Used on the loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec

from streamer.conference.alarm_memory import AlarmMemory, Normal, normal, not_normal, snoozed
from streamer.conference.alarms import Alarm, session_about
from streamer.conference.day import MINUTE_MS
from streamer.director.day_cache import DayCache
from streamer.director.day_repository import Acknowledgement, DayRepository
from streamer.director.effects import Effects
from streamer.director.news import Actor, AlarmsChanged
from streamer.director.room_state import RoomState
from streamer.director.stored_alarms import nameless
from streamer.errors import NotFound
from streamer.store.answers import CommandAnswer, Once
from streamer.store.audit import AuditEntry


class AlarmActions:
    """All raise NotFound ``no_such_room`` or ``no_such_alarm``. What is done is stored first. ``once``: the action with
    its id; what has been done is not done again, see :meth:`done`."""

    def __init__(
        self, day_repository: DayRepository, cache: DayCache, effects: Effects, clock: Callable[[], int]
    ) -> None:
        self._day_repository = day_repository
        self._cache = cache
        self._effects = effects
        self._clock = clock

    def alarms(self, room: str) -> tuple[Alarm, ...]:
        """The gravest first."""
        return self._cache.state(room).alarms

    def acknowledged(self, room: str) -> Mapping[str, Acknowledgement]:
        """Present alarm -> who has taken it on."""
        state = self._cache.state(room)
        present = {alarm.id for alarm in state.alarms}
        return {name: taken for name, taken in state.acknowledged.items() if name in present}

    def normals(self, room: str) -> tuple[Normal, ...]:
        """The alarms that are normal in the present session."""
        return self._cache.state(room).memory.normals

    async def done(self, once: Once | None) -> tuple[str, Alarm | None] | None:
        """Room and alarm, as it was told, of an action that has been done. Raises Unprocessable ``id_reused``."""
        answer = None if once is None else await self._day_repository.answered(once)
        return None if answer is None else (answer["room"], msgspec.convert(answer["alarm"], Alarm | None))

    async def acknowledge(self, room: str, alarm: str, actor: Actor, once: Once | None = None) -> None:
        async with self._present(room, alarm).lock:
            if await self.done(once) is not None:
                return
            state, now_ms = self._present(room, alarm), self._clock()
            answer = _answer(once, room, state.alarms, alarm, now_ms)
            state.acknowledged[alarm] = await self._day_repository.acknowledge(room, alarm, actor, now_ms, answer)
            self._effects.tell(AlarmsChanged(room, state.alarms))

    async def let_go(self, room: str, alarm: str) -> None:
        """Take it from whoever has it."""
        state = self._present(room, alarm)
        if state.acknowledged.pop(alarm, None) is not None:
            self._effects.tell(AlarmsChanged(room, state.alarms))
            await self._day_repository.alarms_over(room, [alarm])

    async def snooze(self, room: str, alarm: str, minutes: int, actor: Actor, once: Once | None = None) -> Alarm:
        """It makes no sound for so long. If it lasts, it rings again then. Returns it as it is told now."""
        async with self._present(room, alarm).lock:
            state, now_ms = self._present(room, alarm), self._clock()
            memory = snoozed(state.memory, alarm, now_ms + minutes * MINUTE_MS)
            await self._write(state, memory, "alarm.snooze", alarm, actor, {"minutes": minutes}, once)
            return next(one for one in state.alarms if one.id == alarm)

    async def normal(self, room: str, alarm: str, actor: Actor, once: Once | None = None) -> None:
        """It is not told any more in the present session, or until the next one where none is near."""
        async with self._present(room, alarm).lock:
            state = self._present(room, alarm)
            session = session_about(state.day, self._clock())
            await self._write(state, normal(state.memory, alarm, session), "alarm.normal", alarm, actor, {}, once)

    async def not_normal(self, room: str, alarm: str, actor: Actor, once: Once | None = None) -> None:
        """Tell again what somebody has called normal. ``alarm``: the id in :class:`Normal`."""
        state = self._cache.state(room)
        async with state.lock:
            if all(one.alarm != alarm for one in state.memory.normals):
                raise NotFound("There is no such alarm.", code="no_such_alarm")
            await self._write(state, not_normal(state.memory, alarm), "alarm.not_normal", alarm, actor, {}, once)

    def _present(self, room: str, alarm: str) -> RoomState:
        state = self._cache.state(room)
        if all(one.id != alarm for one in state.alarms):
            raise NotFound("There is no such alarm.", code="no_such_alarm")
        return state

    async def _write(
        self,
        state: RoomState,
        memory: AlarmMemory,
        kind: str,
        alarm: str,
        actor: Actor,
        details: Mapping[str, int],
        once: Once | None,
    ) -> None:
        if await self.done(once) is not None:
            return
        room, now_ms = state.room, self._clock()
        entry = AuditEntry(now_ms, actor.id, actor.label, kind, "alarm", alarm, room.id, room.venue, details)
        answer = _answer(once, room.id, (*memory.told, *state.alarms), alarm, now_ms)
        await self._day_repository.save_alarms(room.id, memory, entry, answer)
        state.memory, state.alarms = memory, memory.told
        self._effects.tell(AlarmsChanged(room.id, state.alarms))


def _answer(once: Once | None, room: str, alarms: Iterable[Alarm], alarm: str, now_ms: int) -> CommandAnswer | None:
    if once is None:
        return None
    found = next((nameless(one) for one in alarms if one.id == alarm), None)
    return once.answered({"room": room, "alarm": msgspec.to_builtins(found)}, now_ms)
