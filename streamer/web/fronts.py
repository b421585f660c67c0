"""Viewers and figures of front processes, as these tell them to the core. On the core's loop."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import msgspec
import structlog
from aiohttp import web

from streamer.api.addresses import CLIENT
from streamer.broadcast.media_events import PUBLIC
from streamer.delivery.replay import ReplayStats
from streamer.delivery.stats import DeliveryStats
from streamer.errors import BadRequest, NotFound
from streamer.realtime.stats import Stats
from streamer.web.connections import ConnectionStats
from streamer.web.core import REPORT_PATH

EVERY_S = 2.0
FRESH_S = 10.0
"""A process that has said nothing for this long has no viewers any more."""

_log = structlog.get_logger(__name__)


class FrontReport(msgspec.Struct, frozen=True):
    """The present state of one front process."""

    number: int
    pid: int
    viewers: dict[str, int]
    """Room -> viewers of its public output."""
    delivery: DeliveryStats
    connections: ConnectionStats
    realtime: Stats = msgspec.field(default_factory=Stats)
    replay: ReplayStats = msgspec.field(default_factory=ReplayStats)


class Fronts:
    """Sums over all front processes since this process began. ``clock``: seconds, monotonic."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.delivery = DeliveryStats()
        self.connections = ConnectionStats()
        self.realtime = Stats()
        self.replay = ReplayStats()
        self._clock = clock
        self._last: dict[int, tuple[float, FrontReport]] = {}

    def add_routes(self, app: web.Application) -> None:
        app.router.add_route("*", REPORT_PATH, self._hear)

    def viewers(self, room: str, output: str) -> int:
        if output != PUBLIC:
            return 0
        since = self._clock() - FRESH_S
        return sum(report.viewers.get(room, 0) for at, report in self._last.values() if at >= since)

    def hear(self, report: FrontReport) -> None:
        _, before = self._last.get(report.number, (0.0, None))
        for name in ("delivery", "connections", "realtime", "replay"):
            _add(getattr(self, name), getattr(report, name), report, before and getattr(before, name), before)
        self._last[report.number] = (self._clock(), report)

    async def _hear(self, request: web.Request) -> web.Response:
        from_front(request)
        try:
            self.hear(msgspec.json.decode(await request.read(), type=FrontReport))
        except msgspec.MsgspecError as error:
            _log.error("front_report_unreadable", error=str(error))
            raise BadRequest("This is no report.") from error
        return web.Response(status=204)


def from_front(request: web.Request) -> None:
    """Raises NotFound where not a front process asks, but somebody through it."""
    if CLIENT in request.headers:
        # It speaks for itself without this header, for others never.
        raise NotFound("There is nothing under this address.")


def _add(into: Any, now: Any, report: FrontReport, last: Any, before: FrontReport | None) -> None:
    """Add what has come since the last report. Of a process that was there before this one, counters begin now; one
    that follows another in its place takes over its gauges and begins its counters."""
    for field in dataclasses.fields(into):
        value = getattr(now, field.name)
        known = 0 if last is None else getattr(last, field.name)
        if field.name.endswith("_total"):
            if before is None:
                known = value
            elif before.pid != report.pid:
                known = 0
        setattr(into, field.name, getattr(into, field.name) + value - known)
