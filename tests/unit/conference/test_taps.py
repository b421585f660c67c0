"""People's commands to a day, and their effects."""

from __future__ import annotations

import pytest

from streamer.conference import taps
from streamer.conference.sessions import Flag, Hold, SessionState
from streamer.conference.sources import MAX_SOURCES, SourceKind
from streamer.conference.taps import (
    AdHoc,
    Cancel,
    Command,
    ConsentAnswer,
    Delay,
    End,
    Extend,
    Gain,
    HoldOn,
    Refused,
    Reopen,
    Resume,
    SetSource,
    ShowSlate,
    StartTap,
    TakeSource,
)
from tests.fakes.days import MINUTE, Hall, at, closed, hall, pause, talk

A, B, C = talk("a", "9:00", "9:45"), talk("b", "9:45", "10:30"), talk("c", "10:30", "11:15")


def refused(room: Hall, command: Command) -> Refused:
    with pytest.raises(Refused) as caught:
        taps.apply(room.day, command, room.now_ms)
    return caught.value


# --- start ------------------------------------------------------------------------------------------


def test_a_tap_starts_now() -> None:
    room = hall(A).until("8:57").tap(StartTap("a"))
    assert room.state("a") is SessionState.ON_AIR
    assert room["a"].started_ms == at("8:57")


def test_a_late_tap_starts_at_the_first_words() -> None:
    room = hall(A).until("9:10").tap(StartTap("a", at("9:07:12")))
    assert room["a"].started_ms == at("9:07:12")


@pytest.mark.parametrize(("clock", "code"), [("8:40:57", "too_far_back"), ("9:11:03", "in_the_future")])
def test_a_tap_is_meant_for_the_last_half_hour(clock: str, code: str) -> None:
    assert refused(hall(A).until("9:11"), StartTap("a", at(clock))).code == code


def test_clocks_that_differ_by_a_second_are_no_future() -> None:
    assert hall(A).until("9:00").tap(StartTap("a", at("9:00:01")))["a"].started_ms == at("9:00")


def test_starting_the_next_ends_the_one_before_at_the_same_mark() -> None:
    room = hall(A, B).until("9:00").tap(StartTap("a")).until("9:52").tap(StartTap("b", at("9:49")))
    assert room.state("a") is SessionState.ENDED
    assert room["a"].ended_ms == room["b"].started_ms == at("9:49")
    assert room.running == "b"


def test_a_start_may_be_corrected_and_takes_the_shared_mark_along() -> None:
    room = hall(A, B).until("9:00").tap(StartTap("a")).until("9:52").tap(StartTap("b")).until("9:55")
    room.tap(StartTap("b", at("9:48:30")))
    assert room["a"].ended_ms == room["b"].started_ms == at("9:48:30")
    room.tap(StartTap("b", at("9:50")))
    assert room["a"].ended_ms == room["b"].started_ms == at("9:50")


def test_a_start_does_not_reach_into_a_session_that_was_ended() -> None:
    room = hall(A, B).until("9:00").tap(StartTap("a")).until("9:46").tap(End("a")).until("9:50")
    error = refused(room, StartTap("b", at("9:44")))
    assert (error.code, error.status, error.details) == ("before_previous", 409, {"not_before_ms": at("9:46")})
    room.tap(StartTap("b", at("9:46")))
    assert room.running == "b"


def test_minutes_of_a_closed_session_do_not_become_a_public_ones_by_a_late_tap() -> None:
    room = (
        hall(closed("g", "9:00", "9:45"), B)
        .until("9:00")
        .tap(StartTap("g"))
        .until("9:50")
        .tap(StartTap("b", at("9:46")))
    )
    assert room["b"].started_ms == room["g"].ended_ms == at("9:50")
    room.until("9:55").tap(StartTap("b", at("9:47")))
    assert room["b"].started_ms == at("9:50")


def test_a_wrong_tap_between_a_closed_session_and_a_public_one_changes_nothing_of_that() -> None:
    room = hall(closed("g", "9:00", "9:45"), B, C).until("9:00").tap(StartTap("g"))
    room.until("9:50").tap(AdHoc("x", "Wrong")).tap(StartTap("b"))
    assert room["g"].ended_ms == room["x"].ended_ms == room["b"].started_ms == at("9:50")
    room.until("9:55").tap(StartTap("b", at("9:47")))
    assert (room["g"].ended_ms, room["b"].started_ms) == (at("9:50"), at("9:50"))


def test_a_session_may_be_started_hours_late() -> None:
    assert hall(A).until("13:00").tap(StartTap("a")).running == "a"


def test_what_does_not_go_on_air() -> None:
    room = hall(A, pause("p", "9:45", "10:00"), B).until("9:00").tap(Cancel("b"))
    assert refused(room, StartTap("p")).code == "not_aired"
    assert refused(room, StartTap("b")).code == "cancelled"
    assert refused(room, StartTap("nobody")).status == 404
    room.tap(StartTap("a")).until("9:50").tap(End("a"))
    assert refused(room, StartTap("a")).code == "ended"


def test_nothing_else_begins_in_the_time_of_a_closed_session() -> None:
    room = hall(closed("g", "9:00", "9:45"), B, camera=False).until("9:10")
    for command in (StartTap("b"), AdHoc("x")):
        error = refused(room, command)
        assert (error.code, error.details) == ("reserved", {"until_ms": at("9:45")})
        assert "g" not in str(error.details)
    assert room.tap(Cancel("g")).tap(StartTap("b")).running == "b"


def test_what_was_taken_for_another_keeps_its_time() -> None:
    room = hall(A, closed("g", "9:45", "10:30"), talk("z", "14:00", "15:00"))
    room.until("9:40").tap(StartTap("z")).until("9:45")
    assert room.state("z") is SessionState.ENDED
    room.until("13:00").tap(End("g")).until("14:00").tap(StartTap("z"))
    assert room.running == "z"
    assert room["z"].started_ms == at("14:00")


# --- end and reopen ---------------------------------------------------------------------------------


def test_an_end_may_lie_back_but_not_before_the_start() -> None:
    room = hall(A).until("9:00").tap(StartTap("a")).until("9:50")
    room.tap(End("a", at("9:46:30")))
    assert (room.state("a"), room["a"].ended_ms) == (SessionState.ENDED, at("9:46:30"))


def test_an_end_before_the_start_is_refused() -> None:
    room = hall(A).until("9:00").tap(StartTap("a")).until("9:05")
    error = refused(room, End("a", at("8:59")))
    assert (error.code, error.status, error.details) == ("before_start", 422, {"not_before_ms": at("9:00")})


def test_an_end_may_be_corrected_until_the_next_began() -> None:
    room = hall(A, B).until("9:00").tap(StartTap("a")).until("9:44").tap(End("a")).until("9:46").tap(StartTap("b"))
    room.until("9:50").tap(End("a", at("9:45:30")))
    assert room["a"].ended_ms == at("9:45:30")
    assert refused(room, End("a", at("9:47"))).code == "after_next"
    assert room["b"].started_ms == at("9:46")


def test_only_what_is_on_air_can_be_ended() -> None:
    assert refused(hall(A).until("8:55"), End("a")).code == "not_running"


def test_an_ended_session_is_reopened_for_fifteen_minutes_from_the_tap() -> None:
    room = hall(A).until("9:00").tap(StartTap("a")).until("9:44").tap(End("a", at("9:30"))).until("9:59")
    room.tap(Reopen("a"))
    assert (room.state("a"), room["a"].ended_ms, room["a"].started_ms) == (SessionState.OVERRUN, None, at("9:00"))
    room.tap(End("a")).until("10:14:30")
    assert refused(room, Reopen("a")).code == "too_late"


def test_nothing_is_reopened_over_another() -> None:
    room = hall(A, B).until("9:00").tap(StartTap("a")).until("9:44").tap(StartTap("b")).until("9:46")
    assert refused(room, Reopen("a")).code == "occupied"
    assert refused(room.tap(End("b")), Reopen("a")).code == "another_began"
    assert room.tap(Reopen("b")).running == "b"


def test_a_cancelled_session_may_be_planned_again() -> None:
    room = hall(A).until("8:30").tap(Cancel("a")).tap(Reopen("a"))
    assert room.state("a") is SessionState.SCHEDULED
    room.tap(Cancel("a")).until("10:00")
    assert refused(room, Reopen("a")).code == "over"


def test_what_is_on_air_is_ended_not_cancelled() -> None:
    room = hall(A).until("9:00").tap(StartTap("a"))
    assert refused(room, Cancel("a")).code == "running"
    assert refused(room.tap(End("a")), Cancel("a")).code == "ended"


# --- longer and later -------------------------------------------------------------------------------


def test_an_extension_counts_from_the_planned_end() -> None:
    room = hall(A).until("9:00").tap(StartTap("a")).until("9:40").tap(Extend("a", 10))
    assert room["a"].extended_until_ms == at("9:55")
    assert room.until("9:54").state("a") is SessionState.ON_AIR
    assert room.until("9:55").state("a") is SessionState.OVERRUN


def test_an_extension_in_overrun_counts_from_now() -> None:
    room = hall(A).until("9:00").tap(StartTap("a")).until("9:50").tap(Extend("a", 10))
    assert room["a"].extended_until_ms == at("10:00")
    assert room.state("a") is SessionState.ON_AIR


@pytest.mark.parametrize("minutes", [0, -5, 1441])
def test_an_extension_is_some_minutes(minutes: int) -> None:
    assert refused(hall(A).until("9:00").tap(StartTap("a")), Extend("a", minutes)).code == "bad_minutes"


def test_a_delay_moves_one_session() -> None:
    room = hall(A, B).until("8:30").tap(Delay("a", 10))
    assert (room["a"].start_ms, room["a"].end_ms, room["a"].delay_ms) == (at("9:10"), at("9:55"), 10 * MINUTE)
    assert room["b"].start_ms == at("9:45")


def test_a_delay_of_what_runs_lets_it_end_later_and_moves_the_rest() -> None:
    room = hall(A, B, C).until("9:00").tap(StartTap("a")).until("9:30").tap(Delay("a", 10, following=True))
    assert (room["a"].start_ms, room["a"].extended_until_ms) == (at("9:00"), at("9:55"))
    assert (room["b"].start_ms, room["c"].start_ms) == (at("9:55"), at("10:40"))


def test_nothing_is_moved_into_the_past_or_after_its_end() -> None:
    room = hall(A, B).until("8:55")
    assert refused(room, Delay("a", -10)).code == "not_before"
    assert room.tap(Delay("b", -10))["b"].start_ms == at("9:35")
    room.until("9:00").tap(StartTap("a"))
    assert refused(room, Delay("a", -10)).code == "not_before"
    assert refused(room.tap(End("a")), Delay("a", 10)).code == "over"


# --- the room ---------------------------------------------------------------------------------------


def test_a_hold_and_its_end() -> None:
    room = hall(A, B).until("9:00").tap(StartTap("a")).until("9:10").tap(HoldOn("Fire alarm", at("9:30"))).until("9:25")
    assert room.running == "a"
    room.tap(HoldOn("Still"))
    assert room.day.hold == Hold(at("9:10"), "Still")
    room.tap(Resume())
    assert (room.public_status.hold, room["b"].start_ms) == (None, at("9:45"))


def test_a_resume_may_move_what_is_left_of_the_day() -> None:
    lunch, tomorrow = pause("lunch", "10:30", "10:40"), talk("t", "33:00", "34:00")
    room = hall(A, B, lunch, talk("d", "10:40", "11:00"), tomorrow)
    room.until("9:00").tap(StartTap("a")).until("9:10").tap(HoldOn("Fire alarm")).until("9:25").tap(Resume(shift=True))
    assert room["a"].extended_until_ms == at("10:00")
    assert room["b"].start_ms == at("10:00")
    assert (room["lunch"].start_ms, room["lunch"].end_ms) == (at("10:45"), at("10:45"))
    assert room["d"].start_ms == at("10:45"), "the break took ten of the fifteen minutes"
    assert room["t"].start_ms == at("33:00")


def test_a_resume_with_nothing_on_air_moves_what_was_due() -> None:
    room = hall(A, B).until("8:58").tap(HoldOn()).until("9:08").tap(Resume(shift=True))
    assert (room["a"].start_ms, room["b"].start_ms) == (at("9:10"), at("9:55"))


def test_ad_hoc_in_one_tap_until_the_next_session() -> None:
    room = hall(A).until("8:40").tap(AdHoc("x", "Sound check, open to all"))
    assert (room.running, room["x"].title, room["x"].end_ms) == ("x", "Sound check, open to all", at("9:00"))
    before = room.day
    assert room.tap(AdHoc("y")).day == before, "a second tap is the same wish"
    assert room.until("9:00").tap(StartTap("a"))["x"].ended_ms == at("9:00")


def test_answers_are_for_questions() -> None:
    room = hall(talk("q", "9:00", "9:45", do_not_record=Flag.ASK, do_not_stream=Flag.ASK), B).until("8:55")
    room.tap(ConsentAnswer("q", record=False)).tap(ConsentAnswer("q", stream=True))
    assert (room["q"].record_answer, room["q"].stream_answer) == (False, True)
    assert (room["q"].recorded, room["q"].streamed) == (False, True)
    assert refused(room, ConsentAnswer("b", record=True)).code == "not_asked"


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (TakeSource("Not a source"), "bad_source"),
        (TakeSource("public"), "bad_source"),
        (Gain(40), "bad_gain"),
        (Gain(-61), "bad_gain"),
        (SetSource("camera", gain_db=20.1), "bad_gain"),
        (SetSource("programme", mute=True), "bad_source"),
    ],
)
def test_what_no_room_can_do(command: Command, code: str) -> None:
    error = refused(hall(A), command)
    assert (error.code, error.status) == (code, 422)


def test_a_room_keeps_the_settings_of_so_many_sources() -> None:
    room = hall(A)
    for number in range(MAX_SOURCES):
        room.tap(SetSource(f"camera-{number}", mute=True))
    assert refused(room, SetSource("one-more", mute=True)).code == "too_many_sources"
    room.tap(SetSource("camera-0", mute=False)).tap(SetSource("one-more", mute=True))


REPEATABLE = [
    StartTap("a"),
    StartTap("a", at("9:01")),
    End("a"),
    End("a", at("9:01")),
    Reopen("a"),
    Cancel("b"),
    ConsentAnswer("q", True, True),
    HoldOn("x"),
    Resume(),
    ShowSlate(True),
    ShowSlate(False),
    TakeSource("desk"),
    TakeSource("slate"),
    TakeSource(None),
    Gain(-6.0),
    SetSource("camera", mute=True, mono=True, kind=SourceKind.CAMERA),
    SetSource("camera", 0.0, mute=False, mono=False, kind="unknown"),
]


@pytest.mark.parametrize("command", REPEATABLE)
def test_what_already_holds_changes_nothing(command: Command) -> None:
    question = talk("q", "12:00", "12:30", do_not_record=Flag.ASK, do_not_stream=Flag.ASK)
    room = hall(A, B, question).until("9:00").tap(StartTap("a")).until("9:02")
    once = taps.apply(room.day, command, room.now_ms)
    assert taps.apply(once, command, room.now_ms) is once
