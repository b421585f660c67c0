"""FFmpeg's WHIP muxer: passive DTLS, no candidates, a retransmission SSRC without a line of its own."""

from __future__ import annotations

import asyncio
import shutil
import signal
from pathlib import Path

import aioice.ice
import pytest

from streamer.formats import h264
from streamer.formats.types import AccessUnit
from streamer.media.timeline import RoomClock, SourceClock
from streamer.rtc import consent
from tests.fakes.waiting import until
from tests.fakes.whip import WhipShim, whip_shim

LONG_NS = 18_000_000_000


def ffmpeg() -> str:
    """PyPI's build has the muxer; a distribution's older one has not."""
    try:
        import imageio_ffmpeg
    except ImportError:
        pytest.skip("imageio-ffmpeg is not installed")
    path = imageio_ffmpeg.get_ffmpeg_exe()
    if not shutil.which(path) and not Path(path).exists():
        pytest.skip("imageio-ffmpeg has no program")
    return path


async def publish(shim: WhipShim, *options: str, picture: str = "size=640x360:rate=30") -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        ffmpeg(),
        *("-hide_banner", "-loglevel", "warning", "-re"),
        *("-f", "lavfi", "-i", f"testsrc2={picture}"),
        *("-f", "lavfi", "-i", "sine=frequency=1000:sample_rate=48000"),
        *options,
        *("-c:v", "libx264", "-profile:v", "baseline", "-preset", "ultrafast", "-tune", "zerolatency"),
        *("-b:v", "1M", "-g", "60", "-bf", "0", "-pix_fmt", "yuv420p", "-c:a", "libopus", "-ac", "2"),
        *("-f", "whip", "-authorization", "secret", shim.url),
        stdin=asyncio.subprocess.DEVNULL,
    )


async def stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), 5)
    except TimeoutError:
        process.kill()
        await process.wait()


async def test_sound_and_picture_arrive_with_the_senders_clock() -> None:
    async with whip_shim() as shim:
        process = await publish(shim)
        try:
            await until(lambda: len(shim.sink.of("video")) > 60 and len(shim.sink.of("audio")) > 100)
            status = shim.publications.status()["main"]
        finally:
            await stop(process)
    assert status.up
    assert status.video is not None
    assert (status.video.width, status.video.height, status.video.codec) == (640, 360, "h264")
    first = shim.sink.of("video")[0]
    assert h264.parse_access_unit(first.data).idr
    assert not first.damaged
    assert shim.requests[0][1]["Authorization"] == "Bearer secret"
    assert {unit.codec for unit in shim.sink.of("audio")} == {"opus"}


async def test_one_percent_loss_costs_no_frame() -> None:
    count = 0

    def drop(packet: object) -> bool:
        nonlocal count
        count += 1
        return count % 100 == 50

    async with whip_shim(drop=drop) as shim:
        process = await publish(shim)
        try:
            await until(lambda: len(shim.sink.of("video")) > 120)
            counters = shim.publications.counters
        finally:
            await stop(process)
    assert counters["rtp_packets_recovered_total"] > 0
    assert counters["rtp_frames_dropped_total"] == 0
    assert not any(unit.damaged for unit in shim.sink.of("video"))


@pytest.mark.slow
async def test_long_without_answers_to_checks_and_with_a_lag_that_is_caught_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answers end with its handshake: consent was over after its time, here 6 s. After a lag it sends at 1.05 times
    its speed."""
    monkeypatch.setattr(consent, "CONSENT_NS", 6_000_000_000)
    monkeypatch.setattr(aioice.ice, "CONSENT_INTERVAL", 1)
    async with whip_shim() as shim:
        process = await publish(shim, picture="size=320x180:rate=15")
        try:
            await until(lambda: len(shim.sink.of("video")) > 30)
            began = shim.sink.of("video")[0].arrival_ns
            process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(3)
            process.send_signal(signal.SIGCONT)
            resumed = len(shim.sink.of("video"))
            first: AccessUnit | None = None

            def caught_up() -> bool:
                nonlocal first
                if shim.sink.units[-1].arrival_ns - began < LONG_NS:
                    return False
                late = shim.sink.of("video")[resumed + 15 :]
                first = first or next((unit for unit in late if h264.parse_access_unit(unit.data).idr), None)
                if first is None:
                    return False
                gained = late[-1].rtp_time - first.rtp_time - (late[-1].arrival_ns - first.arrival_ns) * 9 // 100_000
                return gained > 45_000  # half a second

            await until(lambda: caught_up() or len(shim.sink.events) > 1)
            units = shim.sink.units[:]
            status = shim.publications.status()["main"]
        finally:
            await stop(process)
    assert shim.sink.events[:1] == [("up", "main")]
    assert status.up
    take = SourceClock(RoomClock(0, began))
    assert first is not None
    for unit in units[units.index(first) :]:
        if unit.kind == "video":
            assert not take.jumped(take.video_start(unit), unit)
        else:
            assert not take.sound_is_far(take.sound_start(unit), unit)


async def test_the_resource_is_deleted_at_the_end() -> None:
    async with whip_shim() as shim:
        process = await publish(shim, "-t", "2")
        try:
            await until(lambda: ("up", "main") in shim.sink.events)
            await until(lambda: ("down", "main", "hung_up") in shim.sink.events)
        finally:
            await stop(process)
