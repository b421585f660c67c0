"""Schemas of the events for an audience and its moderators. ``realtime/protocol.md`` explains them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

Absent = msgspec.UnsetType
"""Fields that only some viewpoints have."""


class Removed(msgspec.Struct, frozen=True):
    """The viewer must not see this item any more."""

    id: str
    removed: Literal[True] = True
    state: str | Absent = msgspec.UNSET
    archived: bool | Absent = msgspec.UNSET
    to: str | Absent = msgspec.UNSET
    room: str | Absent = msgspec.UNSET


class ChatMessage(msgspec.Struct, frozen=True):
    id: str
    participant: str
    name: str
    role: str | None
    text: str
    at: str
    media_at: int
    session: str | None
    reply_to: str | None
    state: str
    reason: str | Absent | None = msgspec.UNSET
    until: str | Absent | None = msgspec.UNSET


class ChatDeleted(msgspec.Struct, frozen=True):
    id: str
    state: str | Absent = msgspec.UNSET
    reason: str | Absent | None = msgspec.UNSET


class QuestionChanged(msgspec.Struct, frozen=True):
    id: str
    participant: str | None
    name: str | None
    role: str | None
    anonymous: bool
    place: str | None
    text: str
    edited: bool
    state: str
    votes: int
    at: str
    media_at: int
    staged_at: int | None
    answered_at: int | None
    session: str | None
    mine: bool | Absent = msgspec.UNSET
    original: str | Absent | None = msgspec.UNSET
    reason: str | Absent | None = msgspec.UNSET
    merged_into: str | Absent | None = msgspec.UNSET
    withdrawn: bool | Absent = msgspec.UNSET
    archived: bool | Absent = msgspec.UNSET


class QuestionOrderChanged(msgspec.Struct, frozen=True):
    by: str
    ids: list[str]


class QuestionsSession(msgspec.Struct, frozen=True):
    session: str | None
    left_over: list[str] | Absent = msgspec.UNSET


class PollOption(msgspec.Struct, frozen=True):
    id: int
    text: str
    votes: int | None


class PollChanged(msgspec.Struct, frozen=True):
    id: str
    kind: str
    question: str
    options: list[PollOption]
    voters: int
    state: str
    results_at_end: bool
    at: str
    media_at: int
    closed_at: str | None
    session: str | None


class ModeChanged(msgspec.Struct, frozen=True):
    chat: str
    slow_seconds: int
    questions: str
    anonymous: bool
    order: str
    hold_seconds: int | Absent = msgspec.UNSET
    shield: bool | Absent = msgspec.UNSET
    words: list[str] | Absent = msgspec.UNSET
    networks: list[str] | Absent = msgspec.UNSET
    word_lists: list[str] | Absent = msgspec.UNSET


class NoticeChanged(msgspec.Struct, frozen=True):
    id: str
    text: str
    at: str
    until: str | None


class YouChanged(msgspec.Struct, frozen=True):
    muted_until: str | None
    banned: bool


class SanctionChanged(msgspec.Struct, frozen=True):
    participant: str
    name: str
    muted_until: str | None
    banned: bool
    reason: str | None


class ReportChanged(msgspec.Struct, frozen=True):
    id: str
    kind: str
    item: str
    participant: str
    reason: str | None
    at: str
    resolved: bool


class CrewMessageSent(msgspec.Struct, frozen=True):
    id: str
    to: str
    label: str
    text: str
    at: str
    room: str | Absent = msgspec.UNSET


class TroubleCount(msgspec.Struct, frozen=True):
    kind: str
    people: int
    alarm: bool
    room: str | Absent = msgspec.UNSET
    viewers: int = 0
    """Those who play now, as far as it is known."""


class Claimed(msgspec.Struct, frozen=True):
    id: str
    by: str | None
    until: str


class ReactionCounts(msgspec.Struct, frozen=True):
    counts: dict[str, int]


class Caption(msgspec.Struct, frozen=True):
    id: str
    lang: str
    text: str
    final: bool


class Presence(msgspec.Struct, frozen=True):
    participants: int
    hls: int
    whep: int
    viewers: int


class ActionChanged(msgspec.Struct, frozen=True):
    id: str
    kind: str
    target: str
    participant: str | None
    who: str
    reason: str | None
    at: str
    undoable: bool
    undone: str | None
    undone_by: str | None


class AddressHeld(msgspec.Struct, frozen=True):
    """Of ``address_holds`` in a moderator's snapshot."""

    prefix: str
    participant: str
    until: str


class ParticipantText(msgspec.Struct, frozen=True):
    kind: Literal["message", "question"]
    id: str
    text: str
    state: str
    at: str


class ParticipantNote(msgspec.Struct, frozen=True):
    id: str
    text: str | None
    by: str
    at: str


class ParticipantRecord(msgspec.Struct, frozen=True):
    """``card`` in the answer to ``participant.card``."""

    id: str
    name: str
    names: list[str]
    place: str | None
    since: str | None
    here: bool
    messages: int
    questions: int
    muted_until: str | None
    banned: bool
    latest: list[ChatMessage]
    written: list[ParticipantText]
    history: list[ActionChanged]
    notes: list[ParticipantNote]


EVENTS: Mapping[str, Any] = {
    "chat.message": ChatMessage,
    "chat.deleted": ChatDeleted,
    "question.changed": QuestionChanged,
    "question.order": QuestionOrderChanged,
    "questions.session": QuestionsSession,
    "poll.changed": PollChanged,
    "reaction.counts": ReactionCounts,
    "presence": Presence,
    "caption": Caption,
    "room.mode": ModeChanged,
    "notice": NoticeChanged,
    "you": YouChanged,
    "cue": CrewMessageSent,
    "crew.line": CrewMessageSent,
    "sanction": SanctionChanged,
    "report": ReportChanged,
    "trouble": TroubleCount,
    "claim": Claimed,
    "action": ActionChanged,
}
"""Event type -> the schema of its ``data``. The removal of an item is sent as :class:`Removed`."""
