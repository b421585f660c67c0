"""The cost of a room, beside one ``ffmpeg`` that makes the same renditions from the same file.

Ours: every process of ``streamer serve`` together, with all work besides encoding (WebRTC in, sound to AAC, packaging,
disk, meters, stills, sockets), while the file is published to it in real time. The publisher is not counted: it stands
for the camera. FFmpeg: file in, no output. Both in CPU seconds a second of media.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streamer.settings import MediaSettings
from tests.bench import machine
from tests.bench.source import HEIGHT, source_file
from tests.fakes.running import Running, serving

ROOM = "bench"
SETTLE_S = 10.0
"""Between live and the window: the ladder, the slate and the fork server have been made by then."""

CALM_LIMIT_S = 60.0
LOOK_S = 2.0
TRIES = 3
"""A round in which work was left out is done again."""


@dataclass
class RoomCost:
    """Of one window. CPU seconds a second of media."""

    by_role: dict[str, float]
    load: float
    notes: list[str] = field(default_factory=list)

    @property
    def total(self) -> float:
        return sum(self.by_role.values())


@dataclass
class FfmpegCost:
    total: float
    load: float


def ffmpeg_command(ffmpeg: str, source: Path, seconds: float, settings: MediaSettings) -> list[str]:
    """The issue's command: one split a rung, the ladder's own sizes and bitrates, null outputs."""
    rungs = [rung for rung in settings.rungs if rung.height < HEIGHT]
    labels = [f"s{rung.height}" for rung in rungs]
    graph = f"[0:v]split={len(rungs)}" + "".join(f"[{label}]" for label in labels)
    for rung, label in zip(rungs, labels, strict=True):
        width = round(rung.height * 16 / 9 / 2) * 2
        graph += f";[{label}]scale={width}:{rung.height}[v{rung.height}]"
    command = [ffmpeg, "-nostdin", "-loglevel", "error", "-t", f"{seconds:g}", "-i", str(source)]
    command += ["-filter_complex", graph]
    for rung in rungs:
        command += ["-map", f"[v{rung.height}]", "-c:v", "libx264", "-preset", settings.preset]
        command += ["-tune", "zerolatency", "-bf", "0", "-g", "60", "-b:v", f"{rung.bitrate_kbps}k", "-f", "null", "-"]
    return [*command, "-map", "0:a", "-c:a", "aac", "-b:a", f"{settings.audio_bitrate_kbps}k", "-f", "null", "-"]


def run_ffmpeg(ffmpeg: str, source: Path, seconds: float) -> FfmpegCost:
    """Blocks until ffmpeg has ended. Raises RuntimeError if it fails."""
    load = machine.load()
    process = subprocess.Popen(ffmpeg_command(ffmpeg, source, seconds, MediaSettings()))
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{ffmpeg} ended with {process.returncode}")
    return FfmpegCost((usage.ru_utime + usage.ru_stime) / seconds, load)


def find_ffmpeg() -> str:
    """The system's ffmpeg (Debian's), else the one of imageio-ffmpeg."""
    found = shutil.which("ffmpeg")
    if found:
        return found
    import imageio_ffmpeg

    return str(imageio_ffmpeg.get_ffmpeg_exe())


def ffmpeg_version(ffmpeg: str) -> str:
    told = subprocess.run([ffmpeg, "-version"], capture_output=True, text=True, check=True).stdout
    return f"{ffmpeg} {told.split()[2]}"


@contextlib.asynccontextmanager
async def publishing(running: Running, room: str, token: str, *source: str) -> AsyncIterator[None]:
    """``streamer publish`` as a process of its own, so that its CPU time is not ours."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "streamer.cli", "publish", "--url", f"{running.url}/whip/{room}", *source),
        env={**os.environ, "STREAMER_PUBLISH_TOKEN": token, "STREAMER_LOG__LEVEL": "error"},
    )
    try:
        yield
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
            try:
                async with asyncio.timeout(15):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


async def measure_room(source: Path, window_s: float, *, on_steady: Any = None) -> RoomCost:
    """One room from scratch, measured for ``window_s`` once it is steady. ``on_steady`` gets the Running."""
    async with serving() as running:
        token = await running.room(ROOM, start="auto")
        async with publishing(running, ROOM, token, str(source)):
            await running.wait_state(ROOM, "live", within_s=40)
            await asyncio.sleep(SETTLE_S)
            with contextlib.suppress(TimeoutError):
                # On a busy machine the start may have been too much; the ladder comes back by itself.
                async with asyncio.timeout(CALM_LIMIT_S):
                    while (await running.state(ROOM))["shedding"]:
                        await asyncio.sleep(1)
            if on_steady is not None:
                await on_steady(running)
            pids = machine.family(running.process.pid)
            began, before = time.monotonic(), machine.cpu_seconds(pids)
            notes: set[str] = set()
            while time.monotonic() - began < window_s:
                await asyncio.sleep(min(LOOK_S, window_s))
                notes |= _judge(await running.state(ROOM))
            took = time.monotonic() - began
            after = machine.cpu_seconds(machine.family(running.process.pid))
            cost = RoomCost(
                {role: seconds / took for role, seconds in machine.spent(before, after).items()}, machine.load()
            )
            cost.notes = sorted(notes)
            return cost


def _judge(room: dict[str, Any]) -> set[str]:
    """The reasons why a figure cannot be compared: work that was left out."""
    notes = set()
    if room["shedding"]:
        notes.add("the ladder shed work, the machine was too busy")
    if not room["sources"]["main"]["passthrough"]:
        notes.add("the source was not passed through")
    return notes


async def compare(rounds: int, window_s: float, say: Any) -> tuple[list[RoomCost], list[FfmpegCost], str]:
    """Ours and FFmpeg in turns. The third is FFmpeg's name and version."""
    source = await asyncio.to_thread(source_file, 60)
    ffmpeg = find_ffmpeg()
    ours: list[RoomCost] = []
    theirs: list[FfmpegCost] = []
    for number in range(rounds):
        for _ in range(TRIES):
            cost = await measure_room(source, window_s)
            if not cost.notes:
                break
            say(f"round {number + 1}: once more, {', '.join(cost.notes)} (load {cost.load:.1f})")
        roles = ", ".join(f"{role} {seconds:.3f}" for role, seconds in sorted(cost.by_role.items()))
        say(f"round {number + 1}: room {cost.total:.3f} ({roles}), load {cost.load:.1f} {cost.notes or ''}")
        ours.append(cost)
        peer = await asyncio.to_thread(run_ffmpeg, ffmpeg, source, min(window_s, 60))
        say(f"round {number + 1}: ffmpeg {peer.total:.3f}, load {peer.load:.1f}")
        theirs.append(peer)
    return ours, theirs, ffmpeg_version(ffmpeg)


def table(ours: Sequence[RoomCost], theirs: Sequence[FfmpegCost], ffmpeg: str) -> str:
    """Markdown."""
    mine = machine.median([cost.total for cost in ours])
    peer = machine.median([cost.total for cost in theirs])
    roles = sorted({role for cost in ours for role in cost.by_role})
    shares = ", ".join(f"{role} {machine.median([c.by_role.get(role, 0.0) for c in ours]):.3f}" for role in roles)
    loads = [cost.load for cost in (*ours, *theirs)]
    lines = [
        "| Cost of a 1080p30 room, 4 rungs | CPU s per s of media | beside FFmpeg | target |",
        "| --- | ---: | ---: | ---: |",
        f"| Streamer, all processes ({shares}) | {mine:.3f} | {mine / peer:.2f}x | 1.10x |",
        f"| {ffmpeg}, encoding alone | {peer:.3f} | 1.00x | |",
        "",
        f"Medians of {len(ours)} rounds in turns; one-minute load average {min(loads):.1f} to {max(loads):.1f}.",
    ]
    lines += sorted({f"Not comparable: {note}." for cost in ours for note in cost.notes})
    return "\n".join(lines)
