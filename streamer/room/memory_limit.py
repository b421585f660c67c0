"""A room process's own limits on its memory; the media host watches them from outside (``host/memory.py``)."""

from __future__ import annotations

import contextlib
import resource
from pathlib import Path

OOM_SCORE_ADJ = 500
"""Of a room process: the kernel takes one of those before the media host and the web plane. Anybody may raise it."""
_MB = 1024 * 1024


def limit_own(memory_mb: int) -> None:
    """In a room process, at its start. Twice the limit: this is a wall for what grows within a moment, and address
    space that is never touched counts here."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(f"{OOM_SCORE_ADJ}\n")
    with contextlib.suppress(OSError, ValueError):
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        wanted = 2 * memory_mb * _MB
        resource.setrlimit(resource.RLIMIT_DATA, (wanted if hard < 0 else min(wanted, hard), hard))
