"""Schemas of what an audience and its moderators send and are told. ``protocol.md`` says what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from streamer.conference.participation import ChatMode, PollKind, QuestionMode, QuestionOrder, QuestionState
from streamer.realtime.messages import ClientMessage, Ident, MediaTime, RoomCommand

MOST_IDS = 200
"""Items of one bulk command."""
Ids = Annotated[list[Ident], Meta(max_length=MOST_IDS)]
Seconds = Annotated[int, Meta(ge=0, le=31 * 86_400)]
Reason = Annotated[str, Meta(max_length=1000)]
"""Texts are measured, and refused with codes of their own, by the audience's rules."""

MediaClaim = int | float | None
"""A media time that a player says it shows. One that cannot be is not refused, it does not count."""

# --- participants -----------------------------------------------------------------------------------


class ChatSend(ClientMessage, frozen=True):
    text: str
    media_at: MediaClaim = None
    reply_to: Ident | None = None


class ById(ClientMessage, frozen=True):
    id: Ident


class QuestionAsk(ClientMessage, frozen=True):
    text: str
    anonymous: bool = False
    media_at: MediaClaim = None


class QuestionVote(ClientMessage, frozen=True):
    id: Ident
    value: Annotated[int, Meta(ge=0, le=1)]


class PollVote(ClientMessage, frozen=True):
    id: Ident
    options: Annotated[list[int | Annotated[str, Meta(max_length=1000)]], Meta(max_length=100)]


class Reaction(ClientMessage, frozen=True):
    kind: Annotated[str, Meta(min_length=1, max_length=40)]


class NameSet(ClientMessage, frozen=True):
    name: Annotated[str, Meta(max_length=400)]
    place: Annotated[str, Meta(max_length=400)] | None = None


class TroubleReport(ClientMessage, frozen=True):
    kind: Annotated[str, Meta(min_length=1, max_length=40)]


class ItemReport(ClientMessage, frozen=True):
    kind: Literal["message", "question"]
    id: Ident
    reason: Reason = ""


# --- moderators -------------------------------------------------------------------------------------


class Some(ClientMessage, frozen=True):
    """One item or several."""

    id: Ident | None = None
    ids: Ids = []

    @property
    def named(self) -> tuple[str, ...]:
        return tuple(self.ids) if self.id is None else (self.id, *self.ids)


class ChatDelete(Some, frozen=True):
    reason: Reason = ""


class ChatApprove(Some, frozen=True):
    pass


class Mute(ClientMessage, frozen=True):
    id: Ident
    seconds: Seconds
    reason: Reason = ""
    remove: bool = False


class Ban(ClientMessage, frozen=True):
    id: Ident
    reason: Reason = ""
    remove: bool = False


class Note(ClientMessage, frozen=True):
    id: Ident
    text: str


class QuestionAdd(ClientMessage, frozen=True, rename={"from_": "from"}):
    text: str
    from_: Annotated[str, Meta(max_length=400)] = ""
    place: Annotated[str, Meta(max_length=400)] = ""


class QuestionMove(Some, frozen=True, kw_only=True):
    state: QuestionState
    reason: Reason = ""


class QuestionEdit(ClientMessage, frozen=True):
    id: Ident
    text: str


class QuestionMerge(ClientMessage, frozen=True):
    ids: Ids


class QuestionCarry(ClientMessage, frozen=True):
    ids: Ids = []


class PollOpen(ClientMessage, frozen=True):
    kind: PollKind
    question: str
    options: Annotated[list[str], Meta(max_length=100)] = []
    results_at_end: bool = False


class RoomMode(ClientMessage, frozen=True):
    """null or left out: as it is."""

    chat: ChatMode | None = None
    slow_seconds: Annotated[int, Meta(ge=0, le=86_400)] | None = None
    questions: QuestionMode | None = None
    anonymous: bool | None = None
    order: QuestionOrder | None = None
    hold_seconds: Annotated[int, Meta(ge=0, le=3600)] | None = None
    shield: bool | None = None
    words: Annotated[list[Annotated[str, Meta(max_length=200)]], Meta(max_length=1000)] | None = None
    networks: Annotated[list[Annotated[str, Meta(max_length=100)]], Meta(max_length=100)] | None = None


class NoticeSet(ClientMessage, frozen=True):
    text: str
    seconds: Annotated[int, Meta(ge=1, le=86_400)] | None = None


class Claim(ClientMessage, frozen=True):
    id: Ident
    on: bool = True


class CrewSay(ClientMessage, frozen=True):
    text: str
    to: Literal["crew", "stage"] = "crew"


class StudioSay(RoomCommand, frozen=True, kw_only=True):
    text: str
    to: Literal["crew", "stage"] = "crew"


class Undo(ClientMessage, frozen=True):
    action: Ident


class ActionList(ClientMessage, frozen=True):
    before: MediaTime | None = None


# --- events -----------------------------------------------------------------------------------------

Absent = msgspec.UnsetType
"""Fields that only some viewpoints have."""


class Removed(msgspec.Struct, frozen=True):
    """An item that is not to be seen any more by whoever is told."""

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


class CrewLine(msgspec.Struct, frozen=True):
    id: str
    to: str
    label: str
    text: str
    at: str
    room: str | Absent = msgspec.UNSET


class Trouble(msgspec.Struct, frozen=True):
    kind: str
    people: int
    alarm: bool
    room: str | Absent = msgspec.UNSET


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
    "cue": CrewLine,
    "crew.line": CrewLine,
    "sanction": SanctionChanged,
    "report": ReportChanged,
    "trouble": Trouble,
    "claim": Claimed,
    "action": ActionChanged,
}
"""Event type -> what its ``data`` holds; what is taken away is told as :class:`Removed`."""
