"""The machine's memory, for metrics."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

MEMINFO = Path("/proc/meminfo")


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes that programs can still have without swapping, and bytes in all. In a container: those of its machine."""

    available: int
    size: int


def memory(file: Path = MEMINFO) -> Memory | None:
    """Takes microseconds. None if the system does not tell."""
    try:
        lines = dict(line.split(":", 1) for line in file.read_text("ascii").splitlines() if ":" in line)
        # Linux, Documentation/filesystems/proc.rst: "kB" stands for 1024 bytes.
        return Memory(*(int(lines[name].split()[0]) * 1024 for name in ("MemAvailable", "MemTotal")))
    except (OSError, KeyError, ValueError):
        return None
