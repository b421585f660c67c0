"""Turns the news of the director and the media plane into events, and decides who gets which.

The public learns nothing of a closed session, not even that there is something hidden: it gets ``broadcast.changed``,
made from the room's public status.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import structlog

from streamer.conference.delays import ShownTimes
from streamer.conference.grants import Target
from streamer.conference.sessions import Session
from streamer.control.media_plane import Change, MediaPlane, RoomLink
from streamer.director.director import Director
from streamer.director.news import AlarmsChanged, News, RoomChanged, SessionChanged, StretchForgotten
from streamer.errors import NotFound
from streamer.realtime import rights
from streamer.realtime.access import Views
from streamer.realtime.facts import Facts, gone
from streamer.realtime.hub import AUDIENCE, MODERATION, STUDIO, Client, Hub
from streamer.realtime.messages import (
    Air,
    AlarmData,
    BroadcastChanged,
    GrantExpired,
    Meters,
    PublicationState,
    SessionRemoved,
)
from streamer.realtime.stats import Stats
from streamer.supervision import TASKS

LOOK_S = 0.25
"""Time between two looks at the content of the outputs. Meters of all rooms are sent together as often: a page of ten
rooms would have forty messages a second otherwise."""
CREW = (MODERATION, STUDIO)
OWN_AUDIENCE = (AUDIENCE, MODERATION)
"""Namespaces in which a closed session has a channel of its own."""

log = structlog.get_logger(__name__)


class DayFeed:
    """``session_closing(id)`` is called for sessions whose own audience must be checked again, ``session_moved(id)``
    for those that have another audience than before."""

    def __init__(
        self,
        hub: Hub[Client],
        facts: Facts,
        director: Director,
        plane: MediaPlane,
        views: Views,
        stats: Stats,
        session_closing: Callable[[str], None],
        session_moved: Callable[[str], None],
    ) -> None:
        self._hub = hub
        self._facts = facts
        self._director = director
        self._plane = plane
        self._views = views
        self._stats = stats
        self._session_closing = session_closing
        self._session_moved = session_moved
        self._ends: list[Callable[[], None]] = []
        self._broadcasts: dict[str, BroadcastChanged] = {}
        self._own: dict[str, BroadcastChanged] = {}
        """Session -> the last event, for closed sessions whose audience has a channel."""
        self._publications: dict[str, dict[str, PublicationState]] = {}
        self._alarms: dict[str, dict[str, AlarmData]] = {}
        self._air: dict[str, Air] = {}
        self._shown: dict[str, dict[str, ShownTimes]] = {}
        self._meters: dict[str, dict[str, Any]] = {}
        """The newest readings, by room, that were not sent yet."""

    def start(self) -> None:
        """Begin to listen. Snapshots contain the present state."""
        for room in self._director.rooms:
            self._take_in(room)
        self._ends = [self._director.listen(self._on_news), self._plane.listen(self._on_media)]

    def close(self) -> None:
        for end in self._ends:
            end()
        self._ends = []

    async def run(self) -> None:
        """Runs until it is cancelled: outputs change some time after their orders."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                self.look()
            except Exception:
                TASKS.note("realtime feed")
                log.exception("realtime_look_failed")

    def look(self) -> None:
        """Check for changes that nothing announces."""
        rooms = self._director.rooms
        for room in rooms:
            if room not in self._broadcasts:
                self._take_in(room)
            self._tell_broadcast(room)
        for room in [room for room in self._broadcasts if room not in rooms]:
            for known in (self._broadcasts, self._publications, self._alarms, self._air, self._shown, self._meters):
                known.pop(room, None)
            self._forget_room(room)
        self._tell_meters()
        there = [client for space in OWN_AUDIENCE for client in self._hub.clients(space)]
        for session_id in {client.session for client in there if client.session is not None}:
            session = self._director.find(session_id)
            if session is not None:
                self._tell_own_broadcast(session)

    # --- the director's news ------------------------------------------------------------------------

    def _on_news(self, news: News) -> None:
        match news:
            case SessionChanged(room, before, after):
                self._tell_session(room, before, after)
            case RoomChanged(room):
                self._tell_broadcast(room)
                self._tell_shown(room)
                self._tell_air(room)
                for session_id in [one for one in self._own if (s := self._director.find(one)) and s.room == room]:
                    session = self._director.find(session_id)
                    if session is not None:
                        self._tell_own_broadcast(session)
            case AlarmsChanged(room, _):
                self._tell_alarms(room)
            case StretchForgotten():
                pass

    def _tell_session(self, room: str, before: Session | None, after: Session | None) -> None:
        known = after or before
        if known is None:
            return
        about = f"session:{known.id}"
        removed = SessionRemoved(known.id, room)
        crew: Any = removed if after is None else self._views.crew(after)
        hides = before is not None and not before.closed and after is not None and after.closed
        for namespace in CREW:
            if hides:
                # Crew who may not know of it any more must not get it; the others get its present state at once.
                self._hub.forget(namespace, room, about)
                self._hub.post(namespace, room, "session.changed", removed)
            closed = rights.session_target(self._director, known) if known.closed else None
            self._hub.post(namespace, room, "session.changed", crew, about=about, closed=closed)
        if hides:
            for alarm in self._alarms.get(room, {}).values():
                if alarm.session == known.id:
                    self._hub.post(STUDIO, room, "alarm", msgspec.structs.replace(alarm, ringing=False))
                    self._tell_alarm(room, alarm)
        if after is not None and not after.closed:
            self._hub.post(AUDIENCE, room, "session.changed", self._views.public(after), about=about)
        elif before is not None and not before.closed:
            # Clients that come back must not get it either: the title itself may be secret.
            self._hub.forget(AUDIENCE, room, about)
            self._hub.post(AUDIENCE, room, "session.changed", removed)
        owns = [space for space in OWN_AUDIENCE if self._hub.existing(space, about) is not None]
        for namespace in owns:
            self._hub.post(namespace, about, "session.changed", crew, room=room)
        if owns:
            if after is not None:
                self._tell_own_broadcast(after)
            self._session_closing(known.id)
        if before is not None and after is not None and before.closed != after.closed:
            self._session_moved(known.id)

    def _tell_shown(self, room: str) -> None:
        """During an overrun the next sessions are shown later, which changes no session."""
        shown = dict(self._director.public_status(room).shown or {})
        before, self._shown[room] = self._shown.get(room, {}), shown
        for session_id, times in shown.items():
            if session_id not in before or before[session_id] == times:
                continue
            session = self._director.find(session_id)
            if session is None or session.closed or session.room != room:
                continue
            about, replaces = f"session:{session_id}", f"shown:{session_id}"
            self._hub.post(
                AUDIENCE, room, "session.changed", self._views.public(session), about=about, replaces=replaces
            )
            for namespace in CREW:
                self._hub.post(
                    namespace, room, "session.changed", self._views.crew(session), about=about, replaces=replaces
                )

    def _tell_broadcast(self, room: str) -> None:
        try:
            broadcast = self._facts.broadcast(room)
        except NotFound:
            return
        if self._broadcasts.get(room) == broadcast:
            return
        self._broadcasts[room] = broadcast
        for namespace in (AUDIENCE, *CREW):
            self._hub.post(namespace, room, "broadcast.changed", broadcast)

    def _tell_own_broadcast(self, session: Session) -> None:
        broadcast = self._facts.own_broadcast(session)
        if self._own.get(session.id) == broadcast:
            return
        known = session.id in self._own
        self._own[session.id] = broadcast
        name = f"session:{session.id}"
        channels = [found for space in OWN_AUDIENCE if (found := self._hub.existing(space, name)) is not None]
        if not channels:
            del self._own[session.id]
        for channel in channels:
            if known or channel.is_read:
                self._hub.post(channel.namespace, name, "broadcast.changed", broadcast, room=session.room)

    def _tell_air(self, room: str) -> None:
        air = self._facts.air(room)
        if self._air.get(room) != air:
            self._air[room] = air
            self._hub.post(STUDIO, room, "air.changed", air)

    def _tell_alarms(self, room: str) -> None:
        alarms = self._facts.alarms(room)
        before, self._alarms[room] = self._alarms.get(room, {}), alarms
        for alarm in alarms.values():
            if before.get(alarm.id) == alarm:
                continue
            self._tell_alarm(room, alarm)
            if alarm.code == "grant_expired" and alarm.id not in before:
                told = GrantExpired(room, str(alarm.details.get("label", "")))
                self._hub.post(STUDIO, room, "grant.expired", told, closed=self._closed(room, alarm.session))
        for alarm_id in before.keys() - alarms.keys():
            self._tell_alarm(room, msgspec.structs.replace(before[alarm_id], ringing=False))

    def _tell_alarm(self, room: str, alarm: AlarmData) -> None:
        """To the crew who may know of the alarm's session, and of the next session that it names."""
        about, named = "" if alarm.session is None else f"session:{alarm.session}", alarm.details.get("next")
        closed, ahead = self._closed(room, alarm.session), self._closed(room, named)
        if ahead is None:
            self._hub.post(STUDIO, room, "alarm", alarm, about=about, closed=closed)
            return
        details = {name: value for name, value in alarm.details.items() if name != "next"}
        self._hub.post(
            STUDIO, room, "alarm", msgspec.structs.replace(alarm, details=details), about=about, closed=closed
        )
        if closed is None:
            self._hub.post(STUDIO, room, "alarm", alarm, about=f"session:{named}", closed=ahead)

    def _closed(self, room: str, session_id: object) -> Target | None:
        """The right that a grant needs to get news that name the session; None: any right of the crew."""
        if not isinstance(session_id, str):
            return None
        session = self._director.find(session_id)
        if session is not None:
            return rights.session_target(self._director, session) if session.closed else None
        return replace(rights.room_target(self._director, room), session=session_id)

    # --- the media plane's --------------------------------------------------------------------------

    def _on_media(self, link: RoomLink, what: Change) -> None:
        if link.room not in self._director.rooms:
            return
        if what != "meters":
            self._tell_publications(link.room)
            # The gain that is told is that of the source on the programme.
            self._tell_air(link.room)
        elif link.meters is not None:
            self._stats.replaced_total += link.room in self._meters
            self._meters[link.room] = link.meters

    def _tell_publications(self, room: str) -> None:
        now = self._facts.publications(room)
        before, self._publications[room] = self._publications.get(room, {}), now
        for name, publication in now.items():
            if before.get(name) != publication:
                self._hub.post(STUDIO, room, "publication.changed", publication)
        for name in before.keys() - now.keys():
            self._hub.post(STUDIO, room, "publication.changed", gone(before[name]))

    def _tell_meters(self) -> None:
        for room, meters in self._meters.items():
            self._hub.post(STUDIO, room, "meters", Meters(room, meters), replaces=f"meters:{room}")
        self._meters.clear()

    # --- inside -------------------------------------------------------------------------------------

    def _take_in(self, room: str) -> None:
        """Remember the present state without sending it as news."""
        for namespace in (AUDIENCE, *CREW):
            self._hub.channel(namespace, room)
        self._broadcasts[room] = self._facts.broadcast(room)
        self._publications[room] = self._facts.publications(room)
        self._alarms[room] = self._facts.alarms(room)
        self._air[room] = self._facts.air(room)
        self._shown[room] = dict(self._director.public_status(room).shown or {})

    def _forget_room(self, room: str) -> None:
        for namespace in (AUDIENCE, *CREW):
            for client in self._hub.clients(namespace, room):
                # At their next check they are told that the room does not exist.
                client.renewed_at = 0.0
