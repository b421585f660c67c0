"""A room's day as one value, and what can be read off it. Pure.

Two kinds of time meet here, both UTC milliseconds: ``now_ms`` is the server's clock, which may step; marks are media
times of the room, which never run back. Where one is taken for the other, it is bounded by what is known already.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from streamer.conference.rooms import Between, StartRule
from streamer.conference.sessions import Flag, Hold, Kind, Session, SessionState

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS

UNSTARTED = frozenset({SessionState.SCHEDULED, SessionState.ARMED})


@dataclass(frozen=True, slots=True)
class Timing:
    """The distances of the day, in milliseconds."""

    arm_before_ms: int = 10 * MINUTE_MS
    auto_late_ms: int = 10 * MINUTE_MS
    """So long after its planned start an ``auto`` session takes over from one that was not ended."""
    media_gone_ms: int = 10 * MINUTE_MS
    """So long after sound and picture stopped a session ends."""
    late_tap_ms: int = 30 * MINUTE_MS
    """How far back a tap may be meant."""
    early_tap_ms: int = 2_000
    """How far ahead of the server's clock the media time of a tap may be: clocks differ, taps are not planned."""
    reopen_ms: int = 15 * MINUTE_MS
    handle_ms: int = 5 * MINUTE_MS
    """Media kept before the start mark, for nudging the cut."""
    idle_ms: int = 12 * HOUR_MS
    """A room with nothing planned for so long goes on air when its camera does."""
    after_last_ms: int = 30 * MINUTE_MS
    """So long after the last session what the room shows *between* sessions goes on."""
    ahead_ms: int = 150
    """So long before a guarded session's time the room obeys it: orders take a moment to arrive, and what is taken in
    that moment is the session's already."""
    leap_ms: int = 60_000
    """The clock is asked every second: more than this between two looks is a step or a pause, not time that a room
    had to put things right."""
    coming_in_before_ms: int = 5 * MINUTE_MS
    """So long before its start something should be coming in."""
    not_started_ms: int = 3 * MINUTE_MS
    warn_ms: int = 5 * MINUTE_MS
    warn_again_ms: int = MINUTE_MS
    unplanned_ms: int = 3 * MINUTE_MS
    """So long may something come in for no session before that is an alarm."""
    disk_s: int = 3600


@dataclass(frozen=True, slots=True)
class MediaState:
    """What comes in for the room's programme. ``stopped_ms``: the media time of its last picture or sound, while it is
    not ``up``. Not ``known`` (as after a restart, until the media host and the room process have answered): nothing
    follows from it, and a camera that is there may be a preview."""

    up: bool = False
    up_since_ms: int | None = None
    stopped_ms: int | None = None
    known: bool = False


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A stretch, in media time, that a session's replay does not show. ``to_ms`` None: it lasts."""

    from_ms: int
    to_ms: int | None
    by_hand: bool = True
    """Else an incident: the room was covered in it."""


@dataclass(frozen=True, slots=True)
class RoomDay:
    """All that the rules know of one room. ``sessions`` are those of yesterday, today and the next days, by start.

    What is compared is what a restart has to find again; the rest is memory of this process and may be lost.
    """

    room: str
    name: str = ""
    """For the slate and for sessions without a plan."""
    start: StartRule = StartRule.TAP
    between: Between = Between.SLATE
    sessions: tuple[Session, ...] = ()
    media: MediaState = MediaState()
    hold: Hold | None = None
    slate: bool = False
    """The technician's own slate."""
    source: str | None = None
    gain_db: float = 0.0
    zone: str = "UTC"
    """The venue's IANA time zone: what is one day, and times on the slate."""
    left_out: tuple[LeftOut, ...] = field(default=(), compare=False)
    """Of the replays of its sessions; the archive's book says so."""
    spare_id: str = field(default="", compare=False)
    """An unused session id for a session that begins by itself; without one none does. The director fills it up."""
    timing: Timing = field(default=Timing(), compare=False)
    advanced_ms: int | None = field(default=None, compare=False)
    """When the rules last looked and knew the media."""
    looked_ms: int | None = field(default=None, compare=False)
    """When they last looked."""
    patience_ms: int | None = field(default=None, compare=False)
    """Nothing that waits for minutes counts from before this: a hold ended, or the clock stepped."""
    leapt_ms: int | None = field(default=None, compare=False)
    """When the clock stepped last."""
    previewed_ms: int | None = field(default=None, compare=False)
    """``up_since_ms`` of what came in while something was planned: it stays a preview when the plan goes away."""


# --- sessions of a day ------------------------------------------------------------------------------


def find(day: RoomDay, session_id: str) -> Session | None:
    for session in day.sessions:
        if session.id == session_id:
            return session
    return None


def with_sessions(day: RoomDay, *changed: Session) -> RoomDay:
    """The day with these sessions new or in place of those with the same ids."""
    ids = {session.id for session in changed}
    return sorted_day(day, (*(s for s in day.sessions if s.id not in ids), *changed))


def without_sessions(day: RoomDay, ids: Iterable[str]) -> RoomDay:
    gone = set(ids)
    return replace(day, sessions=tuple(s for s in day.sessions if s.id not in gone))


def sorted_day(day: RoomDay, sessions: Iterable[Session]) -> RoomDay:
    return replace(day, sessions=tuple(sorted(sessions, key=lambda s: (s.start_ms, s.end_ms, s.id))))


def current(day: RoomDay) -> Session | None:
    """The session that is on air or has overrun; at most one is."""
    for session in day.sessions:
        if session.running:
            return session
    return None


def on_air_at(day: RoomDay, media_ms: int) -> Session | None:
    """The session that was on air at a media time; the last of them that was."""
    found = None
    for session in day.sessions:
        began, ended = session.started_ms, session.ended_ms
        if began is not None and began <= media_ms and (ended is None or media_ms < ended):
            found = session
    return found


def following(day: RoomDay, now_ms: int) -> Session | None:
    """The session that would go on air next: the armed one, or the earliest that is still to come. No break."""
    ready = armed_at(day, now_ms)
    if ready is not None:
        return ready
    for session in day.sessions:
        if session.start_ms > now_ms and airable(session) and not passed_over(day, session):
            return session
    return None


def airable(session: Session) -> bool:
    """Whether it has not begun and may: breaks never go on air."""
    return session.state in UNSTARTED and session.kind is not Kind.BREAK


def planned_end_ms(session: Session) -> int:
    """When it should end, extensions included."""
    if session.extended_until_ms is None:
        return session.end_ms
    return max(session.end_ms, session.extended_until_ms)


def running_state(session: Session, now_ms: int) -> SessionState:
    """What a session that is on air is at ``now_ms``."""
    return SessionState.OVERRUN if now_ms >= planned_end_ms(session) else SessionState.ON_AIR


def passed_over(day: RoomDay, session: Session) -> bool:
    """Whether a session planned after it has begun already: then it does not begin by itself any more. A guarded
    session is passed over by guarded ones only: a wrong tap must not take its protection away."""
    guarded = is_guarded(session)
    return any(
        other.started_ms is not None
        and other.start_ms > session.start_ms
        and not other.ad_hoc
        and (not guarded or is_guarded(other))
        for other in day.sessions
    )


def armed_at(day: RoomDay, now_ms: int) -> Session | None:
    """The session that should be armed, if any. One is enough: a guarded one in its time, else the first that has not
    had its time, else the last that may still be tapped late. It may be armed while the one before is running."""
    due = due_guarded(day, now_ms)
    if due is not None and not passed_over(day, due):
        return due
    late: Session | None = None
    for session in day.sessions:
        if session.start_ms - day.timing.arm_before_ms > now_ms:
            break
        if not airable(session) or now_ms >= session.end_ms + day.timing.late_tap_ms or passed_over(day, session):
            continue
        if now_ms < session.end_ms:
            return session
        late = session
    return late


# --- privacy ----------------------------------------------------------------------------------------


def never_streamed(session: Session) -> bool:
    """Whether it has been decided that it is not streamed: by the plan, or by an answer."""
    return session.do_not_stream is Flag.YES or (session.do_not_stream is Flag.ASK and session.stream_answer is False)


def is_guarded(session: Session) -> bool:
    """Whether the room obeys it at its planned start without anybody's tap: closed, not streamed or not recorded."""
    return session.closed or never_streamed(session) or not session.recorded


def is_hidden(session: Session) -> bool:
    """Whether its pictures and sound must not be public."""
    return session.closed or not session.streamed


def exposes(running: Session, next_up: Session) -> bool:
    """Whether going over to ``next_up`` while ``running`` goes on in the room would make public, or keep, what must
    not be. People may do it, the clock may not."""
    return (is_hidden(running) and not is_hidden(next_up)) or (not running.recorded and next_up.recorded)


def all_due_guarded(day: RoomDay, now_ms: int) -> tuple[Session, ...]:
    """The guarded sessions whose time it is and that have not begun, whether or not anybody extended the one before.
    Plans that overlap have several: each is obeyed."""
    found = []
    for session in day.sessions:
        if session.start_ms - day.timing.ahead_ms > now_ms:
            break
        if now_ms < session.end_ms and airable(session) and is_guarded(session):
            found.append(session)
    return tuple(found)


def due_guarded(day: RoomDay, now_ms: int) -> Session | None:
    """The one of them that begins: with the latest start."""
    due = all_due_guarded(day, now_ms)
    return due[-1] if due else None


def obeyed_from_ms(session: Session, running: Session | None) -> int:
    """When the room obeys a guarded session: at its planned start, or when the time that a person gave the session
    before is over."""
    if running is None or running.extended_until_ms is None:
        return session.start_ms
    return max(session.start_ms, running.extended_until_ms)


def all_obeyed(day: RoomDay, now_ms: int) -> tuple[Session, ...]:
    """The guarded sessions that have not begun and that the room has to obey now."""
    running, by_ms = current(day), now_ms + day.timing.ahead_ms
    return tuple(s for s in all_due_guarded(day, now_ms) if obeyed_from_ms(s, running) <= by_ms)


def next_obeyed_ms(day: RoomDay, now_ms: int) -> int | None:
    """When the room begins to obey the next guarded session: somebody has to look then, not half a second later."""
    running = current(day)
    guarded = (s for s in day.sessions if airable(s) and is_guarded(s) and s.end_ms > now_ms)
    times = (obeyed_from_ms(session, running) - day.timing.ahead_ms for session in guarded)
    return min((at_ms for at_ms in times if at_ms > now_ms), default=None)


# --- marks ------------------------------------------------------------------------------------------


def last_end_ms(day: RoomDay, besides: str = "") -> int | None:
    """The latest end mark of the room."""
    ends = [s.ended_ms for s in day.sessions if s.ended_ms is not None and s.id != besides]
    return max(ends, default=None)


def mark_at(day: RoomDay, when_ms: int, now_ms: int) -> int:
    """The media time of something that was due at ``when_ms`` and is noticed at ``now_ms``: not before the last look
    (it was not due then, or nobody knew of it), and half an hour back at most after a restart."""
    seen_ms = day.advanced_ms
    if seen_ms is None or seen_ms > now_ms:
        seen_ms = now_ms - day.timing.late_tap_ms
    return min(now_ms, max(when_ms, seen_ms))


# --- local time -------------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


@lru_cache(maxsize=4096)
def day_of(at_ms: int, zone: str) -> date:
    """The conference day in which a time lies: it ends at four in the morning."""
    at = datetime.fromtimestamp(at_ms / 1000, _zone(zone) or UTC)
    return (at - timedelta(hours=4)).date()


def clock_text(at_ms: int, zone: str) -> str:
    """``HH:MM`` in the venue's zone."""
    return datetime.fromtimestamp(at_ms / 1000, _zone(zone) or UTC).strftime("%H:%M")


def whole_minute_ms(at_ms: int) -> int:
    """The next whole minute, so that what is told does not change every second."""
    return -(-at_ms // MINUTE_MS) * MINUTE_MS
