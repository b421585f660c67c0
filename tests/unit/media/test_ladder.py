"""The ladder: one source in, every rung out, cut at the same tick, in order, and never late."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame

from streamer.formats import h264
from streamer.formats.types import Cut, RungSpec, Sample, TrackConfig
from streamer.media.encoders import EncoderUnavailable, RungEncoder
from streamer.media.ladder import Ladder, LadderCallbacks
from streamer.media.ordered_worker import OrderedWorker
from streamer.media.overload import BEHIND_S, ShedPolicy
from streamer.media.slate import encode_clip, render_slate
from streamer.settings import MediaSettings
from tests.fakes.waiting import LIMIT_S, until_ended

FRAME = 3000
TOP = RungSpec("v360", 640, 360, 800_000, 1_200_000, 30.0, "avc1.64001e")
MIDDLE = RungSpec("v240", 426, 240, 400_000, 600_000, 30.0, "avc1.640015")
LOW = RungSpec("v144", 256, 144, 200_000, 300_000, 30.0, "avc1.64000d")
RUNGS = (TOP, MIDDLE, LOW)
CELLS = 8


def counter_picture(number: int, width: int = 640, height: int = 360) -> VideoFrame:
    """``number`` as eight vertical bars, white for one, over a grey frame."""
    luma = np.full((height, width), 100, np.uint8)
    for bit in range(CELLS):
        value = 220 if number >> bit & 1 else 30
        luma[height // 4 : 3 * height // 4, bit * width // CELLS : (bit + 1) * width // CELLS] = value
    planes = np.concatenate((luma.ravel(), np.full(width * height // 2, 128, np.uint8)))
    return VideoFrame.from_ndarray(planes.reshape(height * 3 // 2, width), format="yuv420p")


def read_counter(picture: VideoFrame) -> int:
    luma = picture.to_ndarray(format="gray")
    height, width = luma.shape
    row = luma[height // 2 - 4 : height // 2 + 4].mean(axis=0)
    return sum(1 << bit for bit in range(CELLS) if row[(2 * bit + 1) * width // (2 * CELLS)] > 120)


def source(pictures: int, *, codec: str = "libx264", gop: int = 250, **size: int) -> list[bytes]:
    """A source's frames in Annex B or VP8, numbered."""
    context = av.CodecContext.create(codec, "w")
    first = counter_picture(0, **size)
    context.width, context.height, context.pix_fmt = first.width, first.height, "yuv420p"
    context.time_base, context.bit_rate, context.gop_size = Fraction(1, 30), 1_500_000, gop
    context.max_b_frames = 0
    if codec == "libx264":
        context.options = {"preset": "ultrafast", "tune": "zerolatency"}
    else:
        context.options = {"deadline": "realtime", "lag-in-frames": "0", "cpu-used": "8"}
    out = []
    for number in range(pictures):
        picture = counter_picture(number, **size)
        picture.pts = number
        out += [bytes(packet) for packet in context.encode(picture)]
    assert len(out) == pictures
    return out


@dataclass
class Heard:
    """The ladder's callbacks, by rendition and in order."""

    events: dict[str, list[tuple[str, object]]] = field(default_factory=dict)
    configs: dict[str, list[TrackConfig]] = field(default_factory=dict)
    cuts: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    """Number of the segment, and start of the sample that it begins with."""
    errors: int = 0
    stills: list[tuple[bytes, int]] = field(default_factory=list)
    shedding: list[list[str]] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)

    def sample(self, name: str, sample: Sample, cut: Cut | None, config: TrackConfig) -> None:
        self.threads.add(threading.get_ident())
        self.events.setdefault(name, []).append(("sample", sample))
        if config not in self.configs.setdefault(name, []):
            self.configs[name].append(config)
        if cut is not None:
            assert sample.sync
            self.cuts.setdefault(name, []).append((cut.number, sample.start))

    def end(self, name: str, at: int) -> None:
        self.events.setdefault(name, []).append(("end", at))

    def error(self) -> None:
        self.errors += 1

    def mark(self, kind: str) -> Callable[[str, Cut], None]:
        return lambda name, cut: self.events.setdefault(name, []).append((kind, cut.number))

    def samples(self, name: str) -> list[Sample]:
        return [e for kind, e in self.events.get(name, []) if kind == "sample" and isinstance(e, Sample)]

    def starts(self, name: str) -> list[int]:
        return [sample.start for sample in self.samples(name)]

    def pictures(self, name: str) -> list[VideoFrame]:
        context = av.CodecContext.create("h264", "r")
        config = self.configs[name][0]
        out: list[VideoFrame] = []
        for sample in self.samples(name):
            sets = (config.sps, config.pps) if sample.sync else ((), ())
            packet = av.Packet(h264.avcc_to_annexb(sample.data, *sets))
            packet.pts = sample.start
            out += context.decode(packet)
        return out + context.decode(None)

    def numbers(self, name: str) -> list[int]:
        return [read_counter(picture) for picture in self.pictures(name)]


class Bench:
    def __init__(
        self,
        rungs: tuple[RungSpec, ...] = RUNGS,
        factory: Callable[[RungSpec, MediaSettings], RungEncoder] = RungEncoder,
        behind_s: float = 30.0,
    ) -> None:
        """``behind_s``: what makes it shed; much by default, for the machine that runs the tests is busy."""
        self.heard = heard = Heard()
        self.ladder = Ladder(
            rungs,
            MediaSettings(),
            loop=asyncio.get_running_loop(),
            callbacks=LadderCallbacks(
                on_sample=heard.sample,
                on_decode_error=heard.error,
                on_end=heard.end,
                on_rung_off=heard.mark("off"),
                on_rung_on=heard.mark("on"),
                on_shedding=heard.shedding.append,
                on_still=lambda jpeg, start: heard.stills.append((jpeg, start)),
            ),
            policy=ShedPolicy(behind_s=behind_s),
            encoder_factory=factory,
        )

    async def until(self, condition: Callable[[], bool], limit_s: float = LIMIT_S) -> None:
        async with asyncio.timeout(limit_s):
            while not condition():
                await asyncio.sleep(0.002)

    async def end(self, at: int) -> None:
        """End the take, and wait until every rendition has told so."""
        self.ladder.end_take(at)
        await self.until(lambda: all(self.heard.events.get(name, [("", 0)])[-1] == ("end", at) for name in self.names))

    async def pace(self) -> None:
        """Let the workers catch up: a test's frames come faster than a camera's."""
        await self.until(lambda: self.lag_s < 0.1)

    @property
    def workers(self) -> list[OrderedWorker]:
        return [self.ladder._feed, *(rung.worker for rung in self.ladder._rungs.values())]

    @property
    def lag_s(self) -> float:
        """The pictures that the slowest thread is behind."""
        return max(worker.lag for worker in self.workers)

    async def close(self) -> None:
        """Every thread ends."""
        self.ladder.close()
        await until_ended(*(worker._thread for worker in self.workers))

    @property
    def names(self) -> list[str]:
        return list(self.ladder._rungs)


@pytest.fixture
async def bench() -> Iterator[Bench]:  # type: ignore[misc]
    bench = Bench()
    yield bench
    await bench.close()


def cuts_every(frames: int) -> Callable[[int], Cut | None]:
    return lambda n: Cut(n // frames, n * FRAME, discontinuity=n == 0) if n % frames == 0 else None


async def test_each_picture_comes_out_of_each_rung_at_its_own_time(bench: Bench) -> None:
    bench.ladder.use_top(encoded=True)
    cut = cuts_every(20)
    for number, data in enumerate(source(60)):
        bench.ladder.decode("h264", data, number * FRAME, show=True, cut=cut(number))
        await bench.pace()
    await bench.end(60 * FRAME)
    for spec in RUNGS:
        assert bench.heard.starts(spec.name) == [n * FRAME for n in range(60)]
        assert bench.heard.numbers(spec.name) == list(range(60))
        assert {(p.width, p.height) for p in bench.heard.pictures(spec.name)} == {(spec.width, spec.height)}
        assert bench.heard.cuts[spec.name] == [(0, 0), (1, 20 * FRAME), (2, 40 * FRAME)]
        assert [s.start for s in bench.heard.samples(spec.name) if s.sync] == [0, 20 * FRAME, 40 * FRAME]
        (config,) = bench.heard.configs[spec.name]
        assert config.codecs == spec.codecs
        assert (config.width, config.height) == (spec.width, spec.height)
    assert bench.heard.threads == {threading.get_ident()}
    assert bench.ladder.counters["frames_dropped_total"] == 0


async def test_a_passed_through_top_and_its_rungs_keep_their_order_through_the_slate(bench: Bench) -> None:
    data = source(15)
    parsed = [h264.parse_access_unit(unit) for unit in data]
    config = TrackConfig("video", "avc1.42c01e", 90_000, 640, 360, sps=parsed[0].sps, pps=parsed[0].pps)
    clips = {s.name: encode_clip(render_slate(s.width, s.height, room="r"), s, MediaSettings()) for s in RUNGS}
    at = 0
    for take in range(3):
        for number, (unit, avc) in enumerate(zip(data, parsed, strict=True)):
            cut = Cut(2 * take, at, discontinuity=True) if number == 0 else None
            bench.ladder.forward("v360", Sample(avc.data, at, avc.idr), cut, config)
            bench.ladder.decode("h264", unit, at, show=True, cut=cut)
            at += FRAME
        bench.ladder.end_take(at)
        cut = Cut(2 * take + 1, at, discontinuity=True)
        for name, clip in clips.items():
            assert clip is not None
            for index, sample in enumerate(clip.samples(at, at + 10 * FRAME)):
                bench.ladder.forward(name, sample, cut if index == 0 else None, clip.config)
        at += 10 * FRAME
    await bench.end(at)
    for spec in RUNGS:
        assert bench.heard.starts(spec.name) == list(range(0, at, FRAME))
        ends = [event for kind, event in bench.heard.events[spec.name] if kind == "end"]
        assert ends == [15 * FRAME, 40 * FRAME, 65 * FRAME, at]
        assert [number for number, _ in bench.heard.cuts[spec.name]] == list(range(6))
    assert len(bench.heard.cuts["v240"]) == 6
    assert bench.heard.cuts["v240"] == bench.heard.cuts["v360"] == bench.heard.cuts["v144"]


async def test_the_top_changes_between_passed_through_and_encoded_in_order(bench: Bench) -> None:
    data = source(10)
    parsed = [h264.parse_access_unit(unit) for unit in data]
    config = TrackConfig("video", "avc1.42c01e", 90_000, 640, 360, sps=parsed[0].sps, pps=parsed[0].pps)
    at = 0
    for turn in range(6):
        encoded = turn % 2 == 1
        bench.ladder.use_top(encoded=encoded)
        for number, (unit, avc) in enumerate(zip(data, parsed, strict=True)):
            cut = Cut(turn, at, discontinuity=True) if number == 0 else None
            if not encoded:
                bench.ladder.forward("v360", Sample(avc.data, at, avc.idr), cut, config)
            bench.ladder.decode("h264", unit, at, show=True, cut=cut)
            at += FRAME
        if turn == 3:
            # Back and forth at once: what waits must not overtake.
            bench.ladder.use_top(encoded=False)
            bench.ladder.forward("v360", Sample(parsed[0].data, at, True), Cut(10, at, True), config)
            bench.ladder.use_top(encoded=True)
            at += FRAME
    await bench.end(at)
    starts = bench.heard.starts("v360")
    assert starts == list(range(0, at, FRAME))
    assert [n for n, _ in bench.heard.cuts["v360"]] == [0, 1, 2, 3, 10, 4, 5]


async def test_the_newest_picture_is_shown_again_on_a_grid(bench: Bench) -> None:
    """A screen share sends a picture a second; its rungs keep their frame rate."""
    data = source(3)
    for number in range(30):
        if number % 10 == 0:
            bench.ladder.decode("h264", data[number // 10], number * FRAME, show=False)
        bench.ladder.show(number * FRAME, cut=Cut(number // 15, number * FRAME, False) if number % 15 == 0 else None)
        await bench.pace()
    await bench.end(30 * FRAME)
    assert bench.heard.numbers("v144") == [number // 10 for number in range(30)]
    assert bench.heard.cuts["v240"] == [(0, 0), (1, 15 * FRAME)]


async def test_vp8_feeds_the_rungs(bench: Bench) -> None:
    for number, data in enumerate(source(20, codec="libvpx")):
        bench.ladder.decode("vp8", data, number * FRAME, show=True, cut=cuts_every(10)(number))
        await bench.pace()
    await bench.end(20 * FRAME)
    assert bench.heard.numbers("v240") == list(range(20))


async def test_a_source_changes_its_size_and_shape_in_mid_stream(bench: Bench) -> None:
    shapes = ({"width": 640, "height": 360}, {"width": 320, "height": 180}, {"width": 360, "height": 640})
    at = 0
    for shape in shapes:
        for number, data in enumerate(source(10, **shape)):
            bench.ladder.decode(
                "h264", data, at, show=True, cut=Cut(at // FRAME // 10, at, False) if number == 0 else None
            )
            at += FRAME
        await bench.pace()
    await bench.end(at)
    pictures = bench.heard.pictures("v240")
    assert len(pictures) == 30
    assert [read_counter(p) for p in pictures[:20]] == [*range(10), *range(10)]
    assert len(bench.heard.configs["v240"]) == 1
    upright = pictures[-1].to_ndarray(format="gray")
    inner = 240 * 360 // 640
    bars = (426 - inner) // 2
    assert upright[:, : bars - 4].max() < 20
    assert upright[:, 426 - bars + 4 :].max() < 20
    assert upright[5:20, bars + 4 : 426 - bars - 4].mean() == pytest.approx(100, abs=12)


async def test_a_broken_picture_asks_for_a_key_frame_and_the_rungs_go_on(bench: Bench) -> None:
    data = source(30, gop=15)
    for number, unit in enumerate(data):
        broken = b"\x00\x00\x00\x01\x41" + bytes(range(1, 60)) if 5 <= number < 8 else unit
        bench.ladder.decode("h264", broken, number * FRAME, show=True, cut=cuts_every(6)(number))
        await bench.pace()
    await bench.end(30 * FRAME)
    assert bench.heard.errors >= 3
    assert bench.heard.starts("v240") == [n * FRAME for n in range(30)]
    assert bench.heard.cuts["v240"] == [(n, n * 6 * FRAME) for n in range(5)]
    assert bench.heard.numbers("v240")[:5] == list(range(5))
    assert bench.heard.numbers("v240")[15:] == list(range(15, 30))


async def test_garbage_from_the_first_frame_on_still_makes_segments(bench: Bench) -> None:
    for number in range(10):
        bench.ladder.decode("h264", bytes(50), number * FRAME, show=True, cut=cuts_every(5)(number))
    await bench.end(10 * FRAME)
    assert bench.heard.cuts["v144"] == [(0, 0), (1, 5 * FRAME)]
    assert bench.heard.pictures("v144")[0].to_ndarray(format="gray").max() < 20


async def test_a_source_without_a_key_frame_is_asked_for_one_and_nothing_stands_still(bench: Bench) -> None:
    data = source(40, gop=20)
    for number, unit in enumerate(data[1:]):
        bench.ladder.decode("h264", unit, number * FRAME, show=True, cut=cuts_every(10)(number))
        await bench.pace()
    await bench.end(39 * FRAME)
    assert bench.heard.errors > 5
    assert [n for n, _ in bench.heard.cuts["v240"]] == [0, 1, 2, 3]
    assert len(bench.heard.starts("v240")) >= 39 - 4
    assert bench.heard.numbers("v240")[-20:] == list(range(20, 40))


async def test_a_decoder_that_is_swamped_gives_up_until_the_next_key_frame(bench: Bench) -> None:
    """Everything comes at once: segments still begin where they shall, and the newest pictures are right."""
    data = source(60, gop=60) + source(30, gop=30)
    release = threading.Event()
    bench.ladder._feed.put(lambda: release.wait(10))
    for number in range(300):
        bench.ladder.decode("h264", data[number % 60], number * FRAME, show=True, cut=cuts_every(30)(number))
    release.set()
    await bench.until(lambda: bench.ladder._feed.depth == 0)
    await bench.pace()
    for number in range(300, 330):
        bench.ladder.decode("h264", data[number % 60 + 60 - 300 % 60], number * FRAME, show=True)
        await bench.pace()
    await bench.end(330 * FRAME)
    assert [n for n, _ in bench.heard.cuts["v240"]] == list(range(10))
    assert bench.heard.errors > 0
    assert bench.ladder.counters["frames_dropped_total"] >= 50
    assert bench.heard.numbers("v240")[-25:] == list(range(5, 30))


async def test_a_fast_source_is_thinned_out_evenly(bench: Bench) -> None:
    for number, data in enumerate(source(60)):
        bench.ladder.decode("h264", data, number * 1500, show=True, cut=cuts_every(60)(number))
        await bench.pace()
    await bench.end(60 * 1500)
    assert bench.heard.starts("v240") == [n * 3000 for n in range(30)]


async def test_stills_are_made_now_and_then(bench: Bench) -> None:
    for number, data in enumerate(source(40)):
        bench.ladder.decode("h264", data, number * 5 * FRAME, show=True, cut=cuts_every(40)(number))
        await bench.pace()
    await bench.end(200 * FRAME)
    assert [start for _, start in bench.heard.stills] == [0, 450_000]
    assert all(jpeg[:2] == b"\xff\xd8" for jpeg, _ in bench.heard.stills)


async def test_a_rung_whose_encoder_does_not_open_is_named_until_it_does() -> None:
    opens: set[str] = set()

    def opened(spec: RungSpec, settings: MediaSettings) -> RungEncoder:
        if spec.name not in opens:
            raise EncoderUnavailable("No encoder opens.")
        return RungEncoder(spec, settings)

    bench = Bench(factory=opened)
    data = source(4, gop=4)
    bench.ladder.decode("h264", data[0], 0, show=True, cut=Cut(0, 0, True))
    await bench.until(lambda: bench.ladder.failing == {"v240", "v144"})
    opens.update(("v240", "v144"))
    for number in (1, 2, 3):
        bench.ladder.decode("h264", data[number], number * FRAME, show=True)
    await bench.until(lambda: not bench.ladder.failing)
    bench.ladder.close()


class SlowEncoder(RungEncoder):
    """A machine that is too small for this rung."""

    seconds = 0.12

    def encode(self, frame: VideoFrame, start: int, *, idr: bool = False) -> list[Sample]:
        if self.spec.name == "v360":
            time.sleep(self.seconds)
        return super().encode(frame, start, idr=idr)


async def test_an_encoder_that_falls_behind_sheds_and_no_delay_builds_up() -> None:
    bench = Bench(factory=SlowEncoder, behind_s=BEHIND_S)
    bench.ladder.use_top(encoded=True)
    data = source(30, gop=30)
    lags: list[float] = []
    behind: list[int] = []
    began = due = time.monotonic()
    number = 0
    while not any(kind == "off" for kind, _ in bench.heard.events.get("v360", [])):
        assert time.monotonic() - began < LIMIT_S
        start = number * FRAME
        cut = Cut(number // 30, start, False) if number % 30 == 0 else None
        bench.ladder.decode("h264", data[number % 30], start, show=True, cut=cut)
        number += 1
        # As a camera: where this loop was late, nothing is made up for.
        due = max(due + 1 / 30, time.monotonic())
        await asyncio.sleep(due - time.monotonic())
        lags.append(bench.lag_s)
        if bench.heard.samples("v240"):
            behind.append(number - 1 - bench.heard.starts("v240")[-1] // FRAME)
    assert ["v360:half"] in bench.heard.shedding
    # A busy machine may show half of the others' pictures for a moment.
    assert any("v360:off" in shed for shed in bench.heard.shedding)
    assert max(lags) < 1.5
    # The others do not suffer from it.
    if not any(one.startswith("v240:") for shed in bench.heard.shedding for one in shed):
        assert max(behind) < 15, "half a second"
        assert bench.heard.starts("v240") == [n * FRAME for n in range(len(bench.heard.starts("v240")))]
    off = next(number for kind, number in bench.heard.events["v360"] if kind == "off")
    assert isinstance(off, int)
    assert [n for n, _ in bench.heard.cuts["v360"]] == list(range(off))
    assert bench.ladder.counters["frames_dropped_total"] > 10
    # The slate costs nothing: the rung is back for it, at its beginning.
    clip = encode_clip(render_slate(640, 360, room="r"), TOP, MediaSettings(), length_s=0)
    assert clip is not None
    bench.ladder.end_take(number * FRAME)
    bench.ladder.use_top(encoded=False)
    bench.ladder.forward(
        "v360", Sample(clip.frames[0].data, number * FRAME, True), Cut(99, number * FRAME, True), clip.config
    )
    await bench.until(lambda: bench.heard.events["v360"][-1][0] == "sample")
    assert [e for e in bench.heard.events["v360"] if e[0] != "sample"][-1] == ("on", 99)
    await bench.close()


async def test_closing_leaves_no_thread_and_calls_nothing_back() -> None:
    bench = Bench()
    for number, data in enumerate(source(10)):
        bench.ladder.decode("h264", data, number * FRAME, show=True, cut=cuts_every(10)(number))
    await bench.close()
    told = {name: len(events) for name, events in bench.heard.events.items()}
    await asyncio.sleep(0)
    assert told == {name: len(events) for name, events in bench.heard.events.items()}


def test_two_rungs_of_one_size_are_refused() -> None:
    loop = asyncio.new_event_loop()
    try:
        with pytest.raises(ValueError, match="different sizes"):
            Ladder((TOP, TOP), MediaSettings(), loop=loop, callbacks=LadderCallbacks(on_sample=lambda *_: None))
    finally:
        loop.close()
