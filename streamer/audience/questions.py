"""Questions: asking, votes, the moderators' actions, and the order in which questions come to the stage. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Annotated

from msgspec import Meta

from streamer.audience.action_log import LoggedAction, acted, reason_of
from streamer.audience.chat import verdict
from streamer.audience.command import (
    ClientMessage,
    Decision,
    Ident,
    Idents,
    LongName,
    LongText,
    MediaClaim,
    Situation,
    SomeItems,
    StoredCommand,
    no_such,
)
from streamer.audience.names import seen, shown_name
from streamer.audience.people import Crew, Participant
from streamer.audience.question_order import voters
from streamer.audience.recent_activity import admit
from streamer.audience.reports import settled
from streamer.audience.scope import media_time, session_at
from streamer.audience.showing import in_public
from streamer.audience.state import MOST_QUESTIONS, Change, Put, ScopeState, Vote
from streamer.audience.texts import NAME_CHARACTERS, checked, shortened
from streamer.conference.grants import Action
from streamer.conference.participation import WAITING, MessageState, Mode, Question, QuestionMode, QuestionState
from streamer.errors import Conflict, Unprocessable

MOVES: Mapping[QuestionState, AbstractSet[QuestionState]] = {
    QuestionState.PENDING: {QuestionState.APPROVED, QuestionState.ON_STAGE, QuestionState.DISMISSED},
    QuestionState.APPROVED: {
        QuestionState.PENDING,
        QuestionState.ON_STAGE,
        QuestionState.ANSWERED,
        QuestionState.DISMISSED,
    },
    QuestionState.ON_STAGE: {QuestionState.APPROVED, QuestionState.ANSWERED, QuestionState.DISMISSED},
    QuestionState.ANSWERED: {QuestionState.APPROVED, QuestionState.ON_STAGE},
    QuestionState.DISMISSED: {QuestionState.PENDING, QuestionState.APPROVED},
}
"""A question's state -> the states that a moderator may give it. The same state again is no change."""


class QuestionAsk(ClientMessage, frozen=True):
    """Answer: ``id``, ``state``, ``session``, ``media_at``."""

    text: str
    anonymous: bool = False
    media_at: MediaClaim = None


class QuestionVote(ClientMessage, frozen=True):
    """Answer: ``votes``."""

    id: Ident
    value: Annotated[int, Meta(ge=0, le=1)]


class QuestionWithdraw(ClientMessage, frozen=True):
    """The participant's own question."""

    id: Ident


class QuestionAdd(ClientMessage, frozen=True, rename={"from_": "from"}):
    """A question that was asked aloud or on paper; approved at once."""

    text: str
    from_: LongName = ""
    place: LongName = ""


class QuestionMove(SomeItems, frozen=True, kw_only=True):
    state: QuestionState
    reason: LongText = ""


class QuestionEdit(ClientMessage, frozen=True):
    id: Ident
    text: str


class QuestionMerge(ClientMessage, frozen=True):
    """Merges the questions into the first of them."""

    ids: Idents


class QuestionCarry(ClientMessage, frozen=True):
    """Moves questions to the session that is on now. Without ids: all open questions of the session before."""

    ids: Idents = ()


def _ask(state: ScopeState, who: Participant, command: QuestionAsk, at: Situation) -> Decision:
    _check_open(state.mode, who, command.anonymous)
    text = checked(command.text, at.settings.question_characters)
    mine = [q for q in state.questions.values() if q.participant == who.id and not q.withdrawn]
    waiting = sum(q.state in (*WAITING, QuestionState.PENDING) and state.focus.has(q) for q in mine)
    if waiting >= at.settings.open_questions:
        raise Conflict("You have too many open questions; withdraw one.", code="too_many_questions")
    if state.unfinished_questions() >= MOST_QUESTIONS:
        raise Conflict("There are too many questions.", code="too_many_questions")
    name = shown_name(state, who, at)
    admit(at.activities.of(f"q:{who.id}"), text, at.now_ms, None)
    found = verdict(state, who, text, at, review=state.mode.questions is QuestionMode.REVIEW, hold_s=0)
    media_ms = media_time(command.media_at, at.now_ms, at.settings.usual_delay_ms)
    question = Question(
        id=at.new_id(),
        room=at.scope.room,
        scope=at.scope.key,
        session=session_at(at.scope, at.sessions, media_ms, at.now_ms),
        participant=who.id,
        name=name,
        role=who.shown_role,
        place=shortened(who.place, NAME_CHARACTERS),
        text=text,
        at_ms=at.now_ms,
        media_at_ms=media_ms,
        anonymous=command.anonymous,
        state=QuestionState.APPROVED if found.state is MessageState.VISIBLE else QuestionState.PENDING,
        reason=found.reason,
    )
    answer = {"id": question.id, "state": question.state.value, "session": question.session, "media_at": media_ms}
    return Decision((*seen(state, who, name, at), Put(None, question)), answer)


def _vote(state: ScopeState, who: Participant, command: QuestionVote, _at: Situation) -> Decision:
    question = state.questions.get(command.id)
    if question is not None and question.merged_into is not None:
        question = state.questions.get(question.merged_into)
    if question is None or not in_public(question, state.focus):
        raise no_such("question")
    if question.state is QuestionState.ANSWERED:
        raise Conflict("The question has been answered.", code="wrong_state")
    united = voters(question.id, state.questions, state.votes)
    changes: list[Change] = []
    if command.value and who.id not in united:
        changes.append(Vote(question.id, who.id, True))
        united.add(who.id)
    elif not command.value and who.id in united:
        parts = [question.id, *(q.id for q in state.questions.values() if q.merged_into == question.id)]
        changes += [Vote(part, who.id, False) for part in parts if who.id in state.votes.get(part, ())]
        united.discard(who.id)
    return Decision(tuple(changes), {"id": question.id, "votes": len(united)})


def _withdraw(state: ScopeState, who: Participant, command: QuestionWithdraw, _at: Situation) -> Decision:
    question = state.questions.get(command.id)
    if question is None or question.participant != who.id:
        raise no_such("question")
    if question.state is QuestionState.ANSWERED:
        raise Conflict("The question has been answered.", code="wrong_state")
    if question.withdrawn:
        return Decision(answer={"id": question.id})
    return Decision((Put(question, replace(question, withdrawn=True)),), {"id": question.id})


def _question(state: ScopeState, question_id: str) -> Question:
    question = state.questions.get(question_id)
    if question is None:
        raise no_such("question")
    return question


def _add(_state: ScopeState, who: Crew, command: QuestionAdd, at: Situation) -> Decision:
    text = checked(command.text, at.settings.question_characters)
    question = Question(
        id=at.new_id(),
        room=at.scope.room,
        scope=at.scope.key,
        session=session_at(at.scope, at.sessions, at.now_ms, at.now_ms),
        participant=None,
        name=shortened(command.from_, NAME_CHARACTERS),
        role="",
        place=shortened(command.place, NAME_CHARACTERS),
        text=text,
        at_ms=at.now_ms,
        media_at_ms=at.now_ms,
        state=QuestionState.APPROVED,
    )
    return acted(None, who, at, LoggedAction("question.add", question.id), [Put(None, question)], {"id": question.id})


def _move(state: ScopeState, who: Crew, command: QuestionMove, at: Situation) -> Decision:
    changes: list[Change] = []
    ids = command.named
    for one in dict.fromkeys(ids):
        question = _question(state, one)
        check_move(question, command.state)
        if question.state is command.state:
            continue
        if command.state is QuestionState.ON_STAGE:
            # There is one question on stage at a time: the one before it had its turn.
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
        changes += settled(state, ids, at)
    if command.state is QuestionState.ON_STAGE and len(set(ids)) > 1:
        raise Unprocessable("One question is on stage at a time.", code="invalid", details={"field": "ids"})
    answer = {"ids": list(ids), "state": command.state.value}
    about = _question(state, ids[0]).participant if len(ids) == 1 else None
    reason = reason_of(command.reason)
    return acted(state, who, at, LoggedAction("question.move", " ".join(ids), about, reason), changes, answer)


def answered(question: Question, now_ms: int) -> Question:
    return replace(question, state=QuestionState.ANSWERED, answered_ms=now_ms)


def _edit(state: ScopeState, who: Crew, command: QuestionEdit, at: Situation) -> Decision:
    question = _question(state, command.id)
    text = checked(command.text, at.settings.question_characters)
    changes: list[Change] = []
    if text != question.text:
        original = question.text if question.original is None else question.original
        changes.append(Put(question, replace(question, text=text, original=None if original == text else original)))
    return acted(
        state, who, at, LoggedAction("question.edit", question.id, question.participant), changes, {"id": question.id}
    )


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
        # Questions that were merged into it come along, so that there are no chains.
        changes += [
            Put(part, replace(part, merged_into=into.id))
            for part in state.questions.values()
            if part.merged_into == one
        ]
    told = {"id": into.id, "ids": ids}
    return acted(state, who, at, LoggedAction("question.merge", " ".join(ids)), changes, told)


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
    return acted(state, who, at, LoggedAction("question.carry", " ".join(told["ids"] or ())), changes, told)


def check_move(question: Question, to: QuestionState) -> None:
    """Raises Conflict ``wrong_state``."""
    if question.withdrawn:
        raise Conflict("Its author has withdrawn the question.", code="wrong_state")
    if question.merged_into is not None:
        raise Conflict("The question is part of another.", code="wrong_state")
    if to is not question.state and to not in MOVES[question.state]:
        raise Conflict(
            f"A question that is {question.state} cannot become {to}.",
            code="wrong_state",
            details={"from": question.state, "to": to},
        )


def _check_open(mode: Mode, who: Participant, anonymous: bool) -> None:
    if mode.questions is QuestionMode.CLOSED and not who.trusted:
        raise Conflict("Questions are closed now.", code="questions_closed")
    if anonymous and not mode.anonymous:
        raise Conflict("Questions need a name here.", code="anonymous_not_allowed")


COMMANDS = (
    StoredCommand("question.ask", QuestionAsk, _ask, speaks=True, burst=5, per_s=0.2, budget="words"),
    StoredCommand("question.vote", QuestionVote, _vote, budget="votes"),
    StoredCommand("question.withdraw", QuestionWithdraw, _withdraw),
    StoredCommand("question.add", QuestionAdd, _add, action=Action.QUESTION_MODERATE),
    StoredCommand("question.move", QuestionMove, _move, action=Action.QUESTION_MODERATE),
    StoredCommand("question.edit", QuestionEdit, _edit, action=Action.QUESTION_MODERATE),
    StoredCommand("question.merge", QuestionMerge, _merge, action=Action.QUESTION_MODERATE),
    StoredCommand("question.carry", QuestionCarry, _carry, action=Action.QUESTION_MODERATE),
)
