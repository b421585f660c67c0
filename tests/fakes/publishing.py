"""Cameras for tests against a real server: our own WHIP publisher in this process, or as one to be killed."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

from streamer.publish.inputs import Emit, Encoded, Feed, FeedOptions
from streamer.publish.publisher import Publisher
from tests.fakes.running import Running
from tests.fakes.waiting import until

SMALL = FeedOptions(width=640, height=360, bitrate=600_000, audio_bitrate=64_000)
TINY = FeedOptions(width=320, height=180, frame_rate=24, bitrate=250_000, audio_bitrate=64_000, packet_blocks=3)
"""Enough to be passed through (20 pictures a second). Strips can be read, also in the 256x144 that are made of it. What
packets cost, here and in the room, is most of what such a camera costs."""
STUTTER_US = 200_000
STUTTERS: deque[int] = deque(maxlen=1000)
"""UTC milliseconds at which a camera of this process skipped frames because the machine was too busy."""


class Camera:
    """A publisher that runs until :meth:`stop`."""

    def __init__(self, publisher: Publisher) -> None:
        self.publisher = publisher
        self._stop = asyncio.Event()
        self._last_us = 0
        self._pass_on, publisher.feed._emit = publisher.feed._emit, self._note
        self._task = asyncio.create_task(publisher.run(self._stop), name="camera")

    def _note(self, encoded: Encoded) -> None:
        """In the feed's thread."""
        if encoded.kind == "video":
            if 0 < self._last_us < encoded.media_us - STUTTER_US:
                STUTTERS.append(self._last_us // 1000)
            self._last_us = encoded.media_us
        self._pass_on(encoded)

    @property
    def connected(self) -> bool:
        if self._task.done():
            self._task.result()
        return self.publisher.state.connected

    async def wait_connected(self) -> None:
        await until(lambda: self.connected)

    def fall_silent(self) -> None:
        """Send nothing more and say nothing of it, as a camera does whose cable is out."""
        self.publisher.feed.wanted.clear()

    def speak_again(self) -> None:
        self.publisher.feed.request_keyframe()
        self.publisher.feed.wanted.set()

    async def stop(self) -> None:
        """DELETE, and the end."""
        self._stop.set()
        await self._task


@contextlib.asynccontextmanager
async def camera(
    server: Running,
    room: str,
    *,
    source: str = "main",
    token: str | None = None,
    options: FeedOptions = SMALL,
    file: str | None = None,
    feed: Callable[[Emit, FeedOptions], Feed] | None = None,
    takeover: bool = False,
    **changes: object,
) -> AsyncIterator[Camera]:
    """A connected camera. ``feed`` makes its media; ``changes`` are fields of :class:`FeedOptions`."""
    url = f"{server.url}/whip/{room}" + ("" if source == "main" else f"/{source}")
    options = replace(options, label=f"{room} {source}", **changes)  # type: ignore[arg-type]
    publisher = Publisher(url, token or server.tokens[room], file, options, takeover=takeover)
    if feed is not None:
        publisher.feed = feed(publisher._from_thread, options)
    running = Camera(publisher)
    try:
        await running.wait_connected()
        yield running
    finally:
        await running.stop()


tiny_camera = functools.partial(camera, options=TINY)
smallest_camera = functools.partial(camera, options=replace(TINY, width=160, height=90))
"""For tests that do not look at its pictures."""


@contextlib.asynccontextmanager
async def camera_process(
    server: Running, room: str, *, source: str = "main", width: int = TINY.width
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The tiny test card from a process of its own: it can be killed, and keeps its rhythm while a test works. It is
    told to end at the end."""
    url = f"{server.url}/whip/{room}" + ("" if source == "main" else f"/{source}")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.fakes.publishing", url, server.tokens[room], str(width)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            async with asyncio.timeout(15):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def _publish(url: str, token: str, width: str = str(TINY.width)) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await Publisher(url, token, options=replace(TINY, width=int(width))).run(stop)


if __name__ == "__main__":
    asyncio.run(_publish(*sys.argv[1:]))
