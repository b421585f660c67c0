"""Carries out a room's day: orders to its process, news to listeners, alarms. Used on the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import structlog

from streamer.broadcast.orders import RoomOrders
from streamer.conference import airing, alarm_memory
from streamer.conference.alarms import session_about
from streamer.conference.day import RoomDay
from streamer.conference.looks import over, slate_colours
from streamer.conference.sessions import Event, Session
from streamer.conference.sources import source_on
from streamer.control.media_plane import MediaPlane
from streamer.control.messages import RoomConfig
from streamer.director.config import logo_files, room_config
from streamer.director.day_repository import DayRepository
from streamer.director.media import media_of
from streamer.director.news import AlarmsChanged, Listener, News, RoomChanged, SessionChanged
from streamer.director.rehearsals import Rehearsals
from streamer.director.room_alarms import RoomAlarms
from streamer.director.room_state import RoomState
from streamer.director.room_troubles import unknown_codes
from streamer.director.stored_alarms import stored
from streamer.errors import StreamerError

log = structlog.get_logger(__name__)

ORDERS_S = 3.0
"""A room process that takes longer is being restarted."""


class Effects:
    """``logos``: the folder of uploaded logos. The director keeps ``events`` (by id) up to date."""

    def __init__(self, day_repository: DayRepository, plane: MediaPlane, room_alarms: RoomAlarms, logos: Path) -> None:
        self.events: Mapping[str, Event] = {}
        self.faults = 0
        """Failures inside; each is logged."""
        self._day_repository = day_repository
        self._plane = plane
        self._room_alarms = room_alarms
        self._logos = logos
        self.rehearsals = Rehearsals(
            room_alarms.page_reports,
            lambda link: room_alarms.disk_left_s(link, len(plane.rooms)),
            room_alarms.wrong_key,
        )
        self._rehearsals_known = False
        """The findings of the process before were read."""
        self._listeners: dict[object, Listener] = {}

    def listen(self, listener: Listener) -> Callable[[], None]:
        ticket = object()
        self._listeners[ticket] = listener

        def end() -> None:
            self._listeners.pop(ticket, None)

        return end

    def config(self, state: RoomState, now_ms: int) -> RoomConfig:
        """The config for the room's process at ``now_ms``."""
        return room_config(
            state.room,
            state.venue,
            self._orders(state, now_ms),
            state.day.sources,
            self._room_alarms.settings.media_rules(),
            self._room_alarms.page_reports.suppressing(state.room.id),
        )

    def source_on(self, day: RoomDay) -> str:
        """The source that *the gain* means now."""
        link = self._plane.rooms.get(day.room)
        return source_on(day.source, None if link is None or link.status is None else link.status.on_programme)

    async def put_into_effect(self, state: RoomState, before: RoomDay, now_ms: int) -> None:
        await self.send_orders(state, now_ms)
        self.tell_sessions(state.room.id, before.sessions, state.day.sessions)
        public = airing.public_status(state.day, now_ms)
        if public != state.public_status or _by_hand(before) != _by_hand(state.day):
            state.public_status = public
            self.tell(RoomChanged(state.room.id))
        await self._look_at_alarms(state, now_ms)

    async def _look_at_alarms(self, state: RoomState, now_ms: int) -> None:
        rooms, day = self._plane.rooms, state.day
        link = rooms.get(state.room.id)
        await self._restore_rehearsals()
        self.rehearsals.look(day, link, now_ms)
        before, status = state.memory, None if link is None else link.status
        state.memory = alarm_memory.looked(
            before,
            self._room_alarms.found(day, link, len(rooms), now_ms),
            now_ms,
            session=session_about(day, now_ms),
            on_programme="" if status is None else status.on_programme,
            unknown=unknown_codes(link, known=day.media.known),
        )
        over = [name for name in state.acknowledged if name not in state.memory.remembered]
        for name in over:
            del state.acknowledged[name]
        if state.memory.told != state.alarms:
            state.alarms = state.memory.told
            self.tell(AlarmsChanged(state.room.id, state.alarms))
        try:
            if over:
                await self._day_repository.alarms_over(state.room.id, over)
            if state.memory != before and stored(state.memory) != stored(before):
                await self._day_repository.save_alarms(state.room.id, state.memory)
            if (found := self.rehearsals.unsaved(state.room.id, now_ms)) is not None:
                await self._day_repository.save_rehearsal(found)
                self.rehearsals.saved(found)
        except StreamerError as error:
            self.note_fault("director_cannot_write", room=state.room.id, error=str(error))

    async def _restore_rehearsals(self) -> None:
        if self._rehearsals_known:
            return
        try:
            self.rehearsals.restore(await self._day_repository.rehearsals())
            self._rehearsals_known = True
        except StreamerError as error:
            self.note_fault("director_cannot_read", error=str(error))

    async def send_orders(self, state: RoomState, now_ms: int) -> None:
        link = self._plane.rooms.get(state.room.id)
        if link is None:
            state.sent = None
            return
        config = self.config(state, now_ms)
        if config == state.sent:
            return
        try:
            async with asyncio.timeout(ORDERS_S):
                await self._plane.configure(config)
            state.sent = config
        except (StreamerError, TimeoutError) as error:
            # The room is being restarted, and its media host sends it the last orders, so ask again soon.
            state.sent = None
            log.warning("orders_not_taken", room=state.room.id, error=str(error))

    def _orders(self, state: RoomState, now_ms: int) -> RoomOrders:
        language = state.venue.language if state.venue is not None else ""
        orders = airing.orders(state.day, now_ms, airing.TEXTS.get(language, airing.TEXTS["en"]))
        venue, event = state.venue, self._public_event(state, now_ms)
        addresses = (*(venue.logos if venue is not None else ()), *(event.logos if event is not None else ()))
        look = over(event.look if event is not None else None, venue.look if venue is not None else None)
        slate = msgspec.structs.replace(
            orders.slate, logos=logo_files(tuple(dict.fromkeys(addresses)), self._logos), colours=slate_colours(look)
        )
        return msgspec.structs.replace(orders, slate=slate)

    def _public_event(self, state: RoomState, now_ms: int) -> Event | None:
        public = airing.public_status(state.day, now_ms)
        told = public.current or public.next
        return self.events.get(told.session.event or "") if told is not None else None

    def with_media(self, state: RoomState, now_ms: int) -> RoomDay:
        link = self._plane.rooms.get(state.room.id)
        media = media_of(
            None if link is None else link.status,
            room_open=link is not None,
            up=link is not None and link.up,
            before=state.day.media,
            now_ms=now_ms,
        )
        return state.day if media == state.day.media else replace(state.day, media=media)

    # --- telling ----------------------------------------------------------------------

    def tell_sessions(self, room: str, before: Sequence[Session], after: Sequence[Session]) -> None:
        if before == after:
            return
        old, new = {s.id: s for s in before}, {s.id: s for s in after}
        for session in after:
            if old.get(session.id) != session:
                self.tell(SessionChanged(room, old.get(session.id), session))
        for session in before:
            if session.id not in new:
                self.tell(SessionChanged(room, session, None))

    def tell(self, news: News) -> None:
        for listener in list(self._listeners.values()):
            try:
                listener(news)
            except Exception:
                self.note_fault("director_listener_failed")

    def note_fault(self, event: str, **values: Any) -> None:
        self.faults += 1
        log.exception(event, **values) if "error" not in values else log.error(event, **values)


def _by_hand(day: RoomDay) -> tuple[Any, ...]:
    return (day.hold, day.slate, day.source, day.sources)
