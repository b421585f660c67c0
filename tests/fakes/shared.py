"""Whole servers that the tests of a worker share: one for each set of settings, each test with rooms of its own.

A server costs two seconds of CPU before it answers, a room another one, and a server that nobody uses a hundredth of a
core. ``server`` is the one that most tests ask for; a module whose subject are other settings defines a fixture of that
name for itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest_asyncio

from streamer.control import run_folder
from streamer.control.channel import Channel
from streamer.errors import StreamerError
from tests.fakes.running import START_LIMIT_S, Running, serving
from tests.fakes.waiting import until_answered

LADDER = '[{"height": 240, "bitrate_kbps": 300}, {"height": 144, "bitrate_kbps": 120}]'
TOP, LOW = "v180", "v144"
"""The renditions of a ``tiny_camera`` with this ladder: the camera's own pictures, and encoded ones."""
ONE_SOUND = {"STREAMER_MEDIA__POOR_LINK_AUDIO_KBPS": "0"}
"""The second one takes as much of the processor as all pictures of a tiny camera."""
SPARING = ONE_SOUND | {"STREAMER_MEDIA__PRESET": "ultrafast"}
"""Strips can be read all the same."""
SMALLEST = SPARING | {
    "STREAMER_MEDIA__RUNGS": '[{"height": 90, "bitrate_kbps": 100}]',
    "STREAMER_MEDIA__SLATE_FRAME_RATE": "12",
    "STREAMER_HLS__SEGMENT_S": "1",
    "STREAMER_HLS__TARGET_DURATION_S": "2",
    "STREAMER_ROOM__WARM_SPARE": "false",
}
"""For servers of one test's own, with one room under a camera of 160x90: one room needs no fork server."""
SMALL = SPARING | {
    "STREAMER_MEDIA__RUNGS": LADDER,
    "STREAMER_MEDIA__STILL_INTERVAL_S": "1",
    "STREAMER_MEDIA__SLATE_FRAME_RATE": "12",
    "STREAMER_HLS__SEGMENT_S": "1",
    "STREAMER_HLS__TARGET_DURATION_S": "2",
    "STREAMER_HLS__RING_S": "9",
    # Unrecorded media are in memory alone: the cache must have room for the whole ring.
    "STREAMER_HLS__CACHE_BYTES_PER_ROOM": "4000000",
    "STREAMER_WHEP__MAX_VIEWERS": "2",
    "STREAMER_ROOM__ATTEMPTS_PER_MINUTE": "500",
    # Crowds that come from one address may speak at once: how newcomers are held back is no matter of whole servers.
    "STREAMER_REALTIME__NEWCOMER_S": "0",
}
"""Segments of a second: where neither rates nor sizes are the subject."""
PATIENT = {"STREAMER_MEDIA__SILENCE_BEFORE_SLATE_S": "10"}
"""A busy machine may hold a camera up for some seconds: without a slate."""
REAL = PATIENT | {"STREAMER_MEDIA__RUNGS": LADDER}
"""Segments and parts as they are by default."""
KEPT = 2
"""Servers of a worker that nobody uses and that run on: the one of most tests, and the last of another kind."""


@dataclass
class _Kept:
    running: Running
    stack: contextlib.AsyncExitStack
    users: int = 0


@dataclass
class Servers:
    """Those that run, by their settings and the command before theirs; the one that was used last stands last."""

    kept: dict[Any, _Kept] = field(default_factory=dict)

    @contextlib.asynccontextmanager
    async def lent(self, settings: Mapping[str, str], before: Sequence[str] = ()) -> AsyncIterator[Running]:
        """The server with these settings. The rooms that are open at the end are closed."""
        key = (frozenset(settings.items()), tuple(before))
        found = self.kept.pop(key, None)
        if found is not None and not await _answers(found.running):
            await found.stack.aclose()
            found = None
        if found is None:
            await self._end_unused(KEPT - 1)
            stack = contextlib.AsyncExitStack()
            running = await stack.enter_async_context(serving(environment=settings, before=before))
            found = _Kept(running, stack)
        self.kept[key] = found
        found.users += 1
        try:
            yield found.running
        finally:
            found.users -= 1
            await close_rooms(found.running)

    async def close(self) -> None:
        await self._end_unused(0)

    async def _end_unused(self, leave: int) -> None:
        unused = [key for key, one in self.kept.items() if not one.users]
        for key in unused[: max(0, len(unused) - leave)]:
            await self.kept.pop(key).stack.aclose()


async def _answers(server: Running) -> bool:
    """Not where a test before has ended it for good."""

    async def ready() -> bool:
        return server.process.returncode is not None or await server.ready()

    with contextlib.suppress(AssertionError):
        await until_answered(ready, limit_s=START_LIMIT_S)
    return server.process.returncode is None and await server.ready()


async def close_rooms(server: Running) -> None:
    """A room whose camera is gone goes on with its slate, and that takes CPU from the next test."""
    with contextlib.suppress(OSError, StreamerError, TimeoutError):
        host = await Channel.open(server.data / "run", run_folder.MEDIA_SOCKET)
        try:
            for entry in await host.request("list", {}, limit_s=5):
                with contextlib.suppress(StreamerError):
                    await host.request("stop", {"room": entry["room"]}, limit_s=5)
        finally:
            await host.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def servers() -> AsyncIterator[Servers]:
    kept = Servers()
    try:
        yield kept
    finally:
        await kept.close()


@pytest_asyncio.fixture(loop_scope="session")
async def server(servers: Servers) -> AsyncIterator[Running]:
    async with servers.lent(SMALL) as running:
        yield running
