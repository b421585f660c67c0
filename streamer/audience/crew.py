"""Moderators among themselves: their chat, claims of work, and undo. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from streamer.audience import images
from streamer.audience.action_log import LINE_CHARACTERS, LoggedAction, acted
from streamer.audience.audience_scope import AudienceScope
from streamer.audience.chapters import with_chapters
from streamer.audience.command import ClientMessage, CountedCommand, Decision, Ident, Situation, StoredCommand, no_such
from streamer.audience.people import Crew
from streamer.audience.state import Change, Put, ScopeState
from streamer.audience.texts import checked
from streamer.audience.views import moment
from streamer.conference.grants import Action
from streamer.conference.participation import CrewMessage
from streamer.errors import Conflict

CREW_MESSAGE_KINDS = frozenset({"crew.say", "stage.cue"})
"""The kinds of actions that are messages of the crew."""


class CrewSay(ClientMessage, frozen=True):
    text: str
    to: Literal["crew", "stage"] = "crew"


class Claim(ClientMessage, frozen=True):
    """*I am working on this*: told to the other moderators; it ends by itself after half a minute."""

    id: Ident
    on: bool = True


class Undo(ClientMessage, frozen=True):
    """Undoes an action; a second undo changes nothing."""

    action: Ident


class OwnLineUndo(Undo, frozen=True):
    """Only for the sender's own message to the crew. Studios use it, because their ``undo`` undoes a room's actions
    first."""


def _say(_state: ScopeState, who: Crew, command: CrewSay, at: Situation) -> Decision:
    text = checked(command.text, LINE_CHARACTERS)
    message = CrewMessage(at.new_id(), at.scope.room, at.scope.key, command.to, who.id, who.label, text, at.now_ms)
    kind = "crew.say" if command.to == "crew" else "stage.cue"
    return acted(None, who, at, LoggedAction(kind, message.id), [Put(None, message)], {"id": message.id})


def _undo(state: ScopeState, who: Crew, command: Undo, at: Situation) -> Decision:
    action = state.actions.get(command.action)
    own = action is not None and action.who == who.id and action.kind in CREW_MESSAGE_KINDS
    if action is None or (isinstance(command, OwnLineUndo) and not own):
        raise no_such("action")
    if action.undone_ms is not None:
        return Decision(answer={"undone": action.id})
    if not action.changes:
        raise Conflict("This cannot be taken back.", code="not_undoable")
    changes: list[Change] = list(images.restored(state, action.changes))
    marked = replace(action, undone_ms=at.now_ms, undone_by=who.label or who.id)
    changes = [*with_chapters(changes), Put(action, marked)]
    return Decision(tuple(changes), {"undone": action.id})


def _claim(scope: AudienceScope, who: Crew, command: Claim, now_ms: int) -> Decision:
    until_ms = scope.tallies.claim(command.id, who.id, who.label, now_ms, command.on)
    data = {"id": command.id, "by": who.label if command.on else None, "until": moment(until_ms)}
    return Decision(answer=data, event=("claim", data))


OWN_LINE_UNDO = StoredCommand("undo", OwnLineUndo, _undo, action=Action.ROOM_CREW)
COMMANDS = (
    CountedCommand("claim", Claim, _claim, action=Action.CHAT_MODERATE),
    StoredCommand("crew.say", CrewSay, _say, action=Action.CHAT_MODERATE),
    StoredCommand("undo", Undo, _undo, action=Action.CHAT_MODERATE),
)
