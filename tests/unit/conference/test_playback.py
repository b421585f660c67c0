"""Players' reports are counted for half a minute, by room."""

from __future__ import annotations

from streamer.conference.playback import MOST_ROOMS, PlaybackCounts, PlaybackReports

NINE = 1_792_400_400_000


def take(
    reports: PlaybackReports, at_s: float, room: str = "a", *, stalled: bool = False, failed: bool = False
) -> None:
    plays = not (stalled or failed)
    reports.take(room, NINE + round(at_s * 1000), plays=plays, stalled=stalled, failed=failed)


def test_the_last_half_minute_counts_and_no_more() -> None:
    reports = PlaybackReports()
    for second in range(60):
        take(reports, second)
    take(reports, 40, "b", stalled=True)
    take(reports, 45.5, "b", stalled=True, failed=True)
    assert reports.of("a", NINE + 59_000) == PlaybackCounts(players=30)
    assert reports.of("b", NINE + 59_000) == PlaybackCounts(stalled=2, failed=1)
    assert reports.of("b", NINE + 70_000) == PlaybackCounts(stalled=1, failed=1)
    assert reports.of("b", NINE + 76_000) == reports.of("c", NINE) == PlaybackCounts()
    assert (reports.stats.reports_total, reports.stats.stalls_total, reports.stats.errors_total) == (62, 2, 1)


def test_a_clock_that_is_set_back_loses_nothing() -> None:
    reports = PlaybackReports()
    take(reports, 10)
    take(reports, 5)
    assert reports.of("a", NINE + 11_000).players == 2


def test_rooms_are_bounded() -> None:
    reports = PlaybackReports()
    for number in range(MOST_ROOMS + 5):
        take(reports, 0, f"room{number}")
    take(reports, 1, "room5")
    assert reports.of("room0", NINE) == PlaybackCounts()
    assert reports.of("room5", NINE + 1000).players == 2
