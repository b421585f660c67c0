"""The part of a schedule that may be applied with somebody's rights: each session and each new room is checked as over
REST. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from streamer.conference.grants import Action, Grant, Target, may_plan_in
from streamer.conference.rooms import Room
from streamer.conference.sessions import Event
from streamer.schedules.compare import Change, Consequence, Difference, DifferenceItem

NOT_ALLOWED = "not_allowed"
"""The code of the consequence that blocks an item."""

_ACTIONS = {
    Change.ADDED: Action.SESSION_CREATE,
    Change.MOVED: Action.SESSION_CHANGE,
    Change.CHANGED: Action.SESSION_CHANGE,
    Change.CANCELLED: Action.SESSION_CANCEL,
}


ROOM_ELSEWHERE = "The room is another venue's than the event's."
ROOM_NOT_MADE = "There is no such room, and the rights of whoever imports do not reach to make it."


def may_make_rooms(holder: Grant, venue: str | None) -> bool:
    return holder.allows(Action.ROOM_CREATE, Target(venue=venue))


def limited(
    difference: Difference, holder: Grant, event: Event, rooms: Mapping[str, Room], refused_rooms: Mapping[str, str]
) -> Difference:
    """``difference`` with the items blocked that ``holder`` may not apply. ``rooms``: by id; ``refused_rooms``: the
    schedule's names of rooms that sessions cannot be in -> the reason."""

    def checked(items: tuple[DifferenceItem, ...]) -> tuple[DifferenceItem, ...]:
        return tuple(_checked(item, holder, event, rooms, refused_rooms) for item in items)

    return replace(
        difference,
        added=checked(difference.added),
        moved=checked(difference.moved),
        changed=checked(difference.changed),
        cancelled=checked(difference.cancelled),
    )


def _checked(
    item: DifferenceItem, holder: Grant, event: Event, rooms: Mapping[str, Room], refused_rooms: Mapping[str, str]
) -> DifferenceItem:
    reason = _refusal(item, holder, event, rooms, refused_rooms)
    if reason is None:
        return item
    return replace(item, consequences=(*item.consequences, Consequence(NOT_ALLOWED, reason, blocks=True)))


def _refusal(
    item: DifferenceItem, holder: Grant, event: Event, rooms: Mapping[str, Room], refused_rooms: Mapping[str, str]
) -> str | None:
    """The reason why ``holder`` may not apply the item; None if they may."""
    actions = {_ACTIONS[item.change]}
    if item.change is not Change.CANCELLED and any(field.name == "state" for field in item.fields):
        # A cancelled session would take place again.
        actions.add(Action.SESSION_CANCEL)
    session = item.session
    if item.room is None:
        return None if item.item is None else refused_rooms.get(item.item.room)
    for name in {item.room, item.room if session is None else session.room}:
        room = rooms.get(name)
        target = Target(
            room=name or None,
            venue=room.venue if room is not None else event.venue if not name else None,
            event=event.id,
            session=None if session is None else session.id,
        )
        for action in actions:
            if not holder.allows(action, target):
                return f"The rights of whoever imports do not reach this session ({action.value})."
    told = {item.room, *item.also_in, *(name for field in item.fields if field.name == "also_in" for name in field.new)}
    for name in sorted(told - {"", *(() if session is None else session.rooms)}):
        room = rooms[name]
        if not may_plan_in(holder, Target(room=room.id, venue=room.venue), event.venue):
            return f"The rights of whoever imports do not reach the room {room.id}."
    return None
