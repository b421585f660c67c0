"""The data of events and snapshots about rooms, sessions and sources. Reads, changes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from streamer.audience.views import moment, moment_or_none
from streamer.conference.alarm_words import LANGUAGES, words_of
from streamer.conference.alarms import Alarm
from streamer.conference.day import current
from streamer.conference.grants import Action, Grant
from streamer.conference.sessions import Hold, Session, SessionState
from streamer.conference.sources import setting_of
from streamer.conference.spans import output_name
from streamer.conference.visibility import Caller, alarm_told
from streamer.control.media_plane import MediaPlane
from streamer.control.messages import SourceStatus, TrackStatus
from streamer.director.director import Director
from streamer.realtime import rights
from streamer.realtime.access import StateOf, Views
from streamer.realtime.hub import STUDIO, Client
from streamer.realtime.messages import (
    EVERY_ROOM,
    Air,
    AirSource,
    AlarmData,
    AlarmWording,
    BroadcastChanged,
    HoldData,
    Meters,
    PublicationState,
)
from streamer.store.room_states import Acknowledgement

State = Literal["off", "slate", "live"]


class Facts:
    """Made from the present values of the director and the media plane."""

    def __init__(self, director: Director, plane: MediaPlane, views: Views, state_of: StateOf) -> None:
        self._director = director
        self._plane = plane
        self._views = views
        self._state_of = state_of

    # --- broadcasts ---------------------------------------------------------------------------------

    def broadcast(self, room: str) -> BroadcastChanged:
        """The public facts about a room's public output."""
        public = self._director.public_status(room)
        return BroadcastChanged(
            room=room,
            state=_state(self._state_of(room)),
            word=public.word,
            reserved_until=moment_or_none(public.reserved_until_ms),
            hold=_hold(public.hold),
            session=None if public.current is None else public.current.session.id,
            next=None if public.next is None else public.next.session.id,
            elsewhere=None if public.elsewhere is None else public.elsewhere.session.id,
        )

    def own_broadcast(self, session: Session) -> BroadcastChanged:
        """A closed session's output, for its own audience."""
        day = self._director.day(session.room)
        link = self._plane.rooms.get(session.room)
        status = None if link is None else link.status
        shows = None if status is None or not session.closed else status.shows.get(output_name(session))
        if day.hold is not None:
            word = "hold"
        elif session.running:
            word = ("paused" if day.slate else session.state.value) if session.streamed else "not_streamed"
        else:
            word = "before" if session.state in (SessionState.SCHEDULED, SessionState.ARMED) else "free"
        return BroadcastChanged(
            room=session.room,
            state="off" if shows is None else "live" if shows == "programme" else "slate",
            word=word,
            reserved_until=None,
            hold=_hold(day.hold),
            session=session.id if session.running else None,
            next=None,
        )

    # --- for the studio -----------------------------------------------------------------------------

    def air(self, room: str) -> Air:
        return air_of(self._director, room)

    def alarms(self, room: str) -> dict[str, AlarmData]:
        """The room's alarms by id."""
        return self._alarms(room, self._director.alarms(room))

    def alarms_for(self, grant: Grant | None, room: str) -> list[AlarmData]:
        """The room's alarms that the grant's holder may see."""
        find, venue, caller = self._director.find, rights.venue_id(self._director, room), Caller(grant)
        told = [alarm_told(caller, alarm, find, room, venue) for alarm in self._director.alarms(room)]
        return list(self._alarms(room, [alarm for alarm in told if alarm is not None]).values())

    def _alarms(self, room: str, ringing: Iterable[Alarm]) -> dict[str, AlarmData]:
        taken = self._director.acknowledged(room)
        venue, zone = self._director.venue_of(room), self._director.day(room).zone
        language = "en" if venue is None else venue.language
        return {alarm.id: _alarm(room, alarm, taken.get(alarm.id), language, zone) for alarm in ringing}

    def publications(self, room: str) -> dict[str, PublicationState]:
        """Source -> its publication."""
        link = self._plane.rooms.get(room)
        status = None if link is None else link.status
        sources = {} if status is None else status.sources
        return {name: _publication(room, source) for name, source in sources.items()}

    def meters(self, room: str) -> Meters | None:
        link = self._plane.rooms.get(room)
        return None if link is None or link.meters is None else Meters(room, link.meters)

    # --- snapshots ----------------------------------------------------------------------------------

    def rooms_of(self, client: Client) -> dict[str, dict[str, Any]]:
        """The ``rooms`` of a client's snapshot."""
        if client.channel != EVERY_ROOM:
            return {client.room: self._room(client, client.room)}
        grant = client.grant
        return {
            room: self._room(client, room)
            for room in self._director.rooms
            if grant is not None and grant.allows(Action.ROOM_AIR, rights.room_target(self._director, room))
        }

    def own_session(self, client: Client) -> dict[str, Any] | None:
        """The ``session`` of a snapshot in a closed session's own audience."""
        session = None if client.session is None else self._director.find(client.session)
        return None if session is None else self._views.crew(session, client.caller, client.link)

    def _room(self, client: Client, room: str) -> dict[str, Any]:
        if client.session is not None:
            own = self._director.find(client.session)
            if own is not None:
                running = self._views.crew(own, client.caller, client.link) if own.running else None
                return {"room": room, "broadcast": self.own_broadcast(own), "session": running, "next": None}
        told: dict[str, Any] = {"room": room, "broadcast": self.broadcast(room)}
        public = self._director.public_status(room)
        told["session"] = None if public.current is None else self._views.public(public.current.session)
        told["next"] = None if public.next is None else self._views.public(public.next.session)
        if client.grant is None or rights.ENTRY[client.namespace] is None:
            return told
        # Crew who may not know of a session see the public facts.
        day = self._director.day(room)
        told["session"] = self._for_crew(client, current(day)) or told["session"]
        told["next"] = self._for_crew(client, self._director.following(room)) or told["next"]
        if client.namespace == STUDIO:
            told["air"] = self.air(room)
            told["alarms"] = self.alarms_for(client.grant, room)
            told["publications"] = list(self.publications(room).values())
            told["meters"] = self.meters(room)
            if client.channel != EVERY_ROOM:
                told["sessions"] = [view for one in day.sessions if (view := self._for_crew(client, one)) is not None]
        return told

    def _for_crew(self, client: Client, session: Session | None) -> dict[str, Any] | None:
        if session is None or not rights.tells(self._director, client.grant, session):
            return None
        return self._views.crew(session, client.caller)


def air_of(director: Director, room: str) -> Air:
    day = director.day(room)
    gain_db = setting_of(day.sources, director.effects.source_on(day)).gain_db
    sources = {one.name: AirSource(one.gain_db, one.mute, one.mono, one.kind) for one in day.sources}
    return Air(room, day.slate, day.source, gain_db, sources)


def gone(publication: PublicationState) -> PublicationState:
    """The state of a source without a publication."""
    return PublicationState(publication.room, publication.source, up=False, publication="")


def _state(word: str) -> State:
    return "live" if word == "live" else "slate" if word == "slate" else "off"


def _hold(hold: Hold | None) -> HoldData | None:
    return None if hold is None else HoldData(hold.message, moment(hold.since_ms), moment_or_none(hold.until_ms))


def _alarm(room: str, alarm: Alarm, taken: Acknowledgement | None, language: str, zone: str) -> AlarmData:
    cause, remedy = words_of(alarm, language, zone)
    who = None if taken is None else taken.label or taken.who
    return AlarmData(
        room=room,
        id=alarm.id,
        code=alarm.code,
        level=alarm.level,
        since=moment(alarm.since_ms),
        owner=alarm.owner,
        session=alarm.session,
        details=dict(alarm.details),
        acknowledged=who,
        ringing=True,
        kind=alarm.code,
        severity=alarm.severity,
        cause=cause,
        remedy=remedy,
        taken_by=who,
        times=alarm.times,
        snoozed_until=moment_or_none(alarm.snoozed_until_ms),
        words={name: AlarmWording(*words_of(alarm, name, zone)) for name in LANGUAGES},
    )


def _publication(room: str, source: SourceStatus) -> PublicationState:
    return PublicationState(
        room=room,
        source=source.name,
        up=source.up,
        publication=source.publication,
        client=source.client,
        connection=source.connection,
        video=_track(source.video),
        audio=_track(source.audio),
        passthrough=source.passthrough,
        notes=list(source.notes),
    )


def _track(track: TrackStatus | None) -> str | None:
    if track is None:
        return None
    return f"{track.codec} {track.width}x{track.height}" if track.width else track.codec
