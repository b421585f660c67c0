"""Commands of audiences and of their moderators: each has a struct, a right, a rate and an effect. Pure.

Each command is defined once, in the module of its feature (``chat.py``, ``questions.py``, ...); ``command_table.py``
has all of them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec
from msgspec import Meta

from streamer.audience.audience_scope import AudienceScope
from streamer.audience.people import Participant, Who
from streamer.audience.recent_activity import RecentActivities, refuse_later
from streamer.audience.scope import Scope
from streamer.audience.state import Change, ScopeState
from streamer.conference.grants import Action
from streamer.conference.participation import ModerationAction, Sanction
from streamer.conference.sessions import Session
from streamer.errors import Forbidden, NotFound, Unprocessable
from streamer.settings import AudienceSettings
from streamer.store.database import Database

Ident = Annotated[str, Meta(min_length=1, max_length=128)]
Idents = Annotated[tuple[Ident, ...], Meta(max_length=200)]
"""Items of one bulk command."""
MediaTime = Annotated[int, Meta(ge=0, le=2**53 - 1)]
MediaClaim = int | float | None
"""The media time that a player claims to show. An impossible claim is ignored, not refused."""
LongText = Annotated[str, Meta(max_length=1000)]
LongName = Annotated[str, Meta(max_length=400)]
"""Texts may be longer here: the rules measure them and refuse them with their own codes."""


class ClientMessage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sent by a client, and checked before it is used."""

    def check(self) -> None:
        """Raises Unprocessable for errors that the schema cannot express; called after the check of the role."""


class SomeItems(ClientMessage, frozen=True):
    """One item or several."""

    id: Ident | None = None
    ids: Idents = ()

    @property
    def named(self) -> tuple[str, ...]:
        return self.ids if self.id is None else (self.id, *self.ids)

    def check(self) -> None:
        if not self.named:
            raise Unprocessable("Name id or ids.", code="invalid", details={"field": "id"})


@dataclass(frozen=True, slots=True)
class Situation:
    """Facts that the rules need besides the state. ``prefixes``: the participant's networks, without exempt ones."""

    scope: Scope
    now_ms: int
    sessions: Sequence[Session]
    settings: AudienceSettings
    new_id: Callable[[], str]
    activities: RecentActivities = field(default_factory=RecentActivities)
    """The only object here that the rules change."""
    prefixes: tuple[str, ...] = ()
    connected: frozenset[str] = frozenset()
    """Participants who are connected."""
    crew_names: tuple[str, ...] = ()
    """Names of the crew and the speakers who are connected: nobody else may take one."""
    crew_ids: frozenset[str] = frozenset()
    """Participants of the crew: nobody may mute them."""
    prefixes_of: Callable[[str], tuple[str, ...]] = lambda _participant: ()


@dataclass(frozen=True, slots=True)
class Decision:
    changes: tuple[Change, ...] = ()
    answer: dict[str, Any] = field(default_factory=dict)
    """The data of the command's answer."""
    action: ModerationAction | None = None
    event: tuple[str, dict[str, Any]] | None = None
    """Type and data of an event for moderators that is not stored."""


C = TypeVar("C", bound=ClientMessage)
Budget = Literal["words", "votes", "names"]


@dataclass(frozen=True)
class CommandDefinition(Generic[C]):
    """``action``: the right in the command's scope or room; None: open to all clients of the namespace.

    ``burst`` and ``per_s``: the command's own limit for each participant or client, besides the limit for all commands.
    ``budget``: the kind under which it counts in the budget that a household's new participants share.
    """

    name: str
    schema: type[C]
    action: Action | None = field(default=None, kw_only=True)
    burst: int | None = field(default=None, kw_only=True)
    per_s: float = field(default=1.0, kw_only=True)
    budget: Budget | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class StoredCommand(CommandDefinition[C]):
    """``effect(state, who, command, situation)`` decides; the decision is stored before the answer."""

    effect: Callable[[ScopeState, Any, C, Situation], Decision]
    speaks: bool = field(default=False, kw_only=True)
    """Whether a muted participant may not send it. A banned participant may send no command."""
    messages: Callable[[C], tuple[str, ...]] = field(default=lambda _command: (), kw_only=True)
    """Messages that the command names, to be fetched if they are not in memory. A person may be named by a message."""

    def decide(self, state: ScopeState, who: Who, command: C, at: Situation) -> Decision:
        """Raises StreamerError; then nothing has changed."""
        if isinstance(who, Participant) and not who.crew:
            sanction = state.sanctions.get(who.id)
            if self.speaks or (sanction is not None and sanction.banned):
                check_sanction(sanction, at.now_ms)
        return self.effect(state, who, command, at)


@dataclass(frozen=True)
class CountedCommand(CommandDefinition[C]):
    """``count(scope, who, command, now_ms)`` counts in memory only."""

    count: Callable[[AudienceScope, Any, C, int], Decision]


@dataclass(frozen=True)
class ReadCommand(CommandDefinition[C]):
    """``read(database, scope, command, now_ms)`` gives the answer; nothing changes."""

    read: Callable[[Database, AudienceScope, C, int], Awaitable[dict[str, Any]]]


def check_sanction(sanction: Sanction | None, now_ms: int) -> None:
    """Raises Forbidden ``banned``, TooMany ``muted``."""
    if sanction is None:
        return
    if sanction.banned:
        raise Forbidden("You have been banned from here.", code="banned")
    if sanction.muted_until_ms > now_ms:
        raise refuse_later("A moderator has muted you for a while.", "muted", sanction.muted_until_ms - now_ms)


def no_such(kind: str) -> NotFound:
    return NotFound(f"There is no such {kind}.", code=f"no_such_{kind}")
