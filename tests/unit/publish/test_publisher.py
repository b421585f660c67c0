"""The publisher against a WHIP endpoint on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from statistics import median
from types import SimpleNamespace

import av
import numpy as np
import pytest

from streamer.formats import h264
from streamer.formats.types import AccessUnit
from streamer.publish import inputs
from streamer.publish.inputs import Encoded, FeedOptions, MediaFeed, TestCardFeed
from streamer.publish.publisher import Publisher, PublishRefused
from streamer.publish.testcard import TestCard, decode_strip, sound_frame
from streamer.publish.understudy import Understudy
from streamer.publish.upright import turn_of, upright
from tests.fakes.ports import free_port
from tests.fakes.waiting import LIMIT_S, in_time, until
from tests.fakes.whip import WhipShim, loopback_settings, whip_shim

SMALL = FeedOptions(width=320, height=180, bitrate=300_000)


@asynccontextmanager
async def publishing(
    shim: WhipShim,
    source: str | None = None,
    options: FeedOptions = SMALL,
    *,
    token: str = "secret",
    takeover: bool = False,
    understudy: Understudy | None = None,
) -> AsyncIterator[Publisher]:
    stop = asyncio.Event()
    publisher = Publisher(shim.url, token, source, options, takeover=takeover, understudy=understudy)
    task = asyncio.create_task(publisher.run(stop))
    try:
        yield publisher
    finally:
        stop.set()
        await asyncio.wait_for(task, LIMIT_S)


def pictures(units: list[AccessUnit], codec: str = "h264") -> list[np.ndarray]:
    """The luma of each."""
    decoder = av.CodecContext.create(codec, "r")
    shown = []
    for unit in units:
        for frame in decoder.decode(av.Packet(unit.data)):
            plane = frame.planes[0]
            shown.append(np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: frame.height, : frame.width])
    return shown


def times_shown(units: list[AccessUnit], codec: str = "h264") -> list[int | None]:
    return [decode_strip(luma) for luma in pictures(units, codec)]


async def test_the_card_arrives_with_the_time_that_its_clock_says() -> None:
    async with whip_shim() as shim:
        async with publishing(shim):
            # The sender's clock is known from its first report on.
            await until(lambda: sum(unit.sender_us is not None for unit in shim.sink.of("video")) > 20)
            await until(lambda: len(shim.sink.of("video")) > 45 and len(shim.sink.of("audio")) > 60)
            # Each kind has reports of its own.
            await until(lambda: shim.sink.of("audio")[-1].sender_us is not None)
            units = list(shim.sink.of("video"))
            sound, now_ms = shim.sink.of("audio")[-1], time.time() * 1000
        assert shim.requests[0][1]["Authorization"] == "Bearer secret"
        assert shim.requests[-1][0] == "DELETE"
        assert shim.sink.events == [("up", "main"), ("down", "main", "hung_up")]
    shown = times_shown(units)
    assert len(shown) == len(units)
    pairs = [(u.sender_us / 1000, ms) for u, ms in zip(units, shown, strict=True) if u.sender_us and ms]
    assert len(pairs) > 20
    assert all(abs(sender_ms - ms) < 3 for sender_ms, ms in pairs)
    # A machine that had no time for a while leaves pictures out, and the clock goes on.
    apart = Counter(round((b.rtp_time - a.rtp_time) / 3000) for a, b in pairwise(units))
    assert min(apart) == 1, apart
    assert apart[1] > 0.9 * apart.total(), apart
    assert sound.sender_us is not None
    assert abs(sound.sender_us / 1000 - now_ms) < 2000


async def test_vp8_and_a_change_of_size_in_mid_stream() -> None:
    async with whip_shim() as shim:
        options = FeedOptions(codec="vp8", width=320, height=180, bitrate=300_000, audio=False)
        async with publishing(shim, options=options) as publisher:
            await until(lambda: len(shim.sink.of("video")) > 10)
            assert isinstance(publisher.feed, TestCardFeed)
            publisher.feed.resize(240, 320)

            def size() -> tuple[int, int]:
                video = shim.publications.status()["main"].video
                return (video.width, video.height) if video else (0, 0)

            await until(lambda: size() == (240, 320))
    assert shim.sink.of("audio") == []


async def test_sound_alone() -> None:
    async with whip_shim() as shim, publishing(shim, options=FeedOptions(video=False)):
        await until(lambda: len(shim.sink.of("audio")) > 20)
        assert shim.publications.status()["main"].notes == ["no_video"]


async def test_a_key_frame_comes_when_it_is_asked_for() -> None:
    async with whip_shim() as shim, publishing(shim):

        def idrs() -> int:
            return sum(h264.parse_access_unit(unit.data).idr for unit in shim.sink.of("video"))

        await until(lambda: len(shim.sink.of("video")) > 15)
        before = idrs()
        with in_time(1):
            shim.publications.request_keyframe("main")
            await until(lambda: idrs() > before)


async def test_it_publishes_anew_when_the_room_is_gone_without_a_word() -> None:
    async with whip_shim() as shim, publishing(shim) as publisher:
        await until(lambda: shim.sink.units and publisher.state.connected)
        await until(lambda: publisher._senders["video"].last_report_at is not None)
        # As a killed process: no BYE, no DTLS alert, the sockets just do not answer any more.
        from streamer.rtc import aiortc_hooks as hooks

        victim = shim.publications._feeding["main"]
        assert victim._pc is not None
        for protocol in hooks.dtls_transports(victim._pc)[0].transport._connection._protocols:
            protocol.transport.close()
        with in_time(8):
            await until(lambda: publisher.state.connections == 2)
        await until(lambda: shim.sink.events.count(("up", "main")) == 2)
        frames = len(shim.sink.of("video"))
        await until(lambda: len(shim.sink.of("video")) > frames + 5)


async def test_it_publishes_anew_when_it_is_hung_up() -> None:
    async with whip_shim() as shim, publishing(shim) as publisher:
        await until(lambda: shim.sink.units)
        await shim.publications.hangup(shim.publications._feeding["main"].resource)
        await until(lambda: publisher.state.connections == 2)


async def test_an_understudy_gives_way_and_comes_back_once_the_source_has_long_been_free() -> None:
    only_sound = FeedOptions(video=False)
    async with whip_shim() as shim:
        # At first for longer than a visitor's page needs on any machine.
        understudy = Understudy(shim.url, free_s=60, look_s=0.02)
        async with publishing(shim, options=only_sound, understudy=understudy) as demo:
            await until(lambda: demo.state.connected)
            async with publishing(shim, options=only_sound, token="visitor", takeover=True) as visitor:
                await until(lambda: visitor.state.connected and "409" in demo.state.last_error)
                # A visitor who loads the page anew is back before the other is.
                await shim.publications.hangup(shim.publications._feeding["main"].resource)
                await until(lambda: visitor.state.connections == 2)
                assert demo.state.connections == 1
                understudy._free_s = 0.6
                left = time.monotonic()
            await until(lambda: demo.state.connections == 2)
            assert time.monotonic() - left >= 0.5
            assert len([event for event in shim.sink.events if event[0] == "up"]) == 4


async def test_a_server_that_is_not_there_yet_is_waited_for() -> None:
    shim = WhipShim()
    await shim.start()
    try:
        shim.refuse = 503
        async with publishing(shim) as publisher:
            await until(lambda: publisher.state.attempts >= 2)
            shim.refuse = None
            await until(lambda: shim.sink.units)
            assert publisher.state.connections == 1
    finally:
        await shim.stop()


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_wrong_token_or_address_is_told_at_once(status: int) -> None:
    async with whip_shim() as shim:
        shim.refuse = status
        publisher = Publisher(shim.url, "wrong", None, SMALL)
        with pytest.raises(PublishRefused) as caught:
            await asyncio.wait_for(publisher.run(asyncio.Event()), 5)
        assert caught.value.status == status
        assert not publisher.feed._thread.is_alive()


async def test_it_publishes_to_an_ipv6_loopback() -> None:
    settings = loopback_settings(host_addresses=("::1",))
    async with whip_shim(settings, host="::1") as shim, publishing(shim):
        assert shim.url.startswith("http://[::1]:")
        await until(lambda: shim.sink.of("video"))


async def test_no_thread_and_no_task_is_left() -> None:
    tasks = len(asyncio.all_tasks())
    async with whip_shim() as shim, publishing(shim):
        await until(lambda: shim.sink.units)
    await until(lambda: len(asyncio.all_tasks()) == tasks)
    assert "publisher input" not in {thread.name for thread in threading.enumerate()}


# --- files and cameras ---


def write_clip(
    path: Path, *, seconds: float = 1.5, gop: int = 15, b_frames: int = 0, fmt: str | None = None, turned: int = 0
) -> None:
    """``turned``: the degrees that the container asks a player to turn the picture by, counter-clockwise."""
    with av.open(str(path), "w", format=fmt) as out:
        video = out.add_stream("libx264", rate=30, options={"preset": "ultrafast", "bf": str(b_frames), "g": str(gop)})
        video.width, video.height, video.pix_fmt = 320, 180, "yuv420p"
        if turned:
            video.set_display_rotation(turned)
        audio = out.add_stream("aac", rate=48_000, layout="stereo")
        card = TestCard(320, 180)
        for index in range(int(seconds * 30)):
            frame = card.frame_at(1_795_534_280_000_000 + index * 33_333)
            frame.pts, frame.time_base, frame.pict_type = index, Fraction(1, 30), 0
            out.mux(video.encode(frame))
        for index in range(int(seconds * 50)):
            block = (
                sound_frame(index * 20_000, index * 960).to_ndarray().reshape(-1, 2).T.astype(np.float32, order="C")
                / 32768
            )
            sound = av.AudioFrame.from_ndarray(block, format="fltp", layout="stereo")
            sound.sample_rate, sound.pts, sound.time_base = 48_000, index * 960, Fraction(1, 48_000)
            out.mux(audio.encode(sound))
        out.mux(video.encode(None))
        out.mux(audio.encode(None))


def slices(nals: Iterable[bytes]) -> list[bytes]:
    return [bytes(nal) for nal in nals if nal[0] & 0x1F in (1, 5)]


async def test_a_file_without_b_frames_is_sent_as_it_is_and_goes_round(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    write_clip(clip)
    with av.open(str(clip)) as container:
        sent = [slices(h264.split_avcc(bytes(p))) for p in container.demux(video=0) if p.dts is not None]
    async with whip_shim() as shim, publishing(shim, str(clip)):
        await until(lambda: len(shim.sink.of("video")) > 2 * len(sent))
        units = shim.sink.of("video")
    arrived = [slices(h264.split_annexb(unit.data)) for unit in units]
    assert arrived[: len(sent)] == sent
    assert arrived[len(sent) : 2 * len(sent)] == sent
    steps = [(b.rtp_time - a.rtp_time) / 90 for a, b in pairwise(units)]
    assert all(0 < step < 400 for step in steps)
    assert sum(30 < step < 37 for step in steps) > len(steps) * 0.9
    # In real time. Single pictures may be late on a busy machine.
    late_s = [unit.arrival_ns / 1e9 - unit.rtp_time / 90_000 for unit in units]
    middle = len(late_s) // 2
    assert median(late_s[:middle]) == pytest.approx(median(late_s[middle:]), abs=0.2)


@pytest.mark.parametrize(("b_frames", "gop"), [(2, 15), (0, 300)], ids=["B-frames", "rare key frames"])
async def test_a_file_that_cannot_be_sent_as_it_is_is_encoded(tmp_path: Path, b_frames: int, gop: int) -> None:
    clip = tmp_path / "clip.mp4"
    write_clip(clip, b_frames=b_frames, gop=gop, seconds=1.5 if b_frames else 4)
    async with whip_shim() as shim, publishing(shim, str(clip)):
        await until(lambda: len(shim.sink.of("video")) > 30 and len(shim.sink.of("audio")) > 30)
        units = shim.sink.of("video")[:30]
    assert not any(h264.parse_access_unit(unit.data).has_b for unit in units)
    assert all(b.rtp_time > a.rtp_time for a, b in pairwise(units))
    assert sum(ms is not None for ms in times_shown(units)) > 25


@pytest.mark.parametrize("turned", [90, 180, -90])
async def test_a_telephones_picture_stands_upright(tmp_path: Path, turned: int) -> None:
    clip = tmp_path / "clip.mp4"
    write_clip(clip, turned=turned)
    async with whip_shim() as shim, publishing(shim, str(clip)):
        await until(lambda: len(shim.sink.of("video")) > 20)
        units = shim.sink.of("video")[:20]
    shown = pictures(units)
    assert {picture.shape for picture in shown} == {(180, 320) if turned == 180 else (320, 180)}
    stored = [np.rot90(picture, -turned // 90) for picture in shown]
    assert sum(decode_strip(picture) is not None for picture in stored) > 15


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_picture_is_turned_and_mirrored_as_its_matrix_says(tmp_path: Path, degrees: int, mirrored: bool) -> None:
    clip = tmp_path / "clip.mp4"
    source = np.zeros((64, 96, 3), np.uint8)
    source[:20, :30] = (255, 0, 0)
    source[40:, :16] = (0, 255, 0)
    with av.open(str(clip), "w") as out:
        stream = out.add_stream("libx264", rate=30, options={"preset": "ultrafast", "qp": "4"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.set_display_rotation(degrees, hflip=mirrored)
        out.mux(stream.encode(av.VideoFrame.from_ndarray(source, format="rgb24")))
        out.mux(stream.encode(None))
    with av.open(str(clip)) as container:
        frame = next(container.decode(video=0))
    made = upright(frame, turn_of(frame)).to_ndarray(format="rgb24").astype(int)
    expected = np.rot90(source, degrees // 90).astype(int)
    if mirrored:
        expected = expected[:, ::-1]
    assert made.shape == expected.shape
    assert np.abs(made - expected).mean() < 8


async def test_a_transport_stream_over_udp_is_taken(tmp_path: Path) -> None:
    import socket

    port = free_port(socket.SOCK_DGRAM)
    clip = tmp_path / "clip.ts"
    write_clip(clip, fmt="mpegts")
    data = clip.read_bytes()

    async def transmit() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            pace = 1.5 / (len(data) / 1316)
            while True:
                for at in range(0, len(data), 1316):
                    sock.sendto(data[at : at + 1316], ("127.0.0.1", port))
                    await asyncio.sleep(pace)

    sender = asyncio.create_task(transmit())
    try:
        async with whip_shim() as shim, publishing(shim, f"udp://127.0.0.1:{port}"):
            await until(lambda: len(shim.sink.of("video")) > 20)
    finally:
        sender.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sender


def test_sound_that_lies_a_second_behind_its_pictures_in_a_file_is_not_late() -> None:
    def packet(kind: str, dts: int | None) -> SimpleNamespace:
        return SimpleNamespace(kind=kind, dts=dts, time_base=Fraction(1, 10))

    # As recorders write them: a second of pictures, its sound, and so on.
    read = [packet(kind, second * 10 + tenth) for second in range(4) for kind in "va" for tenth in range(10)]
    read.append(packet("v", None))
    paced = [(at_us, one.kind) for at_us, one in inputs._in_order(read, inputs.AHEAD_US)]
    assert paced == [(tenth * 100_000, kind) for tenth in range(40) for kind in "va"]
    taken = 0

    def live() -> Iterator[SimpleNamespace]:
        nonlocal taken
        for one in read:
            taken += 1
            yield one

    for number, (_, one) in enumerate(inputs._in_order(live(), 0), 1):
        assert (one, taken) == (read[number - 1], number), "what is live waits for nothing"


async def test_an_input_that_fails_is_opened_again(tmp_path: Path) -> None:
    clip = tmp_path / "late.mp4"
    came: list[Encoded] = []
    feed = MediaFeed(str(clip), came.append, SMALL)
    feed.wanted.set()
    feed.start()
    try:
        await until(lambda: feed.error is not None)
        await asyncio.to_thread(write_clip, tmp_path / "made.mp4")
        (tmp_path / "made.mp4").rename(clip)
        await until(lambda: came)
    finally:
        assert await asyncio.to_thread(feed.stop)
