"""Copies of a session on other days."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from streamer.conference.repeats import copy_of, first_day, planned_days
from streamer.conference.sessions import Session, SessionState

HOUR_MS = 3_600_000
PARIS = ZoneInfo("Europe/Paris")


def at(*moment: int) -> int:
    return round(datetime(*moment, tzinfo=PARIS).timestamp() * 1000)


def test_a_weekly_rule_ends_with_its_last_day_and_leaves_days_out() -> None:
    first = date(2026, 10, 19)
    assert list(planned_days(first, 1, date(2026, 11, 9), {date(2026, 11, 2)})) == [
        date(2026, 10, 26),
        date(2026, 11, 9),
    ]
    assert list(planned_days(first, 2, date(2026, 11, 8), ())) == [date(2026, 11, 2)]
    assert list(planned_days(first, 1, first, ())) == []


def test_a_copy_keeps_the_time_of_day_and_the_length_over_a_change_of_clocks() -> None:
    session = Session("a", "hall", "Yoga", at(2026, 10, 19, 18, 0), at(2026, 10, 19, 19, 30))
    made = copy_of(session, "b", date(2026, 10, 26), "hall", PARIS)
    assert datetime.fromtimestamp(made.start_ms / 1000, PARIS).isoformat() == "2026-10-26T18:00:00+01:00"
    assert made.end_ms - made.start_ms == 90 * 60_000
    # Half past two is left out on this night.
    night = Session("n", "hall", "Night", at(2026, 3, 22, 2, 30), at(2026, 3, 22, 3, 30))
    left_out = copy_of(night, "m", date(2026, 3, 29), "hall", PARIS)
    assert datetime.fromtimestamp(left_out.start_ms / 1000, UTC).hour == 1


def test_a_copy_has_the_plan_and_nothing_of_what_happened() -> None:
    planned = Session("a", "hall", "Yoga", at(2026, 10, 19, 18, 0), at(2026, 10, 19, 19, 0), speakers=("Ana",))
    happened = replace(
        planned,
        start_ms=planned.start_ms + HOUR_MS,
        end_ms=planned.end_ms + HOUR_MS - 600_000,
        delay_ms=HOUR_MS,
        shortened_ms=600_000,
        state=SessionState.ENDED,
        started_ms=1,
        ended_ms=2,
        generation=4,
        guid="g",
        external_id="7",
        sequence=3,
        record_answer=False,
    )
    assert first_day(happened, PARIS) == date(2026, 10, 19)
    assert copy_of(happened, "a", date(2026, 10, 19), "hall", PARIS) == planned
