"""Laws that hold at every moment of a day, and from one moment to the next.

The laws are written from the issue's words, not from the rules: they read sessions and orders only.
"""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

from streamer.conference import airing
from streamer.conference.day import RoomDay
from streamer.conference.rooms import Between, StartRule
from streamer.conference.sessions import Flag, Kind, Session, SessionState, Visibility
from streamer.conference.spans import output_name

M = 60_000
H = 60 * M
AHEAD = 150
"""Milliseconds by which a room may obey a closed session early: its first picture is not to be seen."""
WAITING = frozenset({SessionState.SCHEDULED, SessionState.ARMED})
RUNS = frozenset({SessionState.ON_AIR, SessionState.OVERRUN})

BY_CLOCK = {
    SessionState.SCHEDULED: WAITING | RUNS,
    SessionState.ARMED: WAITING | RUNS,
    SessionState.ON_AIR: RUNS | {SessionState.ENDED},
    SessionState.OVERRUN: RUNS | {SessionState.ENDED},
    SessionState.ENDED: frozenset({SessionState.ENDED}),
    SessionState.CANCELLED: frozenset({SessionState.CANCELLED}),
}
BY_TAP = {
    SessionState.SCHEDULED: BY_CLOCK[SessionState.SCHEDULED] | {SessionState.CANCELLED},
    SessionState.ARMED: BY_CLOCK[SessionState.ARMED] | {SessionState.CANCELLED},
    SessionState.ON_AIR: BY_CLOCK[SessionState.ON_AIR],
    SessionState.OVERRUN: BY_CLOCK[SessionState.OVERRUN],
    SessionState.ENDED: RUNS | {SessionState.ENDED},
    SessionState.CANCELLED: WAITING | {SessionState.CANCELLED},
}
"""One tap, and the clock right after it, may make these of a session. An undo may do the reverse of any."""


class Illegal(AssertionError):
    """A law was broken."""


def law(holds: bool, what: str) -> None:
    if not holds:
        raise Illegal(what)


def may_not_be_seen(session: Session) -> bool:
    return session.visibility is not Visibility.PUBLIC or not session.streamed


def decided(session: Session) -> bool:
    """Whether the room has to obey it by itself."""
    no_stream = session.do_not_stream is Flag.YES or (
        session.do_not_stream is Flag.ASK and session.stream_answer is False
    )
    return session.visibility is not Visibility.PUBLIC or no_stream or not session.recorded


def running_of(day: RoomDay) -> Session | None:
    found = [s for s in day.sessions if s.state in RUNS]
    law(len(found) <= 1, "two sessions are on air in one room")
    return found[0] if found else None


def in_their_time(day: RoomDay, now_ms: int, running: Session | None) -> list[Session]:
    """The guarded sessions that have not begun although it is time, and that no extension delays."""
    until_ms = (running.extended_until_ms or 0) if running is not None else 0
    return [
        s
        for s in day.sessions
        if s.state in WAITING
        and s.kind is not Kind.BREAK
        and s.start_ms - AHEAD <= now_ms < s.end_ms
        and decided(s)
        and until_ms - AHEAD <= now_ms
    ]


def hidden_from(day: RoomDay, now_ms: int, running: Session | None) -> list[int]:
    """When the sessions to come will hide the room by themselves."""
    until_ms = (running.extended_until_ms or 0) if running is not None else 0
    return [
        max(s.start_ms, until_ms)
        for s in day.sessions
        if s.state in WAITING
        and s.kind is not Kind.BREAK
        and max(now_ms, s.start_ms, until_ms) < s.end_ms
        and may_not_be_seen(s)
        and decided(s)
    ]


def check_lives(day: RoomDay, latest_ms: int) -> None:
    """Marks fit states, and no two sessions share minutes."""
    lives = []
    for s in day.sessions:
        began = s.state in RUNS or s.state is SessionState.ENDED
        law((s.started_ms is not None) == began, f"start mark of a session that is {s.state}")
        law((s.ended_ms is not None) == (s.state is SessionState.ENDED), f"end mark of a session that is {s.state}")
        law(s.kind is not Kind.BREAK or not began, "a break was on air")
        law(s.start_ms <= s.end_ms, "a session ends before it begins")
        if s.started_ms is not None:
            law(s.started_ms <= latest_ms, "a start mark in the future")
            if s.ended_ms is not None:
                law(s.started_ms <= s.ended_ms <= latest_ms, "an end mark before the start or in the future")
            lives.append((s.started_ms, s.ended_ms if s.ended_ms is not None else latest_ms + 1))
    lives.sort()
    for (_, end_ms), (start_ms, _) in pairwise(lives):
        law(end_ms <= start_ms, "two sessions share minutes")


def check_shown(day: RoomDay, now_ms: int) -> None:
    """The public sees, and the disk keeps, what hold, privacy, slate and session allow."""
    told = airing.orders(day, now_ms)
    running = running_of(day)
    due = in_their_time(day, now_ms, running)
    hidden = (running is not None and may_not_be_seen(running)) or any(may_not_be_seen(s) for s in due)
    shut = day.hold is not None or day.slate or hidden
    if told.public != "slate":
        law(not shut, "the public sees what it must not")
        if running is None:
            check_between(day, now_ms, told.public)
        else:
            law(told.public == "programme", "a public session without its sound")
    elif running is not None:
        law(shut, "a public session that is on air is not shown")
    first_ms = min(hidden_from(day, now_ms, running), default=None)
    law(told.slate_from_ms == (None if told.public == "slate" else first_ms), "the room does not know when to hide")
    unrecorded = (running is not None and not running.recorded) or any(not s.recorded for s in due)
    law(not (unrecorded and told.record), "what must not be recorded is")
    if running is not None and not unrecorded:
        law(told.record, "a session is not recorded")
    if running is not None and (running.closed or not running.recorded):
        law(told.stretch == running.id, "minutes of a closed or unrecorded session lie with others")
    elif running is not None and not due:
        law(told.stretch == "", "minutes of a public session lie apart")
    for output in told.outputs:
        owner = next((s for s in day.sessions if output_name(s) == output.name), None)
        law(owner is not None and owner.closed, "an output of no closed session")
        if output.shows != "slate":
            law(owner is running and owner is not None and owner.streamed, "an output shows another's programme")
            law(day.hold is None, "an output is on air in a hold")
    check_told(day, now_ms, told.slate)


def check_between(day: RoomDay, now_ms: int, shows: str) -> None:
    """With nothing on air the public sees as the room wishes, or a room that nobody has planned anything in."""
    law(
        all(not (may_not_be_seen(s) and s.state is SessionState.ARMED and s.start_ms <= now_ms) for s in day.sessions),
        "the room is shown in the time of a closed session",
    )
    if day.start is StartRule.AUTO and not day.media.up and shows == "programme":
        planned = [
            s for s in day.sessions if s.state in WAITING and s.end_ms > now_ms and s.start_ms <= now_ms + 12 * H
        ]
        if not planned:
            return
    law(day.between is not Between.SLATE, "the room is shown between sessions although it is set to the slate")
    law((day.between is Between.OPEN) == (shows == "programme"), "the room is not shown as it is set")
    last = max((s for s in day.sessions if s.ended_ms is not None), key=lambda s: s.ended_ms or 0, default=None)
    law(last is not None, "the room is shown before its first session")
    law(last is None or not may_not_be_seen(last), "the room is shown right after a closed session")


def check_told(day: RoomDay, now_ms: int, slate: object) -> None:
    """The public facts contain nothing of a closed session."""
    public = airing.public_status(day, now_ms)
    text = f"{public!r} {slate!r}"
    running = running_of(day)
    for s in day.sessions:
        if s.closed:
            words = {s.id, s.title, output_name(s), *s.speakers} - {"", day.name}
            # A whole word: an id may begin like another's.
            told = [word for word in words if re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text)]
            law(not told, "a closed session is told")
    law(public.current is None or public.current.session is running, "another session is told as being on air")
    closed = [s for s in (running, *in_their_time(day, now_ms, running)) if s is not None and s.closed]
    law(
        (public.reserved_until_ms is not None) == bool(closed),
        "reserved is told where it is not, or is not where it is",
    )
    law(
        public.reserved_until_ms is None or public.reserved_until_ms >= now_ms - M,
        "reserved until a time that has passed",
    )
    if public.shown is not None:
        for s in day.sessions:
            times = public.shown.get(s.id)
            if times is not None and s.state in WAITING:
                law(times.start_ms >= s.start_ms and times.end_ms >= s.end_ms, "a session is shown early")


def check_clock(before: RoomDay, after: RoomDay, now_ms: int) -> None:
    """Between two values the clock made only allowed changes."""
    old = {s.id: s for s in before.sessions}
    for s in after.sessions:
        was = old.pop(s.id, None)
        if was is None:
            law(s.ad_hoc and s.state in RUNS and after.media.up, "a session came from nowhere")
            planned = [p for p in before.sessions if p.state in WAITING and p.end_ms > now_ms]
            law(
                all(p.start_ms > now_ms + 12 * H for p in planned),
                "a room went on air by itself with something planned",
            )
            law(not after.slate, "a room went on air by itself behind the slate")
            law(after.start is StartRule.AUTO, "a camera put a tap room on air")
            continue
        law(s.state in BY_CLOCK[was.state], f"the clock made {s.state} of {was.state}")
        law((s.start_ms, s.end_ms, s.delay_ms) == (was.start_ms, was.end_ms, was.delay_ms), "the clock moved a session")
        if was.started_ms is not None:
            law(s.started_ms == was.started_ms, "the clock moved a start mark")
        elif s.started_ms is not None:
            law(after.media.up, "the clock began a session with nothing coming in")
            early = AHEAD if decided(s) else 0
            law(s.start_ms - early <= now_ms < s.end_ms, "the clock began a session out of its time")
            law(
                after.start is StartRule.AUTO or (decided(s) and was_on_air(before, s)),
                "the clock began a session that wants a tap",
            )
        if was.state in RUNS and s.state is SessionState.ENDED:
            check_ended_by_clock(before, after, was, s, now_ms)
        if before.hold is not None:
            law(s == was, "the clock changed a session in a hold")
    law(not old, "a session went nowhere")


def was_on_air(day: RoomDay, due: Session) -> bool:
    """Whether the camera's pictures had been put on air by a person when the time of ``due`` came."""
    if running_of(day) is not None:
        return True
    ends = [max(s.ended_ms, s.changed_ms or 0) for s in day.sessions if s.ended_ms is not None]
    since_ms = max(due.start_ms - AHEAD, day.media.up_since_ms or 0)
    return max(ends, default=0) >= since_ms


def check_ended_by_clock(before: RoomDay, after: RoomDay, was: Session, s: Session, now_ms: int) -> None:
    media = before.media
    if not media.up and media.stopped_ms is not None and now_ms - media.stopped_ms >= 10 * M:
        law(s.ended_ms is not None and s.ended_ms >= media.stopped_ms, "an end mark before the media stopped")
        return
    law((was.extended_until_ms or 0) - AHEAD <= now_ms, "the clock cut what a person had extended")
    if in_their_time(before, now_ms, was):
        return
    begun = running_of(after)
    law(after.start is StartRule.AUTO and begun is not None, "the clock alone cut a session that was on air")
    if begun is not None:
        law(begun.start_ms <= now_ms - min(10 * M, (begun.end_ms - begun.start_ms) // 2), "taken over too soon")
        law(not (may_not_be_seen(was) and not may_not_be_seen(begun)), "the clock showed the rest of a closed session")
        law(was.recorded or not begun.recorded, "the clock recorded the rest of an unrecorded session")


def check_tap(before: RoomDay, after: RoomDay, now_ms: int) -> None:
    old = {s.id: s for s in before.sessions}
    begun = running_of(after)
    if begun is not None and (begun.id not in old or old[begun.id].state not in RUNS):
        reserved = in_their_time(before, now_ms, running_of(before))
        law(not reserved or begun.id in {s.id for s in reserved}, "a session begins in the time of a closed one")
    for s in after.sessions:
        was = old.get(s.id)
        if was is not None:
            law(s.state in BY_TAP[was.state], f"a tap made {s.state} of {was.state}")


def essence(day: RoomDay) -> object:
    """The values that an undo must restore: all except the time of the last change and those that follow from the
    time."""
    stage = {SessionState.ARMED: SessionState.SCHEDULED, SessionState.OVERRUN: SessionState.ON_AIR}
    sessions = {replace(s, changed_ms=None, state=stage.get(s.state, s.state)) for s in day.sessions}
    return sessions, day.hold, day.slate, day.source, day.sources
