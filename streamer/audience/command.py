"""Commands of audiences and of their moderators: each is a struct, a right, a rate, and what it does. Pure.

Each stands once, with its feature (``chat.py``, ``questions.py``, ...); ``command_table.py`` has all of them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec
from msgspec import Meta

from streamer.audience.audience_scope import AudienceScope
from streamer.audience.habits import Habits, refuse_later
from streamer.audience.people import Participant, Who
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
"""A media time that a player says it shows. One that cannot be is not refused, it does not count."""
LongText = Annotated[str, Meta(max_length=1000)]
LongName = Annotated[str, Meta(max_length=400)]
"""Texts are measured, and refused with codes of their own, by the rules."""


class ClientMessage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sent by a client; checked before anything else is done with it."""

    def check(self) -> None:
        """Raises Unprocessable for what the schema cannot say; asked after the role."""


class SomeItems(ClientMessage, frozen=True):
    """One item or several."""

    id: Ident | None = None
    ids: Idents = ()

    @property
    def named(self) -> tuple[str, ...]:
        return self.ids if self.id is None else (self.id, *self.ids)

    def check(self) -> None:
        if not self.named:
            raise Unprocessable("id or ids has to be named.", code="invalid", details={"field": "id"})


@dataclass(frozen=True, slots=True)
class Situation:
    """The rules need this besides the state. ``prefixes``: where the participant comes from, exempt ones left out."""

    scope: Scope
    now_ms: int
    sessions: Sequence[Session]
    settings: AudienceSettings
    new_id: Callable[[], str]
    habits: Habits = field(default_factory=Habits)
    """The only thing that the rules change."""
    prefixes: tuple[str, ...] = ()
    known: frozenset[str] = frozenset()
    """Participants who are connected."""
    crew_names: tuple[str, ...] = ()
    """Names of those of the crew and of the speakers who are here: nobody else takes one."""
    protected: frozenset[str] = frozenset()
    """Those of the crew: nobody mutes them."""
    prefixes_of: Callable[[str], tuple[str, ...]] = lambda _participant: ()


@dataclass(frozen=True, slots=True)
class Decision:
    """``data`` is the answer's."""

    changes: tuple[Change, ...] = ()
    data: dict[str, Any] = field(default_factory=dict)
    action: ModerationAction | None = None
    told: tuple[str, dict[str, Any]] | None = None
    """Type and data of an event for moderators that nothing is stored of."""


C = TypeVar("C", bound=ClientMessage)
Budget = Literal["words", "votes", "names"]


@dataclass(frozen=True)
class CommandDefinition(Generic[C]):
    """``action``: the right, in the scope or room that it is about; None: open to all clients of the namespace.

    ``burst`` and ``per_s``: a limit of its own for each participant, or client, besides that for all commands.
    ``budget``: as what it counts in the budget that a household's new participants share.
    """

    name: str
    schema: type[C]
    action: Action | None = field(default=None, kw_only=True)
    burst: int | None = field(default=None, kw_only=True)
    per_s: float = field(default=1.0, kw_only=True)
    budget: Budget | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class StoredCommand(CommandDefinition[C]):
    """``effect(state, who, command, situation)`` decides; what it decides is stored before it is answered."""

    effect: Callable[[ScopeState, Any, C, Situation], Decision]
    speaks: bool = field(default=False, kw_only=True)
    """Whether it is refused to who is muted; who is banned is refused everything."""
    messages: Callable[[C], tuple[str, ...]] = field(default=lambda _command: (), kw_only=True)
    """Messages that it names, to be fetched where memory has them no more. A person may be named by one."""

    def decide(self, state: ScopeState, who: Who, command: C, at: Situation) -> Decision:
        """Raises StreamerError; nothing has changed then."""
        if isinstance(who, Participant) and not who.crew:
            sanction = state.sanctions.get(who.id)
            if self.speaks or (sanction is not None and sanction.banned):
                check_sanction(sanction, at.now_ms)
        return self.effect(state, who, command, at)


@dataclass(frozen=True)
class CountedCommand(CommandDefinition[C]):
    """``count(scope, who, command, now_ms)``: in memory alone."""

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
