"""Who is told when a grant is taken back or a login ends, so that what they hold open for it closes at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

LISTENER_S = 1.0
"""Longest wait for one listener: revocation answers within a second or so, whoever hangs."""

Listener = Callable[[str], Awaitable[None]]
"""Is given the grant's id; closes what the grant had opened (sockets, held playlists). Must not raise for a grant that
it does not know."""

_log = structlog.get_logger(__name__)


class Revocations:
    """On the loop of one web process."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        """For as long as the process lives."""
        self._listeners.append(listener)

    async def announce(self, grant_id: str) -> None:
        """Tell all listeners at once, and wait for them within limits. Never raises."""

        async def tell(listener: Listener) -> None:
            try:
                async with asyncio.timeout(LISTENER_S):
                    await listener(grant_id)
            except Exception as error:
                _log.error("revocation_listener_failed", grant=grant_id, error=repr(error))

        async with asyncio.TaskGroup() as group:
            for number, listener in enumerate(self._listeners):
                group.create_task(tell(listener), name=f"revocation-{number}")
