"""The number of viewers, from the rate at which playlists are asked for."""

from __future__ import annotations

from streamer.delivery.viewers import MOST_OUTPUTS, WINDOW_S, Viewers


class Hand:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def _watch(viewers: Viewers, clock: Hand, seconds: int, *, waiting: int, polling: int) -> None:
    """Players in step with segments of two seconds: some wait for each of six parts, some ask once."""
    for _ in range(seconds // 2):
        for part in range(6):
            for _ in range(waiting):
                viewers.asked("hall", "public", "video", part)
                viewers.asked("hall", "public", "audio", part)
        for _ in range(polling):
            viewers.asked("hall", "public", "video", None)
            viewers.asked("hall", "public", "audio", None)
        clock.now += 2


def test_players_are_counted_once_whichever_way_they_follow() -> None:
    clock = Hand()
    viewers = Viewers(clock)
    _watch(viewers, clock, 20, waiting=30, polling=12)
    assert viewers.of("hall", "public") == 42
    assert viewers.of("hall", "~key") == viewers.of("other", "public") == 0


def test_who_listens_only_counts_too_and_who_has_left_does_not() -> None:
    clock = Hand()
    viewers = Viewers(clock)
    for _ in range(10):
        for _ in range(5):
            viewers.asked("hall", "public", "audio", None)
        viewers.asked("hall", "public", "video", 0)
        clock.now += 2
    assert viewers.of("hall", "public") == 5
    clock.now += WINDOW_S + 1
    assert viewers.of("hall", "public") == 0


def test_a_stranger_cannot_make_it_remember_without_end() -> None:
    clock = Hand()
    viewers = Viewers(clock)
    for number in range(5000):
        viewers.asked(f"room-{number}", "public", "video", None)
        clock.now += 1
    assert len(viewers._asked) <= MOST_OUTPUTS
