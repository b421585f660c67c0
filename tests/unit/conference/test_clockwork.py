"""Changes of a day by clock and media."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streamer.conference.clockwork import advance
from streamer.conference.day import MediaState
from streamer.conference.rooms import Between, StartRule
from streamer.conference.sessions import Flag, Kind, Session, SessionState, Visibility
from streamer.conference.spans import output_name
from streamer.conference.taps import AdHoc, Cancel, Delay, End, Extend, HoldOn, Reopen, Resume, ShowSlate
from streamer.conference.taps import StartTap as Begin
from tests.fakes.days import at, closed, hall, pause, talk

A, B = talk("a", "9:00", "9:45"), talk("b", "9:45", "10:30")


# --- before -----------------------------------------------------------------------------------------


def test_a_session_is_armed_ten_minutes_before_and_waits_for_its_tap() -> None:
    room = hall(A, B)
    assert room.until("8:49:59").state("a") is SessionState.SCHEDULED
    assert room.until("8:50").state("a") is SessionState.ARMED
    assert room.until("9:10").state("a") is SessionState.ARMED
    assert room.running is None
    assert room.orders.public == "slate"


def test_the_next_one_is_armed_while_one_runs_and_only_one_is() -> None:
    room = hall(A, B).until("9:00").tap(Begin("a")).until("9:36")
    assert (room.state("a"), room.state("b")) == (SessionState.ON_AIR, SessionState.ARMED)


def test_one_that_nobody_started_gives_way_to_the_next() -> None:
    room = hall(A, talk("c", "11:00", "12:00")).until("10:00")
    assert room.state("a") is SessionState.ARMED, "it may still be tapped late"
    assert room.until("10:15").state("a") is SessionState.SCHEDULED
    assert room.until("10:50").state("c") is SessionState.ARMED


def test_a_delay_disarms() -> None:
    room = hall(A).until("8:55").tap(Delay("a", 30))
    assert room.state("a") is SessionState.SCHEDULED
    assert room.until("9:20").state("a") is SessionState.ARMED


def test_breaks_are_never_armed_and_cut_nothing() -> None:
    room = hall(A, pause("p", "9:45", "10:00"), start=StartRule.AUTO).until("9:59")
    assert room.state("p") is SessionState.SCHEDULED
    assert room.state("a") is SessionState.OVERRUN


# --- auto -------------------------------------------------------------------------------------------


def test_auto_starts_at_the_planned_start() -> None:
    room = hall(A, start=StartRule.AUTO).until("8:59:59")
    assert (room.running, room.orders.public) == (None, "slate")
    room.until("9:00")
    assert room.running == "a"
    assert room["a"].started_ms == at("9:00")
    assert room.orders.public == "programme"


def test_auto_waits_for_the_camera_and_marks_where_it_came() -> None:
    room = hall(A, start=StartRule.AUTO, camera=False).until("9:07")
    assert room.running is None
    room.camera()
    assert room["a"].started_ms == at("9:07")


def test_auto_starts_what_a_restart_missed_where_it_was_due() -> None:
    room = hall(A, start=StartRule.AUTO).until("8:58")
    since = room.day.media
    room.restart().jump("9:05")
    room.day = replace(room.day, media=since)
    room.look()
    assert room["a"].started_ms == at("9:00")


def test_what_came_and_went_during_a_restart_ends_nothing_until_it_is_known() -> None:
    room = hall(A).until("9:00").tap(Begin("a")).until("9:10").camera(False).restart()
    room.day = replace(room.day, media=MediaState(stopped_ms=at("9:10")))
    assert room.until("9:30").running == "a"
    room.day = replace(room.day, media=replace(room.day.media, known=True))
    assert room.look().running is None


def test_auto_follows_a_session_that_was_ended_by_a_tap() -> None:
    room = hall(A, B, start=StartRule.AUTO).until("9:46")
    assert room.state("a") is SessionState.OVERRUN
    room.tap(End("a"))
    assert room.running == "b"
    assert room["b"].started_ms == at("9:46")


def test_auto_takes_over_ten_minutes_late() -> None:
    room = hall(A, B, start=StartRule.AUTO).until("9:54:59")
    assert room.running == "a"
    room.until("9:55")
    assert room.running == "b"
    assert room["a"].ended_ms == room["b"].started_ms == at("9:55")


def test_auto_does_not_take_over_from_what_a_person_extended() -> None:
    room = hall(A, B, start=StartRule.AUTO).until("9:40").tap(Extend("a", 20)).until("10:04")
    assert room.running == "a"
    assert room.until("10:05").running == "b"


def test_auto_does_not_cut_a_session_with_an_earlier_one() -> None:
    room = hall(A, B, clock="9:30", start=StartRule.AUTO, camera=False)
    room.tap(Begin("b")).camera().until("9:44")
    assert room.running == "b"
    assert room.state("a") is SessionState.SCHEDULED, "it has been passed over"


def test_a_lightning_talk_takes_over_while_it_lasts() -> None:
    room = hall(A, talk("s", "9:45", "9:50"), start=StartRule.AUTO).until("9:48")
    assert room.running == "s"


def test_where_plans_overlap_each_has_its_ten_minutes() -> None:
    room = hall(A, B, talk("c", "9:50", "10:40"), start=StartRule.AUTO).until("9:30").jump("9:31").until("9:55")
    assert room.running == "b"
    assert advance(room.day, room.now_ms) == room.day
    room.restart().camera().until("10:04:30")
    assert room.running == "b"
    assert room.until("10:05").running == "c"
    assert room["b"].started_ms == at("9:55")


def test_what_a_person_began_in_anothers_time_has_ten_minutes() -> None:
    room = hall(talk("z", "9:00", "9:40"), B, start=StartRule.AUTO, camera=False)
    room.until("9:50").tap(Begin("z")).camera().until("9:59")
    assert room.running == "z"
    assert room.until("10:00").running == "b"


def test_a_party_waits_for_a_tap_even_in_an_auto_room() -> None:
    room = hall(talk("party", "9:00", "10:00", kind=Kind.SOCIAL), start=StartRule.AUTO).until("9:10")
    assert room.state("party") is SessionState.ARMED


# --- overrun and end --------------------------------------------------------------------------------


def test_the_clock_alone_never_cuts_in_a_tap_room() -> None:
    room = hall(A, B).until("9:00").tap(Begin("a")).until("9:44:59")
    assert room.state("a") is SessionState.ON_AIR
    assert room.until("9:45").state("a") is SessionState.OVERRUN
    assert room.until("13:00").running == "a"
    assert room.orders.public == "programme"


def test_it_ends_ten_minutes_after_the_media_stopped_where_they_stopped() -> None:
    room = hall(A).until("9:00").tap(Begin("a")).until("9:20").camera(False).until("9:29:59")
    assert room.running == "a"
    room.until("9:30")
    assert room.state("a") is SessionState.ENDED
    assert room["a"].ended_ms == at("9:20")


def test_media_that_come_back_in_time_go_on() -> None:
    room = hall(A).until("9:00").tap(Begin("a")).until("9:20").camera(False).until("9:28").camera().until("9:40")
    assert room.running == "a"


def test_a_session_that_never_had_media_does_not_end_by_itself() -> None:
    room = hall(A, camera=False).until("9:00").tap(Begin("a")).until("10:30")
    assert room.running == "a"


def test_what_was_reopened_without_media_has_ten_minutes_again() -> None:
    room = hall(A).until("9:00").tap(Begin("a")).until("9:20").camera(False).until("9:31").tap(Reopen("a"))
    assert room.until("9:40").running == "a"
    assert room.until("9:41").running is None


# --- privacy outranks the clock ---------------------------------------------------------------------

GUARDED = [
    closed("g", "9:45", "10:30"),
    closed("g", "9:45", "10:30", visibility=Visibility.UNLISTED),
    talk("g", "9:45", "10:30", do_not_stream=Flag.YES),
    talk("g", "9:45", "10:30", do_not_record=Flag.YES),
    talk("g", "9:45", "10:30", do_not_record=Flag.ASK, record_answer=False),
]


@pytest.mark.parametrize("guarded", GUARDED)
def test_a_guarded_session_is_obeyed_at_its_start_in_a_tap_room(guarded: Session) -> None:
    room = hall(A, guarded).until("9:00").tap(Begin("a")).until("9:44:59")
    assert room.running == "a"
    room.until("9:45")
    assert room.running == "g"
    assert room["a"].ended_ms == room["g"].started_ms == at("9:45")


@pytest.mark.parametrize(("ended", "began"), [("9:50", "9:50"), ("9:40", "9:45"), ("9:55", "9:55")])
def test_what_waited_for_an_extension_begins_where_a_late_tap_ended_the_one_before(ended: str, began: str) -> None:
    room = hall(A, closed("p", "9:45", "10:30")).until("9:00").tap(Begin("a")).until("9:40")
    room.tap(Extend("a", 20)).until("9:55")
    assert room.running == "a"
    room.tap(End("a", at(ended)))
    assert room.running == "p"
    assert (room["a"].ended_ms, room["p"].started_ms) == (at(ended), at(began))


@pytest.mark.parametrize("guarded", GUARDED)
def test_without_a_camera_the_room_is_reserved_until_one_comes(guarded: Session) -> None:
    room = hall(A, guarded).until("9:00").tap(Begin("a")).until("9:43").camera(False).until("9:45")
    assert room.state("a") is SessionState.ENDED
    assert room.state("g") is SessionState.ARMED
    assert room.orders.public == "slate"
    room.until("9:50").camera()
    assert (room.running, room.orders.public) == (None, "slate"), "nobody has put this camera on air"
    assert "not_started" in room.alarms()
    assert room.tap(Begin("g")).running == "g"


@pytest.mark.parametrize("guarded", GUARDED)
def test_in_an_auto_room_it_begins_with_the_camera(guarded: Session) -> None:
    room = hall(A, guarded, start=StartRule.AUTO).until("9:43").camera(False).until("9:45")
    assert room.orders.public == "slate"
    assert room.until("9:50").camera().running == "g"


@pytest.mark.parametrize("guarded", GUARDED)
def test_it_takes_over_nothing_that_was_not_on_air_when_its_time_came(guarded: Session) -> None:
    room = hall(A, guarded).until("9:00").tap(Begin("a")).until("9:44").tap(End("a")).until("10:00")
    assert (room.running, room.orders.public) == (None, "slate")
    assert room.orders.record is guarded.recorded, "it is obeyed all the same"
    room = hall(guarded).until("10:00")
    assert (room.running, room.orders.public) == (None, "slate")


def test_a_restart_at_its_start_loses_nothing_of_it() -> None:
    room = hall(A, GUARDED[0]).until("9:00").tap(Begin("a")).until("9:44:50")
    since = room.day.media
    room.restart().jump("9:45:05")
    room.day = replace(room.day, media=since)
    assert room.look().running == "g"


def test_an_extension_holds_it_off_and_no_longer() -> None:
    room = hall(A, GUARDED[0]).until("9:00").tap(Begin("a")).until("9:40").tap(Extend("a", 10)).until("9:54")
    assert room.running == "a"
    assert room.orders.public == "programme"
    assert room.until("9:55").running == "g"


def test_unanswered_is_not_guarded() -> None:
    room = hall(A, talk("q", "9:45", "10:30", do_not_record=Flag.ASK)).until("9:00").tap(Begin("a")).until("9:50")
    assert room.running == "a"


def test_the_rest_of_a_closed_session_is_never_made_public_by_the_clock() -> None:
    first = closed("g", "9:00", "9:45")
    room = hall(first, B, start=StartRule.AUTO).until("10:10")
    assert room.running == "g", "it overruns into an auto session and stays closed"
    assert room.orders.public == "slate"
    assert room.tap(Begin("b")).orders.public == "programme", "a person may"


def test_a_wrong_tap_of_a_later_session_takes_no_protection_away() -> None:
    room = hall(GUARDED[0], talk("z", "14:00", "15:00")).until("9:43").tap(Begin("z")).until("9:45")
    assert room.running == "g"


def test_a_closed_session_follows_a_closed_one() -> None:
    room = hall(closed("g", "9:00", "9:45"), closed("h", "9:45", "10:30")).until("9:00").tap(Begin("g")).until("9:45")
    assert room.running == "h"
    assert [output.name for output in room.orders.outputs] == [output_name(room["h"])]


# --- nothing planned --------------------------------------------------------------------------------


def test_a_room_with_nothing_planned_goes_on_air_when_its_camera_does() -> None:
    room = hall(camera=False, start=StartRule.AUTO)
    room.day = replace(room.day, media=MediaState(known=True))
    assert room.orders.public == "programme", "the room process need not wait"
    room.until("8:10").camera()
    assert room.running == "auto1"
    assert room["auto1"].ad_hoc
    assert room["auto1"].title == "Hall"
    assert room["auto1"].started_ms == at("8:10")
    assert room.orders.public == "programme"


@pytest.mark.parametrize("sessions", [(), (talk("later", "23:00", "23:45"),)])
def test_in_a_tap_room_a_camera_is_a_preview_whatever_is_planned(sessions: tuple[Session, ...]) -> None:
    room = hall(*sessions, camera=False)
    room.day = replace(room.day, media=MediaState(known=True))
    assert room.orders.public == "slate"
    room.until("8:10").camera().until("12:00").camera(False).until("12:05").camera().restart().until("16:00")
    assert (room.running, room.orders.public, room.orders.record) == (None, "slate", True)
    assert room.tap(AdHoc("x", "Rehearsal")).orders.public == "programme"


def test_a_preview_stays_one_when_the_room_becomes_an_auto_room() -> None:
    room = hall().until("8:30")
    room.day = replace(room.day, start=StartRule.AUTO)
    assert room.until("9:00").running is None
    assert room.camera(False).until("9:10").camera().running is not None


def test_with_something_in_eleven_hours_it_is_a_preview() -> None:
    room = hall(talk("late", "19:00", "20:00"), start=StartRule.AUTO)
    assert room.running is None
    assert room.orders.public == "slate"


def test_a_preview_stays_one_when_the_plan_goes_away() -> None:
    room = hall(A, start=StartRule.AUTO)
    assert room.until("8:30").tap(Cancel("a")).until("8:40").running is None
    room.day = replace(room.day, sessions=())
    assert room.until("8:50").running is None
    assert room.orders.public == "slate"
    assert room.camera(False).until("8:55").camera().running is not None, "the next one is no preview"


def test_a_camera_that_was_left_on_is_not_put_on_air() -> None:
    room = hall(A, start=StartRule.AUTO).until("9:45").tap(End("a")).until("12:00")
    assert room.running is None
    assert room.orders.public == "slate"


def test_what_began_by_itself_ends_by_a_tap_and_does_not_begin_again() -> None:
    room = hall(start=StartRule.AUTO)
    assert room.running == "auto1"
    room.until("8:30").tap(End("auto1")).until("9:30")
    assert room.running is None
    assert room.orders.public == "slate"


def test_what_began_by_itself_ends_when_the_next_is_tapped() -> None:
    room = hall(start=StartRule.AUTO).until("8:30")
    room.day = replace(room.day, sessions=(*room.day.sessions, A))
    room.until("9:02").tap(Begin("a"))
    assert room.state("auto1") is SessionState.ENDED
    assert room.running == "a"


def test_nothing_begins_behind_the_technicians_slate_until_it_goes() -> None:
    room = hall(camera=False, start=StartRule.AUTO).tap(ShowSlate(True)).camera().until("8:10")
    assert room.running is None
    assert room.tap(ShowSlate(False)).running == "auto1"


def test_a_restart_does_not_put_a_camera_on_air_that_is_not_known_yet() -> None:
    room = hall(A, start=StartRule.AUTO).until("9:45").tap(End("a")).until("12:00").restart()
    assert room.orders.public == "slate"


# --- hold -------------------------------------------------------------------------------------------


def test_in_a_hold_everything_keeps_its_state() -> None:
    room = hall(A, closed("g", "9:45", "10:30"), start=StartRule.AUTO).until("9:30").tap(HoldOn("Fire alarm"))
    held = room.day.sessions
    room.camera(False).until("9:50")
    assert room.day.sessions == held
    room.camera().tap(Resume())
    assert room.running == "g"
    assert room["a"].ended_ms == at("9:50")


def test_after_a_hold_there_are_ten_minutes_for_the_camera() -> None:
    room = hall(A).until("9:00").tap(Begin("a")).until("9:10").camera(False).tap(HoldOn()).until("9:40").tap(Resume())
    assert room.until("9:49").running == "a"
    assert room.until("9:50").running is None
    assert room["a"].ended_ms == at("9:10")


# --- restarts and clocks that step ------------------------------------------------------------------


def test_a_restart_in_the_middle_changes_nothing() -> None:
    room = hall(A, B).until("9:00").tap(Begin("a")).until("9:20")
    before = room.day.sessions
    assert room.restart().day.sessions == before
    assert room.until("9:40").running == "a"


def test_a_step_forward_cuts_nothing() -> None:
    room = hall(A, B, closed("g", "12:00", "14:00"), start=StartRule.AUTO).until("9:20").jump("10:00")
    assert room.running == "a", "b takes over ten minutes later, not at once"
    room.jump("12:30")
    assert (room.running, room.orders.public) == ("a", "slate"), "but the closed session is obeyed"
    assert room.jump("9:21").running == "a"
    assert room.orders.public == "programme"


def test_a_step_forward_cuts_nothing_while_the_media_are_not_known() -> None:
    room = hall(A, closed("g", "12:00", "14:00")).until("9:00").tap(Begin("a")).until("9:20").restart().until("9:22")
    assert (room.jump("12:30").running, room.orders.public) == ("a", "slate")


def test_a_step_forward_does_not_end_what_has_just_lost_its_camera() -> None:
    room = hall(A).until("9:00").tap(Begin("a")).until("9:20").camera(False).jump("12:00")
    assert room.running == "a"


def test_a_step_back_undoes_and_doubles_nothing() -> None:
    room = hall(A, B, start=StartRule.AUTO).until("9:50").tap(End("a")).until("10:00")
    room.jump("8:00")
    assert (room.state("a"), room.running) == (SessionState.ENDED, "b")
    room.tap(End("b"))
    assert room["b"].ended_ms == room["b"].started_ms, "never before it began"
    assert room.until("9:30").running is None, "what has ended does not begin again"


def test_asked_twice_it_does_nothing_the_second_time() -> None:
    room = hall(A, B, closed("g", "10:30", "11:00"), start=StartRule.AUTO, between=Between.OPEN)
    for clock in ("8:50", "9:00", "9:45", "9:55", "10:30", "11:05"):
        room.until(clock)
        assert advance(room.day, room.now_ms) == room.day


def test_an_ad_hoc_session_is_not_cut_by_one_that_was_due_before() -> None:
    room = hall(A, camera=False, start=StartRule.AUTO).until("9:05").tap(AdHoc("x", "Panel")).camera().until("9:30")
    assert room.running == "x"
    assert room.tap(End("x")).running == "a", "then it has its time"
