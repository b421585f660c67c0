"""Long-lived tasks of a process. A task that fails is started again, with a growing wait, and counted; repeated
failures raise an alarm.

This is not for a task that serves one connection or one request: it ends with its connection.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

import structlog

FIRST_RETRY_S, LAST_RETRY_S = 0.1, 30.0
STEADY_S = 60.0
"""After this time a task's next failure has the shortest wait again."""
TROUBLED_AFTER = 3
TROUBLED_S = 600.0
"""Three failures within ten minutes raise an alarm."""

Work = Callable[[], Awaitable[None]]

_log = structlog.get_logger(__name__)


class Tasks:
    """The failures in this process, by the tasks' names (few and fixed: they are a metric's label)."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._restarts: dict[str, int] = {}
        self._failed_at: dict[str, list[float]] = {}
        self.restarts: Mapping[str, int] = MappingProxyType(self._restarts)
        """Name -> restarts; 0 for a task that has not failed."""

    def begin(self, name: str) -> None:
        self._restarts.setdefault(name, 0)

    def note(self, name: str) -> None:
        """The task failed and is started again, or continues by itself."""
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
"""The tasks of this process."""


async def keep_going(name: str, work: Work, tasks: Tasks = TASKS) -> None:
    """Runs until ``work`` returns or this is cancelled; starts it again when it raises. On the loop only."""
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
    """The task that runs :func:`keep_going`; the caller owns and cancels it. ``task_name`` distinguishes several of the
    same kind."""
    return asyncio.create_task(keep_going(name, work, tasks), name=task_name or name)
