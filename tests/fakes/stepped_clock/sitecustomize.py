"""In a test's server: the wall clock, moved by the milliseconds in the file ``CLOCK_STEP_FILE``.

Python finds this module by PYTHONPATH and runs it before anything else. Monotonic clocks stay as they are.
"""

from __future__ import annotations

import mmap
import os
import struct
import time

_path = os.environ.get("CLOCK_STEP_FILE")
if _path:
    with open(_path, "rb") as _file:
        _map = mmap.mmap(_file.fileno(), 8, access=mmap.ACCESS_READ)
    _time_ns = time.time_ns

    def _moved_ns() -> int:
        step_ms: int = struct.unpack("<q", _map[:8])[0]
        return _time_ns() + step_ms * 1_000_000

    time.time_ns = _moved_ns
    time.time = lambda: _moved_ns() / 1e9
