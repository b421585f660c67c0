"""Visibility and recording of a room's programme, and its public status."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.broadcast.orders import OutputOrder, SourceOrder
from streamer.conference.airing import TEXTS, orders, public_shows, public_status
from streamer.conference.day import Beside, MediaState, RoomDay, clock_text, sorted_day
from streamer.conference.rooms import Between, StartRule
from streamer.conference.sessions import Flag, Session, SessionState, Visibility
from streamer.conference.sources import SourceKind
from streamer.conference.spans import output_name
from streamer.conference.taps import (
    ConsentAnswer,
    End,
    Extend,
    Gain,
    HoldOn,
    SetSource,
    ShowSlate,
    StartTap,
    TakeSource,
)
from tests.fakes.days import MIDNIGHT, MINUTE, at, closed, hall, pause, talk

A, B = talk("a", "9:00", "9:45"), talk("b", "10:00", "10:45")


# --- who sees it ------------------------------------------------------------------------------------


def test_a_publication_is_a_preview_until_the_tap() -> None:
    room = hall(A)
    for clock in ("8:30", "8:50", "9:00", "9:04"):
        assert room.until(clock).orders.public == "slate"
    assert room.tap(StartTap("a")).orders.public == "programme"


def test_overrun_is_on_air() -> None:
    room = hall(A).until("9:00").tap(StartTap("a")).until("9:50")
    assert (room.orders.public, room.public_status.word) == ("programme", "overrun")


def test_the_technicians_slate_and_a_hold_go_before_the_session() -> None:
    room = hall(A).until("9:00").tap(StartTap("a")).tap(ShowSlate(True))
    assert (room.orders.public, room.public_status.word) == ("slate", "paused")
    room.tap(ShowSlate(False)).tap(HoldOn("Fire alarm"))
    assert (room.orders.public, room.public_status.word) == ("slate", "hold")
    assert room.orders.record, "the minutes are there if they are wanted"


def test_a_closed_session_is_served_under_its_key_only() -> None:
    room = hall(closed("g", "9:00", "9:45")).until("8:55")
    assert room.orders.outputs == (OutputOrder(output_name(room["g"]), "slate"),), "those who wait find the slate"
    room.until("9:00").tap(StartTap("g")).until("9:20")
    told = room.orders
    assert told.public == "slate"
    assert told.outputs == (OutputOrder(output_name(room["g"]), "programme"),)
    assert (told.record, told.stretch, told.keep_from_ms) == (True, "g", at("8:55"))
    assert room.tap(HoldOn()).orders.outputs == (OutputOrder(output_name(room["g"]), "slate"),)


def test_stream_no_record_yes() -> None:
    told = hall(talk("s", "9:00", "9:45", do_not_stream=Flag.YES)).until("9:20")
    assert (told.orders.public, told.orders.record, told.orders.stretch) == ("slate", True, "")
    assert told.public_status.word == "not_streamed"
    assert told.orders.slate.title == "Talk s"


def test_stream_yes_record_no() -> None:
    told = hall(talk("s", "9:00", "9:45", do_not_record=Flag.YES)).until("9:00").tap(StartTap("s")).until("9:20").orders
    assert (told.public, told.record, told.stretch) == ("programme", False, "s")


def test_both_no_is_a_preview() -> None:
    room = hall(closed("s", "9:00", "9:45", do_not_stream=Flag.YES, do_not_record=Flag.YES)).until("9:20")
    assert (room.orders.public, room.orders.record) == ("slate", False)
    assert room.orders.outputs == (OutputOrder(output_name(room["s"]), "slate"),)


def test_unanswered_is_recorded_and_not_streamed() -> None:
    question = talk("q", "9:00", "9:45", do_not_record=Flag.ASK, do_not_stream=Flag.ASK)
    room = hall(question).until("9:00").tap(StartTap("q"))
    assert (room.orders.public, room.orders.record, room["q"].published) == ("slate", True, False)
    room.tap(ConsentAnswer("q", record=False, stream=True))
    assert (room.orders.public, room.orders.record) == ("programme", False)


def test_before_one_that_must_not_be_recorded_nothing_is_kept() -> None:
    """Tapped late, its first minutes lie before the tap."""
    room = hall(talk("s", "9:00", "9:45", do_not_record=Flag.YES), camera=False)
    assert room.until("8:49").orders.record
    assert not room.until("8:50").orders.record
    assert not room.until("9:10").orders.record


def test_with_nothing_on_air_the_minutes_before_a_late_tap_are_kept() -> None:
    assert hall(A).until("9:03").orders.record


@pytest.mark.parametrize("extended", [False, True])
def test_the_last_minutes_before_a_closed_session(extended: bool) -> None:
    room = hall(A, closed("g", "9:45", "10:30"), camera=False).until("9:00").tap(StartTap("a")).until("9:44")
    if extended:
        room.tap(Extend("a", 5))
    day = room.day
    assert public_shows(day, at("9:44:59")) == "programme"
    assert public_shows(day, at("9:45")) == ("programme" if extended else "slate"), "even before the rules look"
    assert public_shows(day, at("9:50")) == "slate"


@pytest.mark.parametrize(
    "hidden",
    [
        closed("g", "9:45", "10:30"),
        talk("g", "9:45", "10:30", visibility=Visibility.UNLISTED),
        talk("g", "9:45", "10:30", do_not_stream=Flag.YES),
    ],
)
def test_a_room_that_is_seen_is_told_when_the_next_hidden_session_begins(hidden: Session) -> None:
    room = hall(A, closed("later", "12:00", "12:30"), hidden).until("8:59")
    assert room.orders.slate_from_ms is None, "the slate is there already"
    room.until("9:00").tap(StartTap("a"))
    assert (room.orders.public, room.orders.slate_from_ms) == ("programme", at("9:45"))
    assert room.tap(Extend("a", 5)).orders.slate_from_ms == at("9:50")
    assert (room.until("9:50").orders.public, room.orders.slate_from_ms) == ("slate", None)


def test_only_a_session_that_hides_the_room_by_itself_is_told_in_advance() -> None:
    others = (talk("g", "9:45", "10:30", do_not_record=Flag.YES), talk("ask", "10:30", "11:00", do_not_stream=Flag.ASK))
    room = hall(A, *others).until("9:00").tap(StartTap("a"))
    assert room.orders.slate_from_ms is None
    room = hall(A, closed("g", "9:45", "9:48")).until("9:00").tap(StartTap("a")).tap(Extend("a", 5))
    assert room.orders.slate_from_ms is None, "it is over when the extension ends"


def test_every_one_of_several_closed_sessions_counts() -> None:
    first = talk("f", "9:00", "9:45", do_not_record=Flag.YES)
    told = hall(first, closed("g", "9:10", "9:40"), camera=False).until("9:20").orders
    assert (told.public, told.record) == ("slate", False)


def test_source_and_gain_are_passed_on() -> None:
    told = (
        hall(A).tap(TakeSource("desk")).tap(Gain(-6)).tap(SetSource("main", mute=True, kind=SourceKind.CAMERA)).orders
    )
    assert (told.source, told.gain_db) == ("desk", -6)
    assert told.sources == (SourceOrder("desk", -6), SourceOrder("main", mute=True))


# --- between ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("between", "shows"),
    [(Between.SLATE, "slate"), (Between.PICTURE_MUTED, "picture_muted"), (Between.OPEN, "programme")],
)
def test_between_two_sessions_the_room_decides(between: Between, shows: str) -> None:
    room = hall(A, B, between=between).until("8:55")
    assert room.orders.public == "slate", "before the first a camera is a preview"
    room.until("9:00").tap(StartTap("a")).until("9:45").tap(End("a")).until("9:50")
    assert room.orders.public == shows
    room.until("10:00").tap(StartTap("b")).until("10:45").tap(End("b")).until("11:14")
    assert room.orders.public == shows
    assert room.until("11:16").orders.public == "slate", "the day is over"


def test_next_to_a_closed_session_an_open_room_is_closed() -> None:
    room = hall(A, closed("g", "10:00", "10:30"), talk("c", "11:00", "11:45"), between=Between.OPEN)
    room.until("9:00").tap(StartTap("a")).until("9:40").tap(End("a"))
    assert room.orders.public == "slate", "people come early"
    room.until("10:00").tap(StartTap("g")).until("10:30").tap(End("g")).until("10:40")
    assert room.orders.public == "slate", "and stay on"


def test_the_time_of_a_closed_session_that_nobody_tapped_is_not_shown_afterwards() -> None:
    """It may still be going on: nobody has said that it is over."""
    room = hall(A, closed("g", "9:45", "10:00"), talk("c", "10:20", "11:00"), between=Between.OPEN, camera=False)
    room.until("9:00").tap(StartTap("a")).until("9:40").tap(End("a")).until("10:15")
    assert room.state("c") is SessionState.ARMED
    assert room.orders.public == "slate"
    assert room.until("10:31").orders.public == "programme"


# --- what is told -----------------------------------------------------------------------------------


def test_now_and_next() -> None:
    room = hall(A, pause("p", "9:45", "10:00"), B).until("8:30")
    assert (room.public_status.word, room.public_status.current) == ("before", None)
    assert room.public_status.next is not None
    assert room.public_status.next.session.id == "a"
    public = room.until("9:00").tap(StartTap("a")).until("9:10").public_status
    assert public.current is not None
    assert public.next is not None
    assert (public.current.session.id, public.next.session.id) == ("a", "b"), "a break is nothing to watch"
    assert room.until("9:45").tap(End("a")).public_status.word == "between"


def test_reserved_until_then_and_nothing_else() -> None:
    room = hall(A, closed("g", "9:45", "10:00"), B, zone="Europe/Paris").until("9:00").tap(StartTap("a")).until("9:50")
    public = room.public_status
    assert (public.word, public.current, public.reserved_until_ms) == ("reserved", None, at("10:00"))
    assert public.next is not None
    assert public.next.session.id == "b"
    assert room.orders.slate.title == "Hall"
    assert room.orders.slate.text == "Reserved until 12:00"
    assert room.orders.slate.until_ms is None
    assert room.until("10:05").orders.slate.text == "Reserved until 12:05", "it overruns"
    french = orders(room.day, room.now_ms, TEXTS["fr"]).slate
    assert french.text == "Réservée jusqu’à 12:05"


def test_the_slate_says_what_is_next_and_counts_down() -> None:
    room = hall(A, zone="Europe/Paris").until("8:30")
    slate = room.orders.slate
    assert (slate.title, slate.text, slate.until_ms) == ("Talk a", "Starts at 11:00", at("9:00"))
    slate = room.until("9:02").orders.slate
    assert (slate.text, slate.until_ms) == ("One moment, please", None)


def test_the_slate_of_a_hold_is_its_message() -> None:
    slate = hall(A).tap(HoldOn("Fire alarm", at("9:30"))).orders.slate
    assert (slate.title, slate.text) == ("Fire alarm", "Until about 09:30")
    assert hall(A).tap(HoldOn()).orders.slate.title == "Please wait"


def test_an_unknown_zone_is_utc() -> None:
    assert clock_text(at("9:00"), "Mars/Olympus") == "09:00"


@st.composite
def closed_days(draw: st.DrawFn) -> tuple[RoomDay, int]:
    """A day of sessions that are closed or public, at any moment and in any state that a life allows."""
    sessions: list[Session] = []
    start = 0
    for number in range(draw(st.integers(1, 5))):
        start += draw(st.integers(0, 90))
        end = start + draw(st.integers(5, 90))
        visibility = draw(st.sampled_from(Visibility))
        state = draw(st.sampled_from(SessionState))
        if state in (SessionState.ON_AIR, SessionState.OVERRUN) and any(s.running for s in sessions):
            state = SessionState.ENDED
        started = state in (SessionState.ON_AIR, SessionState.OVERRUN, SessionState.ENDED)
        sessions.append(
            replace(
                talk(f"id{number}q", "0:00", "1:00"),
                title=f"title{number}q",
                speakers=(f"speaker{number}q",),
                abstract=f"abstract{number}q",
                tags=(f"tag{number}q",),
                track=f"track{number}q",
                url=f"https://url{number}q",
                start_ms=MIDNIGHT + start * MINUTE,
                end_ms=MIDNIGHT + end * MINUTE,
                visibility=visibility,
                do_not_stream=draw(st.sampled_from(Flag)),
                do_not_record=draw(st.sampled_from(Flag)),
                state=state,
                started_ms=MIDNIGHT + start * MINUTE + 1_234 if started else None,
                ended_ms=MIDNIGHT + end * MINUTE + 5_678 if state is SessionState.ENDED else None,
                extended_until_ms=draw(st.none() | st.just(MIDNIGHT + (end + 7) * MINUTE)) if started else None,
            )
        )
    day = RoomDay(
        "hall",
        "Hall",
        between=draw(st.sampled_from(Between)),
        media=MediaState(draw(st.booleans()), known=True),
        slate=draw(st.booleans()),
    )
    return sorted_day(day, sessions), MIDNIGHT + draw(st.integers(-20, 400)) * MINUTE + draw(st.integers(0, 59_999))


@given(closed_days())
def test_nothing_of_a_closed_session_is_told(case: tuple[RoomDay, int]) -> None:
    day, now_ms = case
    public, slate = public_status(day, now_ms), orders(day, now_ms).slate
    text = f"{public!r} {slate!r}"
    open_times = {ms for s in day.sessions if not s.closed for ms in (s.start_ms, s.end_ms, s.extended_until_ms)}
    for session in day.sessions:
        if not session.closed:
            continue
        told = (session.id, session.title, output_name(session), session.abstract, session.track, session.url)
        assert all(word not in text for word in (*told, *session.speakers, *session.tags))
        marks = (session.started_ms, session.ended_ms, session.start_ms)
        shown = {ms for times in (public.shown or {}).values() for ms in (times.start_ms, times.end_ms)}
        for mark in marks:
            if mark is not None and mark not in open_times and mark not in shown:
                assert str(mark) not in text.replace(str(public.reserved_until_ms), "")
        assert session.id not in (public.shown or {})


def test_a_room_shows_where_a_session_of_several_rooms_comes_from_and_begins_nothing_of_it() -> None:
    carried = talk("x", "10:00", "11:00", also_in=("hall",))
    one = hall(clock="9:00", camera=False, start=StartRule.AUTO)

    def beside(**values: Any) -> None:
        one.day = replace(one.day, beside=(Beside(replace(carried, **values), "Great hall"),))

    beside()
    one.until("9:55").camera()
    assert one.running is None, "its room is not free, so the camera is a preview"
    assert one.public_status.elsewhere is not None
    assert one.orders.slate.title == "Hall"
    beside(state=SessionState.ON_AIR, started_ms=at("10:00"))
    one.until("10:30")
    assert (one.orders.slate.title, one.orders.slate.text) == ("Talk x", "Shown from Great hall")
    beside(state=SessionState.ENDED, started_ms=at("10:00"), ended_ms=at("10:40"))
    one.until("10:45")
    assert one.public_status.elsewhere is None


def test_a_closed_one_of_several_rooms_is_told_and_shown_in_none() -> None:
    secret = closed("x", "10:00", "11:00", also_in=("hall",), state=SessionState.ON_AIR, started_ms=at("10:00"))
    one = hall(talk("a", "9:00", "9:50"), clock="9:00", between=Between.OPEN).tap(StartTap("a"))
    one.until("9:50").tap(End("a"))
    assert one.orders.public == "programme"
    one.day = replace(one.day, beside=(Beside(secret, "Great hall"),))
    one.until("9:55")
    assert one.orders.public == "slate"
    assert one.public_status.elsewhere is None
    assert "Talk x" not in (one.orders.slate.title, one.orders.slate.text)
