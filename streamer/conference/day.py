"""A room's day as one value, and the facts that follow from it. Pure.

There are two kinds of time, both UTC milliseconds: ``now_ms`` is the server's clock, which may step; marks are media
times of the room, which never run back. Where one is used as the other, it is bounded by the times that are known
already.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from streamer.conference.rooms import Between, StartRule
from streamer.conference.sessions import RUNNING, Flag, Hold, Kind, Session, SessionState
from streamer.conference.sources import SourceSetting

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

UNSTARTED = frozenset({SessionState.SCHEDULED, SessionState.ARMED})


@dataclass(frozen=True, slots=True)
class Timing:
    """The distances of the day, in milliseconds."""

    arm_before_ms: int = 10 * MINUTE_MS
    auto_late_ms: int = 10 * MINUTE_MS
    """An ``auto`` session takes over from one that was not ended this long after its planned start."""
    media_gone_ms: int = 10 * MINUTE_MS
    """A session ends this long after sound and picture stopped."""
    late_tap_ms: int = 30 * MINUTE_MS
    """A start or end may be set back this far."""
    early_tap_ms: int = 2_000
    """The media time of an action may be this far ahead of the server's clock: clocks differ, and actions are not
    planned."""
    reopen_ms: int = 15 * MINUTE_MS
    handle_ms: int = 5 * MINUTE_MS
    """Media that are kept before the start mark, for moving the cut."""
    idle_ms: int = 12 * HOUR_MS
    """A room with nothing planned for this long goes on air with its camera."""
    after_last_ms: int = 30 * MINUTE_MS
    """The room's content *between* sessions goes on for this long after the last one."""
    ahead_ms: int = 150
    """A guarded session's rules hold this long before its time. Orders take a moment to arrive, and media that are
    taken in that moment belong to the session already."""
    leap_ms: int = 60_000
    """The clock is asked every second. More time than this between two calls is a step or a pause, in which the room
    could not correct anything."""
    coming_in_before_ms: int = 5 * MINUTE_MS
    """Media should come in this long before a session's start."""
    not_started_ms: int = 3 * MINUTE_MS
    warn_ms: int = 5 * MINUTE_MS
    warn_again_ms: int = MINUTE_MS
    unplanned_ms: int = 3 * MINUTE_MS
    """Media may come in for no session this long before an alarm."""


@dataclass(frozen=True, slots=True)
class MediaState:
    """The room's incoming media. ``stopped_ms``: the media time of the last picture or sound, while not ``up``. If it
    is not ``known`` (after a restart, until the media host and the room process have answered) nothing follows from it,
    and a camera that is there may be a preview."""

    up: bool = False
    up_since_ms: int | None = None
    stopped_ms: int | None = None
    known: bool = False


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A stretch, in media time, that a session's replay leaves out. ``to_ms`` None: it lasts."""

    from_ms: int
    to_ms: int | None
    by_hand: bool = True
    """False: an incident, in which the room was covered."""


@dataclass(frozen=True, slots=True)
class Beside:
    """A session that takes place in the room, too, but that another room carries."""

    session: Session
    room_name: str
    """The other room's."""


@dataclass(frozen=True, slots=True)
class RoomDay:
    """Everything that the rules know of one room. ``sessions`` are those of yesterday, today and the next days, by
    start.

    Fields that are compared are stored; the others are this process's memory and may be lost.
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
    """Whether the technician has put up the slate."""
    source: str | None = None
    sources: tuple[SourceSetting, ...] = ()
    """The crew's settings of its sources."""
    zone: str = "UTC"
    """The venue's IANA time zone: it decides the day, and the times on the slate."""
    beside: tuple[Beside, ...] = field(default=(), compare=False)
    """By start."""
    left_out: tuple[LeftOut, ...] = field(default=(), compare=False)
    """Left out of the replays of its sessions, as the archive has stored it."""
    spare_id: str = field(default="", compare=False)
    """An unused session id for a session that begins by itself; without it none begins. The director refills it."""
    timing: Timing = field(default=Timing(), compare=False)
    advanced_ms: int | None = field(default=None, compare=False)
    """The time of the last call that knew the media."""
    looked_ms: int | None = field(default=None, compare=False)
    """The time of the last call."""
    patience_ms: int | None = field(default=None, compare=False)
    """Waiting times of minutes count from this time at the earliest: a hold ended, or the clock stepped."""
    leapt_ms: int | None = field(default=None, compare=False)
    """The time of the clock's last step."""
    previewed_ms: int | None = field(default=None, compare=False)
    """``up_since_ms`` of media that came while something was planned: they stay a preview even if the plan is
    removed."""


# --- sessions of a day ------------------------------------------------------------------------------


def find(day: RoomDay, session_id: str) -> Session | None:
    for session in day.sessions:
        if session.id == session_id:
            return session
    return None


def with_sessions(day: RoomDay, *changed: Session) -> RoomDay:
    """The day with these sessions, new or instead of those with the same ids."""
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
        # Asked many times a second, of a whole day: no property.
        if session.state in RUNNING:
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
    """The session that would go on air next: the armed one, or the earliest that is still to come. Breaks are
    skipped."""
    ready = armed_at(day, now_ms)
    if ready is not None:
        return ready
    for session in day.sessions:
        if session.start_ms > now_ms and airable(session) and not passed_over(day, session):
            return session
    return None


def airable(session: Session) -> bool:
    """Whether it has not begun and may begin: breaks never go on air."""
    return session.state in UNSTARTED and session.kind is not Kind.BREAK


def planned_end_ms(session: Session) -> int:
    """The planned end with extensions."""
    if session.extended_until_ms is None:
        return session.end_ms
    return max(session.end_ms, session.extended_until_ms)


def running_state(session: Session, now_ms: int) -> SessionState:
    """The state of a session on air at ``now_ms``."""
    return SessionState.OVERRUN if now_ms >= planned_end_ms(session) else SessionState.ON_AIR


def passed_over(day: RoomDay, session: Session) -> bool:
    """Whether a session that was planned after it has begun already: then it does not begin by itself any more. Only
    guarded sessions pass over a guarded one: a wrong start must not take its protection away."""
    guarded = is_guarded(session)
    return any(
        other.started_ms is not None
        and other.start_ms > session.start_ms
        and not other.ad_hoc
        and (not guarded or is_guarded(other))
        for other in day.sessions
    )


def armed_at(day: RoomDay, now_ms: int) -> Session | None:
    """The session that should be armed, if any. There is one at most: a guarded one in its time, else the first that
    has not had its time, else the last that may still be started late. It may be armed while the one before is
    running."""
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
    """Whether the plan, or an answer, says that it is not streamed."""
    return session.do_not_stream is Flag.YES or (session.do_not_stream is Flag.ASK and session.stream_answer is False)


def is_guarded(session: Session) -> bool:
    """Whether its rules hold at its planned start without a person: it is closed, not streamed or not recorded."""
    return session.closed or never_streamed(session) or not session.recorded


def is_hidden(session: Session) -> bool:
    """Whether its pictures and sound must not be public."""
    return session.closed or not session.streamed


def exposes(running: Session, next_up: Session) -> bool:
    """Whether a change to ``next_up`` while ``running`` goes on in the room would make public, or keep, something
    hidden. People may do it, the clock may not."""
    return (is_hidden(running) and not is_hidden(next_up)) or (not running.recorded and next_up.recorded)


def all_due_guarded(day: RoomDay, now_ms: int) -> tuple[Session, ...]:
    """The guarded sessions whose time it is and that have not begun, whether or not the one before was extended.
    Overlapping plans have several: the rules of each hold."""
    found = []
    for session in day.sessions:
        if session.start_ms - day.timing.ahead_ms > now_ms:
            break
        if now_ms < session.end_ms and airable(session) and is_guarded(session):
            found.append(session)
    return tuple(found)


def due_guarded(day: RoomDay, now_ms: int) -> Session | None:
    """The guarded session that begins: of those that are due, the one with the latest start."""
    due = all_due_guarded(day, now_ms)
    return due[-1] if due else None


def obeyed_from_ms(session: Session, running: Session | None) -> int:
    """The time from which a guarded session's rules hold: its planned start, or the end of a person's extension of the
    session before."""
    if running is None or running.extended_until_ms is None:
        return session.start_ms
    return max(session.start_ms, running.extended_until_ms)


def all_obeyed(day: RoomDay, now_ms: int) -> tuple[Session, ...]:
    """The guarded sessions that have not begun and whose rules hold now."""
    running, by_ms = current(day), now_ms + day.timing.ahead_ms
    return tuple(s for s in all_due_guarded(day, now_ms) if obeyed_from_ms(s, running) <= by_ms)


def next_obeyed_ms(day: RoomDay, now_ms: int) -> int | None:
    """The time when the rules of the next guarded session begin to hold. The director must look then, not half a second
    later."""
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
    """The media time for something that was due at ``when_ms`` and is noticed at ``now_ms``: not before the last call
    (it was not due then, or not known), and half an hour back at most after a restart."""
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
    """The conference day of a time: it ends at four in the morning."""
    at = datetime.fromtimestamp(at_ms / 1000, _zone(zone) or UTC)
    return (at - timedelta(hours=4)).date()


def clock_text(at_ms: int, zone: str) -> str:
    """``HH:MM`` in the venue's zone."""
    return datetime.fromtimestamp(at_ms / 1000, _zone(zone) or UTC).strftime("%H:%M")


def whole_minute_ms(at_ms: int) -> int:
    """The next whole minute, so that the shown time does not change every second."""
    return -(-at_ms // MINUTE_MS) * MINUTE_MS
