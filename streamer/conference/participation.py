"""An audience's messages, questions and votes as values, and the moderators' actions on them. Pure.

Times are UTC milliseconds: ``at_ms`` is the server's clock, ``media_at_ms`` the media time that the author was
watching. ``scope`` is the audience of an item: a room's id, or ``session:{id}`` for a closed session's own. ``role`` is
the author's if it is shown, else empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

CLOSED_PREFIX = "session:"


def closed_session(scope: str) -> str | None:
    """The session of a closed session's own audience, None for a room's."""
    return scope.removeprefix(CLOSED_PREFIX) if scope.startswith(CLOSED_PREFIX) else None


class ChatMode(StrEnum):
    OPEN = "open"
    SLOW = "slow"
    REVIEW = "review"
    """A moderator must approve each message before it is shown."""
    READ_ONLY = "read_only"
    """Only the crew and speakers write."""
    QUESTIONS_ONLY = "questions_only"
    CLOSED = "closed"


class QuestionMode(StrEnum):
    OPEN = "open"
    REVIEW = "review"
    CLOSED = "closed"


class QuestionOrder(StrEnum):
    FAIR = "fair"
    VOTES = "votes"
    TIME = "time"


class MessageState(StrEnum):
    VISIBLE = "visible"
    DELAYED = "delayed"
    """Visible to others at ``until_ms`` unless a moderator acts before."""
    HELD = "held"
    DELETED = "deleted"
    """By a moderator."""
    WITHDRAWN = "withdrawn"
    """By its author."""


class QuestionState(StrEnum):
    """``pending -> approved -> on_stage -> answered | dismissed``."""

    PENDING = "pending"
    APPROVED = "approved"
    ON_STAGE = "on_stage"
    ANSWERED = "answered"
    DISMISSED = "dismissed"


PUBLIC_QUESTIONS = frozenset({QuestionState.APPROVED, QuestionState.ON_STAGE, QuestionState.ANSWERED})
WAITING = frozenset({QuestionState.APPROVED, QuestionState.ON_STAGE})


class PollKind(StrEnum):
    SINGLE = "single"
    MULTIPLE = "multiple"
    RATING = "rating"
    """One step of a scale: the options in order, the first counts 1."""


@dataclass(frozen=True, slots=True)
class Message:
    id: str
    room: str
    scope: str
    session: str | None
    participant: str
    name: str
    role: str
    text: str
    at_ms: int
    media_at_ms: int
    state: MessageState = MessageState.VISIBLE
    reason: str = ""
    """The reason why it is held, or was deleted."""
    reply_to: str | None = None
    until_ms: int | None = None

    @property
    def public(self) -> bool:
        return self.state is MessageState.VISIBLE


@dataclass(frozen=True, slots=True)
class Question:
    """``participant`` None: a moderator entered it (asked aloud, on paper)."""

    id: str
    room: str
    scope: str
    session: str | None
    participant: str | None
    name: str
    role: str
    place: str
    text: str
    at_ms: int
    media_at_ms: int
    anonymous: bool = False
    """Anonymous for the audience and the stage; moderators see the name."""
    state: QuestionState = QuestionState.PENDING
    original: str | None = None
    """The text before a moderator edited it."""
    reason: str = ""
    merged_into: str | None = None
    """Its votes count there; it is not shown by itself."""
    staged_ms: int | None = None
    """The time when it last came on stage: its chapter in the recording begins there."""
    answered_ms: int | None = None
    withdrawn: bool = False
    """Its author withdrew it before it was answered."""

    @property
    def public(self) -> bool:
        return self.state in PUBLIC_QUESTIONS and self.merged_into is None and not self.withdrawn


@dataclass(frozen=True, slots=True)
class Poll:
    """``options`` are texts; an option's id is its place in the list, from 0."""

    id: str
    room: str
    scope: str
    session: str | None
    kind: PollKind
    question: str
    options: tuple[str, ...]
    at_ms: int
    media_at_ms: int
    closed_ms: int | None = None
    results_at_end: bool = False
    """The audience sees the counts only after the poll is closed."""
    removed: bool = False
    prepared: bool = False
    """The moderators keep it for later; its times are those of its making."""

    @property
    def open(self) -> bool:
        return self.closed_ms is None and self.public

    @property
    def public(self) -> bool:
        return not self.removed and not self.prepared


@dataclass(frozen=True, slots=True)
class Mode:
    """The rules of a scope's audience."""

    room: str
    scope: str
    chat: ChatMode = ChatMode.OPEN
    slow_seconds: int = 30
    questions: QuestionMode = QuestionMode.OPEN
    anonymous: bool = True
    order: QuestionOrder = QuestionOrder.FAIR
    hold_seconds: int = 0
    """Others see a message this long after it was sent; 0: at once."""
    shield: bool = False
    """Emergency: every message is reviewed, those of names younger than five minutes last."""
    words: tuple[str, ...] = ()
    """Words that are blocked here, besides the instance's."""
    networks: tuple[str, ...] = ()
    """The hall's own networks: no ban holds newcomers from there."""
    word_lists: tuple[str, ...] = ()
    """Lists of words that are blocked too, by language."""


@dataclass(frozen=True, slots=True)
class Sanction:
    room: str
    scope: str
    participant: str
    muted_until_ms: int = 0
    banned: bool = False
    reason: str = ""
    name: str = ""
    since_ms: int = 0
    """The last time it was set. It ends when the audience's messages are deleted."""


@dataclass(frozen=True, slots=True)
class AddressHold:
    """After a ban: messages of new names from an address prefix wait for review until ``until_ms``."""

    room: str
    scope: str
    prefix: str
    since_ms: int
    until_ms: int
    participant: str
    """The participant who was banned."""


@dataclass(frozen=True, slots=True)
class Report:
    """A viewer has reported an item. ``kind``: ``message`` or ``question``."""

    id: str
    room: str
    scope: str
    kind: str
    item: str
    participant: str
    reason: str
    at_ms: int
    resolved_ms: int | None = None


@dataclass(frozen=True, slots=True)
class CrewMessage:
    """A message among the crew. ``to``: ``crew``, or ``stage`` for a cue on the speaker's screen."""

    id: str
    room: str
    scope: str
    to: str
    who: str
    label: str
    text: str
    at_ms: int
    removed: bool = False


@dataclass(frozen=True, slots=True)
class Notice:
    """A moderator's message to the room. There is one at a time."""

    id: str
    room: str
    scope: str
    text: str
    at_ms: int
    until_ms: int | None = None
    removed: bool = False


@dataclass(frozen=True, slots=True)
class ModerationAction:
    """An entry of the action log. ``changes``: the images for undo; empty if it cannot be undone."""

    id: str
    room: str
    scope: str
    session: str | None
    at_ms: int
    who: str
    label: str
    kind: str
    target: str
    participant: str | None
    reason: str
    changes: tuple[Mapping[str, Any], ...] = ()
    undone_ms: int | None = None
    undone_by: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """A participant as stored after their first message. ``created_ms``: the time when the identity was made."""

    id: str
    name: str
    place: str
    created_ms: int
    seen_ms: int
