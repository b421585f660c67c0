"""What clock and media do by themselves. Pure.

:func:`advance` is asked about once a second and whenever something came in, went away or was tapped. It looks at what
holds now, not at what has passed since: asked twice it does nothing the second time, asked late it does what is still
right, and a clock that steps back undoes nothing.

In a ``tap`` room nothing is on air without a person's tap, planned or not: clock and media begin nothing there, with
one exception. What a tap has put on air goes over to a guarded session (closed, not streamed or not recorded) at its
planned start: the room is obeyed, and no picture is seen that was not on air before.

The clock alone never cuts a session that is on air, with two exceptions: a guarded session is obeyed at its planned
start, and in an ``auto`` room the next one takes over ten minutes late at the latest. Neither happens where the switch
itself would show what must not be shown (see ``day.exposes``), and what a person gave a session by extending it is
kept.
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
    """The day at ``now_ms``. While a hold lasts everything keeps its state."""
    day = _looked_at(day, now_ms)
    if day.hold is None:
        day = _end_without_media(day, now_ms)
        day = _obey(day, now_ms)
        day = _take_over(day, now_ms)
        day = _start_free(day, now_ms)
        day = _begin_idle(day, now_ms)
        day = labelled(day, now_ms)
    if day.advanced_ms is None and not day.media.known:
        # After a restart: what was due meanwhile is made up for where it was due, once the media are known.
        return replace(day, looked_ms=now_ms)
    return replace(day, looked_ms=now_ms, advanced_ms=now_ms)


def begun(day: RoomDay, session: Session, at_ms: int, now_ms: int) -> RoomDay:
    """``session`` on air from the media time ``at_ms``; what was running ends there."""
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
    """``scheduled`` or ``armed``, ``on_air`` or ``overrun``: what follows from the time alone."""
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
    """When ``next_up`` takes over from ``running`` by the clock if nobody ends it; None: never."""
    if (
        day.start is not StartRule.AUTO
        or next_up.kind is Kind.SOCIAL
        or next_up.start_ms <= running.start_ms
        or exposes(running, next_up)
        or is_guarded(next_up)
    ):
        return None
    # Short sessions would be over before: a lightning talk waits half its length.
    late_ms = min(day.timing.auto_late_ms, (next_up.end_ms - next_up.start_ms) // 2)
    when_ms = max(next_up.start_ms + late_ms, running.extended_until_ms or 0)
    began_ms = running.changed_ms if running.extended_until_ms is None else running.started_ms
    if began_ms is not None and began_ms > next_up.start_ms:
        # It was begun in the other's time (plans overlap, or a person wanted it): it is not cut at once.
        when_ms = max(when_ms, began_ms + late_ms)
    return when_ms if day.patience_ms is None else max(when_ms, day.patience_ms + late_ms)


def idle(day: RoomDay, at_ms: int) -> bool:
    """Whether nothing is planned at ``at_ms`` or in the twelve hours after it. What has been cancelled or has ended
    early counts until its end, what has not begun as long as it may be tapped late."""
    return not any(
        not session.ad_hoc
        and session.start_ms <= at_ms + day.timing.idle_ms
        and at_ms < session.end_ms + (day.timing.late_tap_ms if session.state in UNSTARTED else 0)
        for session in day.sessions
    )


def goes_on_air_by_itself(day: RoomDay, now_ms: int) -> bool:
    """Whether a camera that comes up now puts the room on air without anybody's tap."""
    return (
        day.start is StartRule.AUTO
        and day.hold is None
        and not day.slate
        and current(day) is None
        and idle(day, now_ms)
    )


def clock_may_begin(day: RoomDay, due: Session) -> bool:
    """Whether the guarded session ``due`` may begin without anybody's tap. In a ``tap`` room only what comes in and was
    on air when its time came: a camera that comes later, or that nobody has put on air, is a preview."""
    if day.start is StartRule.AUTO or current(day) is not None:
        return True
    since_ms = day.media.up_since_ms
    return since_ms is not None and any(
        s.started_ms is not None
        and s.ended_ms is not None
        # When it was ended; its mark may lie before that.
        and max(s.ended_ms, s.changed_ms or 0) >= max(since_ms, due.start_ms - day.timing.ahead_ms)
        for s in day.sessions
    )


# --- the steps --------------------------------------------------------------------------------------


def _looked_at(day: RoomDay, now_ms: int) -> RoomDay:
    """What this process remembers from look to look."""
    seen_ms = day.looked_ms
    if seen_ms is not None and not 0 <= now_ms - seen_ms <= day.timing.leap_ms:
        day = replace(day, patience_ms=now_ms, leapt_ms=now_ms)
    media = day.media
    preview = day.start is not StartRule.AUTO or not idle(day, now_ms)
    if media.up and media.up_since_ms != day.previewed_ms and preview:
        day = replace(day, previewed_ms=media.up_since_ms)
    return day


def _end_without_media(day: RoomDay, now_ms: int) -> RoomDay:
    """The end ten minutes after the media stopped. Where nothing came in since the session began, a person wants it
    that way (or is on the way): the alarm rings, nothing ends."""
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
    """The room obeys a guarded session at its planned start: the one before ends, and it begins if something comes
    in. Else the room is reserved for it: in an ``auto`` room it begins as soon as something does, else by a tap."""
    running, due = current(day), due_guarded(day, now_ms)
    if due is None or obeyed_from_ms(due, running) > now_ms + day.timing.ahead_ms:
        return day
    when_ms = obeyed_from_ms(due, running)
    may_begin = clock_may_begin(day, due)
    if running is not None:
        if exposes(running, due) or (is_guarded(running) and running.start_ms >= due.start_ms):
            # Both are obeyed: what is shown and kept is what both allow.
            return day
        if day.leapt_ms is not None and 0 <= now_ms - day.leapt_ms < day.timing.warn_ms:
            # The clock stepped into its time. It is obeyed, but nothing is ended before the usual warning.
            return day
        day = with_sessions(day, ended(running, mark_at(day, when_ms, now_ms), now_ms))
    if not may_begin or not _clock_may_start(day, due, now_ms):
        return day
    at_ms = _given_way_ms(day, due, now_ms) if running is None else None
    return begun(day, due, _start_mark(day, when_ms, now_ms) if at_ms is None else at_ms, now_ms)


def _given_way_ms(day: RoomDay, due: Session, now_ms: int) -> int | None:
    """Where ``due`` begins that waited for a session which a person has just ended, maybe minutes back: at that end,
    and not before its own time. Those minutes are its own, as it was obeyed then but for the one before."""
    last_ms = last_end_ms(day)
    if last_ms is None or not any(s.ended_ms == last_ms and s.changed_ms == now_ms for s in day.sessions):
        return None
    # A clock that stepped back must not let two sessions share minutes.
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
    """A room with nothing planned just goes on air when its camera does. What came up as a preview stays one, and so
    does what was still there when a session ended: nobody knows of a microphone that was left on."""
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
    """A session without a plan, from now until the room's next one at the latest."""
    end_ms = now_ms + length_ms
    for session in day.sessions:
        if session.start_ms > now_ms and session.state in UNSTARTED:
            end_ms = min(end_ms, session.start_ms)
            break
    return Session(
        id=session_id, room=day.room, title=title or day.name or day.room, start_ms=now_ms, end_ms=end_ms, ad_hoc=True
    )


def _clock_may_start(day: RoomDay, session: Session, now_ms: int) -> bool:
    """Sound and picture are there, nothing went on after it, no person took its start back since it was due, and the
    room is not reserved for another."""
    taken_back = session.changed_ms is not None and session.changed_ms >= session.start_ms
    reserved = due_guarded(day, now_ms)
    return (
        day.media.up
        and not taken_back
        and not passed_over(day, session)
        and (reserved is None or reserved.id == session.id)
    )


def _start_mark(day: RoomDay, when_ms: int, now_ms: int) -> int:
    """Where a session begins by itself: when it was due and something came in, and never in another's time."""
    up_ms = day.media.up_since_ms
    at_ms = mark_at(day, when_ms if up_ms is None else max(when_ms, up_ms), now_ms)
    end_ms = last_end_ms(day)
    return at_ms if end_ms is None else max(at_ms, end_ms)
