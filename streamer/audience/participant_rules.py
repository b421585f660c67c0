"""What a participant's command does: from a state, a command and a moment to changes. Pure but for ``Habits``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from streamer.audience import chat, polls, questions
from streamer.audience.commands import (
    ChatSend,
    ChatWithdraw,
    NameSet,
    PollVote,
    QuestionAsk,
    QuestionVote,
    QuestionWithdraw,
    ReportItem,
    Taking,
)
from streamer.audience.moderation import address_held
from streamer.audience.people import Participant
from streamer.audience.scope import Scope, media_time, session_at
from streamer.audience.state import MOST_QUESTIONS, MOST_REPORTS, Ballot, Change, Put, ScopeState, Vote
from streamer.audience.texts import NAME_CHARACTERS, REASON_CHARACTERS, checked, shortened
from streamer.audience.words import blocked
from streamer.conference.participation import (
    WAITING,
    ChatMode,
    Message,
    MessageState,
    ModerationAction,
    Person,
    Question,
    QuestionMode,
    QuestionState,
    Report,
)
from streamer.conference.sessions import Session
from streamer.errors import Conflict, NotFound, Unprocessable
from streamer.settings import AudienceSettings

MOST_ALIKE = 20
"""Open reports of one item; more say nothing new, and would leave no room for those of others."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What the rules need besides the state. ``prefixes``: where the participant comes from, exempt ones left out."""

    scope: Scope
    now_ms: int
    sessions: Sequence[Session]
    settings: AudienceSettings
    new_id: Callable[[], str]
    prefixes: tuple[str, ...] = ()
    known: frozenset[str] = frozenset()
    """Participants who are connected."""
    crew_names: tuple[str, ...] = ()
    """What those of the crew and the speakers are called who are here: nobody else is."""
    protected: frozenset[str] = frozenset()
    """Those of the crew: nobody mutes them."""
    prefixes_of: Callable[[str], tuple[str, ...]] = lambda _participant: ()

    @property
    def words(self) -> tuple[str, ...]:
        return self.settings.blocked_words


@dataclass(frozen=True, slots=True)
class Decision:
    """``data`` is the answer's."""

    changes: tuple[Change, ...] = ()
    data: dict[str, Any] = field(default_factory=dict)
    action: ModerationAction | None = None


def no_such(kind: str) -> NotFound:
    return NotFound(f"There is no such {kind}.", code=f"no_such_{kind}")


def take(state: ScopeState, habits: chat.Habits, who: Participant, command: Taking, at: Situation) -> Decision:
    """Raises StreamerError; nothing has changed then."""
    sanction = None if who.crew else state.sanctions.get(who.id)
    if isinstance(command, ChatSend | QuestionAsk | NameSet) or (sanction is not None and sanction.banned):
        chat.check_sanction(sanction, at.now_ms)
    match command:
        case ChatSend():
            return _send(state, habits, who, command, at)
        case ChatWithdraw():
            return _withdraw(state, who, command)
        case QuestionAsk():
            return _ask(state, habits, who, command, at)
        case QuestionVote():
            return _vote(state, who, command)
        case QuestionWithdraw():
            return _withdraw_question(state, who, command)
        case PollVote():
            return _poll_vote(state, who, command)
        case NameSet():
            return _name(state, who, command, at)
        case ReportItem():
            return _report(state, habits, who, command, at)
        case _:
            raise Unprocessable("This is not stored.", code="invalid")


def _send(state: ScopeState, habits: chat.Habits, who: Participant, command: ChatSend, at: Situation) -> Decision:
    chat.check_chat(state.mode, who)
    text = checked(command.text, at.settings.chat_characters)
    reply_to = command.reply_to
    if reply_to is not None:
        replied = state.messages.get(reply_to)
        if replied is None or not (replied.public or replied.participant == who.id):
            raise no_such("message")
    name = _shown_name(state, who, at)
    slow = state.mode.slow_seconds if state.mode.chat is ChatMode.SLOW and not who.trusted else None
    chat.admit(habits.of(who.id), text, at.now_ms, slow)
    found = chat.verdict(
        state.mode,
        who,
        at.now_ms,
        review=state.mode.chat is ChatMode.REVIEW,
        word=blocked(text, (*at.words, *state.mode.words)),
        address_held=address_held(who, at.prefixes, state.holds, at.now_ms),
    )
    media_ms = media_time(command.media_at_ms, at.now_ms, at.settings.usual_delay_ms)
    message = Message(
        id=at.new_id(),
        room=at.scope.room,
        scope=at.scope.key,
        session=session_at(at.scope, at.sessions, media_ms, at.now_ms),
        participant=who.id,
        name=name,
        role=who.shown_role,
        text=text,
        at_ms=at.now_ms,
        media_at_ms=media_ms,
        state=found.state,
        reason=found.reason,
        reply_to=reply_to,
        until_ms=found.until_ms,
    )
    told = {"id": message.id, "state": message.state.value, "at_ms": message.at_ms, "media_at": media_ms}
    return Decision((*_seen(state, who, name, at), Put(None, message)), told)


def _withdraw(state: ScopeState, who: Participant, command: ChatWithdraw) -> Decision:
    message = state.messages.get(command.id)
    if message is None or message.participant != who.id:
        raise no_such("message")
    if message.state in (MessageState.WITHDRAWN, MessageState.DELETED):
        return Decision(data={"id": message.id})
    return Decision((Put(message, replace(message, state=MessageState.WITHDRAWN)),), {"id": message.id})


def _ask(state: ScopeState, habits: chat.Habits, who: Participant, command: QuestionAsk, at: Situation) -> Decision:
    chat.check_questions(state.mode, who, command.anonymous)
    text = checked(command.text, at.settings.question_characters)
    mine = [q for q in state.questions.values() if q.participant == who.id and not q.withdrawn]
    waiting = sum(q.state in (*WAITING, QuestionState.PENDING) and state.focus.has(q) for q in mine)
    if waiting >= at.settings.open_questions:
        raise Conflict("You have many questions that wait; withdraw one.", code="too_many_questions")
    if state.open_questions() >= MOST_QUESTIONS:
        raise Conflict("There are too many questions.", code="too_many_questions")
    name = _shown_name(state, who, at)
    chat.admit(habits.of(f"q:{who.id}"), text, at.now_ms, None)
    found = chat.verdict(
        replace(state.mode, hold_seconds=0),
        who,
        at.now_ms,
        review=state.mode.questions is QuestionMode.REVIEW,
        word=blocked(text, (*at.words, *state.mode.words)),
        address_held=address_held(who, at.prefixes, state.holds, at.now_ms),
    )
    media_ms = media_time(command.media_at_ms, at.now_ms, at.settings.usual_delay_ms)
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
    told = {"id": question.id, "state": question.state.value, "session": question.session, "media_at": media_ms}
    return Decision((*_seen(state, who, name, at), Put(None, question)), told)


def _vote(state: ScopeState, who: Participant, command: QuestionVote) -> Decision:
    question = state.questions.get(command.id)
    if question is not None and question.merged_into is not None:
        question = state.questions.get(question.merged_into)
    if question is None or not question.public or not state.focus.has(question):
        raise no_such("question")
    if command.value not in (0, 1):
        raise Unprocessable("A vote is 0 or 1.", code="invalid", details={"field": "value"})
    if question.state is QuestionState.ANSWERED:
        raise Conflict("The question has been answered.", code="wrong_state")
    united = questions.voters(question.id, state.questions, state.votes)
    changes: list[Change] = []
    if command.value and who.id not in united:
        changes.append(Vote(question.id, who.id, True))
        united.add(who.id)
    elif not command.value and who.id in united:
        parts = [question.id, *(q.id for q in state.questions.values() if q.merged_into == question.id)]
        changes += [Vote(part, who.id, False) for part in parts if who.id in state.votes.get(part, ())]
        united.discard(who.id)
    return Decision(tuple(changes), {"id": question.id, "votes": len(united)})


def _withdraw_question(state: ScopeState, who: Participant, command: QuestionWithdraw) -> Decision:
    question = state.questions.get(command.id)
    if question is None or question.participant != who.id:
        raise no_such("question")
    if question.state is QuestionState.ANSWERED:
        raise Conflict("The question has been answered.", code="wrong_state")
    if question.withdrawn:
        return Decision(data={"id": question.id})
    return Decision((Put(question, replace(question, withdrawn=True)),), {"id": question.id})


def _poll_vote(state: ScopeState, who: Participant, command: PollVote) -> Decision:
    poll = state.polls.get(command.id)
    if poll is None or poll.removed:
        raise no_such("poll")
    chosen = polls.choice(poll, command.options)
    if state.ballots.get(poll.id, {}).get(who.id, ()) == chosen:
        return Decision(data={"id": poll.id, "options": list(chosen)})
    return Decision((Ballot(poll.id, who.id, chosen),), {"id": poll.id, "options": list(chosen)})


def _name(state: ScopeState, who: Participant, command: NameSet, at: Situation) -> Decision:
    name = checked(command.name, NAME_CHARACTERS)
    if not who.trusted:
        if not chat.may_take_name(name, at.crew_names):
            raise Conflict("That name is the crew's.", code="name_reserved")
        if blocked(name, (*at.words, *state.mode.words)) is not None:
            raise Conflict("That name is not taken here.", code="name_refused")
    place = shortened(who.place if command.place is None else command.place, NAME_CHARACTERS)
    known = state.people.get(who.id)
    after = Person(who.id, name, place, who.since_ms, at.now_ms)
    return Decision((Put(known, after),), {"name": name, "place": place})


def _report(state: ScopeState, habits: chat.Habits, who: Participant, command: ReportItem, at: Situation) -> Decision:
    if command.kind == "message":
        message = state.messages.get(command.id)
        there = message is not None and message.public
    elif command.kind == "question":
        question = state.questions.get(command.id)
        there = question is not None and question.public
    else:
        raise Unprocessable("Messages and questions can be reported.", code="invalid", details={"field": "kind"})
    if not there:
        raise no_such(command.kind)
    alike = [report for report in state.reports.values() if report.item == command.id]
    for report in alike:
        if report.participant == who.id or len(alike) >= MOST_ALIKE:
            return Decision(data={"id": report.id})
    if len(state.reports) >= MOST_REPORTS:
        raise Conflict("The moderators have many reports to look at.", code="busy")
    chat.admit(habits.of(f"r:{who.id}"), f"{command.kind} {command.id}", at.now_ms, None)
    reason = shortened(command.reason, REASON_CHARACTERS)
    report = Report(at.new_id(), at.scope.room, at.scope.key, command.kind, command.id, who.id, reason, at.now_ms)
    return Decision((Put(None, report),), {"id": report.id})


def _shown_name(state: ScopeState, who: Participant, at: Situation) -> str:
    """The name that was set last; what a connection brought along counts until then, where it may be had at all."""
    known = state.people.get(who.id)
    if known is not None and known.name:
        return known.name
    name = shortened(who.name, NAME_CHARACTERS)
    if who.trusted:
        return name
    refused = blocked(name, (*at.words, *state.mode.words)) is not None
    return "" if refused or not chat.may_take_name(name, at.crew_names) else name


def _seen(state: ScopeState, who: Participant, name: str, at: Situation) -> tuple[Put, ...]:
    """The participant is stored with the first that they say, and when they were seen, to the hour."""
    known = state.people.get(who.id)
    if known is not None and known.name == name and at.now_ms - known.seen_ms < 3_600_000:
        return ()
    place = shortened(who.place, NAME_CHARACTERS) or (known.place if known is not None else "")
    return (Put(known, Person(who.id, name, place, who.since_ms, at.now_ms)),)
