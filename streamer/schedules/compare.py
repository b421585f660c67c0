"""Compares a schedule with the sessions here, and finds the consequences for sessions that are armed or on air. Pure.

A session and an item are the same if their guids are; else if their ids are, within the event. A session that somebody
planned here by hand is matched with an item of the same title, start and room. Fields that the schedule does not
mention (its ``unsaid`` fields, people's delays and extensions) do not change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from streamer.conference.schedule import Schedule, ScheduleItem, ScheduleWarning
from streamer.conference.sessions import (
    KIND_DEFAULTS,
    OPEN,
    Flag,
    Kind,
    KindDefaults,
    Session,
    SessionState,
    Visibility,
)
from streamer.schedules.fields import guid_of
from streamer.schedules.matching import RoomMatcher
from streamer.schedules.reading import name_of
from streamer.schedules.words import TEXT_CHARACTERS, folded

MANY = 5
"""This many sessions, if they are more than half of the future ones, are not cancelled without an agreement: the file
may be broken."""

_STRICTNESS = {Flag.NO: 0, Flag.ASK: 1, Flag.YES: 2}
_CLOSEDNESS = {Visibility.PUBLIC: 0, Visibility.UNLISTED: 1, Visibility.PRIVATE: 2}
_PRIVACY = frozenset({"visibility", "do_not_record", "do_not_stream"})


class Change(StrEnum):
    ADDED = "added"
    MOVED = "moved"
    """Another time or room; other fields may have changed with it."""
    CHANGED = "changed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """``old`` and ``new`` are values of the field ``name`` of a Session; times are the planned ones, UTC ms."""

    name: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class Consequence:
    """``code`` is stable: ``on_air``, ``armed``, ``delayed_by_hand``, ``extended_by_hand``, ``less_private``,
    ``cancelled_here``, ``many_vanish``, ``has_ended``, ``stays_closed``, ``closed_by_kind``, and ``not_allowed``
    (:mod:`streamer.planning.rights`)."""

    code: str
    message: str
    needs_yes: bool = False
    blocks: bool = False
    """An agreement is not enough: somebody must end the session first, or somebody else must import."""


@dataclass(frozen=True, slots=True)
class DifferenceItem:
    """One session that the schedule would add or change.

    ``key`` names it for :func:`streamer.planning.apply.apply`. ``session`` is None for a new one, ``item`` for one that
    is no longer in the schedule. ``room`` is our room's id; empty: the venue's, without a room; None: an unknown room,
    so that the session cannot be added. ``also_in``: the ids of other rooms of a new one.
    """

    key: str
    change: Change
    session: Session | None
    item: ScheduleItem | None
    room: str | None
    fields: tuple[FieldChange, ...] = ()
    consequences: tuple[Consequence, ...] = ()
    also_in: tuple[str, ...] = ()

    @property
    def needs_yes(self) -> bool:
        return any(consequence.needs_yes for consequence in self.consequences)

    @property
    def blocked(self) -> bool:
        return self.room is None or any(consequence.blocks for consequence in self.consequences)

    @property
    def title(self) -> str:
        return self.item.title if self.item is not None else self.session.title if self.session is not None else ""


@dataclass(frozen=True, slots=True)
class Difference:
    event: str
    added: tuple[DifferenceItem, ...] = ()
    moved: tuple[DifferenceItem, ...] = ()
    changed: tuple[DifferenceItem, ...] = ()
    cancelled: tuple[DifferenceItem, ...] = ()
    unchanged: int = 0
    left_out: int = 0
    """Cancelled items that were never planned here."""
    rooms_unknown: tuple[str, ...] = ()
    """The schedule's names of them."""
    warnings: tuple[ScheduleWarning, ...] = ()
    venue: str | None = None
    """Of new sessions without a room."""
    defaults: Mapping[Kind, KindDefaults] = field(default_factory=lambda: KIND_DEFAULTS)
    """Of new sessions."""
    rooms_ambiguous: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The schedule's names that several of our rooms have -> their ids. They are among ``rooms_unknown``."""

    @property
    def items(self) -> tuple[DifferenceItem, ...]:
        return (*self.added, *self.moved, *self.changed, *self.cancelled)


def compare(
    existing: Sequence[Session],
    schedule: Schedule,
    rooms: RoomMatcher,
    event: str,
    *,
    now_ms: int | None = None,
    defaults: Mapping[Kind, KindDefaults] = KIND_DEFAULTS,
) -> Difference:
    """``existing``: the event's sessions. ``defaults``: of new ones. With ``now_ms`` (UTC) sessions that are over and
    no longer in the schedule stay, because files drop their past."""
    matches = rooms.match_all(schedule.rooms)
    warnings = list(schedule.warnings)
    for name, match in matches.items():
        if match.ambiguous:
            warnings.append(
                ScheduleWarning("ambiguous_room", f"{name} may be {' or '.join(match.ambiguous)}: give one an alias.")
            )
        elif match.elsewhere:
            warnings.append(ScheduleWarning("room_elsewhere", f"{name} is a room of another venue than the event's."))
    warnings.extend(_merged(schedule, {name: match.room for name, match in matches.items()}))
    pairs, left = _paired(existing, schedule.items, {name: match.room for name, match in matches.items()})
    found: dict[Change, list[DifferenceItem]] = {change: [] for change in Change}
    unchanged = left_out = 0
    for item, session in pairs:
        known = matches.get(item.room)
        room = "" if not item.room else known.room if known is not None else None
        beside = tuple(one for name in item.also_in if (one := matches[name].room) is not None)
        if session is None:
            if item.cancelled:
                left_out += 1
            else:
                found[Change.ADDED].append(_added(item, room, beside, defaults[item.kind]))
            continue
        difference = _cancelled(item, session) if item.cancelled else _changed(item, session, room, beside)
        if difference is None:
            unchanged += 1
        else:
            found[difference.change].append(difference)
    found[Change.CANCELLED].extend(_vanished(existing, left, now_ms))
    return Difference(
        event=event,
        added=tuple(found[Change.ADDED]),
        moved=tuple(found[Change.MOVED]),
        changed=tuple(found[Change.CHANGED]),
        cancelled=tuple(found[Change.CANCELLED]),
        unchanged=unchanged,
        left_out=left_out,
        rooms_unknown=tuple(name for name, match in matches.items() if match.room is None),
        warnings=tuple(warnings),
        venue=rooms.venue,
        defaults=defaults,
        rooms_ambiguous={name: match.ambiguous for name, match in matches.items() if match.ambiguous},
    )


def _merged(schedule: Schedule, rooms: dict[str, str | None]) -> Iterable[ScheduleWarning]:
    """Two names for one of our rooms are mostly two spellings, so there is a warning."""
    names: dict[str, list[str]] = {}
    for room in schedule.rooms:
        names.setdefault(rooms[room.name] or "", []).append(room.name)
    for room_id, several in names.items():
        if room_id and len(several) > 1:
            yield ScheduleWarning("one_room", f"{' and '.join(several)} are taken for one room ({room_id}).")


# --- pairs ---------------------------------------------------------------------------------------------------------


def _paired(
    existing: Sequence[Session], items: Sequence[ScheduleItem], rooms: dict[str, str | None]
) -> tuple[list[tuple[ScheduleItem, Session | None]], list[Session]]:
    """Each item with its session, and the other sessions."""
    left = {session.id: session for session in existing}
    by_guid: dict[str, Session] = {}
    by_id: dict[str, Session] = {}
    by_plan: dict[tuple[str, int, str], Session] = {}
    for session in existing:
        # Sessions without a guid are exported with one that follows from their id.
        by_guid.setdefault((session.guid or guid_of("session", session.id)).lower(), session)
        if session.external_id:
            by_id.setdefault(session.external_id, session)
        if not session.guid and not session.external_id:
            by_plan.setdefault((folded(session.title), session.start_ms - session.delay_ms, session.room), session)
    found: dict[int, Session] = {}

    def take(at: int, session: Session | None) -> None:
        if session is not None and session.id in left:
            found[at] = left.pop(session.id)

    for at, item in enumerate(items):
        take(at, by_guid.get(item.guid.lower()) if item.guid else None)
    for at, item in enumerate(items):
        same_id = by_id.get(item.id) if at not in found and item.id else None
        # Two guids mean two sessions, whatever their ids are: ids are used again.
        if same_id is not None and not (item.guid and same_id.guid):
            take(at, same_id)
    for at, item in enumerate(items):
        if at not in found and not item.cancelled:
            take(at, by_plan.get((folded(item.title), item.start_ms, rooms.get(item.room) or "")))
    return [(item, found.get(at)) for at, item in enumerate(items)], list(left.values())


# --- changes -------------------------------------------------------------------------------------------------------


def abstract_of(item: ScheduleItem) -> str:
    """A session has one text: abstract and description, unless one begins with the other."""
    if not item.abstract or item.description.startswith(item.abstract):
        return item.description or item.abstract
    if not item.description:
        return item.abstract
    return f"{item.abstract}\n\n{item.description}"[:TEXT_CHARACTERS]


def planned_times(session: Session) -> tuple[int, int]:
    """(start, end) of the schedule: without people's delays, which a schedule must not undo."""
    start_ms = session.start_ms - session.delay_ms
    return start_ms, start_ms + session.end_ms - session.start_ms + session.shortened_ms


def _added(item: ScheduleItem, room: str | None, beside: tuple[str, ...], defaults: KindDefaults) -> DifferenceItem:
    visibility = item.visibility or defaults.visibility
    consequences: tuple[Consequence, ...] = ()
    if visibility is not Visibility.PUBLIC and item.visibility is None:
        consequences = (Consequence("closed_by_kind", f"A {item.kind.value} is {visibility.value} by default."),)
    return DifferenceItem(f"new:{name_of(item)}", Change.ADDED, None, item, room, (), consequences, beside)


def _cancelled(item: ScheduleItem, session: Session) -> DifferenceItem | None:
    if session.state not in OPEN:
        return None
    fields = (FieldChange("state", session.state, SessionState.CANCELLED),)
    return DifferenceItem(
        session.id,
        Change.CANCELLED,
        session,
        item,
        session.room,
        fields,
        tuple(_liveliness(session, "cancelled", blocks=True)),
    )


def _changed(
    item: ScheduleItem, session: Session, room: str | None, beside: tuple[str, ...] = ()
) -> DifferenceItem | None:
    fields = [*_times(item, session), *_rooms(item, session, room, beside)]
    moved = bool(fields)
    consequences: list[Consequence] = []
    fields.extend(_texts(item, session))
    fields.extend(_privacy(item, session, consequences))
    if session.state is SessionState.CANCELLED:
        fields.append(FieldChange("state", session.state, SessionState.SCHEDULED))
        consequences.append(
            Consequence(
                "cancelled_here", "It was cancelled here, but the schedule has it: it would take place again.", True
            )
        )
    if not fields:
        return None
    names = {change.name for change in fields}
    if moved:
        if names & {"start_ms", "end_ms", "room"}:
            consequences.extend(_liveliness(session, "moved", blocks="room" in names))
    elif names & (_PRIVACY | {"kind"}):
        consequences.extend(_liveliness(session, "shown or recorded differently"))
    if names & {"start_ms", "end_ms"}:
        consequences.extend(_by_hand(session))
    if session.state is SessionState.ENDED and names & _PRIVACY:
        consequences.append(Consequence("has_ended", "It is over: the change affects who may see its replay."))
    change = Change.MOVED if moved else Change.CHANGED
    return DifferenceItem(session.id, change, session, item, room or session.room, tuple(fields), tuple(consequences))


def _rooms(item: ScheduleItem, session: Session, room: str | None, beside: tuple[str, ...]) -> Iterable[FieldChange]:
    """A schedule that names no room takes none away: somebody may have given it here. Which of its rooms carries a
    session is not changed either while the schedule has all of them."""
    if not room or session.state is SessionState.ENDED:
        return
    told = {room, *beside}
    if session.room not in told:
        yield FieldChange("room", session.room, room)
    else:
        room = session.room
    if "also_in" not in item.unsaid or session.room != room:
        others = tuple(name for name in dict.fromkeys((*beside, *sorted(told))) if name != room)
        if set(others) != set(session.also_in):
            yield FieldChange("also_in", session.also_in, others)


def _times(item: ScheduleItem, session: Session) -> Iterable[FieldChange]:
    """Past sessions keep their times. A schedule that now has a delay that was given here moves nothing."""
    if session.state is SessionState.ENDED:
        return
    start_ms, end_ms = planned_times(session)
    if (item.start_ms, item.end_ms) in ((start_ms, end_ms), (session.start_ms, session.end_ms)):
        return
    if item.start_ms != start_ms:
        yield FieldChange("start_ms", start_ms, item.start_ms)
    if item.end_ms != end_ms:
        yield FieldChange("end_ms", end_ms, item.end_ms)


def _texts(item: ScheduleItem, session: Session) -> Iterable[FieldChange]:
    unsaid = item.unsaid
    values: dict[str, Any] = {name: getattr(item, name) for name in _COPIED if name not in unsaid}
    if "abstract" not in unsaid or ("description" not in unsaid and item.description):
        values["abstract"] = abstract_of(item)
    if item.guid and not session.guid:
        values["guid"] = item.guid
    if item.id and not session.external_id:
        values["external_id"] = item.id
    if "portraits" not in unsaid:
        values["portraits"] = portraits_of(item, session.portraits)
    for name, value in values.items():
        old = getattr(session, name)
        if value != old:
            yield FieldChange(name, old, value)


def portraits_of(item: ScheduleItem, kept: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The schedule's pictures; those that somebody uploaded here stay."""
    ours = {name: address for name, address in kept if address.startswith("/")}
    found = dict(item.portraits) | {name: address for name, address in ours.items() if name in item.speakers}
    return tuple((name, found[name]) for name in item.speakers if name in found)


_COPIED = ("title", "subtitle", "speakers", "language", "track", "kind", "tags", "url")


def _privacy(item: ScheduleItem, session: Session, consequences: list[Consequence]) -> Iterable[FieldChange]:
    """Stricter at once, looser only with an agreement. A kind that is closed by default closes the session; an open
    kind opens nothing."""
    new: dict[str, Any] = {}
    for name in ("do_not_record", "do_not_stream"):
        if name not in item.unsaid:
            new[name] = getattr(item, name)
    by_kind = KIND_DEFAULTS[item.kind].visibility
    if item.visibility is not None:
        new["visibility"] = item.visibility
    elif "kind" not in item.unsaid and item.kind is not session.kind:
        if _CLOSEDNESS[by_kind] > _CLOSEDNESS[session.visibility]:
            new["visibility"] = by_kind
        elif _CLOSEDNESS[by_kind] < _CLOSEDNESS[session.visibility]:
            consequences.append(Consequence("stays_closed", f"It stays {session.visibility.value}."))
    for name, value in new.items():
        old = getattr(session, name)
        if value == old:
            continue
        order: dict[Any, int] = _CLOSEDNESS if name == "visibility" else _STRICTNESS
        if order[value] < order[old]:
            consequences.append(
                Consequence("less_private", f"{name} was {old.value} and would be {value.value}.", True)
            )
        yield FieldChange(name, old, value)


def _liveliness(session: Session, what: str, *, blocks: bool = False) -> Iterable[Consequence]:
    """``blocks``: the change is impossible for a session that is on air."""
    if session.running and blocks:
        yield Consequence("on_air", f"It is on air: it can be {what} only when somebody has ended it.", True, True)
    elif session.running:
        yield Consequence("on_air", f"It is on air and would be {what}.", True)
    elif session.state is SessionState.ARMED:
        yield Consequence("armed", f"It is about to begin and would be {what}.", True)


def _by_hand(session: Session) -> Iterable[Consequence]:
    if session.delay_ms or session.shortened_ms:
        minutes = round(session.delay_ms / 60_000)
        yield Consequence("delayed_by_hand", f"Somebody delayed it by {minutes} minutes: that would be undone.", True)
    if session.extended_until_ms is not None:
        yield Consequence("extended_by_hand", "Somebody extended it: that would be undone.", True)


def _vanished(existing: Sequence[Session], left: Sequence[Session], now_ms: int | None) -> Iterable[DifferenceItem]:
    """Sessions that came from a schedule and are no longer in it. Sessions that were planned here by hand stay."""

    def to_come(session: Session) -> bool:
        imported = bool(session.guid or session.external_id) and not session.ad_hoc
        return imported and session.state in OPEN and (session.running or now_ms is None or session.end_ms > now_ms)

    gone = [session for session in left if to_come(session)]
    many = len(gone) >= MANY and 2 * len(gone) > sum(map(to_come, existing))
    for session in gone:
        consequences = list(_liveliness(session, "cancelled", blocks=True))
        if many:
            consequences.append(
                Consequence("many_vanish", "More than half of the future sessions are missing from the schedule.", True)
            )
        fields = (FieldChange("state", session.state, SessionState.CANCELLED),)
        yield DifferenceItem(session.id, Change.CANCELLED, session, None, session.room, fields, tuple(consequences))
