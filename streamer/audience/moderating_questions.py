"""What moderators do with questions: from a state, a command and a moment to changes. Pure."""

from __future__ import annotations

from dataclasses import replace

from streamer.audience import questions
from streamer.audience.action_log import Deed, acted, reason_of, settled
from streamer.audience.commands import QuestionAdd, QuestionCarry, QuestionEdit, QuestionMerge, QuestionMove
from streamer.audience.participant_rules import Decision, Situation, no_such
from streamer.audience.people import Crew
from streamer.audience.scope import session_at
from streamer.audience.state import Change, Put, ScopeState
from streamer.audience.texts import NAME_CHARACTERS, checked, shortened
from streamer.conference.participation import Question, QuestionState
from streamer.errors import Conflict, Unprocessable


def _question(state: ScopeState, question_id: str) -> Question:
    question = state.questions.get(question_id)
    if question is None:
        raise no_such("question")
    return question


def add(who: Crew, command: QuestionAdd, at: Situation) -> Decision:
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
    return acted(None, who, at, Deed("question.add", question.id), [Put(None, question)], {"id": question.id})


def move(state: ScopeState, who: Crew, command: QuestionMove, at: Situation) -> Decision:
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
            why = reason_of(command.reason) if command.state is QuestionState.DISMISSED else question.reason
            changes.append(Put(question, replace(question, state=command.state, reason=why, answered_ms=None)))
    if command.state is QuestionState.DISMISSED:
        changes += settled(state, command.ids, at)
    if command.state is QuestionState.ON_STAGE and len(set(command.ids)) > 1:
        raise Unprocessable("One question is on stage at a time.", code="invalid", details={"field": "ids"})
    told = {"ids": list(command.ids), "state": command.state.value}
    about = _question(state, command.ids[0]).participant if len(command.ids) == 1 else None
    reason = reason_of(command.reason)
    return acted(state, who, at, Deed("question.move", " ".join(command.ids), about, reason), changes, told)


def answered(question: Question, now_ms: int) -> Question:
    return replace(question, state=QuestionState.ANSWERED, answered_ms=now_ms)


def edit(state: ScopeState, who: Crew, command: QuestionEdit, at: Situation) -> Decision:
    question = _question(state, command.id)
    text = checked(command.text, at.settings.question_characters)
    changes: list[Change] = []
    if text != question.text:
        original = question.text if question.original is None else question.original
        changes.append(Put(question, replace(question, text=text, original=None if original == text else original)))
    return acted(state, who, at, Deed("question.edit", question.id, question.participant), changes, {"id": question.id})


def merge(state: ScopeState, who: Crew, command: QuestionMerge, at: Situation) -> Decision:
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
    return acted(state, who, at, Deed("question.merge", " ".join(ids)), changes, told)


def carry(state: ScopeState, who: Crew, command: QuestionCarry, at: Situation) -> Decision:
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
    return acted(state, who, at, Deed("question.carry", " ".join(told["ids"] or ())), changes, told)
