"""The disk of the data folder: for ``/readyz``, metrics and alarms."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from streamer.errors import Unavailable

ROOM_BYTES_S = 700_000
"""Bytes a second that a room writes, if its renditions are not known: five of them, the largest at 1080p."""
LEAST_BYTES = 64 * 1024 * 1024
"""With less than this nothing is kept any more: the database's journal and a few parts of each room fill it at once."""
LOW_S = 3600
"""One room fills the rest in less than this: a broadcast would not be kept to its end."""


@dataclass(frozen=True, slots=True)
class Disk:
    """Bytes free for us, bytes in all, and seconds until it is full while ``rooms`` rooms write."""

    free: int
    size: int
    left_s: float


def disk_of(folder: Path, rooms: int) -> Disk | None:
    """Takes microseconds. None if the file system does not tell."""
    try:
        found = shutil.disk_usage(folder)
    except OSError:
        return None
    return Disk(found.free, found.total, found.free / (ROOM_BYTES_S * max(1, rooms)))


def disk_check(folder: Path, rooms: Callable[[], int]) -> Callable[[], str]:
    """A check for ``/readyz``: ``ok``, or ``disk_low`` with less than an hour left. Raises Unavailable ``disk_full`` or
    ``disk_not_writable`` where nothing can be kept."""

    def check() -> str:
        disk = disk_of(folder, rooms())
        if disk is None or not os.access(folder, os.W_OK | os.X_OK):
            raise Unavailable("The data folder cannot be written.", code="disk_not_writable")
        if disk.free < LEAST_BYTES:
            raise Unavailable("The disk is full.", code="disk_full")
        return "disk_low" if disk.left_s < LOW_S else "ok"

    return check
