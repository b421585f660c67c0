"""The alarms of a room: what is wrong now. Pure. :mod:`streamer.conference.alarm_memory` decides which of them rings.

An alarm's id stays the same while its cause lasts: it has the code, the room and the subject.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from streamer.conference.clockwork import clock_may_begin, takeover_ms
from streamer.conference.day import (
    UNSTARTED,
    RoomDay,
    armed_at,
    current,
    due_guarded,
    exposes,
    following,
    is_guarded,
    last_end_ms,
    obeyed_from_ms,
    passed_over,
    planned_end_ms,
)
from streamer.conference.rooms import StartRule
from streamer.conference.sessions import Flag, Kind, Session

Level = Literal["notice", "warning", "alarm"]
Severity = Literal["ringing", "warning"]
Owner = Literal["technician", "organiser", "operator"]
Detail = str | int | float | None
_PLAIN = re.compile(r"[A-Za-z0-9._~-]{0,64}(:[A-Za-z0-9._~-]{0,64})?")
MEDIA_BEFORE_MS = 10 * 60_000
"""Sound, picture and way are watched from this long before a session's start."""
FILMS = frozenset({"film", "films", "movie", "movies", "cinema", "cinéma", "screening", "projection"})
"""A session with one of these as a tag or track is a film: its silence, its black and its stillness are meant."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """``since_ms``: the time when its cause began. ``details`` are for the crew, never for the public."""

    id: str
    code: str
    level: Level
    since_ms: int
    owner: Owner
    session: str | None = None
    details: Mapping[str, Detail] = field(default_factory=dict)
    times: int = 1
    """The times that it has come within ten minutes of its last end. From the third time on it is said to be
    intermittent."""
    snoozed_until_ms: int | None = None
    """Somebody has silenced it until then."""

    @property
    def severity(self) -> Severity:
        """Only what is ``ringing`` may sound, or leave the page. A silenced alarm is a warning meanwhile."""
        return "ringing" if self.level == "alarm" and self.snoozed_until_ms is None else "warning"


@dataclass(frozen=True, slots=True)
class Trouble:
    """A cause that another module finds: files, keys, sound, picture. ``about`` distinguishes several of one code (a
    file, a source)."""

    code: str
    since_ms: int
    level: Level = "alarm"
    owner: Owner = "technician"
    about: str = ""
    details: Mapping[str, Detail] = field(default_factory=dict)
    session: str | None = None


@dataclass(frozen=True, slots=True)
class AlarmInputs:
    """Facts for alarms that are not part of the day."""

    wrong_keys: tuple[Trouble, ...] = ()
    """A key of this room was used for another room, or the reverse."""
    files: tuple[Trouble, ...] = ()
    disk_left_s: int | None = None
    """Seconds of programme that still fit on the disk."""
    disk_low_s: int = 3600
    """With less than this the disk rings, seconds."""
    disk_since_ms: int | None = None
    """The time when it was first less."""
    media: tuple[Trouble, ...] = ()
    """Of sound, picture, way and devices; they count while :func:`media_watched`."""
    viewers: tuple[Trouble, ...] = ()
    """Troubles that several viewers have reported."""


def alarms_of(day: RoomDay, now_ms: int, inputs: AlarmInputs = AlarmInputs()) -> tuple[Alarm, ...]:
    """All present alarms, the gravest first."""
    grave = {"alarm": 0, "warning": 1, "notice": 2}
    found = [*_media(day, now_ms), *_day(day, now_ms), *_from_elsewhere(day, now_ms, inputs)]
    return tuple(sorted(found, key=lambda alarm: (grave[alarm.level], alarm.since_ms, alarm.id)))


def alarm_id(code: str, room: str, about: str = "") -> str:
    """Works as a step of an address as it is: a subject with other signs is replaced by its digest."""
    plain = about if _PLAIN.fullmatch(about) else hashlib.sha256(about.encode("utf-8")).hexdigest()[:16]
    return f"{code}:{room}:{plain}"


def session_about(day: RoomDay, now_ms: int) -> str | None:
    """The session that the room is about: on air, or beginning within ten minutes."""
    session = current(day) or following(day, now_ms)
    if session is None or (session.started_ms is None and now_ms < session.start_ms - MEDIA_BEFORE_MS):
        return None
    return session.id


def media_watched(day: RoomDay, now_ms: int) -> Session | None:
    """The session for which the room's media are watched: it is on air, or begins within ten minutes, or should have
    begun. None: nobody listens yet or any more, or a break, a hold, the slate or a film explains what is seen and
    heard."""
    if day.hold is not None or day.slate:
        return None
    session = current(day)
    if session is None:
        session = following(day, now_ms)
        if session is None or not session.start_ms - MEDIA_BEFORE_MS <= now_ms < session.end_ms:
            return None
        if any(one.kind is Kind.BREAK and one.start_ms <= now_ms < one.end_ms for one in day.sessions):
            return None
    return None if any(word.casefold() in FILMS for word in (*session.tags, session.track)) else session


def _alarm(
    day: RoomDay,
    code: str,
    since_ms: int,
    session: Session | None = None,
    *,
    level: Level = "alarm",
    owner: Owner = "technician",
    about: str | None = None,
    details: Mapping[str, Detail] | None = None,
) -> Alarm:
    session_id = None if session is None else session.id
    id_ = alarm_id(code, day.room, (session_id or "") if about is None else about)
    return Alarm(id_, code, level, since_ms, owner, session_id, details or {})


# --- sound and picture ------------------------------------------------------------------------------


def _media(day: RoomDay, now_ms: int) -> Iterator[Alarm]:
    media, timing, running = day.media, day.timing, current(day)
    if not media.known:
        return
    if running is not None:
        if not media.up:
            since_ms = max(running.started_ms or now_ms, media.stopped_ms or 0)
            yield _alarm(day, "on_air_without_media", min(since_ms, now_ms), running)
        return
    soon = following(day, now_ms)
    if not media.up:
        if soon is not None and soon.start_ms - timing.coming_in_before_ms <= now_ms < soon.end_ms:
            since_ms = max(soon.start_ms - timing.coming_in_before_ms, media.stopped_ms or 0)
            level: Level = "warning" if now_ms < soon.start_ms else "alarm"
            yield _alarm(day, "nothing_coming_in", min(since_ms, now_ms), soon, level=level)
        return
    near_ms = now_ms + 60 * 60_000
    if any(s.state in UNSTARTED and s.start_ms <= near_ms and s.end_ms > now_ms for s in day.sessions):
        return
    if armed_at(day, now_ms) is not None:
        return
    since_ms = max(media.up_since_ms or 0, last_end_ms(day) or 0)
    if now_ms - since_ms >= timing.unplanned_ms:
        yield _alarm(day, "unplanned_media", since_ms, level="warning")


# --- the day ----------------------------------------------------------------------------------------


def _day(day: RoomDay, now_ms: int) -> Iterator[Alarm]:
    if day.hold is not None:
        yield _alarm(day, "hold", day.hold.since_ms, level="warning")
    running, soon = current(day), following(day, now_ms)
    for asked in (running, armed_at(day, now_ms)):
        if asked is not None:
            yield from _unanswered(day, asked)
    if soon is not None:
        yield from _not_started(day, soon, now_ms)
    if running is not None:
        yield from _ahead(day, running, soon, now_ms)


def _unanswered(day: RoomDay, session: Session) -> Iterator[Alarm]:
    record = session.do_not_record is Flag.ASK and session.record_answer is None
    stream = session.do_not_stream is Flag.ASK and session.stream_answer is None
    if record or stream:
        armed_ms = session.start_ms - day.timing.arm_before_ms
        since_ms = armed_ms if session.started_ms is None else min(armed_ms, session.started_ms)
        details = {"record": int(record), "stream": int(stream)}
        yield _alarm(day, "unanswered", since_ms, session, level="warning", details=details)


def _not_started(day: RoomDay, soon: Session, now_ms: int) -> Iterator[Alarm]:
    """The session that a person should have started. A late start by the clock has other causes, which have alarms of
    their own."""
    by_clock = (day.start is StartRule.AUTO and soon.kind is not Kind.SOCIAL) or (
        is_guarded(soon) and clock_may_begin(day, soon)
    )
    late_ms = soon.start_ms + day.timing.not_started_ms
    if by_clock and soon.changed_ms is not None and soon.changed_ms >= soon.start_ms:
        by_clock = False
    if not by_clock and late_ms <= now_ms < soon.end_ms:
        yield _alarm(day, "not_started", late_ms, soon)


def _ahead(day: RoomDay, running: Session, soon: Session | None, now_ms: int) -> Iterator[Alarm]:
    """A guarded session will begin to hold, or the next session of an ``auto`` room takes over: warnings five minutes
    and one minute before."""
    timing = day.timing
    guarded = _next_guarded(day, running, now_ms)
    if guarded is not None:
        at_ms = obeyed_from_ms(guarded, running)
        if now_ms >= at_ms and exposes(running, guarded):
            yield _alarm(day, "reserved_for_next", at_ms, running, details={"next": guarded.id})
        elif now_ms >= at_ms - timing.warn_ms:
            yield _warning(day, "closed_ahead", guarded, at_ms, now_ms)
    if soon is not None and not is_guarded(soon):
        takeover = takeover_ms(day, running, soon)
        if takeover is not None and day.media.up and takeover - timing.warn_ms <= now_ms < soon.end_ms:
            yield _warning(day, "takeover_ahead", soon, takeover, now_ms)
        elif (
            day.start is StartRule.AUTO
            and exposes(running, soon)
            and soon.start_ms <= now_ms < soon.end_ms
            and now_ms >= planned_end_ms(running)
        ):
            yield _alarm(day, "reserved_for_next", soon.start_ms, running, details={"next": soon.id})


def _warning(day: RoomDay, code: str, session: Session, at_ms: int, now_ms: int) -> Alarm:
    """Five minutes before, and again one minute before: the second is a new alarm even if the first was
    acknowledged."""
    last = now_ms >= at_ms - day.timing.warn_again_ms
    since_ms = at_ms - (day.timing.warn_again_ms if last else day.timing.warn_ms)
    about = f"{session.id}:{1 if last else 5}"
    level: Level = "alarm" if last else "warning"
    return _alarm(day, code, since_ms, session, level=level, about=about, details={"at_ms": at_ms})


def _next_guarded(day: RoomDay, running: Session, now_ms: int) -> Session | None:
    """The guarded session that ``running`` must give way to next, if it is due within minutes."""
    due = due_guarded(day, now_ms)
    if due is not None:
        return None if is_guarded(running) and running.start_ms >= due.start_ms else due
    for session in day.sessions:
        ahead = now_ms < session.start_ms <= now_ms + day.timing.warn_ms
        if ahead and session.state in UNSTARTED and session.kind is not Kind.BREAK and is_guarded(session):
            return None if passed_over(day, session) else session
    return None


# --- seen elsewhere ---------------------------------------------------------------------------------


def _from_elsewhere(day: RoomDay, now_ms: int, inputs: AlarmInputs) -> Iterator[Alarm]:
    watched = media_watched(day, now_ms)
    media = () if watched is None else (replace(one, session=watched.id) for one in inputs.media)
    for trouble in (*inputs.wrong_keys, *inputs.files, *media, *inputs.viewers):
        alarm = _alarm(
            day,
            trouble.code,
            trouble.since_ms,
            level=trouble.level,
            owner=trouble.owner,
            about=trouble.about,
            details=trouble.details,
        )
        yield replace(alarm, session=trouble.session)
    if inputs.disk_left_s is not None and inputs.disk_left_s < inputs.disk_low_s:
        details: dict[str, Detail] = {"minutes_left": inputs.disk_left_s // 60}
        yield _alarm(day, "disk_low", inputs.disk_since_ms or now_ms, owner="operator", details=details)
