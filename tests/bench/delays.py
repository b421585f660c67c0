"""Glass to glass: the delay from the test card's clock to the picture in Chromium's ``<video>``, on one machine.

The card writes UTC into each picture; the page reads it back from the video when the picture is shown. Between them are
the publisher's encoder, WebRTC, the room process, the web process and the player.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import shutil
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import aiohttp
import av

from streamer.publish.publisher import Publisher
from tests.bench import machine
from tests.bench.cost import publishing
from tests.fakes.running import Running, serving
from tests.fakes.waiting import until

BROWSER = Path(__file__).parent / "browser" / "run.mjs"
ROOM = "demo"
ANSWER_LIMIT_S = 180.0
WARM_S = 2.0
"""Before a fresh room: the fork server has done its imports by then."""

Say = Callable[[str], None]


class Browser:
    """Chromium behind ``browser/run.mjs``."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def ask(self, do: str, **order: Any) -> dict[str, Any]:
        """Raises RuntimeError with the browser's message."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, **order}).encode() + b"\n")
        await self._process.stdin.drain()
        async with asyncio.timeout(ANSWER_LIMIT_S):
            line = await self._process.stdout.readline()
        answer: dict[str, Any] = json.loads(line) if line else {"error": "the browser ended"}
        if "error" in answer:
            raise RuntimeError(f"{do}: {answer['error']}")
        return answer


@contextlib.asynccontextmanager
async def browsing() -> AsyncIterator[Browser]:
    node = shutil.which("node")
    if node is None:
        raise RuntimeError("node is not installed")
    process = await asyncio.create_subprocess_exec(
        node, str(BROWSER), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=16 * 1024 * 1024
    )
    try:
        yield Browser(process)
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(10):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


@dataclass
class Delays:
    """Milliseconds of every picture that was read."""

    ms: list[float]
    presented: int = 0
    unread: int = 0
    size: str = ""

    @property
    def median_s(self) -> float:
        return machine.median(self.ms) / 1000

    @property
    def p95_s(self) -> float:
        return machine.percentile(self.ms, 95) / 1000


@dataclass
class Figures:
    low: Delays | None = None
    whep: Delays | None = None
    plain: Delays | None = None
    opens_s: list[float] = field(default_factory=list)
    post_s: list[float] = field(default_factory=list)
    """Until an HLS client has decoded the first picture."""
    post_seen_s: list[float] = field(default_factory=list)
    """Until Chromium shows it."""
    answers_s: list[float] = field(default_factory=list)
    """Until the POST is answered."""
    loads: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class _TimedPublisher(Publisher):
    """Notes when the POST went out and when it was answered."""

    posted: float = 0.0
    answered: float = 0.0

    async def _post(self, http: aiohttp.ClientSession, pc: Any) -> str:
        self.posted = time.time()
        resource = await super()._post(http, pc)
        self.answered = time.time()
        return resource


async def measure(seconds: float, opens: int, posts: int, say: Say) -> Figures:
    """All measurements on one server. A failure is reported in ``problems`` and leaves its row empty."""
    figures = Figures()
    async with serving() as running, browsing() as browser:
        token = await running.room(ROOM, start="auto")
        async with publishing(running, ROOM, token):
            await running.wait_state(ROOM, "live", within_s=40)
            await asyncio.sleep(8)
            watch = f"{running.url}/watch/{ROOM}"
            for name, do, order in (
                ("low", "watch", {"url": watch}),
                ("whep", "watch", {"url": f"{watch}?latency=lowest"}),
                ("plain", "plain", {"url": f"{running.url}/live/{ROOM}/index.m3u8", "page": f"{running.url}/healthz"}),
            ):
                with _noting(figures, name):
                    answer = await browser.ask(do, seconds=seconds, settle=8, **order)
                    delays = Delays(answer["delays"], answer["presented"], answer["unread"], answer["size"])
                    setattr(figures, name, delays)
                    figures.loads.append(machine.load())
                    say(
                        f"{name}: median {delays.median_s:.3f} s, p95 {delays.p95_s:.3f} s, {len(delays.ms)} read of "
                        f"{delays.presented} at {delays.size}, {delays.unread} unreadable, load {machine.load():.1f}"
                    )
            for number in range(opens):
                with _noting(figures, f"open {number + 1}"):
                    answer = await browser.ask("open", url=watch)
                    figures.opens_s.append(answer["first"] / 1000)
                    say(f"open: first frame after {figures.opens_s[-1]:.3f} s, load {machine.load():.1f}")
                    figures.loads.append(machine.load())
        for number in range(posts):
            with _noting(figures, f"post {number + 1}"):
                await _first_picture(running, browser, f"fresh{number + 1}", figures, say)
    return figures


@contextlib.contextmanager
def _noting(figures: Figures, what: str) -> Any:
    try:
        yield
    except (RuntimeError, TimeoutError, AssertionError, aiohttp.ClientError, ValueError, av.FFmpegError) as error:
        figures.problems.append(f"{what}: {error or type(error).__name__}")


async def _first_picture(running: Running, browser: Browser, room: str, figures: Figures, say: Say) -> None:
    """A POST to a room that is closed; how long until somebody sees its picture."""
    token = await running.room(room, start="auto")
    await asyncio.sleep(WARM_S)
    await browser.ask("wait", url=f"{running.url}/watch/{room}")
    stop = asyncio.Event()
    publisher = _TimedPublisher(f"{running.url}/whip/{room}", token)
    task = asyncio.create_task(publisher.run(stop))
    try:
        await until(lambda: bool(publisher.posted) or task.done(), limit_s=20)
        decoded, seen = await asyncio.gather(_decode_first(running, room), browser.ask("first"))
        figures.answers_s.append(publisher.answered - publisher.posted)
        figures.post_s.append(decoded - publisher.posted)
        figures.post_seen_s.append(seen["firstUtc"] / 1000 - publisher.posted)
        figures.loads.append(machine.load())
        say(
            f"post: answered after {figures.answers_s[-1]:.3f} s, decoded after {figures.post_s[-1]:.3f} s, shown in "
            f"Chromium after {figures.post_seen_s[-1]:.3f} s, load {machine.load():.1f}"
        )
    finally:
        stop.set()
        await task


async def _decode_first(running: Running, room: str, limit_s: float = 20.0) -> float:
    """Poll the public address as a player does that waits; time.time() of the first decoded picture."""
    url = f"{running.url}/live/{room}/index.m3u8"
    async with asyncio.timeout(limit_s):
        while True:
            text = await _text(running.session, url)
            media = [line for line in text.splitlines() if line and not line.startswith("#")]
            if media:
                break
            await asyncio.sleep(0.05)
        rendition = urljoin(url, media[0])
        while True:
            playlist = await _text(running.session, rendition)
            found = _first_part(playlist)
            if found is not None:
                pieces = [await _bytes(running.session, urljoin(rendition, uri)) for uri in found]
                if _decodes(b"".join(pieces)):
                    return time.time()
            await asyncio.sleep(0.03)


def _first_part(playlist: str) -> tuple[str, str] | None:
    """Addresses of an init section and of the newest independent part."""
    init = part = None
    for line in playlist.splitlines():
        if line.startswith("#EXT-X-MAP:"):
            init = line.partition('URI="')[2].partition('"')[0]
        elif line.startswith("#EXT-X-PART:") and "INDEPENDENT=YES" in line:
            part = line.partition('URI="')[2].partition('"')[0]
    return (init, part) if init and part else None


async def _text(session: aiohttp.ClientSession, url: str) -> str:
    async with session.get(url) as response:
        return await response.text() if response.status == 200 else ""


async def _bytes(session: aiohttp.ClientSession, url: str) -> bytes:
    async with session.get(url) as response:
        response.raise_for_status()
        return await response.read()


def _decodes(data: bytes) -> bool:
    with av.open(io.BytesIO(data), format="mp4") as container:
        return next(container.decode(video=0), None) is not None


def table(figures: Figures) -> str:
    """Markdown."""

    def delay(delays: Delays | None, target: str) -> str:
        if delays is None:
            return f"not measured | | {target} |"
        return f"{_time(delays.median_s)} | {_time(delays.p95_s)} | {target} |"

    def times(values: list[float], target: str) -> str:
        if not values:
            return f"not measured | | {target} |"
        return f"{_time(machine.median(values))} | {_time(max(values))} (worst of {len(values)}) | {target} |"

    lines = [
        "| Glass to glass in Chromium, all on one machine | median | p95 | target |",
        "| --- | ---: | ---: | ---: |",
        f"| Watch page (LL-HLS) | {delay(figures.low, 'p95 2.0 s')}",
        f"| Watch page, lowest latency (WHEP) | {delay(figures.whep, 'p95 250 ms')}",
        f"| Peer: hls.js without LL-HLS, same stream | {delay(figures.plain, '')}",
        f"| First frame after opening the watch page | {times(figures.opens_s, '1 s')}",
        f"| A camera's POST to a closed room is answered | {times(figures.answers_s, '')}",
        f"| First frame after that POST, HLS client | {times(figures.post_s, '2.5 s')}",
        f"| First frame after that POST, Chromium on the watch page | {times(figures.post_seen_s, '2.5 s')}",
        "",
    ]
    if figures.loads:
        lines.append(f"One-minute load average {min(figures.loads):.1f} to {max(figures.loads):.1f}.")
    lines += [f"Failed: {problem}" for problem in figures.problems]
    return "\n".join(lines)


def _time(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"
