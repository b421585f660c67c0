"""Running late: breaks absorb, shown times follow what overruns."""

from __future__ import annotations

from streamer.conference.day import day_of
from streamer.conference.delays import absorbed, shifted, shown_times
from streamer.conference.taps import Delay, Extend, StartTap
from tests.fakes.days import MINUTE, Hall, at, hall, pause, talk

A, B = talk("a", "9:00", "9:45"), talk("b", "9:45", "10:30")
BREAK, C = pause("p", "10:30", "10:50"), talk("c", "10:50", "11:30")


def shown(room: Hall, name: str) -> tuple[int, int]:
    times = shown_times(room.day, room.now_ms)[name]
    return times.start_ms, times.end_ms


def test_a_break_absorbs_a_delay() -> None:
    room = hall(A, B, BREAK, C).until("8:30").tap(Delay("a", 15, following=True))
    assert (room["b"].start_ms, room["b"].delay_ms) == (at("10:00"), 15 * MINUTE)
    assert (room["p"].start_ms, room["p"].end_ms, room["p"].shortened_ms) == (at("10:45"), at("10:50"), 15 * MINUTE)
    assert (room["c"].start_ms, room["c"].delay_ms) == (at("10:50"), 0)


def test_what_a_break_is_too_short_for_goes_on() -> None:
    room = hall(A, B, BREAK, C).until("8:30")
    moved = shifted(room.day, room["a"], 30 * MINUTE)
    assert moved.left_ms == 10 * MINUTE
    assert moved.moved == ("b", "p", "c")
    room.tap(Delay("a", 30, following=True))
    assert room["p"].start_ms == room["p"].end_ms == room["c"].start_ms == at("11:00")


def test_brought_forward_again_all_is_as_it_was() -> None:
    room = hall(A, B, BREAK, C).until("8:00")
    before = room.day.sessions
    room.tap(Delay("a", 30, following=True)).tap(Delay("a", -30, following=True))
    assert room.day.sessions == before


def test_a_breaks_own_length_can_be_told_from_what_delays_took() -> None:
    changed, left_ms = absorbed(BREAK, 25 * MINUTE)
    assert left_ms == 5 * MINUTE
    assert changed.start_ms - changed.delay_ms == BREAK.start_ms
    assert changed.end_ms - changed.start_ms + changed.shortened_ms == 20 * MINUTE


def test_the_next_day_is_not_moved_and_a_night_belongs_to_the_evening() -> None:
    late, tomorrow = talk("n", "25:00", "26:00"), talk("t", "33:00", "34:00")
    room = hall(A, late, tomorrow, zone="Europe/Paris").until("8:30").tap(Delay("a", 10, following=True))
    assert room["n"].start_ms == at("25:10")
    assert room["t"].start_ms == at("33:00")
    assert day_of(at("1:59"), "Europe/Paris") != day_of(at("2:00"), "Europe/Paris"), "four in the morning, in Paris"


def test_while_one_overruns_the_next_are_shown_late() -> None:
    room = hall(A, B, BREAK, C).until("9:00").tap(StartTap("a")).until("9:50")
    assert shown(room, "a") == (at("9:00"), at("9:50"))
    assert shown(room, "b") == (at("9:50"), at("10:35"))
    assert shown(room, "p") == (at("10:35"), at("10:50"))
    assert shown(room, "c") == (at("10:50"), at("11:30"))
    assert room["b"].start_ms == at("9:45"), "shown, not moved"


def test_an_extension_shows_the_next_late_at_once() -> None:
    room = hall(A, B).until("9:00").tap(StartTap("a")).until("9:30").tap(Extend("a", 7))
    assert shown(room, "b") == (at("9:52"), at("10:37"))


def test_a_gap_in_the_plan_swallows_an_overrun() -> None:
    room = hall(A, talk("d", "10:00", "10:30")).until("9:00").tap(StartTap("a")).until("9:52")
    assert shown(room, "d") == (at("10:00"), at("10:30"))


def test_shown_times_change_once_a_minute() -> None:
    room = hall(A, B).until("9:00").tap(StartTap("a")).until("9:50:10")
    times = shown(room, "b")
    assert times == (at("9:51"), at("10:36"))
    assert shown(room.until("9:50:50"), "b") == times
