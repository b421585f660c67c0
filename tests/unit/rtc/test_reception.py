"""What a receiver measures of its way, from packets and their times."""

from __future__ import annotations

from itertools import count

import pytest

from streamer.rtc.reception import Reception


class Way:
    """Packets of sound, 20 ms each, that arrive when they are told to."""

    def __init__(self) -> None:
        self.reception = Reception(48_000)
        self._numbers = count(1)

    def packets(self, seconds: float, *delays_ms: float) -> Reception:
        """With these delays in turn."""
        sent = [next(self._numbers) for _ in range(round(seconds * 50))]
        arrivals = sorted((number * 20 + delays_ms[at % len(delays_ms)], number) for at, number in enumerate(sent))
        for arrival_ms, number in arrivals:
            self.reception.packet(number, number * 960, round(arrival_ms * 1e6))
        return self.reception


def test_a_queue_that_stands_is_measured_and_a_burst_that_drains_is_none() -> None:
    way = Way()
    assert way.packets(5, 20.0).queued_ms == 0
    assert way.packets(3, *[20.0] * 10, *[180.0] * 15).queued_ms == 0, "it is empty in between"
    assert way.packets(2, 180.0, 190.0).queued_ms == pytest.approx(160, abs=1)
    assert way.packets(1.5, 20.0).queued_ms == 0
    assert way.packets(40, 180.0).queued_ms == 0, "the way has become longer"
    way.reception.restart()
    assert way.reception.queued_ms == 0


def test_packets_that_overtake_each_other_are_jitter() -> None:
    assert Way().packets(5, 20.0).jitter_ms == pytest.approx(0, abs=0.1)
    assert Way().packets(5, 20.0, 150.0, 60.0, 230.0).jitter_ms > 100
