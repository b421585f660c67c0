"""Turns a difference into sessions to write. Pure; ids and keys come from the caller."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any, Literal

from streamer.conference.session_keys import with_generation
from streamer.conference.sessions import Session
from streamer.schedules.compare import Change, Difference, DifferenceItem, abstract_of

_TOLD = frozenset(
    {"room", "also_in", "title", "start_ms", "end_ms", "speakers", "language", "subtitle", "url", "track", "state"}
)
"""Changes that an attendee's calendar should learn of."""


@dataclass(frozen=True, slots=True)
class Applied:
    new: tuple[Session, ...] = ()
    changed: tuple[Session, ...] = ()
    waiting: tuple[DifferenceItem, ...] = ()
    """Items that need an agreement and have none, are blocked, or are in a room that nobody knows."""


def apply(
    difference: Difference,
    accept: Collection[str] | Literal["all"] = (),
    *,
    new_id: Callable[[], str],
    now_ms: int,
    leave: Collection[str] = (),
) -> Applied:
    """``accept``: keys of the items that somebody agreed to. ``leave``: keys of items that must not be applied.
    ``new_id`` makes a session's id, which cannot be guessed."""
    new: list[Session] = []
    changed: list[Session] = []
    waiting: list[DifferenceItem] = []
    for item in difference.items:
        if item.key in leave:
            continue
        if item.blocked or (item.needs_yes and accept != "all" and item.key not in accept):
            waiting.append(item)
        elif item.change is Change.ADDED:
            new.append(_new(difference, item, new_id()))
        else:
            changed.append(_changed(item, now_ms))
    return Applied(tuple(new), tuple(changed), tuple(waiting))


def _new(whole: Difference, difference: DifferenceItem, session_id: str) -> Session:
    item, room = difference.item, difference.room
    if item is None or room is None:
        raise ValueError("an added session has an item, and no unknown room")
    defaults = whole.defaults[item.kind]
    visibility = item.visibility or defaults.visibility
    return Session(
        id=session_id,
        room=room,
        title=item.title,
        start_ms=item.start_ms,
        end_ms=item.end_ms,
        kind=item.kind,
        event=whole.event,
        venue=None if room else whole.venue,
        also_in=tuple(name for name in dict.fromkeys(difference.also_in) if name != room),
        subtitle=item.subtitle,
        abstract=abstract_of(item),
        speakers=item.speakers,
        portraits=item.portraits,
        language=item.language,
        tags=item.tags,
        track=item.track,
        url=item.url,
        visibility=visibility,
        do_not_record=defaults.do_not_record if "do_not_record" in item.unsaid else item.do_not_record,
        do_not_stream=defaults.do_not_stream if "do_not_stream" in item.unsaid else item.do_not_stream,
        replay=defaults.replay,
        chat=defaults.chat,
        questions=defaults.questions,
        guid=item.guid,
        external_id=item.id,
        sequence=item.sequence,
    )


def _changed(difference: DifferenceItem, now_ms: int) -> Session:
    session = difference.session
    if session is None:
        raise ValueError("a changed session is there")
    values: dict[str, Any] = {field.name: field.new for field in difference.fields}
    if "start_ms" in values or "end_ms" in values:
        item = difference.item
        if item is None:
            raise ValueError("a moved session is in the schedule")
        # Start and end are the schedule's again, so people's changes of the old ones no longer count.
        values.update(start_ms=item.start_ms, end_ms=item.end_ms, delay_ms=0, shortened_ms=0, extended_until_ms=None)
    if values.get("room"):
        values["venue"] = None
    if "state" in values:
        values["changed_ms"] = now_ms
    if _TOLD & values.keys():
        item_sequence = difference.item.sequence if difference.item is not None else 0
        values["sequence"] = max(session.sequence + 1, item_sequence)
    return with_generation(session, replace(session, **values))
