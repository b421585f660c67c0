"""Worker threads with an ordered queue each, whose delay is visible from outside."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import structlog

log = structlog.get_logger(__name__)

Job = Callable[[], Any]


class OrderedWorker:
    """A thread that does its jobs in order. All methods can be called from any thread and never wait for a job.

    A job that raises is logged and counted; the worker goes on. The caller limits the number of waiting jobs with
    :attr:`lag` and :attr:`depth`. The worker has no limit, because some jobs must not be lost.
    """

    def __init__(self, name: str, *, niceness: int = 0) -> None:
        """``niceness`` gives the worker a lower priority than the process's other threads, as nice(1) does."""
        self.name = name
        self._niceness = niceness
        self.failures = 0
        """Jobs that raised."""
        self._jobs: deque[tuple[float, bool, Job]] = deque()
        self._condition = threading.Condition()
        self._closing = False
        self._busy_since: float | None = None
        """The time when the running job was put in."""
        self._mean_s = 0.0
        """The mean duration of the last jobs."""
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def lag(self) -> float:
        """The delay of the worker, seconds: the age of the oldest unfinished job, or the expected duration of the
        waiting jobs, whichever is more."""
        with self._condition:
            oldest = self._busy_since
            if oldest is None and self._jobs:
                oldest = self._jobs[0][0]
            ahead = len(self._jobs) * self._mean_s
        return max(0.0 if oldest is None else time.monotonic() - oldest, ahead)

    @property
    def depth(self) -> int:
        """The number of waiting jobs."""
        return len(self._jobs)

    @property
    def idle(self) -> bool:
        """Whether all jobs are done."""
        with self._condition:
            return self._busy_since is None and not self._jobs

    def put(self, job: Job, *, sheddable: bool = False) -> None:
        """Do ``job`` after all earlier ones. :meth:`shed` can remove ``sheddable`` jobs."""
        with self._condition:
            if self._closing:
                return
            self._jobs.append((time.monotonic(), sheddable, job))
            self._condition.notify()

    def shed(self) -> int:
        """Remove the sheddable jobs that have not begun. Returns their number."""
        with self._condition:
            kept = [entry for entry in self._jobs if not entry[1]]
            dropped = len(self._jobs) - len(kept)
            if dropped:
                self._jobs = deque(kept)
        return dropped

    def close(self) -> None:
        """Finish the running job, drop the others, end the thread. Does not wait."""
        with self._condition:
            self._closing = True
            self._jobs.clear()
            self._condition.notify()

    def _run(self) -> None:
        if self._niceness:
            # Linux has priorities for threads. PyAV works without the GIL, so nobody waits for a thread of low
            # priority.
            thread = threading.get_native_id()
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + self._niceness)
        while True:
            with self._condition:
                self._busy_since = None
                while not self._jobs and not self._closing:
                    self._condition.wait()
                if self._closing:
                    return
                self._busy_since, _, job = self._jobs.popleft()
            began = time.monotonic()
            try:
                job()
            except Exception:
                self.failures += 1
                log.exception("media_job_failed", worker=self.name)
            self._mean_s += (time.monotonic() - began - self._mean_s) / 3
            # A frame is large: it must not stay in a local variable until the next job comes.
            del job
