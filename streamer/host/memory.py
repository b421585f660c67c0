"""Memory of room processes: a process that takes too much ends alone, and neither its neighbours nor the media host
with it.

If the service may divide its own cgroup (systemd: ``Delegate=memory``), each room gets a group with ``memory.max``, and
the kernel ends all of it at once. In any case the media host measures a room's memory and ends it, and a limit on its
data keeps it from growing faster than that. The file calls block, but are short.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)

CGROUPS = Path("/sys/fs/cgroup")
SUBGROUP = "service"
"""The group of all processes except the rooms'."""
WATCH_S = 0.5
_MB = 1024 * 1024
_PAGE = os.sysconf("SC_PAGE_SIZE")


def resident_bytes(pid: int) -> int:
    """The resident memory of a process, bytes; 0 if it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return 0


def is_delegated(group: Path) -> bool:
    """Whether systemd lets the service divide its cgroup (it tells so since version 251)."""
    try:
        return os.getxattr(group, "user.delegate") == b"1"
    except OSError:
        return False


class RoomGroups:
    """A cgroup (version 2) for each room under ``parent``, which the service may divide. None: the service has no such
    cgroup."""

    def __init__(self, parent: Path | None, memory_mb: int) -> None:
        self._parent = parent
        self._limit = memory_mb * _MB
        self._killed_before: dict[str, int] = {}
        """Room -> the count of its group before the process came: a group that was not empty still exists."""

    @classmethod
    def of_service(
        cls,
        memory_mb: int,
        *,
        root: Path = CGROUPS,
        own: Path = Path("/proc/self/cgroup"),
        delegated: Callable[[Path], bool] = is_delegated,
    ) -> RoomGroups:
        """The groups of the service to which this process belongs. Never raises."""
        try:
            line = next((text for text in own.read_text().splitlines() if text.startswith("0::/")), None)
            if line is None:
                return cls(None, memory_mb)
            group = root / line[len("0::/") :]
            parent = group.parent if group.name == SUBGROUP else group
            if not delegated(parent) or "memory" not in (parent / "cgroup.controllers").read_text().split():
                return cls(None, memory_mb)
            if parent == group:
                # A group with processes cannot be divided ("no internal process constraint", cgroup-v2, Linux
                # documentation), so all processes of the service move one level down.
                (group / SUBGROUP).mkdir(exist_ok=True)
                for pid in (group / "cgroup.procs").read_text().split():
                    with contextlib.suppress(ProcessLookupError):
                        (group / SUBGROUP / "cgroup.procs").write_text(pid)
            (parent / "cgroup.subtree_control").write_text("+memory")
        except OSError as error:
            log.warning("no_memory_groups", error=str(error))
            return cls(None, memory_mb)
        return cls(parent, memory_mb)

    def confine(self, room: str, pid: int) -> None:
        """Move a room's process into its group; its later children come along. Never raises."""
        if self._parent is None:
            return
        group = self._parent / f"room-{room}"
        try:
            group.mkdir(exist_ok=True)
            self._killed_before[room] = _oom_kills(group)
            (group / "memory.max").write_text(str(self._limit))
            # The kernel ends the relay together with its room.
            (group / "memory.oom.group").write_text("1")
            (group / "cgroup.procs").write_text(str(pid))
        except OSError as error:
            log.warning("room_not_confined", room=room, error=str(error))

    def release(self, room: str) -> bool:
        """The room's process is gone: remove its group. Returns whether the kernel ended the process because of its
        memory."""
        if self._parent is None:
            return False
        group = self._parent / f"room-{room}"
        killed = _oom_kills(group) > self._killed_before.pop(room, 0)
        with contextlib.suppress(OSError):
            group.rmdir()
        return killed


def _oom_kills(group: Path) -> int:
    try:
        events = dict(line.split() for line in (group / "memory.events").read_text().splitlines())
        return int(events.get("oom_kill", 0))
    except (OSError, ValueError):
        return 0
