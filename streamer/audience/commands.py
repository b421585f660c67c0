"""What people ask of the audience, as values. Texts are as they came; the rules clean and measure them."""

from __future__ import annotations

from dataclasses import dataclass

from streamer.conference.participation import ChatMode, PollKind, QuestionMode, QuestionOrder, QuestionState

# --- participants -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ChatSend:
    """Answer: ``id``, ``state`` (``visible``, ``held``, ``delayed``), ``at_ms``, ``media_at``."""

    text: str
    media_at_ms: int | None = None
    reply_to: str | None = None


@dataclass(frozen=True, slots=True)
class ChatWithdraw:
    """One's own message."""

    id: str


@dataclass(frozen=True, slots=True)
class QuestionAsk:
    """Answer: ``id``, ``state``, ``session``."""

    text: str
    anonymous: bool = False
    media_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class QuestionVote:
    """Answer: ``votes``."""

    id: str
    value: int


@dataclass(frozen=True, slots=True)
class QuestionWithdraw:
    id: str


@dataclass(frozen=True, slots=True)
class PollVote:
    """``options``: ids (places from 0), their digits, or texts; empty takes the vote back."""

    id: str
    options: tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class React:
    kind: str


@dataclass(frozen=True, slots=True)
class NameSet:
    """``place`` None: as it is. Answer: ``name``, ``place``, cleaned."""

    name: str
    place: str | None = None


@dataclass(frozen=True, slots=True)
class TroubleReport:
    kind: str


@dataclass(frozen=True, slots=True)
class ReportItem:
    """``kind``: ``message`` or ``question``."""

    kind: str
    id: str
    reason: str = ""


Taking = (
    ChatSend
    | ChatWithdraw
    | QuestionAsk
    | QuestionVote
    | QuestionWithdraw
    | PollVote
    | React
    | NameSet
    | TroubleReport
    | ReportItem
)

# --- the crew ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ChatDelete:
    ids: tuple[str, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ChatApprove:
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mute:
    """``seconds`` 0 ends it."""

    participant: str
    seconds: int
    reason: str = ""
    remove: bool = False
    """With what they have written lately."""


@dataclass(frozen=True, slots=True)
class Ban:
    participant: str
    reason: str = ""
    remove: bool = False


@dataclass(frozen=True, slots=True)
class Unban:
    participant: str


@dataclass(frozen=True, slots=True)
class NoteAdd:
    """On a participant's card."""

    participant: str
    text: str


@dataclass(frozen=True, slots=True)
class QuestionAdd:
    """Asked aloud or on paper; approved at once."""

    text: str
    name: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True)
class QuestionMove:
    ids: tuple[str, ...]
    state: QuestionState
    reason: str = ""


@dataclass(frozen=True, slots=True)
class QuestionEdit:
    id: str
    text: str


@dataclass(frozen=True, slots=True)
class QuestionMerge:
    """Into the first of them."""

    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QuestionCarry:
    """Into the session that is on now. No ids: all that were left over from the one before."""

    ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PollOpen:
    """Without options: yes or no. Answer: ``id``."""

    kind: PollKind
    question: str
    options: tuple[str, ...] = ()
    results_at_end: bool = False


@dataclass(frozen=True, slots=True)
class PollClose:
    id: str


@dataclass(frozen=True, slots=True)
class ModeSet:
    """None: as it is."""

    chat: ChatMode | None = None
    slow_seconds: int | None = None
    questions: QuestionMode | None = None
    anonymous: bool | None = None
    order: QuestionOrder | None = None
    hold_seconds: int | None = None
    shield: bool | None = None
    words: tuple[str, ...] | None = None
    networks: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class NoticeSet:
    """An empty text takes the notice away."""

    text: str
    seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """*I am at it*: told to the other moderators, over by itself after half a minute."""

    id: str
    on: bool = True


@dataclass(frozen=True, slots=True)
class ReportResolve:
    """All reports of the item."""

    id: str


@dataclass(frozen=True, slots=True)
class CrewSay:
    """``to``: ``crew`` or ``stage``."""

    text: str
    to: str = "crew"


@dataclass(frozen=True, slots=True)
class Undo:
    """Of an action; doing it twice changes nothing. ``own``: only a line of the crew's that one said oneself."""

    action: str
    own: bool = False


Moderating = (
    ChatDelete
    | ChatApprove
    | Mute
    | Ban
    | Unban
    | NoteAdd
    | QuestionAdd
    | QuestionMove
    | QuestionEdit
    | QuestionMerge
    | QuestionCarry
    | PollOpen
    | PollClose
    | ModeSet
    | NoticeSet
    | Claim
    | ReportResolve
    | CrewSay
    | Undo
)

Command = Taking | Moderating
