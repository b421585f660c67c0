"""Who is told when a grant is taken back or a login ends, so that what they hold open for it closes at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

import structlog

LISTENER_S = 1.0
"""Longest wait for one listener: revocation answers within a second or so, whoever hangs."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What is over. ``login`` None: all of the grant; else only what that login (its digest) had opened."""

    grant: str
    login: bytes | None = None


@dataclass(frozen=True, slots=True)
class Opener:
    """By what something is open: a grant, and the login (its digest) that it came by; None: its token."""

    grant: str
    login: bytes | None = None


Listener = Callable[[Ended], Awaitable[None]]
"""Closes what was opened (sockets, held playlists); there may be nothing of it."""

_log = structlog.get_logger(__name__)


class Revocations:
    """On the loop of one web process."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        self._openers: list[Callable[[], Iterable[Opener]]] = []

    def listen(self, listener: Listener) -> None:
        """For as long as the process lives."""
        self._listeners.append(listener)

    def follow(self, openers: Callable[[], Iterable[Opener]]) -> None:
        """Have it looked after, too, that nothing stays open by what another process has ended. ``openers`` tells by
        what something is open now."""
        self._openers.append(openers)

    def openers(self) -> set[Opener]:
        """By what anything is open in this process."""
        return {opener for openers in self._openers for opener in openers()}

    async def announce(self, ended: Ended) -> None:
        """Tell all listeners at once, and wait for them within limits. Never raises."""

        async def tell(listener: Listener) -> None:
            try:
                async with asyncio.timeout(LISTENER_S):
                    await listener(ended)
            except Exception as error:
                _log.error("revocation_listener_failed", grant=ended.grant, error=repr(error))

        async with asyncio.TaskGroup() as group:
            for number, listener in enumerate(self._listeners):
                group.create_task(tell(listener), name=f"revocation-{number}")
