"""The programme under whatever cameras and people may do: no rule of the published timeline is ever broken."""

from __future__ import annotations

import os
import random
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.media.slate import SlateText
from tests.fakes import chance
from tests.fakes.bad_links import bad_link
from tests.fakes.simulated_room import Room, faults, played

Step = Callable[[Room], Awaitable[None]]


def lens(name: str, **changes: object) -> Step:
    async def step(room: Room) -> None:
        if name in room.cameras:
            room.cameras[name].change(**changes)

    return named(step, f"{name} {changes}")


def come(name: str, **changes: object) -> Step:
    async def step(room: Room) -> None:
        await room.come(name, **changes)

    return named(step, f"{name} comes {changes}")


def go(name: str) -> Step:
    async def step(room: Room) -> None:
        if name in room.cameras:
            await room.go(name)

    return named(step, f"{name} goes")


def do(what: str, action: Callable[[Room], object]) -> Step:
    async def step(room: Room) -> None:
        action(room)

    return named(step, what)


def named(step: Step, name: str) -> Step:
    step.__name__ = step.__qualname__ = name
    return step


def jump(seconds: float) -> Step:
    def action(room: Room) -> None:
        for camera in room.cameras.values():
            camera.rtp_jump = seconds

    return do(f"clocks jump to {seconds}", action)


KINDS: tuple[dict[str, object], ...] = (
    {},
    {"answers": False, "gop": 250},
    {"answers": False, "gop": 60},
    {"codec": "vp8"},
    {"fps": 5},
    {"fps": 60},
    {"width": 640, "height": 360},
    {"width": 180, "height": 320},
    {"picture": False},
    {"sound": False},
    {"reports_after_s": None},
    {"delay_s": 0.4, "skew_s": 0.2, "jitter_s": 0.1},
    {"loss": 0.03},
    {"ppm": 200.0},
    {"answer_s": 0.6},
)
CHANGES: tuple[dict[str, object], ...] = (
    *KINDS[1:],
    {"alive": False},
    {"alive": True},
    {"codec": "h264"},
    {"fps": 30},
    {"picture": True},
    {"sound": True},
    {"answers": True, "gop": None},
    {"loss": 0.0},
    {"width": 320, "height": 180},
)
STEPS: tuple[Step, ...] = (
    *(come(name, **kind) for name in ("main", "spare") for kind in KINDS),
    *(lens(name, **change) for name in ("main", "main", "spare") for change in CHANGES),
    come("other"),
    come("b_frames", b_frames=True),
    *(go(name) for name in ("main", "spare", "other")),
    *(
        do(f"prefer {name}", lambda room, name=name: room.programme.prefer(name))  # type: ignore[misc]
        for name in ("main", "main", "other", "b_frames", "slate")
    ),
    *(do("on air", lambda room: room.order(public="programme")) for _ in range(2)),
    *(do("off air", lambda room: room.order(public="slate")) for _ in range(2)),
    do("other text", lambda room: room.programme.configure(SlateText(room="Room", text=f"text {room.now}"))),
    do("stall", lambda room: room.loop.stall(0.3)),
    do("long stall", lambda room: room.loop.stall(1.2)),
    jump(20.0),
    jump(0.7),
    jump(0.0),
)


@settings(max_examples=int(os.environ.get("CHAOS_DAYS", "8")), deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.sampled_from((0.05, 0.3, 0.7, 1.1, 1.6, 2.4, 4.0))), max_size=12))
def test_whatever_comes_in_what_is_published_is_one_timeline(steps: list[tuple[Step, float]]) -> None:
    async def script(room: Room) -> None:
        await room.come("main")
        await room.pass_time(1.0)
        for step, wait_s in steps:
            await step(room)
            await room.pass_time(wait_s)

    room = played(script)
    assert faults(room) == []


def on_a_bad_link(seed: int) -> list[str]:
    """The faults of what is published while the link of a camera is late, lossy and interrupted, all at once."""
    return faults(played(bad_link(random.Random(seed))))


SEEDS = (4, 16, 22, 39, 70, 82, 110, 530)
"""Each of them once broke a rule."""


@pytest.mark.parametrize("seed", range(chance.seed(), chance.seed() + 2000, 20) if chance.SOAK else SEEDS)
def test_a_bad_link_breaks_no_rule(seed: int) -> None:
    assert {n: found for n in range(seed, seed + (20 if chance.SOAK else 1)) if (found := on_a_bad_link(n))} == {}
