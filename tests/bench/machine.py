"""The machine of the measurements, and CPU time of processes from ``/proc``. Linux only."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cpu:
    """CPU seconds since its start, user and system, of one process with all its threads."""

    name: str
    seconds: float


def cpu_of(pid: int) -> Cpu | None:
    """None if the process is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return None
    # The name may hold blanks and brackets; what follows its last bracket is numbered from field 3 (proc(5)).
    fields = stat.rpartition(")")[2].split()
    return Cpu(
        _role([word.decode(errors="replace") for word in command]), (int(fields[11]) + int(fields[12])) / TICKS_PER_S
    )


def _role(command: Sequence[str]) -> str:
    roles = {
        "streamer.web": "web",
        "streamer.host": "media host",
        "streamer.room.process": "room",
        "streamer.room.relay_process": "relay",
        "streamer.cli": "serve",
    }
    return next((roles[word] for word in command if word in roles), command[0] if command else "")


def family(pid: int) -> list[int]:
    """``pid`` and all its descendants."""
    found = [pid]
    for each in found:
        for task in _tasks(each):
            found += [int(child) for child in _read(f"/proc/{each}/task/{task}/children").split()]
    return found


def _tasks(pid: int) -> list[str]:
    try:
        return os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def cpu_seconds(pids: Iterable[int]) -> dict[int, Cpu]:
    return {pid: cpu for pid in pids if (cpu := cpu_of(pid)) is not None}


def spent(before: dict[int, Cpu], after: dict[int, Cpu]) -> dict[str, float]:
    """CPU seconds between two readings, by role. A process that began in between counts from its beginning."""
    out: dict[str, float] = {}
    for pid, cpu in after.items():
        began = before[pid].seconds if pid in before else 0.0
        out[cpu.name] = out.get(cpu.name, 0.0) + cpu.seconds - began
    return out


def resident_mb(pid: int) -> float:
    """Of one process, its shared pages included."""
    pages = _read(f"/proc/{pid}/statm").split()
    return int(pages[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6 if len(pages) > 1 else 0.0


def load() -> float:
    """Of the last minute, as the kernel averages it."""
    return os.getloadavg()[0]


def describe() -> str:
    """The processor and the system, in a line."""
    models = [line.partition(":")[2].strip() for line in _read("/proc/cpuinfo").splitlines() if "model name" in line]
    model = models[0] if models else platform.machine()
    return f"{os.cpu_count()} x {model}, {platform.system()} {platform.release()}, Python {platform.python_version()}"


def percentile(values: Sequence[float], percent: float) -> float:
    """By the nearest rank. ValueError for no values."""
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-len(ordered) * int(percent * 10) // 1000) - 1))]


def median(values: Sequence[float]) -> float:
    return statistics.median(values)
