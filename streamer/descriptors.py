"""The number of file descriptors that this process may open, and their division."""

from __future__ import annotations

import contextlib
import resource
from dataclasses import dataclass

MOST = 1_048_576
"""The most that is asked for: some systems set no limit, and a table of descriptors takes memory."""
FILES = 256
"""Kept for media files, the database, the rooms' sockets and connections that are being refused."""
LITTLE = 4096
"""Twice the need of a hall of 300 phones: a player opens up to six connections, a page one for its socket."""


@dataclass(frozen=True, slots=True)
class DescriptorBudget:
    """The limit of open file descriptors, divided among uses."""

    connections: int
    """For everybody."""
    crew: int
    """Further connections for clients that show a grant."""


def raise_limit() -> int:
    """Raise the soft limit to the hard one, for this process and its children. Returns the new limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        # The kernel's own limit (fs.nr_open) may be lower than what we ask for.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            return wanted
    return MOST if soft == resource.RLIM_INFINITY else soft


def budget(limit: int, most: int = 0) -> DescriptorBudget:
    """``most``: the operator's limit for all connections; 0: as many as descriptors allow."""
    connections = max(16, limit - min(FILES, limit // 4))
    if most:
        connections = min(connections, most)
    crew = max(min(8, connections // 2), connections // 16)
    return DescriptorBudget(connections - crew, crew)
