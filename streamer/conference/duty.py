"""Duty: who of a venue's crew is rung for an alarm, in which order, and how long somebody has it. Pure.

A person is a grant; the admin, who has none, is :data:`ADMIN_PERSON`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from streamer.conference.alarms import Alarm
from streamer.conference.day import RoomDay, all_due_guarded, armed_at, current, find, is_hidden
from streamer.conference.grants import ADMIN
from streamer.conference.sessions import Flag, Session

ADMIN_PERSON = ADMIN.id
TAKEN_MS = 5 * 60_000
"""So long somebody has an alarm that lasts; then it rings again."""
NEXT_AFTER_MS = 60_000
"""An alarm that nobody has taken for so long rings the next on duty."""
REOPENED_MS = 10 * 60_000
"""An alarm that comes back within this time is the same trouble."""


@dataclass(frozen=True, slots=True)
class Shift:
    """Somebody's duty in a venue (None: in the rooms without one). Times are UTC milliseconds."""

    id: str
    venue: str | None
    grant: str | None
    """The person; None: the admin."""
    label: str
    since_ms: int
    until_ms: int
    created_ms: int
    accepted_ms: int | None = None
    """None: it is offered, and nobody has accepted it yet."""
    follows: str | None = None
    """The shift that ends when this one is accepted."""
    anybody: bool = False
    """Of an offer: anybody of the crew may accept it."""

    @property
    def person(self) -> str:
        return person_of(self.grant)

    def holds(self, now_ms: int) -> bool:
        return self.accepted_ms is not None and self.since_ms <= now_ms < self.until_ms


def person_of(grant: str | None) -> str:
    return ADMIN_PERSON if grant is None else grant


def grant_of_person(person: str) -> str | None:
    return None if person == ADMIN_PERSON else person


def on_duty(shifts: Iterable[Shift], venue: str | None, now_ms: int) -> list[Shift]:
    """In the order in which they are rung: who came first."""
    found = [shift for shift in shifts if shift.venue == venue and shift.holds(now_ms)]
    return sorted(found, key=lambda shift: (shift.since_ms, shift.created_ms, shift.id))


def ring_order(
    shifts: Iterable[Shift], venue: str | None, reachable: Collection[str], now_ms: int
) -> list[tuple[str, ...]]:
    """The groups of people who are rung one after the other: each on duty alone. If nobody of them can be reached,
    everyone who can, at once."""
    persons = dict.fromkeys(shift.person for shift in on_duty(shifts, venue, now_ms))
    groups: list[tuple[str, ...]] = [(person,) for person in persons if person in reachable]
    if groups or not reachable:
        return groups
    return [tuple(sorted(reachable))]


def is_lapsed(person: str, taken_ms: int, shifts: Sequence[Shift], venue: str | None, now_ms: int) -> bool:
    """Whether an alarm that lasts is no longer theirs: five minutes are over, or their shift is."""
    if now_ms - taken_ms >= TAKEN_MS:
        return True
    own = [s for s in shifts if s.venue == venue and s.person == person and s.accepted_ms is not None]
    return any(taken_ms < s.until_ms <= now_ms for s in own) and not any(s.holds(now_ms) for s in own)


# --- what rings, and whom ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ringing:
    """An alarm as it is told to people. Stored, so that a restart tells nothing twice."""

    alarm: str
    room: str
    began_ms: int
    ended_ms: int | None = None
    due_ms: int | None = None
    """The time at which the next are rung; None: nobody is."""
    rung: tuple[str, ...] = ()
    """The people who were rung in this round."""
    told: tuple[str, ...] = ()
    """The people who know of it, and not of its end."""
    held: bool = False
    """At the last look somebody had it, or it was snoozed."""


def leaves_the_page(alarm: Alarm) -> bool:
    """Whether people elsewhere are told of it. A warning never leaves the page; one that is silenced is no other."""
    return alarm.level == "alarm"


def began(ring: Ringing | None, alarm: Alarm, room: str, now_ms: int) -> Ringing:
    """``ring``: of the same alarm, that is over. One that comes back soon is not news: it rings if it lasts."""
    if ring is None or ring.ended_ms is None or now_ms - ring.ended_ms >= REOPENED_MS:
        return Ringing(alarm.id, room, now_ms, due_ms=now_ms)
    return replace(ring, ended_ms=None, due_ms=now_ms + NEXT_AFTER_MS, rung=(), held=False)


def ended(ring: Ringing, now_ms: int) -> tuple[Ringing, tuple[str, ...]]:
    """With the people who are told the end."""
    return replace(ring, ended_ms=now_ms, due_ms=None, told=()), ring.told


def step(ring: Ringing, held: bool, groups: Sequence[Sequence[str]], now_ms: int) -> tuple[Ringing, tuple[str, ...]]:
    """The ring after a look at an alarm that lasts, with the people who are rung now."""
    if held:
        return (ring if ring.held and ring.due_ms is None else replace(ring, held=True, due_ms=None)), ()
    if ring.held:
        # It is free again: it begins anew, with whoever is on duty now.
        ring = replace(ring, held=False, due_ms=now_ms, rung=())
    if ring.due_ms is None or now_ms < ring.due_ms:
        return ring, ()
    for group in groups:
        fresh = tuple(person for person in group if person not in ring.rung)
        if fresh:
            told = tuple(dict.fromkeys((*ring.told, *fresh)))
            return replace(ring, rung=(*ring.rung, *fresh), told=told, due_ms=now_ms + NEXT_AFTER_MS), fresh
    # Somebody may still come on duty.
    return replace(ring, due_ms=now_ms + NEXT_AFTER_MS), ()


# --- what may be said outside -----------------------------------------------------------------------


def is_confidential(alarm: Alarm | None, day: RoomDay, now_ms: int) -> bool:
    """Whether a message of the alarm has the room and the cause only: the session that it is about, or one that has the
    room now, is closed, not streamed or not recorded, or nobody has answered yet whether it is."""
    about = [current(day), armed_at(day, now_ms), *all_due_guarded(day, now_ms)]
    if alarm is not None and alarm.session is not None:
        named = find(day, alarm.session)
        if named is None:
            return True
        about.append(named)
    return any(_keeps_to_itself(session) for session in about if session is not None)


def pictures_allowed(day: RoomDay, from_ms: int, to_ms: int) -> bool:
    """Whether no session that was on air between two media times keeps its pictures to itself."""
    return not any(
        _keeps_to_itself(session)
        for session in day.sessions
        if session.started_ms is not None
        and session.started_ms < to_ms
        and (session.ended_ms is None or session.ended_ms > from_ms)
    )


def _keeps_to_itself(session: Session) -> bool:
    unanswered = session.do_not_record is Flag.ASK and session.record_answer is None
    return is_hidden(session) or not session.recorded or unanswered
