"""A backup while a room is on air and others write: how many writes come through, whether live parts come later, how
long it takes, and whether it comes back whole elsewhere.

    python -m tests.bench backup [--quick]
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

from streamer.conference.sessions import Session
from streamer.store.database import Database, database_url
from streamer.store.sessions import Sessions
from tests.bench import machine
from tests.fakes.hls_client import HlsFollower
from tests.fakes.publishing import camera_process
from tests.fakes.running import Running, serving
from tests.fakes.shared import REAL
from tests.fakes.waiting import until

WRITES_PER_S, WRITERS, APART = 200, 2, 1_000_000
FILE_BYTES = 5_000_000
ROOM = "hall"


@dataclass
class Window:
    """A stretch of time."""

    name: str
    seconds: float = 0.0
    writes: int = 0
    longest_ms: float = 0.0
    """The longest time in which a writer's write was not acknowledged."""
    lags_ms: list[float] = field(default_factory=list)
    """From the end of each part of the picture until it was listed."""


@dataclass(frozen=True)
class Measured:
    windows: list[Window]
    told: str
    """By the backup."""
    rows: int
    acknowledged: int
    """Writes that were acknowledged before the backup began."""
    files: int
    restored_s: float
    wrong: list[str]


class _Writers:
    """Each waits for one write after the other. Their numbers begin at multiples of :data:`APART`."""

    def __init__(self) -> None:
        self.last = [number * APART for number in range(WRITERS)]
        self.longest_s = 0.0

    @property
    def done(self) -> int:
        return sum(self.last) - sum(number * APART for number in range(WRITERS))

    @contextlib.asynccontextmanager
    async def running(self, server: Running) -> AsyncIterator[None]:
        url = database_url("", server.data).render_as_string()
        command = [sys.executable, "-m", "tests.fakes.store_writer", url]
        processes = [
            await asyncio.create_subprocess_exec(
                *command, str(begin + 1), str(WRITES_PER_S / WRITERS), stdout=asyncio.subprocess.PIPE
            )
            for begin in self.last
        ]
        reading = [asyncio.create_task(self._read(number, process)) for number, process in enumerate(processes)]
        try:
            await until(lambda: all(number % APART for number in self.last))
            yield
        finally:
            for process in processes:
                process.kill()
                await process.wait()
            await asyncio.gather(*reading)

    async def _read(self, number: int, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        before = time.monotonic()
        async for line in process.stdout:
            now = time.monotonic()
            self.last[number], self.longest_s, before = int(line), max(self.longest_s, now - before), now


async def measure(files: int, seconds: float, say: Callable[[str], None]) -> Measured:
    """``files``: of old recordings, besides those of the room."""
    windows = [Window("before"), Window("the backup"), Window("the next backup")]
    with tempfile.TemporaryDirectory() as scratch:
        target, other = Path(scratch) / "backup", Path(scratch) / "other"
        async with serving(environment=REAL) as server:
            old = server.data / "rooms" / "old" / "b"
            old.mkdir(parents=True)
            for number in range(files):
                (old / f"v-{number:06}.m4s").write_bytes(os.urandom(FILE_BYTES))
            await server.room(ROOM, start="auto")
            await server.room("a")
            await _prepare_writes(server.data)
            writers = _Writers()
            async with camera_process(server, ROOM), HlsFollower(f"{server.url}/live/{ROOM}/index.m3u8") as follower:
                await server.wait_state(ROOM, "live")
                await follower.open()
                name = next(iter(follower.tracks))
                follower.tracks = {name: follower.tracks[name]}
                async with writers.running(server):
                    told, acknowledged = "", 0
                    for window in windows:
                        ended = asyncio.Event()
                        watching = asyncio.create_task(_watch(follower, name, window, ended))
                        first, began, writers.longest_s = writers.done, time.monotonic(), 0.0
                        if window is windows[0]:
                            await asyncio.sleep(seconds)
                        else:
                            acknowledged = first
                            said = await _streamer("backup", str(target), "--data", str(server.data))
                            told = told or said
                        window.seconds, window.writes = time.monotonic() - began, writers.done - first
                        window.longest_ms = writers.longest_s * 1000
                        ended.set()
                        await watching
                        say(str(window))
            began = time.monotonic()
            say(await _streamer("restore", str(target), "--data", str(other)))
            restored_s = time.monotonic() - began
            count, rows_found, wrong = _compared(server.data, other)
            if rows_found < acknowledged:
                wrong.append(f"{rows_found} writes of {acknowledged} acknowledged")
        return Measured(windows, told, rows_found, acknowledged, count, restored_s, wrong)


async def _prepare_writes(data: Path) -> None:
    database = Database(database_url("", data))
    await database.start()
    async with database.write() as connection:
        await Sessions(connection).add(Session("life", "a", "Life", 0, 1))
    await database.close()


async def _watch(follower: HlsFollower, name: str, window: Window, ended: asyncio.Event) -> None:
    seen_ms = 0.0

    def note(_follower: HlsFollower) -> bool:
        nonlocal seen_ms
        known = follower.tracks[name].reader.known
        newest = known[max(known)]
        assert newest.pdt_ms is not None
        until_ms = newest.pdt_ms + float(sum(part.duration for part in newest.parts)) * 1000
        if newest.parts and until_ms > seen_ms:
            seen_ms = until_ms
            window.lags_ms.append(time.time() * 1000 - until_ms)
        return ended.is_set()

    await follower.follow(until=note, limit_s=600)


async def _streamer(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "streamer.cli", *command), stdout=asyncio.subprocess.PIPE, stderr=subprocess.STDOUT
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode().strip().splitlines()[-1]


def _compared(data: Path, other: Path) -> tuple[int, int, list[str]]:
    """The number of files and of writes that came back, and what differs. Media files of the room have grown since."""
    wrong = []
    files = [path for name in ("rooms", "recordings") for path in (other / name).rglob("*") if path.is_file()]
    for path in files:
        now, then = (data / path.relative_to(other)).read_bytes(), path.read_bytes()
        if not now.startswith(then) or ("old" in path.parts and now != then):
            wrong.append(str(path.relative_to(other)))
    with contextlib.closing(sqlite3.connect(other / "streamer.sqlite3")) as database:
        found = database.execute("SELECT start_ms FROM sessions WHERE room_id = 'a' AND id != 'life' ORDER BY start_ms")
        numbers = [number for (number,) in found]
        own = "SELECT count(*) FROM marks JOIN sessions ON sessions.id = marks.session_id WHERE room_id = 'a'"
        ((marks,),) = database.execute(own).fetchall()
        ((last,),) = database.execute("SELECT sequence FROM sessions WHERE id = 'life'").fetchall()
    runs = [[number for number in numbers if number // APART == writer] for writer in range(WRITERS)]
    whole = all(run == list(range(run[0], run[0] + len(run))) and run[0] % APART == 1 for run in runs)
    if not whole or last not in [run[-1] for run in runs] or marks != len(numbers):
        wrong.append(f"{len(numbers)} rows, {marks} marks, the last changed to {last}")
    return len(files), len(numbers), wrong


def table(measured: Measured) -> str:
    lines = [
        f"| One room on air, {WRITES_PER_S} writes a second | Seconds | Writes, the longest | Parts listed after "
        "their end, p50 / p95 / max |",
        "| --- | --- | --- | --- |",
    ]
    for window in measured.windows:
        lags = window.lags_ms or [0.0]
        told = f"{machine.percentile(lags, 50):.0f} / {machine.percentile(lags, 95):.0f} / {max(lags):.0f} ms"
        writes = f"{window.writes / window.seconds:.0f} /s, {window.longest_ms:.0f} ms"
        lines.append(f"| {window.name} | {window.seconds:.1f} | {writes} | {told} |")
    same = "all as they were" if not measured.wrong else f"{len(measured.wrong)} differ: {measured.wrong[:3]}"
    lines += [
        "",
        f"{measured.told} Restored elsewhere in {measured.restored_s:.1f} s: {measured.files} files and "
        f"{measured.rows} writes ({measured.acknowledged} acknowledged before it began), {same}.",
    ]
    return "\n".join(lines)
