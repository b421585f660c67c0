"""The heartbeat: while this server works it asks an address of the operator's for a page, once a minute. A service that
misses it tells people of the server's own death, which the server cannot.

The rules for addresses are those of polled schedules.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog

from streamer.errors import StreamerError
from streamer.planning.fetch import NotFetched, fetch
from streamer.settings import Settings

EVERY_S = 60.0

log = structlog.get_logger(__name__)

Check = Callable[[], Awaitable[object]]
"""Raises a StreamerError if what it checks does not work."""


class Heartbeat:
    """``checks`` are those of ``/readyz``: a server that is not ready gives no sign of life."""

    def __init__(self, settings: Settings, checks: Mapping[str, Check]) -> None:
        self._settings = settings
        self._checks = checks

    async def run(self) -> None:
        """Runs until it is cancelled; without an address it sends nothing."""
        while True:
            if self._settings.notify.heartbeat_url:
                await self.beat()
            await asyncio.sleep(EVERY_S)

    async def beat(self) -> bool:
        """One sign of life. Returns whether it was heard."""
        for name, check in self._checks.items():
            try:
                await check()
            except StreamerError as error:
                log.error("heartbeat_withheld", check=name, code=error.code)
                return False
        try:
            await fetch(self._settings.notify.heartbeat_url, self._settings.schedules)
        except NotFetched as error:
            status = error.details.get("status") if isinstance(error.details, dict) else None
            if isinstance(status, int) and 200 <= status < 300:
                return True
            log.warning("heartbeat_not_heard", code=error.code, status=status)
            return False
        return True
