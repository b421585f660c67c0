"""One scope in the service's memory: its decided state, its stored and shown state, and its counts."""

from __future__ import annotations

from dataclasses import dataclass, field

from streamer.audience.presence import Crowd, Tallies
from streamer.audience.recent_activity import RecentActivities
from streamer.audience.scope import Scope
from streamer.audience.state import ScopeState


@dataclass(slots=True, eq=False)
class AudienceScope:
    """Commands are decided on ``working``; ``shown`` follows when they are stored. Both share the same frozen items."""

    scope: Scope
    working: ScopeState
    shown: ScopeState
    crowd: Crowd = field(default_factory=Crowd)
    activities: RecentActivities = field(default_factory=RecentActivities)
    tallies: Tallies = field(default_factory=Tallies)
    told_presence: dict[str, int] | None = None
    told_order: tuple[str, ...] | None = None
    voted: dict[str, None] = field(default_factory=dict)
    """Questions with votes that have not been sent yet."""
    polled: dict[str, None] = field(default_factory=dict)
    told_ms: int = 0
    """The time when votes were sent last."""
    unstored: int = 0
    """The number of commands whose changes are being written to the database."""
    behind: int = 0
    """Of those, the number that ``working`` does not contain, because it was reset after a failed write."""
    used_ms: int = 0
