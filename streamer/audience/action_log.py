"""Entries of the action log, and the common parts of the moderators' commands. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from streamer.audience import images
from streamer.audience.chapters import with_chapters
from streamer.audience.command import Decision, Situation
from streamer.audience.people import Crew
from streamer.audience.state import Change, Put, ScopeState
from streamer.audience.texts import REASON_CHARACTERS, shortened
from streamer.conference.participation import ModerationAction

LINE_CHARACTERS = 500
"""The longest notice, note, or line to the crew or the stage."""
TARGET_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class LoggedAction:
    """The words of the action log about one action."""

    kind: str
    """The command's name, or its purpose for readers of the log."""
    target: str = ""
    """Ids with spaces between them, or the new value."""
    about: str | None = None
    """The participant that the action concerns, if there is one."""
    reason: str = ""


def acted(
    state: ScopeState | None,
    who: Crew,
    at: Situation,
    logged: LoggedAction,
    changes: list[Change],
    answer: Mapping[str, Any],
) -> Decision:
    """The changes, their chapters, and an entry in the action log with the images for undo; without changes no entry.

    ``state`` is None if the entry belongs to no session; ``answer`` is the data of the command's answer.
    """
    if not changes:
        return Decision(answer=dict(answer))
    puts = [change for change in changes if isinstance(change, Put)]
    action = action_of(state, who, at, logged, puts)
    return Decision((*with_chapters(changes), Put(None, action)), dict(answer), action)


def action_of(
    state: ScopeState | None, who: Crew, at: Situation, logged: LoggedAction, puts: Sequence[Put] = ()
) -> ModerationAction:
    return ModerationAction(
        id=at.new_id(),
        room=at.scope.room,
        scope=at.scope.key,
        session=None if state is None else state.focus.session,
        at_ms=at.now_ms,
        who=who.id,
        label=who.label,
        kind=logged.kind,
        target=logged.target[:TARGET_CHARACTERS],
        participant=logged.about,
        reason=logged.reason,
        changes=tuple(images.image(put) for put in puts),
    )


def reason_of(text: str) -> str:
    return shortened(text, REASON_CHARACTERS)
