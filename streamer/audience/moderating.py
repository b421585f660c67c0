"""What a moderator's command does: from a state, a command and a moment to changes, with what undo needs. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from streamer.audience import images, moderating_people, moderating_questions, polls
from streamer.audience.action_log import LINE_CHARACTERS, Deed, acted, reason_of, settled
from streamer.audience.chapters import with_chapters
from streamer.audience.commands import (
    Ban,
    ChatApprove,
    ChatDelete,
    CrewSay,
    Moderating,
    ModeSet,
    Mute,
    NoteAdd,
    NoticeSet,
    PollClose,
    PollOpen,
    QuestionAdd,
    QuestionCarry,
    QuestionEdit,
    QuestionMerge,
    QuestionMove,
    ReportResolve,
    Unban,
    Undo,
)
from streamer.audience.moderation import checked_networks
from streamer.audience.participant_rules import Decision, Situation, no_such
from streamer.audience.people import Crew
from streamer.audience.state import Change, Put, ScopeState
from streamer.audience.texts import checked, shortened
from streamer.conference.participation import (
    CrewLine,
    Message,
    MessageState,
    Notice,
    Poll,
)
from streamer.errors import Conflict, Unprocessable

MOST_WORDS = 500
TO = ("crew", "stage")
LINES = frozenset({"crew.say", "stage.cue"})
"""The kinds of actions that are lines of the crew's."""


def moderate(state: ScopeState, who: Crew, command: Moderating, at: Situation) -> Decision:
    """Raises StreamerError; nothing has changed then. An action that changes nothing is none."""
    match command:
        case ChatDelete():
            return _move_messages(state, who, "chat.delete", command.ids, MessageState.DELETED, command.reason, at)
        case ChatApprove():
            return _move_messages(state, who, "chat.approve", command.ids, MessageState.VISIBLE, "", at)
        case Mute() | Ban() | Unban():
            return moderating_people.sanction(state, who, command, at)
        case NoteAdd():
            return moderating_people.note(state, who, command, at)
        case QuestionAdd():
            return moderating_questions.add(who, command, at)
        case QuestionMove():
            return moderating_questions.move(state, who, command, at)
        case QuestionEdit():
            return moderating_questions.edit(state, who, command, at)
        case QuestionMerge():
            return moderating_questions.merge(state, who, command, at)
        case QuestionCarry():
            return moderating_questions.carry(state, who, command, at)
        case PollOpen():
            return _open_poll(state, who, command, at)
        case PollClose():
            return _close_poll(state, who, command, at)
        case ModeSet():
            return _set_mode(state, who, command, at)
        case NoticeSet():
            return _notice(state, who, command, at)
        case ReportResolve():
            return _resolve(state, who, command, at)
        case CrewSay():
            return _say(who, command, at)
        case Undo():
            return _undo(state, who, command, at)
        case _:
            raise Unprocessable("This is not stored.", code="invalid")


# --- chat -------------------------------------------------------------------------------------------


def _move_messages(
    state: ScopeState,
    who: Crew,
    kind: str,
    ids: Sequence[str],
    to: MessageState,
    reason: str,
    at: Situation,
) -> Decision:
    changes: list[Change] = []
    found = [_message(state, one) for one in dict.fromkeys(ids)]
    for message in found:
        if message.state is MessageState.WITHDRAWN and to is MessageState.VISIBLE:
            raise Conflict("Its author has taken it back.", code="wrong_state")
        if message.state is to or message.state is MessageState.WITHDRAWN:
            continue
        why = reason_of(reason) if to is MessageState.DELETED else message.reason
        changes.append(Put(message, replace(message, state=to, reason=why, until_ms=None)))
    if to is MessageState.DELETED:
        changes += settled(state, ids, at)
    authors = {message.participant for message in found}
    about = next(iter(authors)) if len(authors) == 1 else None
    return acted(state, who, at, Deed(kind, " ".join(ids), about, reason_of(reason)), changes, {"ids": list(ids)})


def _message(state: ScopeState, message_id: str) -> Message:
    message = state.messages.get(message_id)
    if message is None:
        raise no_such("message")
    return message


# --- polls ------------------------------------------------------------------------------------------


def _open_poll(state: ScopeState, who: Crew, command: PollOpen, at: Situation) -> Decision:
    poll = Poll(
        id=at.new_id(),
        room=at.scope.room,
        scope=at.scope.key,
        session=state.focus.session,
        kind=command.kind,
        question=checked(command.question, at.settings.question_characters),
        options=polls.checked_options(command.options),
        at_ms=at.now_ms,
        media_at_ms=at.now_ms,
        results_at_end=command.results_at_end,
    )
    return acted(state, who, at, Deed("poll.open", poll.id), [Put(None, poll)], {"id": poll.id})


def _close_poll(state: ScopeState, who: Crew, command: PollClose, at: Situation) -> Decision:
    poll = state.polls.get(command.id)
    if poll is None or poll.removed:
        raise no_such("poll")
    changes: list[Change] = [Put(poll, replace(poll, closed_ms=at.now_ms))] if poll.open else []
    return acted(state, who, at, Deed("poll.close", poll.id), changes, {"id": poll.id})


# --- the room ---------------------------------------------------------------------------------------


def _set_mode(state: ScopeState, who: Crew, command: ModeSet, at: Situation) -> Decision:
    before = state.mode
    given = {name: value for name in ModeSet.__slots__ if (value := getattr(command, name)) is not None}
    if not 1 <= given.get("slow_seconds", 1) <= 3600 or not 0 <= given.get("hold_seconds", 0) <= 60:
        raise Unprocessable("Slow mode takes 1 to 3600 s, a hold up to 60 s.", code="invalid")
    if "networks" in given:
        given["networks"] = checked_networks(given["networks"])
    if "words" in given:
        words = tuple(dict.fromkeys(word for text in given["words"] if (word := shortened(text, 100))))
        if len(words) > MOST_WORDS:
            raise Unprocessable(f"No more than {MOST_WORDS} words.", code="invalid", details={"field": "words"})
        given["words"] = words
    after = replace(before, **given)
    changes: list[Change] = [Put(before, after)] if after != before else []
    what = " ".join(f"{name}={_plain(value)}" for name, value in given.items() if name not in ("words", "networks"))
    return acted(state, who, at, Deed("room.mode", what), changes, {})


def _notice(state: ScopeState, who: Crew, command: NoticeSet, at: Situation) -> Decision:
    before = state.notice
    if not command.text.strip():
        gone: list[Change] = []
        if before is not None and not before.removed:
            gone.append(Put(before, replace(before, removed=True)))
        return acted(state, who, at, Deed("notice"), gone, {})
    text = checked(command.text, LINE_CHARACTERS)
    until_ms = None if command.seconds is None else at.now_ms + command.seconds * 1000
    notice = Notice(at.new_id(), at.scope.room, at.scope.key, text, at.now_ms, until_ms)
    changes: list[Change] = [Put(None, notice)]
    if before is not None and not before.removed:
        changes.insert(0, Put(before, replace(before, removed=True)))
    return acted(state, who, at, Deed("notice", notice.id), changes, {"id": notice.id})


def _resolve(state: ScopeState, who: Crew, command: ReportResolve, at: Situation) -> Decision:
    found = [r for r in state.reports.values() if command.id in (r.item, r.id)]
    items = {report.item for report in found}
    changes: list[Change] = [
        Put(report, replace(report, resolved_ms=at.now_ms)) for report in state.reports.values() if report.item in items
    ]
    return acted(state, who, at, Deed("report.resolve", command.id), changes, {"id": command.id})


def _say(who: Crew, command: CrewSay, at: Situation) -> Decision:
    if command.to not in TO:
        raise Unprocessable("To the crew or to the stage.", code="invalid", details={"field": "to"})
    text = checked(command.text, LINE_CHARACTERS)
    line = CrewLine(at.new_id(), at.scope.room, at.scope.key, command.to, who.id, who.label, text, at.now_ms)
    kind = "crew.say" if command.to == "crew" else "stage.cue"
    return acted(None, who, at, Deed(kind, line.id), [Put(None, line)], {"id": line.id})


# --- the log ----------------------------------------------------------------------------------------


def _undo(state: ScopeState, who: Crew, command: Undo, at: Situation) -> Decision:
    action = state.actions.get(command.action)
    if action is None or (command.own and (action.who != who.id or action.kind not in LINES)):
        raise no_such("action")
    if action.undone_ms is not None:
        return Decision(data={"undone": action.id})
    if not action.changes:
        raise Conflict("This cannot be taken back.", code="not_undoable")
    changes: list[Change] = list(images.restored(state, action.changes))
    marked = replace(action, undone_ms=at.now_ms, undone_by=who.label or who.id)
    changes = [*with_chapters(changes), Put(action, marked)]
    return Decision(tuple(changes), {"undone": action.id})


def _plain(value: Any) -> str:
    return str(getattr(value, "value", value))
