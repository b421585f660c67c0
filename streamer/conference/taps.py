"""People's commands to a room's day as values, and their effects. Pure.

People outrank the clock, and privacy outranks both: while the time of a guarded session is reserved, nothing else
begins in the room. A command that is fulfilled already changes nothing: ``apply`` returns the day that it was given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, Never

from streamer.broadcast.programme import SLATE
from streamer.conference.clockwork import ad_hoc_session, begun, ended
from streamer.conference.day import (
    MINUTE_MS,
    UNSTARTED,
    RoomDay,
    current,
    due_guarded,
    exposes,
    find,
    is_guarded,
    last_end_ms,
    planned_end_ms,
    running_state,
    whole_minute_ms,
    with_sessions,
)
from streamer.conference.delays import moved, shifted, shifted_since
from streamer.conference.rooms import is_source_name
from streamer.conference.sessions import KIND_DEFAULTS, Flag, Hold, Kind, Session, SessionState
from streamer.conference.sources import (
    MAX_GAIN_DB,
    MAX_SOURCES,
    MIN_GAIN_DB,
    SETTING_FIELDS,
    SourceKind,
    setting_of,
    source_on,
    with_setting,
)
from streamer.errors import StreamerError

MAX_MINUTES = 24 * 60


class Refused(StreamerError):
    """The day does not allow the command: 409, or 422 if it never would. ``details`` tell the possible values."""

    code, status = "refused", 409


# --- commands: times are media times, UTC milliseconds; ids are sessions' ------------------------------


@dataclass(frozen=True, slots=True)
class StartTap:
    """Put the session on air; the running session ends at the same mark. For a running session: move its start mark."""

    session: str
    at_ms: int | None = None
    """The real begin, up to half an hour back; None: now."""


@dataclass(frozen=True, slots=True)
class End:
    """End the session. For a session that ended a short time ago: move its end mark."""

    session: str
    at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Extend:
    """Make it longer than planned, or than now if its end has passed. A guarded session that follows waits for it, and
    so does the clock of an ``auto`` room."""

    session: str
    minutes: int


@dataclass(frozen=True, slots=True)
class Delay:
    """Move it later; ``following``: also everything after it in the room on that day, with breaks that absorb the
    delay. A running session ends later instead."""

    session: str
    minutes: int
    following: bool = False


@dataclass(frozen=True, slots=True)
class Cancel:
    session: str


@dataclass(frozen=True, slots=True)
class Reopen:
    """A session that has just ended goes on; a cancelled one is planned again. Open sessions do not change."""

    session: str


@dataclass(frozen=True, slots=True)
class AdHoc:
    """A session without a plan begins now. ``session``: its new id, which cannot be guessed."""

    session: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class ConsentAnswer:
    """To ``do_not_record: ask`` and ``do_not_stream: ask``: may it be recorded, streamed? None: that question is not
    answered."""

    session: str
    record: bool | None = None
    stream: bool | None = None


@dataclass(frozen=True, slots=True)
class HoldOn:
    message: str = ""
    until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Resume:
    """``shift``: the rest of the day moves by the hold's length."""

    shift: bool = False


@dataclass(frozen=True, slots=True)
class ShowSlate:
    on: bool


@dataclass(frozen=True, slots=True)
class TakeSource:
    """The source for the programme; None: ``main``, with ``spare`` behind it."""

    source: str | None


@dataclass(frozen=True, slots=True)
class Gain:
    db: float
    source: str | None = None
    """None: the taken source, or ``main``."""


@dataclass(frozen=True, slots=True)
class SetSource:
    """None: as it is."""

    source: str
    gain_db: float | None = None
    mute: bool | None = None
    mono: bool | None = None
    kind: SourceKind | Literal["unknown"] | None = None


Command = (
    StartTap
    | End
    | Extend
    | Delay
    | Cancel
    | Reopen
    | AdHoc
    | ConsentAnswer
    | HoldOn
    | Resume
    | ShowSlate
    | TakeSource
    | Gain
    | SetSource
)


def apply(day: RoomDay, command: Command, now_ms: int) -> RoomDay:
    """The day after ``command``; ``day`` itself if nothing changes. Raises :class:`Refused`."""
    return _RULES[type(command)](day, command, now_ms)


# --- start and end ----------------------------------------------------------------------------------


def _start(day: RoomDay, command: StartTap, now_ms: int) -> RoomDay:
    session = _session(day, command.session)
    at_ms = _tapped(day, command.at_ms, now_ms)
    if session.running:
        return day if at_ms is None or at_ms == session.started_ms else _move_start(day, session, at_ms)
    if session.state is SessionState.CANCELLED:
        _refuse("cancelled", "This session is cancelled.")
    if session.kind is Kind.BREAK:
        _refuse("not_aired", "A break does not go on air.", 422)
    if session.state is SessionState.ENDED and not _wrong_tap(session, now_ms):
        _refuse("ended", "This session has ended. Reopen it.")
    _not_reserved(day, session, now_ms)
    running = current(day)
    first_ms = max(last_end_ms(day, session.id) or 0, (running and running.started_ms) or 0)
    if at_ms is None:
        # After a step back of the clock two sessions must not share minutes.
        at_ms = max(now_ms, first_ms)
    elif running is not None and exposes(running, session):
        # A late start must not take minutes of a closed or unrecorded session.
        at_ms = max(now_ms, first_ms)
    elif at_ms < first_ms:
        _refuse("before_previous", "The session before was still on air then.", details={"not_before_ms": first_ms})
    return begun(day, session, at_ms, now_ms)


def _wrong_tap(session: Session, now_ms: int) -> bool:
    """Whether it began and ended before its planned start: it was started by mistake and still has its time."""
    return session.ended_ms is not None and session.ended_ms <= session.start_ms and now_ms < session.end_ms


def _move_start(day: RoomDay, session: Session, at_ms: int) -> RoomDay:
    """Another start mark for a running session. If its start ended the session before, both share the mark and go on
    sharing it."""
    shared = [s for s in day.sessions if s.id != session.id and s.ended_ms == session.started_ms]
    if at_ms < (session.started_ms or 0) and any(exposes(s, session) for s in shared):
        # Minutes of a closed or unrecorded session stay with it.
        return day
    tapped_away = max(shared, key=lambda s: s.started_ms or 0, default=None)
    ends = [s.ended_ms for s in day.sessions if s is not tapped_away and s.id != session.id and s.ended_ms is not None]
    first_ms = max(ends, default=0)
    if tapped_away is not None:
        first_ms = max(first_ms, tapped_away.started_ms or 0)
    if at_ms < first_ms:
        _refuse("before_previous", "The session before was still on air then.", details={"not_before_ms": first_ms})
    changed = [replace(session, started_ms=at_ms)]
    if tapped_away is not None and not (at_ms > (session.started_ms or 0) and exposes(session, tapped_away)):
        changed.append(replace(tapped_away, ended_ms=at_ms))
    return with_sessions(day, *changed)


def _end(day: RoomDay, command: End, now_ms: int) -> RoomDay:
    session = _session(day, command.session)
    at_ms = _tapped(day, command.at_ms, now_ms)
    started_ms = session.started_ms
    if session.state is SessionState.ENDED and started_ms is not None:
        if at_ms is None or at_ms == session.ended_ms:
            return day
        _still_open(day, session, now_ms)
        _before_start(at_ms, started_ms)
        later = [s.started_ms for s in day.sessions if s.started_ms is not None and s.started_ms >= started_ms]
        last_ms = min((ms for ms in later if ms >= (session.ended_ms or 0)), default=at_ms)
        if at_ms > last_ms:
            _refuse("after_next", "The next session had begun by then.", details={"not_after_ms": last_ms})
        if any(is_guarded(s) and s.state in UNSTARTED and s.start_ms < at_ms <= s.end_ms for s in day.sessions):
            _refuse("into_closed", "The room was reserved by then.")
        return with_sessions(day, replace(session, ended_ms=at_ms))
    if not session.running or started_ms is None:
        _refuse("not_running", "This session is not on air.")
    if at_ms is not None:
        _before_start(at_ms, started_ms)
    return with_sessions(day, ended(session, now_ms if at_ms is None else at_ms, now_ms))


def _before_start(at_ms: int, started_ms: int) -> None:
    if at_ms < started_ms:
        _refuse("before_start", "The session had not begun then.", 422, {"not_before_ms": started_ms})


def _reopen(day: RoomDay, command: Reopen, now_ms: int) -> RoomDay:
    session = _session(day, command.session)
    if session.running or session.state in UNSTARTED:
        return day
    if session.state is SessionState.CANCELLED:
        if session.started_ms is not None or now_ms >= session.end_ms:
            _refuse("over", "The time of this session has passed.")
        return with_sessions(day, replace(session, state=SessionState.SCHEDULED, changed_ms=now_ms))
    _still_open(day, session, now_ms)
    if current(day) is not None:
        _refuse("occupied", "Another session is on air in the room.")
    if began_since(day, session):
        _refuse("another_began", "Another session has been on air since.")
    _not_reserved(day, session, now_ms)
    session = replace(session, ended_ms=None, changed_ms=now_ms)
    return with_sessions(day, replace(session, state=running_state(session, now_ms)))


def began_since(day: RoomDay, session: Session) -> bool:
    """Whether another session of the room began after ``session`` had."""
    since_ms = session.started_ms or 0
    return any(s.started_ms is not None and s.started_ms >= since_ms for s in day.sessions if s.id != session.id)


def _still_open(day: RoomDay, session: Session, now_ms: int) -> None:
    if session.changed_ms is None or now_ms - session.changed_ms > day.timing.reopen_ms:
        _refuse("too_late", "It ended too long ago.", details={"reopen_minutes": day.timing.reopen_ms // MINUTE_MS})


def _ad_hoc(day: RoomDay, command: AdHoc, now_ms: int) -> RoomDay:
    running = current(day)
    if running is not None and running.ad_hoc and command.title in ("", running.title):
        return day
    if find(day, command.session) is not None:
        _refuse("exists", "There is already a session with this id.")
    length_ms = KIND_DEFAULTS[Kind.CONFERENCE].minutes * MINUTE_MS
    session = ad_hoc_session(day, command.session, command.title, now_ms, length_ms)
    _not_reserved(day, session, now_ms)
    first_ms = max(last_end_ms(day) or 0, (running and running.started_ms) or 0)
    return begun(day, session, max(now_ms, first_ms), now_ms)


# --- the plan ---------------------------------------------------------------------------------------


def _extend(day: RoomDay, command: Extend, now_ms: int) -> RoomDay:
    session = _session(day, command.session)
    if not 0 < command.minutes <= MAX_MINUTES:
        _refuse("bad_minutes", f"One to {MAX_MINUTES} minutes.", 422)
    if not session.running:
        _refuse("not_running", "This session is not on air.")
    return with_sessions(day, _longer(session, max(planned_end_ms(session), now_ms), command.minutes, now_ms))


def _longer(session: Session, from_ms: int, minutes: int, now_ms: int) -> Session:
    session = replace(session, extended_until_ms=from_ms + minutes * MINUTE_MS, changed_ms=now_ms)
    return replace(session, state=running_state(session, now_ms))


def _delay(day: RoomDay, command: Delay, now_ms: int) -> RoomDay:
    session = _session(day, command.session)
    by_ms = command.minutes * MINUTE_MS
    if abs(command.minutes) > MAX_MINUTES:
        _refuse("bad_minutes", f"At most {MAX_MINUTES} minutes.", 422)
    if not by_ms:
        return day
    if session.running:
        if by_ms < 0:
            _refuse("not_before", "A session that is on air cannot begin earlier.", 422)
        later = _longer(session, planned_end_ms(session), command.minutes, now_ms)
    elif session.state in UNSTARTED:
        if by_ms < 0 and session.start_ms + by_ms < now_ms:
            _refuse("not_before", "It cannot begin in the past.", 422, {"not_before_ms": now_ms})
        later = moved(session, by_ms)
    else:
        _refuse("over", "This session is over or cancelled.")
    if command.following:
        day = shifted(day, session, by_ms).day
    return with_sessions(day, later)


def _cancel(day: RoomDay, command: Cancel, now_ms: int) -> RoomDay:
    session = _session(day, command.session)
    if session.state is SessionState.CANCELLED:
        return day
    if session.running:
        _refuse("running", "This session is on air. End it first.")
    if session.state is SessionState.ENDED:
        _refuse("ended", "This session has ended.")
    return with_sessions(day, replace(session, state=SessionState.CANCELLED, changed_ms=now_ms))


def _answer(day: RoomDay, command: ConsentAnswer, now_ms: int) -> RoomDay:
    session = _session(day, command.session)
    asked = (
        (command.record, session.do_not_record is Flag.ASK),
        (command.stream, session.do_not_stream is Flag.ASK),
    )
    if any(given is not None and not ask for given, ask in asked):
        _refuse("not_asked", "The plan has decided this already.")
    changed = replace(
        session,
        record_answer=session.record_answer if command.record is None else command.record,
        stream_answer=session.stream_answer if command.stream is None else command.stream,
    )
    return day if changed == session else with_sessions(day, changed)


# --- the room ---------------------------------------------------------------------------------------


def _hold(day: RoomDay, command: HoldOn, now_ms: int) -> RoomDay:
    hold = Hold(now_ms if day.hold is None else day.hold.since_ms, command.message, command.until_ms)
    return day if hold == day.hold else replace(day, hold=hold)


def _resume(day: RoomDay, command: Resume, now_ms: int) -> RoomDay:
    if day.hold is None:
        return day
    since_ms = day.hold.since_ms
    day = replace(day, hold=None, patience_ms=now_ms)
    held_ms = whole_minute_ms(max(0, now_ms - since_ms))
    if not command.shift or not held_ms:
        return day
    running = current(day)
    if running is None:
        return shifted_since(day, since_ms, held_ms).day
    day = shifted(day, running, held_ms).day
    return with_sessions(day, _longer(running, planned_end_ms(running), held_ms // MINUTE_MS, now_ms))


def _slate(day: RoomDay, command: ShowSlate, now_ms: int) -> RoomDay:
    return day if day.slate == command.on else replace(day, slate=command.on)


def _take(day: RoomDay, command: TakeSource, now_ms: int) -> RoomDay:
    if command.source is not None and command.source != SLATE and not is_source_name(command.source):
        _refuse("bad_source", "This is no source's name.", 422)
    return day if day.source == command.source else replace(day, source=command.source)


def _gain(day: RoomDay, command: Gain, now_ms: int) -> RoomDay:
    return _set_source(day, SetSource(command.source or source_on(day.source), gain_db=command.db), now_ms)


def _set_source(day: RoomDay, command: SetSource, now_ms: int) -> RoomDay:
    if not is_source_name(command.source):
        _refuse("bad_source", "This is no source's name.", 422)
    if command.gain_db is not None and not MIN_GAIN_DB <= command.gain_db <= MAX_GAIN_DB:
        _refuse("bad_gain", f"{MIN_GAIN_DB:g} to {MAX_GAIN_DB:g} dB.", 422)
    given = {name: value for name in SETTING_FIELDS if (value := getattr(command, name)) is not None}
    if given.get("kind") == "unknown":
        given["kind"] = None
    sources = with_setting(day.sources, replace(setting_of(day.sources, command.source), **given))
    if len(sources) > max(MAX_SOURCES, len(day.sources)):
        _refuse("too_many_sources", f"Settings of {MAX_SOURCES} sources are kept.")
    return day if sources == day.sources else replace(day, sources=sources)


_RULES: dict[type, Callable[[RoomDay, Any, int], RoomDay]] = {
    StartTap: _start,
    End: _end,
    Extend: _extend,
    Delay: _delay,
    Cancel: _cancel,
    Reopen: _reopen,
    AdHoc: _ad_hoc,
    ConsentAnswer: _answer,
    HoldOn: _hold,
    Resume: _resume,
    ShowSlate: _slate,
    TakeSource: _take,
    Gain: _gain,
    SetSource: _set_source,
}


# --- shared checks ----------------------------------------------------------------------------------


def _refuse(code: str, message: str, status: int = 409, details: Any = None) -> Never:
    raise Refused(message, code=code, status=status, details=details)


def _session(day: RoomDay, session_id: str) -> Session:
    session = find(day, session_id)
    if session is None:
        _refuse("unknown_session", "The room has no such session.", 404)
    return session


def _tapped(day: RoomDay, at_ms: int | None, now_ms: int) -> int | None:
    """The media time of an action, checked; a time a little ahead of the clock counts as now."""
    if at_ms is None:
        return None
    if at_ms > now_ms + day.timing.early_tap_ms:
        _refuse("in_the_future", "The time is in the future.", 422, {"not_after_ms": now_ms})
    if at_ms < now_ms - day.timing.late_tap_ms - day.timing.early_tap_ms:
        first_ms = now_ms - day.timing.late_tap_ms
        _refuse("too_far_back", "The time is more than half an hour back.", 422, {"not_before_ms": first_ms})
    return min(at_ms, now_ms)


def _not_reserved(day: RoomDay, session: Session, now_ms: int) -> None:
    """Raises Refused during the time of a guarded session, which must be begun, delayed or cancelled first."""
    due = due_guarded(day, now_ms)
    if due is not None and due.id != session.id:
        _refuse("reserved", "The room is reserved for another session now.", details={"until_ms": due.end_ms})
