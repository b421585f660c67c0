"""A room's orders at a moment, and its public status. Pure.

These decide in this order: a hold, privacy, the technician's slate, the session on air, the room's setting for the time
between sessions. A guarded session counts from its planned start, begun or not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from streamer.broadcast.orders import OutputOrder, RoomOrders, Shows, SlateOrder, SourceOrder
from streamer.conference.clockwork import goes_on_air_by_itself
from streamer.conference.day import (
    UNSTARTED,
    Beside,
    RoomDay,
    airable,
    all_obeyed,
    armed_at,
    clock_text,
    current,
    following,
    is_guarded,
    is_hidden,
    never_streamed,
    obeyed_from_ms,
    passed_over,
)
from streamer.conference.delays import ShownTimes, shown_times
from streamer.conference.rooms import Between
from streamer.conference.sessions import Hold, Session
from streamer.conference.sources import setting_of, source_on
from streamer.conference.spans import output_name, withheld


@dataclass(frozen=True, slots=True)
class SlateTexts:
    """The slate's words in the venue's language; ``{time}`` is ``HH:MM`` in its zone."""

    hold: str = "Please wait"
    reserved: str = "Reserved until {time}"
    not_streamed: str = "This session is not streamed"
    soon: str = "Starts at {time}"
    moment: str = "One moment, please"
    until: str = "Until about {time}"
    nothing: str = "Nothing is on at the moment"
    elsewhere: str = "Shown from {room}"


TEXTS: Mapping[str, SlateTexts] = {
    "en": SlateTexts(),
    "fr": SlateTexts(
        hold="Merci de patienter",
        reserved="Réservée jusqu’à {time}",
        not_streamed="Cette session n’est pas diffusée",
        soon="Début à {time}",
        moment="Un instant, s’il vous plaît",
        until="Jusque vers {time}",
        nothing="Rien à l’antenne pour le moment",
        elsewhere="Retransmise depuis : {room}",
    ),
}
"""Venue language -> texts."""

Word = Literal["hold", "reserved", "not_streamed", "paused", "on_air", "overrun", "between", "before", "free"]
"""The public word for the room's state. ``paused``: on air behind a slate that a technician put up. ``before``: the
armed session, or one later that day, has yet to begin. ``free``: nothing is planned."""


@dataclass(frozen=True, slots=True)
class PublicSession:
    """A public session with its expected begin and end (UTC milliseconds)."""

    session: Session
    shown: ShownTimes


@dataclass(frozen=True, slots=True)
class PublicStatus:
    """Everything that the public may know of a room. Of a closed session it has only the time until which the room is
    reserved."""

    word: Word
    shows: Shows
    current: PublicSession | None = None
    """The session on air, in overrun or not."""
    next: PublicSession | None = None
    reserved_until_ms: int | None = None
    hold: Hold | None = None
    shown: Mapping[str, ShownTimes] | None = None
    """Public session id -> times, for all public sessions of the day."""
    elsewhere: Beside | None = None
    """The public session that another room carries for this one, too: from its arming on, until it is over."""


# --- content ----------------------------------------------------------------------------------------


def public_shows(day: RoomDay, now_ms: int) -> Shows:
    """The content of the public output."""
    if day.hold is not None:
        return "slate"
    running = current(day)
    if day.slate or any(is_hidden(session) for session in _in_force(day, now_ms)):
        return "slate"
    if running is not None:
        return "programme"
    return _between(day, now_ms)


def _in_force(day: RoomDay, now_ms: int) -> tuple[Session, ...]:
    """The session on air, and guarded sessions that hold although they have not begun: everything that one of them
    forbids is forbidden."""
    running, due = current(day), all_obeyed(day, now_ms)
    return due if running is None else (running, *due)


def _between(day: RoomDay, now_ms: int) -> Shows:
    """The content while nothing is on air. The room's setting is for the time *between* sessions: before the first
    session a camera is a preview, and half an hour after the last the room is closed. Next to a closed or unstreamed
    session it is the slate, because people come early and stay on."""
    if day.media.known and not day.media.up and goes_on_air_by_itself(day, now_ms):
        # The next camera begins a session by itself; the room process need not wait for an order.
        return "programme"
    if day.between is Between.SLATE:
        return "slate"
    last = last_ended(day, now_ms)
    if last is None or is_hidden(last):
        return "slate"
    soon = _upcoming(day, now_ms)
    over = soon is None and now_ms - (last.ended_ms or 0) > day.timing.after_last_ms
    if over or (soon is not None and is_hidden(soon)) or _hidden_near(day, now_ms):
        return "slate"
    return "programme" if day.between is Between.OPEN else "picture_muted"


def last_ended(day: RoomDay, now_ms: int) -> Session | None:
    """The session that was last on air, in the twelve hours before."""
    ended = [s for s in day.sessions if s.ended_ms is not None and s.started_ms is not None]
    last = max(ended, key=lambda s: s.ended_ms or 0, default=None)
    return None if last is None or now_ms - (last.ended_ms or 0) > day.timing.idle_ms else last


def _upcoming(day: RoomDay, now_ms: int) -> Session | None:
    """The next session within twelve hours."""
    soon = following(day, now_ms)
    return None if soon is None or soon.start_ms - now_ms > day.timing.idle_ms else soon


def _hidden_near(day: RoomDay, now_ms: int) -> bool:
    """Whether a closed or unstreamed session that has not begun could be in the room now: from its arming until it is
    too late to start it."""
    timing = day.timing
    return any(
        airable(s)
        and is_hidden(s)
        and s.start_ms - timing.arm_before_ms <= now_ms < s.end_ms + timing.late_tap_ms
        and not passed_over(day, s)
        for s in day.sessions
    ) or any(is_hidden(one.session) and _is_near(day, one.session, now_ms) for one in day.beside)


def _is_near(day: RoomDay, session: Session, now_ms: int) -> bool:
    """Whether a session that another room carries could be in this room now."""
    begins_ms, ends_ms = session.start_ms - day.timing.arm_before_ms, session.end_ms + day.timing.late_tap_ms
    return session.running or (session.state in UNSTARTED and begins_ms <= now_ms < ends_ms)


def elsewhere(day: RoomDay, now_ms: int) -> Beside | None:
    """The public session that another room carries for this one: the one that is on, else the first that is near."""
    near = [one for one in day.beside if not one.session.closed and _is_near(day, one.session, now_ms)]
    return next((one for one in near if one.session.running), near[0] if near else None)


# --- orders -----------------------------------------------------------------------------------------


def orders(day: RoomDay, now_ms: int, texts: SlateTexts = TEXTS["en"]) -> RoomOrders:
    """The orders for the room process; the director adds the logos."""
    running = current(day)
    return RoomOrders(
        public=public_shows(day, now_ms),
        outputs=_outputs(day, now_ms),
        record=not any(not session.recorded for session in _kept_by(day, now_ms)),
        stretch=_stretch(day, now_ms),
        keep_from_ms=(
            None if running is None or running.started_ms is None else running.started_ms - day.timing.handle_ms
        ),
        source=day.source,
        gain_db=setting_of(day.sources, source_on(day.source)).gain_db,
        sources=tuple(SourceOrder(one.name, one.gain_db, one.mute, one.mono) for one in day.sources),
        slate=slate(day, now_ms, texts),
        withheld=withheld(day),
        slate_from_ms=_slate_from_ms(day, now_ms),
    )


def _slate_from_ms(day: RoomDay, now_ms: int) -> int | None:
    """The time when the next hidden session is obeyed, told in advance to a room that is seen."""
    if public_shows(day, now_ms) == "slate":
        return None
    running = current(day)
    times = (
        (obeyed_from_ms(session, running), session.end_ms)
        for session in day.sessions
        if airable(session) and is_guarded(session) and is_hidden(session)
    )
    return min((from_ms for from_ms, end_ms in times if max(from_ms, now_ms) < end_ms), default=None)


def _outputs(day: RoomDay, now_ms: int) -> tuple[OutputOrder, ...]:
    """An output for each closed session that is on air or could be, so that people who wait find the slate."""
    running = current(day)
    found: dict[str, OutputOrder] = {}
    armed = armed_at(day, now_ms)
    for session in (*_in_force(day, now_ms), *(() if armed is None else (armed,))):
        if not session.closed:
            continue
        shown = (
            running is not None and session.id == running.id and session.streamed and day.hold is None and not day.slate
        )
        found.setdefault(output_name(session), OutputOrder(output_name(session), "programme" if shown else "slate"))
    return tuple(found.values())


def _kept_by(day: RoomDay, now_ms: int) -> tuple[Session, ...]:
    """The sessions that decide whether anything is written to disk: each may forbid it.

    With nothing on air that is the armed one too: tapped late, its first minutes lie in the time before. An ordinary
    one wants them kept, one that must not be recorded does not.
    """
    armed = armed_at(day, now_ms) if current(day) is None else None
    return _in_force(day, now_ms) if armed is None else (*_in_force(day, now_ms), armed)


def _stretch(day: RoomDay, now_ms: int) -> str:
    """The owner of these minutes, if it is a closed or unrecorded session: its minutes must share no file with
    another's."""
    for session in _in_force(day, now_ms):
        if session.closed or not session.recorded:
            return session.id
    if current(day) is None:
        armed = armed_at(day, now_ms)
        if armed is not None and not armed.recorded:
            return armed.id
    return ""


# --- the slate --------------------------------------------------------------------------------------


def slate(day: RoomDay, now_ms: int, texts: SlateTexts) -> SlateOrder:
    """The texts of the slate. Everybody may see them."""
    name = day.name or day.room
    if day.hold is not None:
        until_ms = day.hold.until_ms
        text = "" if until_ms is None else texts.until.format(time=clock_text(until_ms, day.zone))
        return SlateOrder(title=day.hold.message or texts.hold, text=text)
    reserved_ms = reserved_until_ms(day, now_ms)
    if reserved_ms is not None:
        return SlateOrder(title=name, text=texts.reserved.format(time=clock_text(reserved_ms, day.zone)))
    session = current(day) or _open_due(day, now_ms)
    if session is not None:
        return SlateOrder(title=session.title, text=texts.moment if session.streamed else texts.not_streamed)
    other = elsewhere(day, now_ms)
    if other is not None and other.session.running:
        return SlateOrder(title=other.session.title, text=texts.elsewhere.format(room=other.room_name))
    soon = _next_public(day, now_ms)
    if soon is None or soon.start_ms - now_ms > day.timing.idle_ms:
        return SlateOrder(title=name, text=texts.nothing)
    start_ms = shown_times(day, now_ms)[soon.id].start_ms
    if start_ms <= now_ms:
        return SlateOrder(title=soon.title, text=texts.moment)
    text = texts.soon.format(time=clock_text(start_ms, day.zone))
    return SlateOrder(title=soon.title, text=text, until_ms=start_ms)


def reserved_until_ms(day: RoomDay, now_ms: int) -> int | None:
    """The shown end of the closed session that the room is reserved for now, begun or not."""
    closed = [session for session in _in_force(day, now_ms) if session.closed]
    if not closed:
        return None
    shown = shown_times(day, now_ms)
    return max(shown[session.id].end_ms for session in closed)


def _open_due(day: RoomDay, now_ms: int) -> Session | None:
    """The public session whose time it is and that has not begun."""
    return next((session for session in reversed(all_obeyed(day, now_ms)) if not session.closed), None)


# --- the public status -------------------------------------------------------------------------------


def public_status(day: RoomDay, now_ms: int) -> PublicStatus:
    """The facts that everybody may know."""
    shown = shown_times(day, now_ms)
    running = current(day)
    if running is not None and running.closed:
        running = None
    soon = _next_public(day, now_ms)
    reserved_ms = reserved_until_ms(day, now_ms)
    if reserved_ms is not None:
        # A guarded session holds after it, so for the public this session is over.
        running = None
    return PublicStatus(
        word=_word(day, now_ms, running, soon, reserved_ms),
        shows=public_shows(day, now_ms),
        current=None if running is None else PublicSession(running, shown[running.id]),
        next=None if soon is None else PublicSession(soon, shown[soon.id]),
        reserved_until_ms=reserved_ms,
        hold=day.hold,
        shown={session.id: shown[session.id] for session in day.sessions if not session.closed},
        elsewhere=elsewhere(day, now_ms),
    )


def _next_public(day: RoomDay, now_ms: int) -> Session | None:
    """The next session as the public knows the day: without closed sessions."""
    first = following(day, now_ms)
    if first is not None and not first.closed:
        return first
    for session in day.sessions:
        if session.start_ms > now_ms and airable(session) and not session.closed and not passed_over(day, session):
            return session
    return None


def _word(day: RoomDay, now_ms: int, running: Session | None, soon: Session | None, reserved_ms: int | None) -> Word:
    if day.hold is not None:
        return "hold"
    if reserved_ms is not None:
        return "reserved"
    due = _open_due(day, now_ms)
    if (running is not None and not running.streamed) or (due is not None and never_streamed(due)):
        return "not_streamed"
    if running is not None:
        if day.slate:
            return "paused"
        return "on_air" if running.state.value == "on_air" else "overrun"
    if soon is None or soon.start_ms - now_ms > day.timing.idle_ms:
        return "free"
    last = last_ended(day, now_ms)
    return "before" if last is None or last.closed else "between"
