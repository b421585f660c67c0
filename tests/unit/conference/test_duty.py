"""Duty: who is rung, in which order, how long somebody has an alarm, and what a message may say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streamer.conference.alarms import Alarm
from streamer.conference.day import RoomDay
from streamer.conference.duty import (
    NEXT_AFTER_MS,
    REOPENED_MS,
    TAKEN_MS,
    Ringing,
    Shift,
    began,
    ended,
    is_confidential,
    is_lapsed,
    on_duty,
    pictures_allowed,
    ring_order,
    step,
)
from streamer.conference.sessions import Flag, Session, SessionState, Visibility

T = 1_700_000_000_000
HOUR = 3_600_000
ALARM = Alarm("no_picture:salle:main", "no_picture", "alarm", T, "technician")


def shift(name: str, since_ms: int = T, until_ms: int = T + HOUR, **more: object) -> Shift:
    fields = {"venue": "v", "grant": name, "label": name, "accepted_ms": since_ms} | more
    return Shift(f"s-{name}-{since_ms}", since_ms=since_ms, until_ms=until_ms, created_ms=since_ms, **fields)  # type: ignore[arg-type]


def test_those_on_duty_come_one_after_the_other_and_without_any_everyone_at_once() -> None:
    shifts = [shift("zoe", T - 5), shift("ann"), shift("old", T - HOUR, T), shift("off", accepted_ms=None)]
    assert [one.grant for one in on_duty(shifts, "v", T)] == ["zoe", "ann"]
    assert ring_order(shifts, "v", {"ann", "bob", "zoe"}, T) == [("zoe",), ("ann",)]
    # Without a way to be reached there is nobody to ring.
    assert ring_order(shifts, "v", {"ann", "bob"}, T) == [("ann",)]
    assert ring_order(shifts, "v", {"bob", "eve"}, T) == [("bob", "eve")]
    assert ring_order(shifts, "elsewhere", {"bob", "eve"}, T) == [("bob", "eve")]
    assert ring_order(shifts, "v", set(), T) == []
    assert ring_order([shift("admin", grant=None)], "v", {"admin"}, T) == [("admin",)]


def test_an_alarm_lapses_after_five_minutes_and_with_the_shift() -> None:
    shifts = [shift("ann", T - HOUR, T + 60_000)]
    assert not is_lapsed("ann", T, shifts, "v", T + 59_999)
    assert is_lapsed("ann", T, shifts, "v", T + 60_000)
    # The next shift of the same person goes on.
    again = [*shifts, shift("ann", T + 30_000, T + HOUR)]
    assert not is_lapsed("ann", T, again, "v", T + 60_000)
    assert not is_lapsed("bob", T, shifts, "v", T + TAKEN_MS - 1)
    assert is_lapsed("bob", T, shifts, "v", T + TAKEN_MS)


def test_the_next_on_duty_is_rung_after_a_minute_each_once() -> None:
    groups = [("ann",), ("bob",)]
    ring, rung = step(began(None, ALARM, "salle", T), False, groups, T)
    assert rung == ("ann",)
    ring, rung = step(ring, False, groups, T + NEXT_AFTER_MS - 1)
    assert rung == ()
    ring, rung = step(ring, False, groups, T + NEXT_AFTER_MS)
    assert rung == ("bob",)
    for minutes in range(2, 9):
        ring, rung = step(ring, False, groups, T + minutes * NEXT_AFTER_MS)
        assert rung == ()
    ring, told = ended(ring, T + 10 * NEXT_AFTER_MS)
    assert told == ("ann", "bob")
    assert ended(ring, T + 11 * NEXT_AFTER_MS)[1] == ()


def test_one_who_takes_it_stops_the_ringing_and_letting_it_go_begins_anew() -> None:
    groups = [("ann",), ("bob",)]
    ring, _ = step(began(None, ALARM, "salle", T), False, groups, T)
    ring, rung = step(ring, True, groups, T + 10_000)
    assert (ring.held, rung) == (True, ())
    ring, rung = step(ring, True, groups, T + 3 * NEXT_AFTER_MS)
    assert rung == ()
    ring, rung = step(ring, False, groups, T + TAKEN_MS)
    assert rung == ("ann",)
    ring, rung = step(ring, False, groups, T + TAKEN_MS + NEXT_AFTER_MS)
    assert rung == ("bob",)
    assert ring.told == ("ann", "bob")


def test_a_trouble_that_comes_back_within_ten_minutes_rings_only_if_it_lasts() -> None:
    ring, _ = step(began(None, ALARM, "salle", T), False, [("ann",)], T)
    ring, _ = ended(ring, T + 1000)
    back = began(ring, ALARM, "salle", T + 5000)
    assert step(back, False, [("ann",)], T + 5000)[1] == ()
    # Its return was not told, so its end is not told either.
    assert ended(back, T + 9000)[1] == ()
    back, rung = step(back, False, [("ann",)], T + 5000 + NEXT_AFTER_MS)
    assert rung == ("ann",)
    new = began(ring, ALARM, "salle", T + 1000 + REOPENED_MS)
    assert new == Ringing(ALARM.id, "salle", T + 1000 + REOPENED_MS, due_ms=T + 1000 + REOPENED_MS)


def talk(**fields: object) -> Session:
    whole = {"state": SessionState.ON_AIR, "started_ms": T - HOUR} | fields
    return replace(Session("talk", "salle", "A talk", T - HOUR, T + HOUR), **whole)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "confidential"),
    [
        ({}, False),
        ({"visibility": Visibility.PRIVATE}, True),
        ({"visibility": Visibility.UNLISTED}, True),
        ({"do_not_record": Flag.YES}, True),
        ({"do_not_stream": Flag.YES}, True),
        ({"do_not_record": Flag.ASK}, True),
        ({"do_not_record": Flag.ASK, "record_answer": True}, False),
        ({"do_not_stream": Flag.ASK}, True),
    ],
)
def test_a_message_says_no_more_than_the_session_allows(fields: dict[str, object], confidential: bool) -> None:
    day = RoomDay("salle", sessions=(talk(**fields),))
    for alarm in (ALARM, replace(ALARM, session="talk")):
        assert is_confidential(alarm, day, T) is confidential
    # One that this process does not know may be anything.
    assert is_confidential(replace(ALARM, session="gone"), day, T)
    # Its pictures are its own after its end, too; those before or after are not.
    over = RoomDay("salle", sessions=(talk(**fields, state=SessionState.ENDED, ended_ms=T),))
    assert not is_confidential(ALARM, over, T + 1000)
    assert pictures_allowed(over, T - 4000, T + 1000) is not confidential
    assert pictures_allowed(over, T, T + 5000)


def test_a_session_that_is_about_to_begin_counts() -> None:
    soon = replace(talk(visibility=Visibility.PRIVATE), state=SessionState.SCHEDULED, started_ms=None, start_ms=T)
    assert is_confidential(ALARM, RoomDay("salle", sessions=(soon,)), T + 1000)
