"""One scope at the service's hands: what was decided, what is stored and shown, and what is counted."""

from __future__ import annotations

from dataclasses import dataclass, field

from streamer.audience.habits import Habits
from streamer.audience.presence import Crowd, Tallies
from streamer.audience.scope import Scope
from streamer.audience.state import ScopeState


@dataclass(slots=True, eq=False)
class AudienceScope:
    """Commands are decided on ``working``; ``shown`` follows when they are stored. Both hold the same, frozen items."""

    scope: Scope
    working: ScopeState
    shown: ScopeState
    crowd: Crowd = field(default_factory=Crowd)
    habits: Habits = field(default_factory=Habits)
    tallies: Tallies = field(default_factory=Tallies)
    told_presence: dict[str, int] | None = None
    told_order: tuple[str, ...] | None = None
    voted: dict[str, None] = field(default_factory=dict)
    """Questions with votes that have not been told."""
    polled: dict[str, None] = field(default_factory=dict)
    told_ms: int = 0
    """When votes were told last."""
    unstored: int = 0
    """Commands whose changes are on their way to the database."""
    behind: int = 0
    """Of those, how many ``working`` does not hold, because it began anew after one that could not be written."""
    used_ms: int = 0
