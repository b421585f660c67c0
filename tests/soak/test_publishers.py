"""Publishers that nobody here wrote, for minutes: longer than any of their timers and ours."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.fakes.node_clients import needs_clients, node_publisher, write_clip
from tests.fakes.whip import WhipShim, whip_shim
from tests.interop import test_ffmpeg_whip, test_gstreamer_whip

pytestmark = pytest.mark.timeout(600)

LONG_S = 150.0
"""Consent ends after 30 s, aioice looks every five, FFmpeg reports each five."""


@contextlib.asynccontextmanager
async def publisher(name: str, shim: WhipShim, clip: Path) -> AsyncIterator[None]:
    if name in ("obs", "werift"):
        write_clip(clip, seconds=20, keyframe_s=10, profile="high" if name == "obs" else "baseline")
        async with node_publisher(name, shim.url, "secret", clip):
            yield
        return
    if name == "ffmpeg":
        process = await test_ffmpeg_whip.publish(shim, picture="size=320x180:rate=15")
    else:
        process = await test_gstreamer_whip.start(shim)
    try:
        yield
    finally:
        await test_ffmpeg_whip.stop(process)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("obs", marks=needs_clients),
        pytest.param("werift", marks=needs_clients),
        "ffmpeg",
        pytest.param(
            "gstreamer", marks=pytest.mark.skipif(shutil.which("whip-client") is None, reason="no simple-whip-client")
        ),
    ],
)
async def test_minutes_on_air(name: str, tmp_path: Path) -> None:
    async with whip_shim() as shim, publisher(name, shim, tmp_path / "clip"):
        await asyncio.sleep(LONG_S)
        units, events = shim.sink.units[:], shim.sink.events[:]
        status = shim.publications.status()["main"]
    assert events == [("up", "main")]
    assert status.up
    for kind in ("video", "audio"):
        arrivals = [unit.arrival_ns for unit in units if unit.kind == kind]
        assert (arrivals[-1] - arrivals[0]) / 1e9 > LONG_S - 15
        assert max(b - a for a, b in pairwise(arrivals)) < 2e9
