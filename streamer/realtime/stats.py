"""The service's counters, for metrics."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Stats:
    """``_total`` fields only grow; the others are present values."""

    sessions: int = 0
    """Engine.IO sessions."""
    audience: int = 0
    moderation: int = 0
    studio: int = 0
    """Clients in each namespace."""
    lagging: int = 0
    """Clients that are behind at the moment."""
    connections_total: int = 0
    refused_total: int = 0
    events_total: int = 0
    """Events posted."""
    deliveries_total: int = 0
    """Events written to clients, counted once for each client."""
    messages_total: int = 0
    """Messages with these events."""
    replaced_total: int = 0
    """Droppable readings that were not posted."""
    cut_behind_total: int = 0
    """Readers that had too much waiting."""
    cut_stalled_total: int = 0
    """Readers that took nothing for too long."""
    cut_idle_total: int = 0
    """Connections that joined no namespace."""
    taken_out_total: int = 0
    """Clients whose grant ended, was revoked or reaches no more."""
    commands_total: int = 0
    commands_refused_total: int = 0
    streams_lost_total: int = 0
    """Times that a front process missed a message of the core's: all its clients entered anew."""
    resumed_total: int = 0
    reset_total: int = 0
