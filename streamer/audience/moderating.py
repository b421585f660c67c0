"""What a moderator's command does: from a state, a command and a moment to changes, with what undo needs. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from streamer.audience import images, polls, questions
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
from streamer.audience.deciding import Decision, Situation, no_such
from streamer.audience.moderation import LONGEST_MUTE_S, REMOVE_BACK_MS, checked_networks
from streamer.audience.people import Crew
from streamer.audience.scope import session_at
from streamer.audience.state import Change, Put, ScopeState
from streamer.audience.texts import NAME_CHARACTERS, REASON_CHARACTERS, checked, shortened
from streamer.conference.participation import (
    AddressHold,
    CrewLine,
    Message,
    MessageState,
    ModerationAction,
    Notice,
    Poll,
    Question,
    QuestionState,
    Sanction,
)
from streamer.errors import Conflict, Forbidden, NotFound, Unprocessable

LINE_CHARACTERS = 500
MOST_WORDS = 500
SEEN = frozenset({MessageState.VISIBLE, MessageState.DELAYED, MessageState.HELD})
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
            return _sanction(state, who, command, at)
        case NoteAdd():
            return _note(state, who, command, at)
        case QuestionAdd():
            return _add_question(who, command, at)
        case QuestionMove():
            return _move_questions(state, who, command, at)
        case QuestionEdit():
            return _edit_question(state, who, command, at)
        case QuestionMerge():
            return _merge(state, who, command, at)
        case QuestionCarry():
            return _carry(state, who, command, at)
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
        why = _reason(reason) if to is MessageState.DELETED else message.reason
        changes.append(Put(message, replace(message, state=to, reason=why, until_ms=None)))
    if to is MessageState.DELETED:
        changes += _settled(state, ids, at)
    authors = {message.participant for message in found}
    about = next(iter(authors)) if len(authors) == 1 else None
    return _acted(state, who, kind, " ".join(ids), about, _reason(reason), changes, at, {"ids": list(ids)})


def _message(state: ScopeState, message_id: str) -> Message:
    message = state.messages.get(message_id)
    if message is None:
        raise no_such("message")
    return message


# --- people -----------------------------------------------------------------------------------------


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
    if named in at.known or named in state.people or named in state.sanctions or wrote:
        return named
    raise NotFound("There is no such participant.", code="no_such_participant")


def _sanction(state: ScopeState, who: Crew, command: Mute | Ban | Unban, at: Situation) -> Decision:
    participant = participant_of(state, command.participant, at)
    if participant in at.protected and not isinstance(command, Unban):
        raise Forbidden("That is somebody of the crew.", code="forbidden")
    before = state.sanctions.get(participant)
    now = before or Sanction(at.scope.room, at.scope.key, participant)
    name = now.name or state.name_of(participant)
    changes: list[Change] = []
    remove, reason = False, ""
    if isinstance(command, Mute):
        if not 0 <= command.seconds <= LONGEST_MUTE_S:
            raise Unprocessable("That is too long.", code="invalid", details={"field": "seconds"})
        until_ms = at.now_ms + command.seconds * 1000 if command.seconds else 0
        reason, remove, kind = _reason(command.reason), command.remove, "participant.mute"
        after = replace(now, muted_until_ms=until_ms, reason=reason, name=name)
    elif isinstance(command, Ban):
        reason, remove, kind = _reason(command.reason), command.remove, "participant.ban"
        after = replace(now, banned=True, reason=reason, name=name)
        changes += _holds(state, participant, at)
    else:
        kind = "participant.unban"
        after = replace(now, banned=False, muted_until_ms=0)
    if after != now:
        changes.insert(0, Put(before, after))
    if remove:
        changes += _removed(state, participant, reason, at)
    told: dict[str, Any] = {"participant": participant, "muted_until_ms": after.muted_until_ms or None}
    told["banned"] = after.banned
    return _acted(state, who, kind, participant, participant, reason, changes, at, told)


def _removed(state: ScopeState, participant: str, reason: str, at: Situation) -> list[Change]:
    """What they wrote lately, and their questions that wait; reports of these are settled with it."""
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
    return [*found, *_settled(state, gone, at)]


def _settled(state: ScopeState, items: Iterable[str], at: Situation) -> list[Change]:
    """Nobody has to look at reports of what is gone."""
    gone = set(items)
    return [
        Put(report, replace(report, resolved_ms=at.now_ms)) for report in state.reports.values() if report.item in gone
    ]


def _holds(state: ScopeState, participant: str, at: Situation) -> list[Put]:
    minutes = at.settings.address_hold_minutes
    if not minutes:
        return []
    until_ms = at.now_ms + minutes * 60_000
    found = []
    for prefix in at.prefixes_of(participant):
        before = state.holds.get(prefix)
        # Whoever came since the first ban is still new at the second.
        since_ms = before.since_ms if before is not None and before.until_ms > at.now_ms else at.now_ms
        found.append(Put(before, AddressHold(at.scope.room, at.scope.key, prefix, since_ms, until_ms, participant)))
    return found


def _note(state: ScopeState, who: Crew, command: NoteAdd, at: Situation) -> Decision:
    participant = participant_of(state, command.participant, at)
    text = checked(command.text, LINE_CHARACTERS)
    action = _action(state, who, "participant.note", participant, participant, text, (), at)
    return Decision((Put(None, action),), {"participant": participant}, action)


# --- questions --------------------------------------------------------------------------------------


def _question(state: ScopeState, question_id: str) -> Question:
    question = state.questions.get(question_id)
    if question is None:
        raise no_such("question")
    return question


def _add_question(who: Crew, command: QuestionAdd, at: Situation) -> Decision:
    text = checked(command.text, at.settings.question_characters)
    question = Question(
        id=at.new_id(),
        room=at.scope.room,
        scope=at.scope.key,
        session=session_at(at.scope, at.sessions, at.now_ms, at.now_ms),
        participant=None,
        name=shortened(command.name, NAME_CHARACTERS),
        role="",
        place=shortened(command.place, NAME_CHARACTERS),
        text=text,
        at_ms=at.now_ms,
        media_at_ms=at.now_ms,
        state=QuestionState.APPROVED,
    )
    return _acted(None, who, "question.add", question.id, None, "", [Put(None, question)], at, {"id": question.id})


def _move_questions(state: ScopeState, who: Crew, command: QuestionMove, at: Situation) -> Decision:
    changes: list[Change] = []
    for one in dict.fromkeys(command.ids):
        question = _question(state, one)
        questions.check_move(question, command.state)
        if question.state is command.state:
            continue
        if command.state is QuestionState.ON_STAGE:
            # One big question at a time: the one before has had its turn.
            changes += [
                Put(other, answered(other, at.now_ms))
                for other in state.questions.values()
                if other.state is QuestionState.ON_STAGE and other.id != one and state.focus.has(other)
            ]
            changes.append(Put(question, replace(question, state=command.state, staged_ms=at.now_ms)))
        elif command.state is QuestionState.ANSWERED:
            changes.append(Put(question, answered(question, at.now_ms)))
        else:
            why = _reason(command.reason) if command.state is QuestionState.DISMISSED else question.reason
            changes.append(Put(question, replace(question, state=command.state, reason=why, answered_ms=None)))
    if command.state is QuestionState.DISMISSED:
        changes += _settled(state, command.ids, at)
    if command.state is QuestionState.ON_STAGE and len(set(command.ids)) > 1:
        raise Unprocessable("One question is on stage at a time.", code="invalid", details={"field": "ids"})
    told = {"ids": list(command.ids), "state": command.state.value}
    about = _question(state, command.ids[0]).participant if len(command.ids) == 1 else None
    reason = _reason(command.reason)
    return _acted(state, who, "question.move", " ".join(command.ids), about, reason, changes, at, told)


def answered(question: Question, now_ms: int) -> Question:
    return replace(question, state=QuestionState.ANSWERED, answered_ms=now_ms)


def _edit_question(state: ScopeState, who: Crew, command: QuestionEdit, at: Situation) -> Decision:
    question = _question(state, command.id)
    text = checked(command.text, at.settings.question_characters)
    changes: list[Change] = []
    if text != question.text:
        original = question.text if question.original is None else question.original
        changes.append(Put(question, replace(question, text=text, original=None if original == text else original)))
    return _acted(state, who, "question.edit", question.id, question.participant, "", changes, at, {"id": question.id})


def _merge(state: ScopeState, who: Crew, command: QuestionMerge, at: Situation) -> Decision:
    ids = list(dict.fromkeys(command.ids))
    if len(ids) < 2:
        raise Unprocessable("Two or more questions become one.", code="invalid", details={"field": "ids"})
    into = _question(state, ids[0])
    if into.merged_into is not None or into.withdrawn:
        raise Conflict("The question is part of another.", code="wrong_state")
    changes: list[Change] = []
    for one in ids[1:]:
        question = _question(state, one)
        if question.merged_into == into.id:
            continue
        if question.merged_into is not None:
            raise Conflict("The question is part of another.", code="wrong_state")
        changes.append(Put(question, replace(question, merged_into=into.id)))
        # What was part of it comes along: no chains.
        changes += [
            Put(part, replace(part, merged_into=into.id))
            for part in state.questions.values()
            if part.merged_into == one
        ]
    told = {"id": into.id, "ids": ids}
    return _acted(state, who, "question.merge", " ".join(ids), None, "", changes, at, told)


def _carry(state: ScopeState, who: Crew, command: QuestionCarry, at: Situation) -> Decision:
    left = state.left_over()
    if command.ids:
        wanted = set(command.ids)
        left = [question for question in left if question.id in wanted]
        if len(left) < len(wanted):
            raise no_such("question")
    parts = [q for q in state.questions.values() if q.merged_into in {question.id for question in left}]
    changes: list[Change] = [
        Put(question, replace(question, session=state.focus.session)) for question in (*left, *parts)
    ]
    told = {"ids": [question.id for question in left], "session": state.focus.session}
    return _acted(state, who, "question.carry", " ".join(told["ids"] or ()), None, "", changes, at, told)


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
    return _acted(state, who, "poll.open", poll.id, None, "", [Put(None, poll)], at, {"id": poll.id})


def _close_poll(state: ScopeState, who: Crew, command: PollClose, at: Situation) -> Decision:
    poll = state.polls.get(command.id)
    if poll is None or poll.removed:
        raise no_such("poll")
    changes: list[Change] = [Put(poll, replace(poll, closed_ms=at.now_ms))] if poll.open else []
    return _acted(state, who, "poll.close", poll.id, None, "", changes, at, {"id": poll.id})


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
    return _acted(state, who, "room.mode", what, None, "", changes, at, {})


def _notice(state: ScopeState, who: Crew, command: NoticeSet, at: Situation) -> Decision:
    before = state.notice
    if not command.text.strip():
        gone: list[Change] = []
        if before is not None and not before.removed:
            gone.append(Put(before, replace(before, removed=True)))
        return _acted(state, who, "notice", "", None, "", gone, at, {})
    text = checked(command.text, LINE_CHARACTERS)
    until_ms = None if command.seconds is None else at.now_ms + command.seconds * 1000
    notice = Notice(at.new_id(), at.scope.room, at.scope.key, text, at.now_ms, until_ms)
    changes: list[Change] = [Put(None, notice)]
    if before is not None and not before.removed:
        changes.insert(0, Put(before, replace(before, removed=True)))
    return _acted(state, who, "notice", notice.id, None, "", changes, at, {"id": notice.id})


def _resolve(state: ScopeState, who: Crew, command: ReportResolve, at: Situation) -> Decision:
    found = [r for r in state.reports.values() if command.id in (r.item, r.id)]
    items = {report.item for report in found}
    changes: list[Change] = [
        Put(report, replace(report, resolved_ms=at.now_ms)) for report in state.reports.values() if report.item in items
    ]
    return _acted(state, who, "report.resolve", command.id, None, "", changes, at, {"id": command.id})


def _say(who: Crew, command: CrewSay, at: Situation) -> Decision:
    if command.to not in TO:
        raise Unprocessable("To the crew or to the stage.", code="invalid", details={"field": "to"})
    text = checked(command.text, LINE_CHARACTERS)
    line = CrewLine(at.new_id(), at.scope.room, at.scope.key, command.to, who.id, who.label, text, at.now_ms)
    kind = "crew.say" if command.to == "crew" else "stage.cue"
    return _acted(None, who, kind, line.id, None, "", [Put(None, line)], at, {"id": line.id})


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


def _acted(
    state: ScopeState | None,
    who: Crew,
    kind: str,
    target: str,
    participant: str | None,
    reason: str,
    changes: list[Change],
    at: Situation,
    told: Mapping[str, Any],
) -> Decision:
    """With an entry in the action log, where anything changes."""
    if not changes:
        return Decision(data=dict(told))
    puts = [change for change in changes if isinstance(change, Put)]
    action = _action(state, who, kind, target, participant, reason, puts, at)
    return Decision((*with_chapters(changes), Put(None, action)), dict(told), action)


def _action(
    state: ScopeState | None,
    who: Crew,
    kind: str,
    target: str,
    participant: str | None,
    reason: str,
    puts: Sequence[Put],
    at: Situation,
) -> ModerationAction:
    return ModerationAction(
        id=at.new_id(),
        room=at.scope.room,
        scope=at.scope.key,
        session=None if state is None else state.focus.session,
        at_ms=at.now_ms,
        who=who.id,
        label=who.label,
        kind=kind,
        target=target[:500],
        participant=participant,
        reason=reason,
        changes=tuple(images.image(put) for put in puts),
    )


def _reason(text: str) -> str:
    return shortened(text, REASON_CHARACTERS)


def _plain(value: Any) -> str:
    return str(getattr(value, "value", value))
