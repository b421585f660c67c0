"""An action that somebody asks for, and its result. Values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from streamer.conference.sessions import Session
from streamer.director.news import Actor
from streamer.store.actions import StoredAction
from streamer.store.answers import Once


@dataclass(frozen=True, slots=True)
class Tapped:
    """The result of an action. ``action`` is its id for undo; None: nothing changed. ``sessions`` are the changed
    ones."""

    action: str | None
    sessions: tuple[Session, ...] = ()


@dataclass(frozen=True, slots=True)
class ActionRequest:
    """An action that is asked for. ``undone``: the action that it takes back. ``once``: see :meth:`Director.run`."""

    kind: str
    session: str | None
    actor: Actor
    now_ms: int
    once: Once | None
    undone: str | None = None


@dataclass(frozen=True, slots=True)
class Recent:
    """Somebody's action, and whether it can be undone now."""

    action: StoredAction
    undoable: bool


def answer_of(action: str | None, about: str | None, sessions: Sequence[Session]) -> dict[str, Any]:
    """No more than ids: a repeat is told the sessions as they are then, to whom may see them then."""
    return {"action": action, "session": about, "sessions": [session.id for session in sessions]}
