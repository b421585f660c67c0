"""Which source is on, what may pass, and when a segment ends."""

from __future__ import annotations

from streamer.broadcast.programme import SLATE, TICKS_PER_S
from streamer.formats.h264 import Sps
from streamer.formats.types import AccessUnit
from streamer.media.fitness import REHABILITATION_TICKS, Fitness
from streamer.media.grid import SegmentGrid
from streamer.media.incoming import IncomingUnit
from streamer.media.switch import NS, SourceSwitch

FRAME = TICKS_PER_S // 30


def unit(at_s: float, kind: str = "video", size: int = 100) -> AccessUnit:
    return AccessUnit(kind, "h264" if kind == "video" else "opus", bytes(size), 0, 90_000, int(at_s * NS))  # type: ignore[arg-type]


def sps(profile: int, width: int, height: int, *, reorder: int = 0) -> Sps:
    return Sps(profile, 0, 40, 0, width, height, 1, 8, True, 4, reorder, 30.0, (1, 1), width * height // 256)


def switch_with(**last_s: float) -> SourceSwitch:
    switch = SourceSwitch(silence_ns=NS)
    for name, at in last_s.items():
        state = switch.source(name)
        state.connected = True
        state.heard(unit(at))
    return switch


def test_main_while_it_comes_then_spare_then_the_slate() -> None:
    switch = switch_with(main=10, spare=10.9)
    assert switch.wanted(int(10.5 * NS)) == "main"
    assert switch.wanted(int(11.5 * NS)) == "spare"
    assert switch.wanted(int(12.5 * NS)) == SLATE


def test_sound_that_came_a_little_longer_than_the_picture_fell_silent_with_it() -> None:
    switch = switch_with(main=10, spare=10.9)
    switch.source("main").heard(unit(10.4, "audio"))
    assert switch.wanted(int(10.9 * NS)) == "main"
    assert switch.wanted(int(11.1 * NS)) == "spare"
    switch.source("main").heard(unit(11.1, "audio"))
    assert switch.wanted(int(11.2 * NS)) == "main", "its sound goes on"


def test_a_source_of_sound_alone_is_up() -> None:
    switch = SourceSwitch(silence_ns=NS)
    switch.source("main").connected = True
    switch.source("main").heard(unit(10, "audio"))
    assert switch.up("main", int(10.9 * NS))
    assert not switch.up("main", int(11.1 * NS))


def test_a_source_that_a_person_took_comes_first_and_the_slate_on_demand() -> None:
    switch = switch_with(main=10, slides=10)
    switch.preferred = "slides"
    assert switch.wanted(int(10.1 * NS)) == "slides"
    switch.preferred = SLATE
    assert switch.wanted(int(10.1 * NS)) == SLATE


def test_a_standby_source_keeps_what_a_take_needs_and_no_more() -> None:
    switch = switch_with(spare=1)
    spare = switch.source("spare")
    for n in range(300):
        spare.keep(IncomingUnit(unit(1 + n / 30), n == 0))
    assert len(spare.standby) <= 91
    spare.keep(IncomingUnit(unit(11.1), True))
    assert [i.unit.arrival_ns for i in spare.standby] == [int(11.1 * NS)]
    for n in range(4):
        spare.keep(IncomingUnit(unit(11.2 + n / 30, size=8 * 1024 * 1024)))
    assert spare.standby_bytes <= 16 * 1024 * 1024 + 8 * 1024 * 1024


def test_the_first_key_frame_after_the_camera_fell_silent_is_kept_for_the_take() -> None:
    switch = switch_with(main=10, spare=10)
    spare = switch.source("spare")
    assert not switch.silent("main", int(10.1 * NS))
    assert switch.silent("main", int(10.3 * NS))
    since = 10 * NS
    spare.keep(IncomingUnit(unit(9.9), True), since_ns=since)
    assert not spare.can_begin_after(since)
    for at in (10.25, 10.6, 10.9):
        spare.keep(IncomingUnit(unit(at), True), since_ns=since)
        assert spare.can_begin_after(since)
    assert [i.unit.arrival_ns for i in spare.standby] == [int(at * NS) for at in (10.25, 10.6, 10.9)]
    # Without a silence the newest is enough.
    spare.keep(IncomingUnit(unit(11), True))
    assert len(spare.standby) == 1


def fed(fitness: Fitness, *, seconds: float, rate: float, idr_every_s: float, start: int = 0) -> int:
    frames = int(seconds * rate)
    for n in range(frames):
        at = start + int(n * TICKS_PER_S / rate)
        fitness.frame(at, idr=n % max(1, int(idr_every_s * rate)) == 0)
    return start + int(frames * TICKS_PER_S / rate)


def test_a_regular_source_fits_and_a_screen_share_does_not() -> None:
    camera = Fitness(1080)
    fed(camera, seconds=5, rate=25, idr_every_s=2)
    assert camera.fits
    screen = Fitness(1080)
    fed(screen, seconds=5, rate=5, idr_every_s=2)
    assert screen.note == "encoded_irregular"


def test_a_stall_of_a_second_is_no_slow_camera() -> None:
    camera = Fitness(1080)
    now = fed(camera, seconds=6, rate=30, idr_every_s=2)
    now = fed(camera, seconds=3, rate=30, idr_every_s=2, start=now + TICKS_PER_S)
    assert camera.fits
    fed(camera, seconds=1, rate=10, idr_every_s=2, start=now)
    assert camera.note == "encoded_irregular"


def test_obs_with_its_default_key_frame_interval_is_encoded_and_told_why() -> None:
    fitness = Fitness(1080)
    now = fed(fitness, seconds=4, rate=30, idr_every_s=8)
    fitness.asked(now)
    assert not fitness.late(now + TICKS_PER_S // 2)
    assert fitness.late(now + TICKS_PER_S)
    assert fitness.note == "encoded_keyframe_interval"


def test_a_source_that_ignores_pli_but_shows_idrs_often_passes() -> None:
    fitness = Fitness(1080)
    now = fed(fitness, seconds=9, rate=30, idr_every_s=2)
    fitness.asked(now)
    assert not fitness.late(now + TICKS_PER_S)


def test_a_fault_is_forgiven_after_half_a_minute_of_good_behaviour() -> None:
    fitness = Fitness(1080)
    now = fed(fitness, seconds=4, rate=5, idr_every_s=2)
    now = fed(fitness, seconds=10, rate=30, idr_every_s=2, start=now)
    assert not fitness.fits
    fed(fitness, seconds=REHABILITATION_TICKS / TICKS_PER_S + 5, rate=30, idr_every_s=2, start=now)
    assert fitness.fits


def test_b_frames_sizes_and_profiles_that_players_refuse_are_encoded() -> None:
    declared = Fitness(1080)
    declared.parameters(sps(100, 1920, 1080, reorder=2))
    assert declared.note == "encoded_b_frames"
    large = Fitness(1080)
    large.parameters(sps(100, 3840, 2160, reorder=0))
    assert large.note == "encoded_size"
    large.parameters(sps(100, 1920, 1080, reorder=0))
    assert large.fits
    chroma = Fitness(1080)
    chroma.parameters(sps(244, 1280, 720, reorder=0))
    assert chroma.note == "encoded_profile"


def test_a_segment_ends_at_the_first_idr_from_1_7_s_and_asks_from_1_9_s() -> None:
    grid = SegmentGrid(nominal=2 * TICKS_PER_S, longest=34 * TICKS_PER_S // 10, number=1)
    grid.cut(0)
    assert not grid.may_cut(16 * TICKS_PER_S // 10, idr=True)
    assert not grid.may_cut(2 * TICKS_PER_S, idr=False)
    assert grid.may_cut(17 * TICKS_PER_S // 10, idr=True)
    asked = [ms for ms in range(0, 3000, 10) if grid.wants_keyframe(ms * 90)]
    assert asked == [1900, 2200, 2500, 2800]
    assert grid.cut(2 * TICKS_PER_S).number == 3
    assert not grid.wants_keyframe(2 * TICKS_PER_S)


def test_the_first_segment_is_half_as_long_so_that_players_begin_soon() -> None:
    grid = SegmentGrid(nominal=2 * TICKS_PER_S, longest=34 * TICKS_PER_S // 10)
    grid.cut(0)
    assert not grid.may_cut(8 * TICKS_PER_S // 10, idr=True)
    assert grid.may_cut(85 * TICKS_PER_S // 100, idr=True)
    assert [ms for ms in range(0, 1400, 10) if grid.wants_keyframe(ms * 90)] == [950, 1250]
    assert grid.due(TICKS_PER_S, frame_ticks=FRAME)
    grid.cut(TICKS_PER_S)
    assert not grid.may_cut(2 * TICKS_PER_S, idr=True)


def test_an_encoded_segment_ends_at_the_frame_nearest_to_the_nominal_duration() -> None:
    grid = SegmentGrid(nominal=2 * TICKS_PER_S, longest=34 * TICKS_PER_S // 10, number=1)
    grid.cut(0)
    assert not grid.due(2 * TICKS_PER_S - FRAME, frame_ticks=FRAME)
    assert grid.due(2 * TICKS_PER_S - FRAME // 3, frame_ticks=FRAME)
