"""A room's programme, scenario by scenario, in virtual time: what viewers get when cameras do what cameras do."""

from __future__ import annotations

import pytest

from streamer.broadcast.programme import TICKS_PER_S
from streamer.media.slate import SlateText
from tests.fakes.simulated_room import Room, faults, lip_errors, played

LIP_S = 0.045
"""EBU R37 lets sound be 40 ms early and 60 ms late; nobody sees 45 ms."""


def seconds(runs: list[tuple[str, int, int]]) -> list[tuple[str, float, float]]:
    return [(name, round(start / TICKS_PER_S, 2), round(end / TICKS_PER_S, 2)) for name, start, end in runs]


def names(room: Room) -> list[str]:
    return [name for name, _, _ in room.runs()]


def discontinuities(room: Room) -> int:
    assert room.mirror is not None
    return sum(e.segment.discontinuity for (n, _), e in room.mirror.segments.items() if n == room.top)


def worst_lag_s(room: Room, rendition: str, *, after_s: float = 1.5) -> float:
    """By which the published edge was behind the clock."""
    return max(lag for now, lag in room.lag[rendition] if now > after_s * TICKS_PER_S) / TICKS_PER_S


def checked(room: Room) -> Room:
    assert faults(room) == []
    assert min(lag for rows in room.lag.values() for _, lag in rows) > -TICKS_PER_S // 20, "nothing is of the future"
    return room


@pytest.mark.parametrize(
    ("lens", "passes"),
    [
        ({}, True),
        ({"fps": 60}, True),
        ({"answers": False, "gop": 60}, True),
        ({"answer_s": 0.7}, True),
        ({"answers": False, "gop": 250}, False),
        ({"fps": 5}, False),
        ({"codec": "vp8"}, False),
        ({"ppm": 300.0}, True),
        ({"ppm": -300.0}, True),
        ({"jitter_s": 0.06}, True),
        ({"sound": False}, True),
    ],
)
def test_a_camera_of_any_kind_is_one_take_close_behind_the_clock(lens: dict[str, object], passes: bool) -> None:
    async def script(room: Room) -> None:
        await room.come("main", **lens)
        await room.pass_time(14)
        assert room.programme.passes("main") == passes

    room = checked(played(script))
    assert names(room) == ["main"]
    assert discontinuities(room) == (0 if passes or lens.get("codec") else 1)
    for rendition in room.renditions:
        assert worst_lag_s(room, rendition) < 0.55
    errors = lip_errors(room, "main", 1)
    # A picture that stands for a fifth of a second is no measure.
    assert lens.get("fps") == 5 or all(abs(error) < LIP_S for error in errors[200:])


@pytest.mark.parametrize("ppm", [50_000.0, -50_000.0])
def test_a_sender_that_catches_up_or_falls_back_is_one_take(ppm: float) -> None:
    """FFmpeg at 1.05 times its speed after a lag was on the slate after 9.9 s."""

    async def script(room: Room) -> None:
        await room.come("main", ppm=ppm)
        await room.pass_time(25)

    room = played(script)
    assert faults(room) == []
    assert names(room) == ["main"]
    assert discontinuities(room) == 0
    for rendition in room.renditions:
        assert worst_lag_s(room, rendition) < 1.8
        assert min(lag for _, lag in room.lag[rendition]) > -TICKS_PER_S // 2
    assert all(abs(error) < LIP_S for error in lip_errors(room, "main", 1)[200:])


def test_b_frames_are_encoded_in_order() -> None:
    async def script(room: Room) -> None:
        room.programme.prefer("b_frames")
        await room.come("b_frames", b_frames=True)
        await room.pass_time(8)
        assert room.programme.notes("b_frames") == ["encoded_b_frames"]

    room = checked(played(script))
    captures = [s.tag.capture_us for s in room.shown(room.top)[10:]]
    assert captures == sorted(captures)


def test_a_camera_that_falls_silent_is_one_slate_and_comes_back_with_its_next_key_frame() -> None:
    async def script(room: Room) -> None:
        camera = await room.come()
        await room.pass_time(6)
        camera.change(alive=False)
        assert await room.until(lambda: room.on == "slate") <= 1.2
        await room.pass_time(3)
        camera.change(alive=True)
        assert await room.until(lambda: room.on == "main") <= 0.6
        await room.pass_time(3)

    room = checked(played(script))
    # Sound arrives a little after the last picture, and before the first: that is no source of sound alone.
    assert names(room) == ["main", "slate-first", "main"]
    assert discontinuities(room) == 2


def test_the_spare_is_on_from_its_key_frame_and_not_in_the_future() -> None:
    async def script(room: Room) -> None:
        camera = await room.come()
        await room.come("spare")
        await room.pass_time(6)
        camera.change(alive=False)
        await room.pass_time(5)
        camera.change(alive=True)
        await room.pass_time(6)

    room = checked(played(script))
    (main, slate, spare, back) = seconds(room.runs())
    assert [main[0], slate[0], spare[0], back[0]] == ["main", "slate-first", "spare", "main"]
    assert slate[2] - slate[1] < 0.6
    assert worst_lag_s(room, room.top) < 1.4
    assert abs(lip_errors(room, "spare", 2)[0]) < LIP_S


@pytest.mark.parametrize("phase_s", [0.0, 0.007, 0.014, 0.021, 0.028])
def test_a_spare_with_a_quick_key_frame_needs_no_slate_whichever_packet_was_the_last(phase_s: float) -> None:
    async def script(room: Room) -> None:
        camera = await room.come()
        await room.pass_time(2)
        await room.come("spare", delay_s=0.02, skew_s=0.01, answer_s=0.0)
        await room.pass_time(4 + phase_s)
        camera.change(alive=False)
        await room.pass_time(4)

    assert names(checked(played(script))) == ["main", "spare"]


@pytest.mark.parametrize("late_s", [0.15, 0.25, 0.35, 0.45])
def test_the_spare_relieves_a_take_that_is_as_late_as_its_first_picture_was(late_s: float) -> None:
    async def script(room: Room) -> None:
        camera = await room.come(delay_s=0.06 + late_s)
        await room.pass_time(2)
        camera.change(delay_s=0.06)
        await room.come("spare", delay_s=0.02, skew_s=0.01, answer_s=0.0)
        await room.pass_time(4)
        camera.change(alive=False)
        await room.pass_time(4)

    room = played(script)
    assert faults(room) == []
    assert names(room) == ["main", "spare"]


def test_main_has_to_be_back_for_a_moment_before_it_relieves_the_spare() -> None:
    async def script(room: Room) -> None:
        camera = await room.come()
        await room.come("spare")
        await room.pass_time(3)
        for _ in range(6):
            camera.change(alive=False)
            await room.pass_time(1.3)
            camera.change(alive=True)
            await room.pass_time(0.3)
        await room.pass_time(3)

    assert names(checked(played(script))) == ["main", "slate-first", "spare", "main"]


def test_sound_that_came_before_the_take_keeps_its_distance_to_the_picture() -> None:
    async def script(room: Room) -> None:
        await room.come()
        await room.come("spare")
        await room.pass_time(6)
        await room.go()
        await room.pass_time(5)
        # No reports yet: the sound of the second before the take is at hand, and tells how far both lie apart.
        await room.come("main", reports_after_s=None)
        await room.pass_time(6)

    room = checked(played(script))
    errors = lip_errors(room, "main", 1)
    assert len(errors) > 300
    assert all(abs(error) < LIP_S for error in errors)


def test_sound_far_beside_the_picture_is_moved_in_one_step() -> None:
    async def script(room: Room) -> None:
        await room.come(delay_s=0.5, skew_s=0.45, reports_after_s=3.0)
        await room.pass_time(10)

    room = checked(played(script))
    errors = lip_errors(room, "main", 1)
    assert abs(errors[0]) > 0.3
    assert all(abs(error) < LIP_S for error in errors[-250:])


@pytest.mark.parametrize("hole_s", [0.15, 0.4, 0.6, 0.8])
def test_a_hole_in_a_passed_through_take_makes_no_part_too_long(hole_s: float) -> None:
    async def script(room: Room) -> None:
        camera = await room.come()
        await room.pass_time(5)
        camera.change(alive=False)
        await room.pass_time(hole_s)
        camera.change(alive=True)
        await room.pass_time(4)
        assert room.programme.passes("main")

    room = checked(played(script))
    assert names(room) == ["main"]
    # The last picture stands still, encoded, and the camera's own bits go on from the next key frame.
    assert discontinuities(room) == (2 if hole_s > 0.3 else 0)


def test_loss_costs_pictures_and_no_rule() -> None:
    async def script(room: Room) -> None:
        await room.come(loss=0.02)
        await room.pass_time(15)

    assert names(checked(played(script))) == ["main"]


def test_another_resolution_or_codec_in_mid_stream() -> None:
    async def script(room: Room) -> None:
        camera = await room.come()
        await room.pass_time(4)
        camera.change(width=640, height=360)
        await room.pass_time(4)
        camera.change(width=180, height=320)
        await room.pass_time(4)
        camera.change(codec="vp8")
        await room.pass_time(4)
        assert not room.programme.passes("main")
        camera.change(codec="h264")
        await room.pass_time(4)
        assert room.programme.passes("main")

    room = checked(played(script))
    assert names(room) == ["main"]
    assert discontinuities(room) == 4
    assert worst_lag_s(room, room.top) < 0.55


def test_a_screen_share_that_becomes_a_camera_again_is_passed_through_again() -> None:
    async def script(room: Room) -> None:
        camera = await room.come()
        await room.pass_time(4)
        camera.change(fps=5)
        await room.pass_time(6)
        assert room.programme.notes("main") == ["encoded_irregular"]
        camera.change(fps=30)
        assert 29 < await room.until(lambda: room.programme.passes("main"), limit_s=45) < 40
        await room.pass_time(2)

    assert discontinuities(checked(played(script))) == 2


def test_a_picture_that_is_lost_leaves_the_sound_and_comes_back() -> None:
    async def script(room: Room) -> None:
        camera = await room.come()
        await room.pass_time(5)
        camera.change(picture=False)
        await room.pass_time(5)
        assert "no_video" in room.programme.notes("main")
        camera.change(picture=True)
        await room.pass_time(4)

    room = checked(played(script))
    assert names(room) == ["main", "sound_only-first", "main"]
    assert sum(s.data.startswith(b"sound|1|") for s in room.shown("a128")) > 13.5 * 46


def test_sound_alone_opens_the_room_with_its_still() -> None:
    async def script(room: Room) -> None:
        camera = await room.come(picture=False)
        await room.pass_time(6)
        camera.change(picture=True)
        await room.pass_time(4)

    room = checked(played(script))
    assert names(room) == ["sound_only-first", "main"]
    assert room.top == "v720"


def test_a_source_without_key_frames_opens_the_room_with_the_slate() -> None:
    async def script(room: Room) -> None:
        camera = await room.come(answers=False)
        camera.number = 1
        await room.pass_time(9)

    assert names(checked(played(script))) == ["slate-first"]


def test_takeovers_in_quick_succession() -> None:
    async def script(room: Room) -> None:
        await room.come()
        await room.pass_time(4)
        for wait_s in (0.05, 0.05, 0.4, 0.05, 3):
            await room.come()
            await room.pass_time(wait_s)

    checked(played(script))


def test_people_choose_and_the_programme_follows_at_the_next_key_frame() -> None:
    async def script(room: Room) -> None:
        await room.come()
        await room.come("other")
        await room.pass_time(4)
        room.programme.prefer("other")
        assert await room.until(lambda: room.on == "other") < 0.4
        await room.pass_time(4)
        room.programme.prefer("slate")
        assert room.on == "slate"
        await room.pass_time(3)
        room.programme.prefer("main")
        await room.pass_time(4)

    assert names(checked(played(script))) == ["main", "other", "slate-first", "main"]


def test_off_air_again_and_again_without_a_hole_in_picture_or_sound() -> None:
    async def script(room: Room) -> None:
        await room.come()
        await room.pass_time(4)
        for off_s, on_s in ((5.2, 5.0), (0.1, 4.0), (7.0, 3.0)):
            room.order(public="slate")
            await room.pass_time(off_s)
            room.order(public="programme")
            await room.pass_time(on_s)

    room = checked(played(script))
    assert names(room) == ["main", "slate-first"] * 3 + ["main"]
    assert discontinuities(room) == 6
    assert room.mirror is not None
    keys = [interval.key for interval in room.mirror.view.outputs["public"].intervals.values()]
    assert len(set(keys)) == 7


def test_a_camera_that_gives_no_key_frames_goes_on_air_within_a_second() -> None:
    async def script(room: Room) -> None:
        room.order(public="slate")
        await room.come(answers=False, gop=250)
        await room.pass_time(5)
        room.order(public="programme")
        await room.until(lambda: room.shows == {"public": "programme"}, limit_s=1.0)
        await room.pass_time(3)

    assert names(checked(played(script))) == ["slate-first", "main"]


def test_another_text_on_the_slate_is_no_discontinuity() -> None:
    async def script(room: Room) -> None:
        await room.come()
        await room.pass_time(3)
        await room.go()
        await room.pass_time(2)
        room.programme.configure(SlateText(room="Room", text="second"))
        await room.pass_time(5)

    room = checked(played(script))
    assert names(room) == ["main", "slate-first", "slate-second"]
    assert discontinuities(room) == 1
    assert room.stills[-1][1] == b"slate|second"


@pytest.mark.parametrize(("camera", "cuts"), [("is gone", 2), ("goes on unseen", 1), ("is on air", 1)])
def test_what_the_crew_says_by_a_hold_is_on_the_slate_within_a_second(camera: str, cuts: int) -> None:
    said: list[int] = []

    async def script(room: Room) -> None:
        await room.come()
        await room.pass_time(4.3)
        if camera == "is gone":
            await room.go()
        elif camera == "goes on unseen":
            room.order(public="slate")
        # A segment of the slate has just begun.
        await room.pass_time(2.2 if camera == "is gone" else 2.0)
        said.append(room.now)
        room.programme.configure(SlateText(room="Room", title="Fire alarm", text="second"))
        room.order(public="slate")
        await room.pass_time(5)

    room = checked(played(script))
    (begin,) = (start for name, start, _ in room.runs() if name == "slate-second")
    assert 0 < (begin - said[0]) / TICKS_PER_S <= 1.1
    assert discontinuities(room) == cuts, "the same parameter sets go on"


@pytest.mark.parametrize("stall_s", [0.3, 1.3])
def test_a_loop_that_is_held_up_takes_nobody_off(stall_s: float) -> None:
    async def script(room: Room) -> None:
        await room.come()
        for _ in range(4):
            await room.pass_time(2.7)
            room.loop.stall(stall_s)
        await room.pass_time(3)

    assert names(checked(played(script))) == ["main"]


@pytest.mark.parametrize("seconds_", [20.0, 0.7, -5.0])
def test_a_senders_clock_that_jumps_is_anchored_anew(seconds_: float) -> None:
    async def script(room: Room) -> None:
        camera = await room.come()
        await room.pass_time(5)
        camera.rtp_jump = seconds_
        await room.pass_time(6)
        assert room.on == "main"

    room = checked(played(script))
    assert all(abs(error) < LIP_S for error in lip_errors(room, "main", 1)[-150:])


@pytest.mark.parametrize(("queued_s", "answer_s"), [(0.8, 0.12), (1.0, 0.005), (1.0, 0.05), (1.0, 0.12)])
def test_a_queue_on_the_way_that_empties_moves_nothing_back(queued_s: float, answer_s: float) -> None:
    """What came early stands in the future: takes that begin meanwhile come after it, also where they show nothing."""

    async def script(room: Room) -> None:
        camera = await room.come(delay_s=queued_s, answer_s=answer_s, jitter_s=0.002, reports_after_s=None)
        await room.pass_time(2.1)
        for delay_s in (0.3, 0.15, 0.05):
            camera.change(delay_s=delay_s)
            await room.pass_time(0.05)
        await room.pass_time(4)
        assert room.on == "main"

    assert faults(played(script)) == []


def test_a_killed_room_goes_on_in_its_broadcast() -> None:
    async def script(room: Room) -> None:
        await room.come()
        await room.pass_time(6.5)
        # Every rendition is within one segment.
        room.crash(3.0)
        await room.come()
        await room.pass_time(5)

    room = checked(played(script))
    assert names(room) == ["main", "slate-first", "main"]


def test_a_broadcast_that_is_closed_ends_with_whole_segments() -> None:
    async def script(room: Room) -> None:
        await room.come()
        # A segment has just begun: the encoders and the sound are still behind.
        await room.pass_time(3.2)

    room = checked(played(script))
    assert room.mirror is not None
    for track in room.mirror.view.outputs["public"].tracks.values():
        assert track.last is not None
        assert track.last.complete
        assert not track.last.gap
