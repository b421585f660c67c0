"""Mutes, bans and notes about people. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from msgspec import Meta

from streamer.audience.action_log import LINE_CHARACTERS, LoggedAction, acted, action_of, reason_of
from streamer.audience.command import ClientMessage, Decision, Ident, LongText, Situation, StoredCommand
from streamer.audience.people import Crew
from streamer.audience.reports import settled
from streamer.audience.state import Change, Put, ScopeState
from streamer.audience.texts import checked
from streamer.audience.views import moment_or_none
from streamer.conference.grants import Action
from streamer.conference.participation import AddressHold, Message, MessageState, Question, QuestionState, Sanction
from streamer.errors import Forbidden, NotFound, Unprocessable

LONGEST_MUTE_S = 30 * 86_400
REMOVE_BACK_MS = 15 * 60_000
"""Removing *what they wrote lately* covers this time."""
SEEN = frozenset({MessageState.VISIBLE, MessageState.DELAYED, MessageState.HELD})


class Mute(ClientMessage, frozen=True):
    """``id``: a participant's id, or the id of something that they wrote. ``seconds`` 0 ends the mute."""

    id: Ident
    seconds: Annotated[int, Meta(ge=0, le=31 * 86_400)]
    reason: LongText = ""
    remove: bool = False
    """Whether their latest messages and questions are removed, too."""


class Ban(ClientMessage, frozen=True):
    id: Ident
    reason: LongText = ""
    remove: bool = False


class Unban(ClientMessage, frozen=True):
    id: Ident


class NoteAdd(ClientMessage, frozen=True):
    """A note on a participant's card."""

    id: Ident
    text: str


def participant_of(state: ScopeState, named: str, at: Situation) -> str:
    """A participant by id, or as the author of a message or question. Raises NotFound ``no_such_participant``."""
    message, question = state.messages.get(named), state.questions.get(named)
    if message is not None:
        return message.participant
    if question is not None and question.participant is not None:
        return question.participant
    wrote = any(m.participant == named for m in state.messages.values()) or any(
        q.participant == named for q in state.questions.values()
    )
    if named in at.connected or named in state.people or named in state.sanctions or wrote:
        return named
    raise NotFound("There is no such participant.", code="no_such_participant")


def _sanction(state: ScopeState, who: Crew, command: Mute | Ban | Unban, at: Situation) -> Decision:
    participant = participant_of(state, command.id, at)
    if participant in at.crew_ids and not isinstance(command, Unban):
        raise Forbidden("This participant belongs to the crew.", code="forbidden")
    before = state.sanctions.get(participant)
    now = before or Sanction(at.scope.room, at.scope.key, participant)
    name = now.name or state.name_of(participant)
    changes: list[Change] = []
    remove, reason = False, ""
    if isinstance(command, Mute):
        if command.seconds > LONGEST_MUTE_S:
            raise Unprocessable("The time is too long.", code="invalid", details={"field": "seconds"})
        until_ms = at.now_ms + command.seconds * 1000 if command.seconds else 0
        reason, remove, kind = reason_of(command.reason), command.remove, "participant.mute"
        after = replace(now, muted_until_ms=until_ms, reason=reason, name=name, since_ms=at.now_ms)
    elif isinstance(command, Ban):
        reason, remove, kind = reason_of(command.reason), command.remove, "participant.ban"
        after = replace(now, banned=True, reason=reason, name=name, since_ms=at.now_ms)
        changes += _holds(state, participant, at)
    else:
        kind = "participant.unban"
        after = replace(now, banned=False, muted_until_ms=0)
    if after != now:
        changes.insert(0, Put(before, after))
    if remove:
        changes += _removed(state, participant, reason, at)
    told: dict[str, Any] = {"participant": participant, "muted_until": moment_or_none(after.muted_until_ms or None)}
    told["banned"] = after.banned
    return acted(state, who, at, LoggedAction(kind, participant, participant, reason), changes, told)


def _removed(state: ScopeState, participant: str, reason: str, at: Situation) -> list[Change]:
    """Removes their latest messages and waiting questions, and settles the reports of these."""
    since_ms = at.now_ms - REMOVE_BACK_MS
    found: list[Put] = [
        Put(message, replace(message, state=MessageState.DELETED, reason=reason, until_ms=None))
        for message in state.messages.values()
        if message.participant == participant and message.at_ms >= since_ms and message.state in SEEN
    ]
    found += [
        Put(question, replace(question, state=QuestionState.DISMISSED, reason=reason))
        for question in state.questions.values()
        if question.participant == participant
        and question.at_ms >= since_ms
        and question.state in (QuestionState.PENDING, QuestionState.APPROVED)
        and question.merged_into is None
        and not question.withdrawn
    ]
    gone = [put.after.id for put in found if isinstance(put.after, Message | Question)]
    return [*found, *settled(state, gone, at)]


def _holds(state: ScopeState, participant: str, at: Situation) -> list[Put]:
    minutes = at.settings.address_hold_minutes
    if not minutes:
        return []
    until_ms = at.now_ms + minutes * 60_000
    found = []
    for prefix in at.prefixes_of(participant):
        before = state.holds.get(prefix)
        # A person who came after the first ban is still new at the second.
        since_ms = before.since_ms if before is not None and before.until_ms > at.now_ms else at.now_ms
        found.append(Put(before, AddressHold(at.scope.room, at.scope.key, prefix, since_ms, until_ms, participant)))
    return found


def _note(state: ScopeState, who: Crew, command: NoteAdd, at: Situation) -> Decision:
    participant = participant_of(state, command.id, at)
    text = checked(command.text, LINE_CHARACTERS)
    action = action_of(state, who, at, LoggedAction("participant.note", participant, participant, text))
    return Decision((Put(None, action),), {"participant": participant}, action)


def _named(command: Mute | Ban | Unban | NoteAdd) -> tuple[str, ...]:
    return (command.id,)


_RIGHT = Action.CHAT_MODERATE
COMMANDS = (
    StoredCommand("participant.mute", Mute, _sanction, action=_RIGHT, messages=_named),
    StoredCommand("participant.ban", Ban, _sanction, action=_RIGHT, messages=_named),
    StoredCommand("participant.unban", Unban, _sanction, action=_RIGHT, messages=_named),
    StoredCommand("participant.note", NoteAdd, _note, action=_RIGHT, messages=_named),
)
