"""A room process limits its own memory; the media host watches it from outside (``host/memory.py``)."""

from __future__ import annotations

import contextlib
import resource
from pathlib import Path

OOM_SCORE_ADJ = 500
"""Of a room process: the kernel ends one of those before the media host and the web plane. Every process may raise its
own."""
_MB = 1024 * 1024


def limit_own(memory_mb: int) -> None:
    """Called in a room process at its start. The limit is doubled: it stops memory that grows within a moment, and
    unused address space counts here."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(f"{OOM_SCORE_ADJ}\n")
    with contextlib.suppress(OSError, ValueError):
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        wanted = 2 * memory_mb * _MB
        resource.setrlimit(resource.RLIMIT_DATA, (wanted if hard < 0 else min(wanted, hard), hard))
