"""One scope's audience in memory, and its changes as values.

There are two of these per scope: one with all decisions, one with everything stored. The items are frozen and shared.
Everything here is bounded: older items are in the database.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from streamer.conference.participation import (
    AddressHold,
    CrewMessage,
    Message,
    MessageState,
    Mode,
    ModerationAction,
    Notice,
    Person,
    Poll,
    Question,
    QuestionState,
    Report,
    Sanction,
)
from streamer.conference.sessions import Mark

MOST_HELD = 500
MOST_QUESTIONS = 1000
MOST_OVER = 500
"""Finished questions that stay in memory besides those."""
MOST_POLLS = 50
MOST_ACTIONS = 100
MOST_CREW_MESSAGES = 100
MOST_REPORTS = 500
MOST_PEOPLE = 5000
SLACK = 50

Item = (
    Message
    | Question
    | Poll
    | Mode
    | Sanction
    | AddressHold
    | Report
    | CrewMessage
    | Notice
    | ModerationAction
    | Person
)


@dataclass(frozen=True, slots=True)
class Put:
    """``before`` None: the item is new."""

    before: Item | None
    after: Item


@dataclass(frozen=True, slots=True)
class Vote:
    question: str
    participant: str
    on: bool


@dataclass(frozen=True, slots=True)
class Ballot:
    """``options`` empty: the vote is removed."""

    poll: str
    participant: str
    options: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RecordingChapter:
    """A chapter of a session's recording; ``mark`` None: it is removed."""

    id: str
    session: str
    mark: Mark | None


@dataclass(frozen=True, slots=True)
class Focus:
    """The questions in work: a session's, and the room's own since ``since_ms``. ``session`` None: only the room's.

    During a session nobody asks the room: a session's questions stand beside those of the minutes after its end.
    """

    session: str | None
    since_ms: int

    def has(self, item: Question | Message) -> bool:
        if item.session is None:
            return item.at_ms >= self.since_ms
        return item.session == self.session


@dataclass(frozen=True, slots=True)
class Refocus:
    """Another session is on. Not stored: it follows from the sessions."""

    focus: Focus


Change = Put | Vote | Ballot | RecordingChapter | Refocus


@dataclass(slots=True)
class ScopeState:
    """``votes``: question -> participants; ``ballots``: poll -> participant -> options. The other items are kept by
    id."""

    mode: Mode
    keep: int = 300
    """The number of newest messages in memory."""
    focus: Focus = Focus(None, 0)
    previous: Focus | None = None
    messages: dict[str, Message] = field(default_factory=dict)
    questions: dict[str, Question] = field(default_factory=dict)
    votes: dict[str, set[str]] = field(default_factory=dict)
    polls: dict[str, Poll] = field(default_factory=dict)
    ballots: dict[str, dict[str, tuple[int, ...]]] = field(default_factory=dict)
    sanctions: dict[str, Sanction] = field(default_factory=dict)
    holds: dict[str, AddressHold] = field(default_factory=dict)
    """By prefix."""
    reports: dict[str, Report] = field(default_factory=dict)
    """Open ones."""
    crew_messages: dict[str, CrewMessage] = field(default_factory=dict)
    actions: dict[str, ModerationAction] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)
    notice: Notice | None = None

    def copy(self) -> ScopeState:
        return replace(
            self,
            messages=dict(self.messages),
            questions=dict(self.questions),
            votes={question: set(voters) for question, voters in self.votes.items()},
            polls=dict(self.polls),
            ballots={poll: dict(ballots) for poll, ballots in self.ballots.items()},
            sanctions=dict(self.sanctions),
            holds=dict(self.holds),
            reports=dict(self.reports),
            crew_messages=dict(self.crew_messages),
            actions=dict(self.actions),
            people=dict(self.people),
        )

    def apply(self, changes: Iterable[Change]) -> None:
        for change in changes:
            if isinstance(change, Put):
                self._put(change.after)
            elif isinstance(change, Vote):
                voters = self.votes.setdefault(change.question, set())
                (voters.add if change.on else voters.discard)(change.participant)
            elif isinstance(change, Ballot):
                ballots = self.ballots.setdefault(change.poll, {})
                if change.options:
                    ballots[change.participant] = change.options
                else:
                    ballots.pop(change.participant, None)
            elif isinstance(change, Refocus):
                self.previous, self.focus = self.focus, change.focus
                self.trim_questions()

    def _put(self, item: Item) -> None:
        match item:
            case Message():
                self.messages[item.id] = item
                if len(self.messages) > self.keep + SLACK:
                    self._trim_messages()
            case Question():
                self.questions[item.id] = item
                if len(self.questions) > MOST_QUESTIONS + MOST_OVER:
                    self._trim_over()
            case Poll():
                self.polls[item.id] = item
                if len(self.polls) > MOST_POLLS:
                    self._trim_polls()
            case Mode():
                self.mode = item
            case Sanction():
                self.sanctions[item.participant] = item
            case AddressHold():
                self.holds[item.prefix] = item
            case Report():
                if item.resolved_ms is None:
                    self.reports[item.id] = item
                    _keep_newest(self.reports, MOST_REPORTS)
                else:
                    self.reports.pop(item.id, None)
            case CrewMessage():
                self.crew_messages[item.id] = item
                _keep_newest(self.crew_messages, MOST_CREW_MESSAGES)
            case Notice():
                self.notice = item
            case ModerationAction():
                self.actions[item.id] = item
                _keep_newest(self.actions, MOST_ACTIONS)
            case Person():
                self.people.pop(item.id, None)
                self.people[item.id] = item
                _keep_newest(self.people, MOST_PEOPLE)

    def _trim_messages(self) -> None:
        in_order = sorted(self.messages.values(), key=lambda message: (message.at_ms, message.id))
        waiting = [m for m in in_order if m.state in (MessageState.HELD, MessageState.DELAYED)][-MOST_HELD:]
        kept = {m.id for m in (*waiting, *in_order[-self.keep :])}
        self.messages = {m.id: m for m in in_order if m.id in kept}

    def trim_questions(self) -> None:
        """Drop the questions of sessions before the previous one."""
        for question in list(self.questions.values()):
            if not self.focus.has(question) and (self.previous is None or not self.previous.has(question)):
                del self.questions[question.id]
                self.votes.pop(question.id, None)

    def _trim_over(self) -> None:
        """The oldest finished questions make room. Otherwise a person who asks and withdraws would fill the hall's
        list."""
        surplus = len(self.questions) - MOST_QUESTIONS - MOST_OVER + SLACK
        over = sorted(
            (q for q in self.questions.values() if over_with(q)), key=lambda q: (not q.withdrawn, q.at_ms, q.id)
        )
        for question in over[:surplus]:
            del self.questions[question.id]
            self.votes.pop(question.id, None)

    def unfinished_questions(self) -> int:
        """The number of all participants' questions that are neither withdrawn nor dismissed."""
        return sum(not over_with(question) for question in self.questions.values())

    def _trim_polls(self) -> None:
        for poll in list(self.polls.values()):
            if len(self.polls) <= MOST_POLLS:
                return
            if not poll.open and (poll.removed or not poll.prepared):
                del self.polls[poll.id]
                self.ballots.pop(poll.id, None)

    def forget_over(self, now_ms: int) -> None:
        """Drop mutes and holds that have ended."""
        self.sanctions = {p: s for p, s in self.sanctions.items() if s.banned or s.muted_until_ms > now_ms}
        self.holds = {prefix: hold for prefix, hold in self.holds.items() if hold.until_ms > now_ms}

    def left_over(self) -> list[Question]:
        """The unanswered questions of the session before, oldest first."""
        waiting = (QuestionState.PENDING, QuestionState.APPROVED)
        previous = self.previous
        found = [
            question
            for question in self.questions.values()
            if previous is not None
            and previous.has(question)
            and question.state in waiting
            and question.merged_into is None
            and not question.withdrawn
        ]
        return sorted(found, key=lambda question: (question.at_ms, question.id))

    def name_in_use(self, participant: str) -> str:
        """The name that the participant has set; empty without one."""
        person = self.people.get(participant)
        return "" if person is None else person.name

    def name_of(self, participant: str) -> str:
        person = self.people.get(participant)
        if person is not None:
            return person.name
        for message in reversed(self.messages.values()):
            if message.participant == participant:
                return message.name
        return ""


def over_with(question: Question) -> bool:
    """Whether the question is finished. A merged question stays as long as the one it was merged into."""
    return question.merged_into is None and (question.withdrawn or question.state is QuestionState.DISMISSED)


def _keep_newest(items: dict[str, Any], most: int) -> None:
    while len(items) > most:
        del items[next(iter(items))]
