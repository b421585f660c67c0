"""Moderators' changes with their values before and after, as JSON objects in the action log, and their undo. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

import msgspec

from streamer.audience.state import Item, Put, ScopeState
from streamer.conference.participation import (
    AddressHold,
    CrewMessage,
    Message,
    Mode,
    Notice,
    Poll,
    Question,
    QuestionState,
    Report,
    Sanction,
)
from streamer.errors import Conflict

KINDS: Mapping[str, type[Any]] = {
    "message": Message,
    "question": Question,
    "poll": Poll,
    "mode": Mode,
    "sanction": Sanction,
    "hold": AddressHold,
    "report": Report,
    "line": CrewMessage,
    "notice": Notice,
}
T = TypeVar("T")

_NAMES = {kind: name for name, kind in KINDS.items()}


def image(put: Put) -> dict[str, Any]:
    """The image of a change. An item that did not exist has the image of its absence."""
    before = put.before if put.before is not None else absent(put.after)
    return {
        "kind": _NAMES[type(put.after)],
        "before": msgspec.to_builtins(before),
        "after": msgspec.to_builtins(put.after),
    }


def read(entry: Mapping[str, Any]) -> tuple[Any, Any]:
    """(before, after) of an image. Raises msgspec.ValidationError for one of another version."""
    kind = KINDS[entry["kind"]]
    return msgspec.convert(entry["before"], kind), msgspec.convert(entry["after"], kind)


def absent(item: Item) -> Item:
    """The item as if it had never been made: nobody sees it and it has no effect."""
    match item:
        case Question():
            return replace(item, state=QuestionState.DISMISSED)
        case Poll() | Notice() | CrewMessage():
            return replace(item, removed=True)
        case Sanction():
            return replace(item, banned=False, muted_until_ms=0)
        case AddressHold():
            return replace(item, until_ms=0)
        case _:
            return item


def restored(state: ScopeState, changes: Iterable[Mapping[str, Any]]) -> list[Put]:
    """Raises Conflict ``superseded`` if a changed item has been changed again since, or is gone."""
    puts = []
    # In reverse order: of two notices the earlier one must be there in the end.
    for entry in reversed(list(changes)):
        before, after = read(entry)
        now = _now(state, after)
        if now is None:
            raise Conflict("The changed item is gone.", code="superseded")
        back = _undone(before, after, now)
        if back != now:
            puts.append(Put(now, back))
    return puts


def _now(state: ScopeState, after: Any) -> Any:
    match after:
        case Message():
            return state.messages.get(after.id)
        case Question():
            return state.questions.get(after.id)
        case Poll():
            return state.polls.get(after.id)
        case Mode():
            return state.mode
        case Sanction():
            # A sanction that is over is not kept in memory; its image has its values.
            return state.sanctions.get(after.participant, after)
        case AddressHold():
            return state.holds.get(after.prefix, after)
        case Report():
            return state.reports.get(after.id, after)
        case CrewMessage():
            return state.crew_messages.get(after.id, after)
        case Notice():
            return state.notice if state.notice is not None and state.notice.id == after.id else after
        case _:
            return None


def _undone(before: T, after: T, now: T) -> T:
    """``now`` with the old values of ``before`` in the fields that the change to ``after`` touched.

    Raises Conflict ``superseded`` where somebody has changed one of them since.
    """
    assert is_dataclass(now)
    back: dict[str, Any] = {}
    for field in fields(now):
        old, new = getattr(before, field.name), getattr(after, field.name)
        if old == new:
            continue
        if getattr(now, field.name) != new:
            raise Conflict("It has been changed again since.", code="superseded")
        back[field.name] = old
    return replace(now, **back)  # type: ignore[type-var]
