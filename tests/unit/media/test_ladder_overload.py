"""Shedding: first every second frame, then the rung; back with patience."""

from __future__ import annotations

import itertools

from streamer.media.overload import BEHIND_S, RETRY_MAX_S, RETRY_S, STUCK_S, FrameGate, ShedPolicy

NAMES = ("v720", "v480", "v240")
LATE = BEHIND_S * 1.2


def watch(policy: ShedPolicy, begin: float, seconds: float, lags: dict[str, float], feed: float = 0.0) -> float:
    """Ten observations a second and a cut every two; the time after."""
    for step in range(int(seconds * 10)):
        now = begin + step / 10
        policy.observe({name: lags.get(name, 0.0) for name in NAMES}, feed, now)
        if step % 20 == 19:
            policy.at_cut(now)
    return begin + seconds


def started() -> ShedPolicy:
    policy = ShedPolicy()
    policy.begin(NAMES, 0)
    return policy


def test_a_rung_in_trouble_halves_then_goes_off_at_a_cut() -> None:
    policy = started()
    policy.observe({"v720": LATE}, 0, 1)
    assert policy.shedding == ["v720:half"]
    policy.observe({"v720": LATE}, 0, 1 + STUCK_S)
    assert policy.level("v720") == "closing"
    assert policy.at_cut(3) == {"v720": False}
    assert policy.shedding == ["v720:off"]


def test_half_the_frame_rate_is_enough_and_ends_after_a_calm() -> None:
    policy = started()
    policy.observe({"v720": LATE}, 0, 0)
    watch(policy, 0.1, RETRY_S - 1, {})
    assert policy.shedding == ["v720:half"]
    watch(policy, RETRY_S, 2, {})
    assert policy.shedding == []


def test_relapses_make_it_wait_longer() -> None:
    policy, now = started(), 0.0
    waits = []
    for _ in range(7):
        policy.observe({"v720": LATE}, 0, now)
        began = now
        while policy.level("v720") != "full":
            now = watch(policy, now, 0.1, {})
        waits.append(round(now - began))
    assert waits[:4] == [10, 20, 40, 80]
    assert waits[-1] == RETRY_MAX_S


def test_the_last_rung_stays_and_dearer_ones_give_way() -> None:
    policy = started()
    watch(policy, 0, 60, dict.fromkeys(NAMES, LATE))
    assert policy.shedding == ["v720:off", "v480:off", "v240:half"]
    policy = started()
    watch(policy, 0, STUCK_S + 3, {"v240": LATE})
    assert policy.level("v720") == "off"
    assert policy.level("v240") == "half"


def test_a_starved_decoder_sheds_from_the_top() -> None:
    policy = started()
    watch(policy, 0, 1, {}, feed=LATE)
    assert policy.shedding == ["v720:half", "v480:half", "v240:half"]
    watch(policy, 1, STUCK_S + 4, {}, feed=LATE)
    assert policy.level("v720") == "off"


def test_shed_rungs_come_back_one_by_one_the_cheapest_first() -> None:
    policy = started()
    now = watch(policy, 0, 60, dict.fromkeys(NAMES, LATE))
    order: list[str] = []
    for step in range(400):
        policy.observe({}, 0, now + step / 2)
        changed = policy.at_cut(now + step / 2)
        assert len(changed) <= 1
        order += [name for name, on in changed.items() if on]
    assert order == ["v480", "v720"]
    assert policy.shedding == []


def test_the_slate_brings_a_rung_back() -> None:
    policy = started()
    watch(policy, 0, STUCK_S + 4, {"v720": LATE})
    assert policy.level("v720") == "off"
    assert policy.restore("v720", STUCK_S + 4)
    assert not policy.restore("v720", STUCK_S + 4)
    assert policy.level("v720") == "half"


def admitted(rate: float, starts: list[int]) -> list[int]:
    gate = FrameGate(rate)
    return [start for start in starts if gate.admits(start)]


def test_frame_rates_are_thinned_out_evenly() -> None:
    assert admitted(30, [n * 1500 for n in range(240)]) == [n * 3000 for n in range(120)]
    for rate in (24, 25, 29.97, 30):
        starts = [round(n * 90_000 / rate) for n in range(300)]
        assert admitted(30, starts) == starts
    fifty = admitted(30, [n * 1800 for n in range(500)])
    assert 285 <= len(fifty) <= 330
    assert max(b - a for a, b in itertools.pairwise(fifty)) <= 3600


def test_jitter_costs_no_frame() -> None:
    starts = [n * 3000 + (n * 7919 % 2000) - 1000 for n in range(1, 300)]
    assert len(admitted(30, starts)) >= 297


def test_a_jump_of_the_timeline_does_not_stop_the_gate() -> None:
    gate = FrameGate(30)
    assert gate.admits(90_000_000)
    assert gate.admits(0)
    assert gate.admits(3000)
