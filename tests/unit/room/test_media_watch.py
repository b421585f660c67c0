"""A room listens and looks: which sources it hears, whose a trouble is, and which silence is none."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from streamer.broadcast.measures import SoundMeasure
from streamer.broadcast.orders import RoomOrders, SourceOrder
from streamer.control.messages import RoomConfig
from streamer.formats import h264
from streamer.formats.types import AccessUnit
from streamer.media.incoming import IncomingUnit, read_unit
from streamer.room.media_watch import MediaWatch
from streamer.room.publication import WayCounts
from tests.fakes.waiting import until
from tests.unit.media.test_ladder import counter_picture, read_counter
from tests.unit.media.test_ladder import source as encoded

TALK = SoundMeasure(0, level=-22.0, lowest=-50.0, peak=-8.0, loudness=-22.0, voice=True)
WAY = WayCounts(0, 0, 5.0, 20.0, 2500.0, 30.0, 0)


class Room:
    """A watch with a clock of its own; measures are given to it as its meters would."""

    def __init__(self, config: RoomConfig | None = None) -> None:
        self.now_ms = 5_000_000
        self.ways: dict[str, WayCounts] = {}
        self.looked: list[str] = []
        self.measured: list[tuple[str, SoundMeasure]] = []
        self.heard: list[str] = []
        self.watch = MediaWatch(
            config or RoomConfig(id="hall", name="Hall"),
            10_000_000,
            300,
            ways=self.ways.get,
            look=self.looked.append,
            now_ms=lambda: self.now_ms,
        )
        meters: Any = self.watch.meters
        meters.collect = self._collect
        meters.sound = lambda source, unit, at_ms: self.heard.append(source)
        meters.key_frame = lambda source, unit, at_ms: None
        self.programme: Any = SimpleNamespace(
            ladder=SimpleNamespace(shedding=[], failing=[], counters={"decode_errors_total": 0.0}),
            loudness=SimpleNamespace(reading=SimpleNamespace(momentary=-22.0, peak=-8.0)),
        )

    def _collect(self) -> list[tuple[str, SoundMeasure]]:
        found, self.measured = self.measured, []
        return found

    def packet(self, source: str, kind: Any = "audio", *, idr: bool = False) -> None:
        self.watch.take_in(source, IncomingUnit(AccessUnit(kind, "opus", b"x", 0, 48_000, time.monotonic_ns()), idr))

    def run(self, seconds: float, *sounding: str, on: str = "main", measure: SoundMeasure = TALK) -> list[str]:
        """The troubles at the end, as ``source:code``."""
        for _ in range(round(seconds * 10)):
            self.now_ms += 100
            for source in sounding:
                self.packet(source)
                self.packet(source, "video")
                self.measured.append((source, replace(measure, at_ms=self.now_ms)))
            self.watch.tick(on, self.programme)
        return [f"{trouble.source}:{trouble.code}" for trouble in self.watch.troubles]


@pytest.fixture
def room() -> Any:
    made = Room()
    yield made
    made.watch.close()


def test_the_programme_s_source_and_one_challenger_are_listened_to(room: Room) -> None:
    for source in ("main", "back", "side", "spare"):
        room.watch.source_up(source)
    for _ in range(2):
        for source in ("main", "back", "side"):
            room.packet(source)
        room.watch.tick("main", None)
    room.heard.clear()
    for source in ("main", "back", "side"):
        room.packet(source)
    assert room.heard == ["main", "back"]
    room.packet("spare")
    room.watch.tick("main", None)
    room.heard.clear()
    for source in ("main", "back", "spare"):
        room.packet(source)
    assert room.heard == ["main", "spare"], "the spare before whoever came first"


def test_a_trouble_is_told_once_of_the_source_that_has_it(room: Room) -> None:
    room.watch.source_up("main")
    assert room.run(30, "main") == []
    room.programme.loudness.reading.peak = -120.0
    assert room.run(20, "main", measure=SoundMeasure(0, voice=False)) == ["main:sound_dead"]
    room.watch.source_down("main")
    assert room.run(0.1) == []


def test_a_gain_that_silences_is_the_programme_s_trouble_and_a_mute_is_none(room: Room) -> None:
    room.watch.source_up("main")
    room.run(20, "main")
    room.programme.loudness.reading.peak = -120.0
    assert room.run(16, "main") == [":sound_silent"]
    room.programme.loudness.reading.peak = -8.0
    assert room.run(50, "main") == []
    orders = RoomOrders(sources=(SourceOrder("main", mute=True),))
    room.watch.configure(RoomConfig(id="hall", name="Hall", orders=orders))
    room.programme.loudness.reading.peak = -120.0
    assert room.run(30, "main") == []


def test_the_level_on_the_programme_is_judged_after_gain(room: Room) -> None:
    room.watch.source_up("main")
    room.watch.source_up("spare")
    room.programme.loudness.reading.momentary = -35.0
    assert room.run(12, "main", "spare") == [":sound_quiet"]
    assert room.watch.measures[""].loudness == pytest.approx(-35.0)
    assert room.watch.measures["spare"].loudness == pytest.approx(-22.0)
    assert room.watch.measures["main"].voice_ms == room.now_ms


def test_slow_encoders_and_weak_uploads(room: Room) -> None:
    room.watch.source_up("main")
    room.programme.ladder.shedding = ["v720:half"]
    assert room.run(5.2) == [":encoder_slow"]
    room.programme.ladder.shedding = []
    room.programme.ladder.failing = ["v480"]
    assert room.run(30) == [":encoder_slow"], "it does not open any more: it goes on"
    room.programme.ladder.failing = []
    for second in range(6):
        room.ways["main"] = replace(WAY, expected=1000 * second, lost=60 * second)
        told = room.run(1, "main")
    assert told == [":encoder_slow", "main:upload_weak"]


def test_pictures_that_cannot_be_decoded_are_broken_and_a_frame_now_and_then_is_not(room: Room) -> None:
    room.watch.source_up("main")
    room.ways["main"] = WAY
    for _ in range(10):
        room.programme.ladder.counters["decode_errors_total"] += 1
        assert room.run(1, "main") == []
    for _ in range(12):
        room.programme.ladder.counters["decode_errors_total"] += 4
        told = room.run(0.5, "main")
    assert told == ["main:picture_broken"]


def test_sources_that_nobody_shows_are_asked_for_a_picture_now_and_then(room: Room) -> None:
    for source in ("main", "spare"):
        room.watch.source_up(source)
    room.run(11, "main", "spare")
    assert room.looked == ["spare", "spare", "spare"]


def test_the_distance_of_key_frames_that_nobody_asked_for(room: Room) -> None:
    room.watch.source_up("spare")
    room.ways["spare"] = WAY
    room.packet("spare", "video", idr=True)
    room.now_ms += 4000
    room.packet("spare", "video", idr=True)
    natural = room.watch.measures["spare"].keyframe_s
    assert natural == pytest.approx(4.0, abs=0.1)
    room.ways["spare"] = replace(WAY, keyframes_wanted=1)
    room.now_ms += 500
    room.packet("spare", "video", idr=True)
    assert room.watch.measures["spare"].keyframe_s == natural


@pytest.mark.parametrize(("codec", "encoder"), [("h264", "libx264"), ("vp8", "libvpx")])
async def test_a_source_off_the_programme_is_seen_by_its_newest_whole_key_frame(codec: str, encoder: str) -> None:
    watch = MediaWatch(RoomConfig(id="hall", name="Hall"), 10_000_000, 300, ways=lambda _: None, look=lambda _: None)

    async def takes_in(units: Sequence[bytes], *, damaged: bool = False) -> int | None:
        for data in units:
            unit = read_unit(AccessUnit("video", codec, data, 0, 90_000, time.monotonic_ns(), damaged=damaged))
            assert unit is not None
            watch.take_in("spare", unit)
        await until(lambda: watch.meters._worker.idle)
        seen = watch.meters.seen("spare")
        return None if seen is None else read_counter(seen.frame)

    watch.source_up("spare")
    units = encoded(25, codec=encoder, gop=10)
    assert await takes_in(units[:12]) == 10
    assert await takes_in(units[20:], damaged=True) == 10
    # Another sender, whose parameter sets come in a unit of their own.
    watch.source_up("spare")
    assert await takes_in([]) is None
    whole = units[20]
    if codec == "h264":
        nals = list(h264.split_annexb(units[20]))
        sets, rest = ([nal for nal in nals if (nal[0] & 31 in (7, 8)) is of] for of in (True, False))
        whole = h264.to_annexb(rest)
        assert await takes_in([whole]) is None
        assert await takes_in([h264.to_annexb(sets)]) is None
    assert await takes_in([whole]) == 20
    # The programme shows newer ones.
    watch.tick("spare", None)
    watch.picture(counter_picture(21))
    assert watch.meters.seen("spare") is None
    watch.close()
