"""Publishers on Node that nobody here wrote (``tests/interop/clients``), and the clip that they send."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import av
import numpy as np
import pytest

from tests.fakes.clips import h264_clip

CLIENTS = Path(__file__).resolve().parents[1] / "interop" / "clients"

needs_clients = pytest.mark.skipif(
    shutil.which("node") is None or not (CLIENTS / "node_modules/.package-lock.json").exists(),
    reason="the packages of tests/interop/clients are not installed",
)


def write_clip(path: Path, *, seconds: float, keyframe_s: float, profile: str = "high", fps: int = 15) -> None:
    """H.264 of 320x180 and a tone of 1 kHz in Opus, as ``whip.mjs`` reads it: kind, microseconds, size, bytes."""
    frames = [
        (sent.media_us, 1, sent.data)
        for sent in h264_clip(seconds=seconds, keyframe_s=keyframe_s, width=320, height=180, fps=fps, profile=profile)
    ]
    opus = av.CodecContext.create("libopus", "w")
    opus.sample_rate, opus.format, opus.layout = 48_000, "s16", "stereo"
    opus.bit_rate = 64_000
    for block in range(round(seconds * 50)):
        wave = 8000 * np.sin(2 * np.pi * 1000 * (block * 960 + np.arange(960)) / 48_000)
        frame = av.AudioFrame.from_ndarray(np.repeat(wave.astype(np.int16), 2).reshape(1, -1), "s16", "stereo")
        frame.sample_rate, frame.pts = 48_000, block * 960
        frames += [(block * 20_000, 0, bytes(packet)) for packet in opus.encode(frame)]
    with path.open("wb") as out:
        for at_us, kind, data in sorted(frames, key=lambda frame: frame[0]):
            out.write(struct.pack(">BII", kind, at_us, len(data)) + data)


@contextlib.asynccontextmanager
async def node_publisher(name: str, url: str, token: str, clip: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """``name``: ``obs`` or ``werift``. Ends with a DELETE, which must be answered with 200."""
    process = await asyncio.create_subprocess_exec("node", str(CLIENTS / f"{name}.mjs"), url, token, str(clip))
    try:
        yield process
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 10) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
