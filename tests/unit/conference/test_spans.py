"""Stretches of media time that follow from a change: what is forgotten, what replays skip."""

from __future__ import annotations

from dataclasses import replace

from streamer.conference.day import with_sessions
from streamer.conference.sessions import Flag, Hold, Visibility
from streamer.conference.spans import Incident, Span, hold_incidents, newly_hidden
from streamer.conference.taps import Answer, End, HoldOn, Reopen, Start
from tests.fakes.days import at, hall, talk

A = talk("a", "9:00", "9:45")
SECRET = talk("s", "9:45", "10:30", do_not_record=Flag.YES)
QUESTION = talk("q", "9:00", "9:45", do_not_record=Flag.ASK, do_not_stream=Flag.ASK)


def test_a_late_tap_of_an_unrecorded_session_takes_minutes_back() -> None:
    room = hall(A, SECRET).until("9:00").tap(Start("a")).until("9:40")
    before = room.day
    room.tap(Start("s", at("9:37")))
    assert newly_hidden(before, room.day, room.now_ms) == (Span(at("9:37"), at("9:40"), "unrecorded"),)


def test_an_answer_takes_back_all_of_it() -> None:
    room = hall(QUESTION).until("9:00").tap(Start("q")).tap(Answer("q", stream=True)).until("9:20")
    before = room.day
    room.tap(Answer("q", record=False, stream=False))
    assert newly_hidden(before, room.day, room.now_ms) == (
        Span(at("9:00"), at("9:20"), "unrecorded"),
        Span(at("9:00"), at("9:20"), "unstreamed"),
    )
    assert newly_hidden(room.day, room.day, room.now_ms) == ()


def test_what_becomes_private_leaves_the_public_window() -> None:
    room = hall(A).until("9:00").tap(Start("a")).until("9:20")
    after = with_sessions(room.day, replace(room["a"], visibility=Visibility.PRIVATE, key="k"))
    assert newly_hidden(room.day, after, room.now_ms) == (Span(at("9:00"), at("9:20"), "closed"),)


def test_a_reopened_unrecorded_session_claims_the_gap() -> None:
    room = hall(SECRET).until("9:45").until("10:00").tap(End("s")).until("10:05")
    before = room.day
    room.tap(Reopen("s"))
    assert newly_hidden(before, room.day, room.now_ms) == (Span(at("10:00"), at("10:05"), "unrecorded"),)


def test_a_hold_is_an_incident_of_what_was_on_air_in_it() -> None:
    room = hall(A, talk("b", "9:45", "10:30")).until("9:00").tap(Start("a")).until("9:10").tap(HoldOn("Fire alarm"))
    hold = Hold(at("9:10"), "Fire alarm")
    assert hold_incidents(room.day, hold, None) == (Incident("a", at("9:10"), None, "Fire alarm"),)
    room.until("9:20").tap(Start("b")).until("9:30")
    assert hold_incidents(room.day, hold, at("9:30")) == (
        Incident("a", at("9:10"), at("9:20"), "Fire alarm"),
        Incident("b", at("9:20"), at("9:30"), "Fire alarm"),
    )
    assert hold_incidents(room.day, Hold(at("9:25"), ""), None) == (Incident("b", at("9:25"), None, ""),)
