"""The changes of a day that clock and media make without a person. Pure.

:func:`advance` is called about once a second and after every event (a camera, a person's action). It looks at the
present state, not at the time that passed: a second call changes nothing, a late call still does the right thing, and a
clock that steps back undoes nothing.

In a ``tap`` room only a person puts something on air, with one exception. Something that a person has put on air goes
over to a guarded session (closed, not streamed or not recorded) at its planned start: its rules hold, and no picture is
seen that was not on air before.

The clock alone never cuts a session that is on air, with two exceptions: a guarded session's rules hold at its planned
start, and in an ``auto`` room the next session takes over ten minutes late at the latest. Neither happens if the switch
itself would show something hidden (see ``day.exposes``), and an extension by a person is kept.
"""

from __future__ import annotations

from dataclasses import replace

from streamer.conference.day import (
    UNSTARTED,
    RoomDay,
    armed_at,
    current,
    due_guarded,
    exposes,
    is_guarded,
    last_end_ms,
    mark_at,
    obeyed_from_ms,
    passed_over,
    running_state,
    with_sessions,
)
from streamer.conference.rooms import StartRule
from streamer.conference.sessions import Kind, Session, SessionState


def advance(day: RoomDay, now_ms: int) -> RoomDay:
    """The day at ``now_ms``. During a hold everything keeps its state."""
    day = _looked_at(day, now_ms)
    if day.hold is None:
        day = _end_without_media(day, now_ms)
        day = _obey(day, now_ms)
        day = _take_over(day, now_ms)
        day = _start_free(day, now_ms)
        day = _begin_idle(day, now_ms)
        day = labelled(day, now_ms)
    if day.advanced_ms is None and not day.media.known:
        # After a restart: steps that were due meanwhile are made at their due times, once the media are known.
        return replace(day, looked_ms=now_ms)
    return replace(day, looked_ms=now_ms, advanced_ms=now_ms)


def begun(day: RoomDay, session: Session, at_ms: int, now_ms: int) -> RoomDay:
    """``session`` on air from the media time ``at_ms``; the running session ends there."""
    running = current(day)
    changed = []
    if running is not None and running.id != session.id:
        at_ms = max(at_ms, running.started_ms or at_ms)
        changed.append(ended(running, at_ms, now_ms))
    session = replace(session, started_ms=at_ms, ended_ms=None, changed_ms=now_ms)
    changed.append(replace(session, state=running_state(session, now_ms)))
    return with_sessions(day, *changed)


def ended(session: Session, at_ms: int, now_ms: int) -> Session:
    """``session`` with its end mark at ``at_ms``, but not before it began."""
    at_ms = max(at_ms, session.started_ms if session.started_ms is not None else at_ms)
    return replace(session, state=SessionState.ENDED, ended_ms=at_ms, changed_ms=now_ms)


def labelled(day: RoomDay, now_ms: int) -> RoomDay:
    """The day with the states that follow from the time alone: ``scheduled`` or ``armed``, ``on_air`` or
    ``overrun``."""
    armed = armed_at(day, now_ms)
    changed = []
    for session in day.sessions:
        state = session.state
        if state in UNSTARTED:
            state = SessionState.ARMED if armed is not None and session.id == armed.id else SessionState.SCHEDULED
        elif session.running:
            state = running_state(session, now_ms)
        if state is not session.state:
            changed.append(replace(session, state=state))
    return with_sessions(day, *changed) if changed else day


def takeover_ms(day: RoomDay, running: Session, next_up: Session) -> int | None:
    """The time when the clock lets ``next_up`` take over from ``running`` if nobody ends it; None: never."""
    if (
        day.start is not StartRule.AUTO
        or next_up.kind is Kind.SOCIAL
        or next_up.start_ms <= running.start_ms
        or exposes(running, next_up)
        or is_guarded(next_up)
    ):
        return None
    # A short session would be over by then: a lightning talk waits half its length.
    late_ms = min(day.timing.auto_late_ms, (next_up.end_ms - next_up.start_ms) // 2)
    when_ms = max(next_up.start_ms + late_ms, running.extended_until_ms or 0)
    began_ms = running.changed_ms if running.extended_until_ms is None else running.started_ms
    if began_ms is not None and began_ms > next_up.start_ms:
        # It was begun in the other's time (plans overlap, or a person wanted it), so it is not cut at once.
        when_ms = max(when_ms, began_ms + late_ms)
    return when_ms if day.patience_ms is None else max(when_ms, day.patience_ms + late_ms)


def idle(day: RoomDay, at_ms: int) -> bool:
    """Whether nothing is planned at ``at_ms`` or in the twelve hours after it. A session that was cancelled or ended
    early counts until its end; one that has not begun counts as long as it may be started late."""
    return not any(
        not session.ad_hoc
        and session.start_ms <= at_ms + day.timing.idle_ms
        and at_ms < session.end_ms + (day.timing.late_tap_ms if session.state in UNSTARTED else 0)
        for session in (*day.sessions, *(one.session for one in day.beside))
    )


def goes_on_air_by_itself(day: RoomDay, now_ms: int) -> bool:
    """Whether a camera that comes now puts the room on air without a person."""
    return (
        day.start is StartRule.AUTO
        and day.hold is None
        and not day.slate
        and current(day) is None
        and idle(day, now_ms)
    )


def clock_may_begin(day: RoomDay, due: Session) -> bool:
    """Whether the guarded session ``due`` may begin without a person. In a ``tap`` room only a camera that was on air
    when its time came may: a camera that comes later, or that nobody put on air, is a preview."""
    if day.start is StartRule.AUTO or current(day) is not None:
        return True
    since_ms = day.media.up_since_ms
    return since_ms is not None and any(
        s.started_ms is not None
        and s.ended_ms is not None
        # The time of the action; the mark may lie before it.
        and max(s.ended_ms, s.changed_ms or 0) >= max(since_ms, due.start_ms - day.timing.ahead_ms)
        for s in day.sessions
    )


# --- the steps --------------------------------------------------------------------------------------


def _looked_at(day: RoomDay, now_ms: int) -> RoomDay:
    """The day with the facts that this process remembers from call to call."""
    seen_ms = day.looked_ms
    if seen_ms is not None and not 0 <= now_ms - seen_ms <= day.timing.leap_ms:
        day = replace(day, patience_ms=now_ms, leapt_ms=now_ms)
    media = day.media
    preview = day.start is not StartRule.AUTO or not idle(day, now_ms)
    if media.up and media.up_since_ms != day.previewed_ms and preview:
        day = replace(day, previewed_ms=media.up_since_ms)
    return day


def _end_without_media(day: RoomDay, now_ms: int) -> RoomDay:
    """Ends the session ten minutes after its media stopped. If nothing came in since the session began, a person wants
    it so (or is on the way): an alarm is raised, and nothing ends."""
    running, media = current(day), day.media
    if running is None or not media.known or media.up or media.stopped_ms is None:
        return day
    if running.started_ms is None or media.stopped_ms < running.started_ms:
        return day
    since_ms = max(media.stopped_ms, running.changed_ms or 0, day.patience_ms or 0)
    if now_ms - since_ms < day.timing.media_gone_ms:
        return day
    return with_sessions(day, ended(running, media.stopped_ms, now_ms))


def _obey(day: RoomDay, now_ms: int) -> RoomDay:
    """At its planned start the rules of a guarded session hold: the session before ends, and it begins if media come
    in. Otherwise the room is reserved for it: in an ``auto`` room it begins with the media, else a person starts it."""
    running, due = current(day), due_guarded(day, now_ms)
    if due is None or obeyed_from_ms(due, running) > now_ms + day.timing.ahead_ms:
        return day
    when_ms = obeyed_from_ms(due, running)
    may_begin = clock_may_begin(day, due)
    if running is not None:
        if exposes(running, due) or (is_guarded(running) and running.start_ms >= due.start_ms):
            # Both hold: only things that both allow are shown and kept.
            return day
        if day.leapt_ms is not None and 0 <= now_ms - day.leapt_ms < day.timing.warn_ms:
            # The clock stepped into its time. Its rules hold, but nothing is ended before the usual warning.
            return day
        day = with_sessions(day, ended(running, mark_at(day, when_ms, now_ms), now_ms))
    if not may_begin or not _clock_may_start(day, due, now_ms):
        return day
    at_ms = _given_way_ms(day, due, now_ms) if running is None else None
    return begun(day, due, _start_mark(day, when_ms, now_ms) if at_ms is None else at_ms, now_ms)


def _given_way_ms(day: RoomDay, due: Session, now_ms: int) -> int | None:
    """The begin of ``due`` after it waited for a session that a person has just ended, maybe minutes back: at that end,
    and not before its own time. Those minutes are its own, because its rules held then."""
    last_ms = last_end_ms(day)
    if last_ms is None or not any(s.ended_ms == last_ms and s.changed_ms == now_ms for s in day.sessions):
        return None
    # After a step back of the clock two sessions must not share minutes.
    return max(last_ms, min(now_ms, max(due.start_ms, day.media.up_since_ms or 0)))


def _take_over(day: RoomDay, now_ms: int) -> RoomDay:
    running, next_up = current(day), armed_at(day, now_ms)
    if running is None or next_up is None or now_ms >= next_up.end_ms or not _clock_may_start(day, next_up, now_ms):
        return day
    when_ms = takeover_ms(day, running, next_up)
    if when_ms is None or now_ms < when_ms:
        return day
    return begun(day, next_up, _start_mark(day, when_ms, now_ms), now_ms)


def _start_free(day: RoomDay, now_ms: int) -> RoomDay:
    if day.start is not StartRule.AUTO or current(day) is not None:
        return day
    next_up = armed_at(day, now_ms)
    if next_up is None or not next_up.start_ms <= now_ms < next_up.end_ms or next_up.kind is Kind.SOCIAL:
        return day
    if not _clock_may_start(day, next_up, now_ms):
        return day
    return begun(day, next_up, _start_mark(day, next_up.start_ms, now_ms), now_ms)


def _begin_idle(day: RoomDay, now_ms: int) -> RoomDay:
    """A room with nothing planned goes on air with its camera. A camera that came as a preview stays one, and so does a
    camera that was still there when a session ended: somebody may have left a microphone on."""
    since_ms = day.media.up_since_ms
    if not day.spare_id or not day.media.up or since_ms is None or since_ms == day.previewed_ms:
        return day
    if not goes_on_air_by_itself(day, now_ms) or not idle(day, since_ms):
        return day
    if any(session.changed_ms is not None and session.changed_ms >= since_ms for session in day.sessions):
        return day
    session = ad_hoc_session(day, day.spare_id, "", now_ms, day.timing.idle_ms)
    day = replace(day, spare_id="")
    return begun(day, session, _start_mark(day, since_ms, now_ms), now_ms)


def ad_hoc_session(day: RoomDay, session_id: str, title: str, now_ms: int, length_ms: int) -> Session:
    """A session without a plan, from now until the room's next session at the latest."""
    end_ms = now_ms + length_ms
    for session in day.sessions:
        if session.start_ms > now_ms and session.state in UNSTARTED:
            end_ms = min(end_ms, session.start_ms)
            break
    return Session(
        id=session_id, room=day.room, title=title or day.name or day.room, start_ms=now_ms, end_ms=end_ms, ad_hoc=True
    )


def _clock_may_start(day: RoomDay, session: Session, now_ms: int) -> bool:
    """Sound and picture are there, no later session was on, no person undid its start since it was due, and the room is
    not reserved for another."""
    taken_back = session.changed_ms is not None and session.changed_ms >= session.start_ms
    reserved = due_guarded(day, now_ms)
    return (
        day.media.up
        and not taken_back
        and not passed_over(day, session)
        and (reserved is None or reserved.id == session.id)
    )


def _start_mark(day: RoomDay, when_ms: int, now_ms: int) -> int:
    """The mark of a session that begins by itself: when it was due and media came in, but not in another session's
    time."""
    up_ms = day.media.up_since_ms
    at_ms = mark_at(day, when_ms if up_ms is None else max(when_ms, up_ms), now_ms)
    end_ms = last_end_ms(day)
    return at_ms if end_ms is None else max(at_ms, end_ms)
