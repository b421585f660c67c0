"""Tells listeners that a grant was revoked or a login ended, so that they close at once what it had opened."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

import structlog

LISTENER_S = 1.0
"""The longest wait for one listener: a revocation answers within about a second, even if a listener hangs."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a grant or a login. ``login`` None: the whole grant ended; else only the login with this digest."""

    grant: str
    login: bytes | None = None


@dataclass(frozen=True, slots=True)
class Opener:
    """The grant that opened something, and the digest of its login; None: its token opened it."""

    grant: str
    login: bytes | None = None


Listener = Callable[[Ended], Awaitable[None]]
"""Closes sockets and held playlists that the grant or login had opened, if there are any."""

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
        """Watch also for ends in other processes. ``openers`` tells the grants and logins that hold something open
        now."""
        self._openers.append(openers)

    def openers(self) -> set[Opener]:
        """All grants and logins that hold something open in this process."""
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
