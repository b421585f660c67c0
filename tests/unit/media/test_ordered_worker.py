"""Worker threads: priorities of their own."""

from __future__ import annotations

import os
import queue
import threading

import pytest

from streamer.media.ordered_worker import OrderedWorker


def priority() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


@pytest.mark.skipif(not hasattr(os, "setpriority"), reason="no priorities here")
def test_a_nice_worker_yields_and_its_process_does_not() -> None:
    own = priority()
    told: queue.Queue[int] = queue.Queue()
    nice, plain = OrderedWorker("nice", niceness=5), OrderedWorker("plain")
    try:
        nice.put(lambda: told.put(priority()))
        assert told.get(timeout=5) == min(own + 5, 19)
        plain.put(lambda: told.put(priority()))
        assert told.get(timeout=5) == own
        assert priority() == own
    finally:
        for worker in (nice, plain):
            worker.close()
            worker._thread.join(5)
            assert not worker._thread.is_alive()
