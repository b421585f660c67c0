"""Long-lived tasks of a process: one that fails is begun anew, later each time, is counted, and rings when it goes on.

A task that serves one connection or one request is not for this: its end is that connection's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

import structlog

FIRST_RETRY_S, LAST_RETRY_S = 0.1, 30.0
STEADY_S = 60.0
"""A task that ran this long has earned a fresh back-off."""
TROUBLED_AFTER = 3
TROUBLED_S = 600.0
"""Three failures within ten minutes are somebody's business."""

Work = Callable[[], Awaitable[None]]

_log = structlog.get_logger(__name__)


class Tasks:
    """What has failed in this process, by the tasks' names (few and fixed: they are a metric's label)."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._restarts: dict[str, int] = {}
        self._failed_at: dict[str, list[float]] = {}
        self.restarts: Mapping[str, int] = MappingProxyType(self._restarts)
        """By name, 0 for one that has not failed."""

    def begin(self, name: str) -> None:
        self._restarts.setdefault(name, 0)

    def note(self, name: str) -> None:
        """It has failed and is begun anew, or goes on by itself."""
        self._restarts[name] = self._restarts.get(name, 0) + 1
        self._failed_at[name] = [*self._failed_at.get(name, ())[1 - TROUBLED_AFTER :], self._clock()]

    @property
    def restarts_total(self) -> int:
        return sum(self._restarts.values())

    def troubled(self) -> list[str]:
        """Tasks that fail again and again."""
        since = self._clock() - TROUBLED_S
        return sorted(
            name
            for name, times in self._failed_at.items()
            if len(times) >= TROUBLED_AFTER and times[-TROUBLED_AFTER] >= since
        )


TASKS = Tasks()
"""This process's."""


async def keep_going(name: str, work: Work, tasks: Tasks = TASKS) -> None:
    """Until ``work`` returns, or this is cancelled; begin it anew where it raises. Loop only."""
    tasks.begin(name)
    retry_s = FIRST_RETRY_S
    while True:
        began = time.monotonic()
        try:
            await work()
            return
        except Exception:
            tasks.note(name)
            _log.exception("task_failed", task=name, restarts=tasks.restarts[name])
        if time.monotonic() - began > STEADY_S:
            retry_s = FIRST_RETRY_S
        await asyncio.sleep(retry_s)
        retry_s = min(retry_s * 2, LAST_RETRY_S)


def start_kept(name: str, work: Work, *, task_name: str = "", tasks: Tasks = TASKS) -> asyncio.Task[None]:
    """The task that runs :func:`keep_going`; the caller owns and cancels it. ``task_name``: one that tells several of
    the same kind apart."""
    return asyncio.create_task(keep_going(name, work, tasks), name=task_name or name)
