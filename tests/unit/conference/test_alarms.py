"""Alarms: their causes, times and owners."""

from __future__ import annotations

import pytest

from streamer.conference.alarms import AlarmInputs, Trouble, alarm_id, alarms_of
from streamer.conference.rooms import StartRule as Mode
from streamer.conference.sessions import Flag, Kind
from streamer.conference.taps import ConsentAnswer, End, Extend, HoldOn, Resume, StartTap
from tests.fakes.days import at, closed, hall, talk

A, B = talk("a", "9:00", "9:45"), talk("b", "9:45", "10:30")


def test_nothing_coming_in_five_minutes_before() -> None:
    room = hall(A, camera=False).until("8:54:59")
    assert "nothing_coming_in" not in room.alarms()
    alarm = room.until("8:55").alarms()["nothing_coming_in"]
    assert (alarm.level, alarm.owner, alarm.session, alarm.since_ms) == ("warning", "technician", "a", at("8:55"))
    assert room.until("9:00").alarms()["nothing_coming_in"].level == "alarm"
    assert "nothing_coming_in" not in room.camera().alarms()


def test_not_started_three_minutes_after_the_planned_start() -> None:
    room = hall(A).until("9:02:59")
    assert room.alarms() == {}
    assert room.until("9:03").alarms()["not_started"].since_ms == at("9:03")
    assert room.tap(StartTap("a")).alarms() == {}


def test_the_next_one_is_not_started_although_the_last_is_still_on() -> None:
    room = hall(A, B).until("9:00").tap(StartTap("a")).until("9:48")
    assert room.alarms()["not_started"].session == "b"


def test_what_the_clock_starts_needs_no_tap() -> None:
    room = hall(A, start=Mode.AUTO, camera=False).until("9:05")
    assert set(room.alarms()) == {"nothing_coming_in"}
    party = hall(talk("p", "9:00", "10:00", kind=Kind.SOCIAL), start=Mode.AUTO).until("9:05")
    assert set(party.alarms()) == {"not_started"}


def test_on_air_with_nothing_coming_in() -> None:
    room = hall(A).until("9:00").tap(StartTap("a")).until("9:10").camera(False).until("9:11")
    alarm = room.alarms()["on_air_without_media"]
    assert (alarm.level, alarm.since_ms) == ("alarm", at("9:10"))
    assert room.camera().alarms() == {}


def test_coming_in_with_nothing_scheduled() -> None:
    room = hall(A).until("9:00").tap(StartTap("a")).until("9:45").tap(End("a")).until("9:47")
    assert room.alarms() == {}
    assert room.until("9:48").alarms()["unplanned_media"].since_ms == at("9:45")
    assert room.camera(False).alarms() == {}


def test_a_camera_half_an_hour_early_is_no_alarm() -> None:
    assert hall(A, clock="8:15").until("8:45").alarms() == {}


def test_a_closed_session_ahead_rings_five_and_one_minutes_before() -> None:
    room = hall(A, closed("g", "9:45", "10:30")).until("9:00").tap(StartTap("a")).until("9:39:59")
    assert room.alarms() == {}
    first = room.until("9:40").alarms()["closed_ahead"]
    assert (first.level, first.details) == ("warning", {"at_ms": at("9:45")})
    second = room.until("9:44").alarms()["closed_ahead"]
    assert second.level == "alarm"
    assert second.id != first.id, "it rings again although the first was acknowledged"
    room.tap(Extend("a", 10))
    assert "closed_ahead" not in room.alarms()
    assert room.until("9:50").alarms()["closed_ahead"].details == {"at_ms": at("9:55")}


def test_a_takeover_rings_before() -> None:
    room = hall(A, B, start=Mode.AUTO).until("9:49:59")
    assert room.alarms() == {}
    assert room.until("9:50").alarms()["takeover_ahead"].details == {"at_ms": at("9:55")}
    assert room.until("9:54").alarms()["takeover_ahead"].level == "alarm"


def test_a_closed_session_that_overruns_holds_the_next_off_and_says_so() -> None:
    room = hall(closed("g", "9:00", "9:45"), B, start=Mode.AUTO).until("9:50")
    assert room.alarms()["reserved_for_next"].details == {"next": "b"}


def test_a_hold_rings_while_it_lasts() -> None:
    room = hall(A).tap(HoldOn("Fire alarm"))
    assert room.alarms()["hold"].since_ms == at("8:00")
    assert room.tap(Resume()).alarms() == {}


def test_a_question_without_an_answer_rings_when_it_is_armed() -> None:
    room = hall(talk("q", "9:00", "9:45", do_not_record=Flag.ASK, do_not_stream=Flag.ASK))
    assert room.until("8:49").alarms() == {}
    assert room.until("8:50").alarms()["unanswered"].details == {"record": 1, "stream": 1}
    room.tap(ConsentAnswer("q", record=True))
    assert room.alarms()["unanswered"].details == {"record": 0, "stream": 1}
    assert room.tap(ConsentAnswer("q", stream=False)).alarms() == {}


def test_what_is_seen_elsewhere_rings_here() -> None:
    inputs = AlarmInputs(
        wrong_keys=(Trouble("key_in_wrong_room", 5, about="attic", details={"room": "attic"}),),
        files=(Trouble("file_trouble", 6, owner="operator"),),
        disk_left_s=1800,
        disk_since_ms=7,
        media=(Trouble("too_loud", 8, level="warning", about="main"),),
    )
    found = hall(A).until("8:50").alarms(inputs)
    assert {alarm.id for alarm in found.values()} == {
        "key_in_wrong_room:hall:attic",
        "file_trouble:hall:",
        "disk_low:hall:",
        "too_loud:hall:main",
    }
    assert found["disk_low"].details == {"minutes_left": 30}
    assert found["disk_low"].owner == "operator"
    assert hall(A).alarms(AlarmInputs(disk_left_s=3600)) == {}


@pytest.mark.parametrize("clock", ["9:04", "9:20", "9:44"])
def test_an_alarm_keeps_its_id_and_time_while_its_cause_lasts(clock: str) -> None:
    room = hall(A, camera=False).until("9:03")
    first = room.alarms()
    assert first["not_started"].id == alarm_id("not_started", "hall", "a")
    assert room.until(clock).alarms() == first


def test_the_gravest_rings_first() -> None:
    room = hall(A, camera=False).until("9:03").tap(HoldOn())
    levels = [alarm.level for alarm in alarms_of(room.day, room.now_ms)]
    assert levels == ["alarm", "alarm", "warning"]
