"""A day's marks decide which minutes nobody may go on seeing or keeping."""

from __future__ import annotations

from dataclasses import replace

from streamer.broadcast.orders import Withheld
from streamer.conference import airing
from streamer.conference.day import LeftOut, with_sessions
from streamer.conference.sessions import Flag, Visibility
from streamer.conference.spans import MOST_WITHHELD, output_name, withheld
from streamer.conference.taps import ConsentAnswer, End, Reopen, StartTap
from tests.fakes.days import at, hall, talk

A = talk("a", "9:00", "9:45")
BOARD = talk("b", "9:45", "10:30", visibility=Visibility.PRIVATE)
SECRET = talk("s", "9:45", "10:30", do_not_record=Flag.YES)
QUESTION = talk("q", "9:00", "9:45", do_not_record=Flag.ASK, do_not_stream=Flag.ASK)


def test_a_public_session_withholds_nothing() -> None:
    assert withheld(hall(A).until("9:00").tap(StartTap("a")).until("9:20").day) == ()


def test_a_late_tap_of_an_unrecorded_session_takes_minutes_back() -> None:
    room = hall(A, SECRET).until("9:00").tap(StartTap("a")).until("9:40").tap(StartTap("s", at("9:37")))
    assert withheld(room.day) == (Withheld(at("9:37"), erase=True),)


def test_a_closed_session_has_its_minutes_alone_from_its_mark_to_its_end() -> None:
    room = hall(A, BOARD).until("9:00").tap(StartTap("a")).until("9:44").tap(StartTap("b", at("9:40")))
    assert withheld(room.day) == (Withheld(at("9:40"), None, output_name(room["b"])),)
    room.until("10:00").tap(End("b", at("9:58")))
    assert withheld(room.day) == (Withheld(at("9:40"), at("9:58"), output_name(room["b"])),)


def test_what_is_neither_streamed_nor_recorded_is_in_no_output_and_on_no_disk() -> None:
    quiet = replace(BOARD, do_not_record=Flag.YES, do_not_stream=Flag.YES)
    room = hall(quiet).until("9:45").tap(StartTap(quiet.id))
    assert withheld(room.day) == (Withheld(at("9:45")), Withheld(at("9:45"), erase=True))


def test_an_answer_takes_back_all_of_it() -> None:
    room = hall(QUESTION).until("9:00").tap(StartTap("q")).tap(ConsentAnswer("q", stream=True)).until("9:20")
    assert withheld(room.day) == ()
    room.tap(ConsentAnswer("q", record=False, stream=False))
    assert withheld(room.day) == (Withheld(at("9:00")), Withheld(at("9:00"), erase=True))


def test_what_becomes_private_leaves_the_public_window() -> None:
    room = hall(A).until("9:00").tap(StartTap("a")).until("9:20")
    after = with_sessions(room.day, replace(room["a"], visibility=Visibility.PRIVATE))
    assert withheld(after) == (Withheld(at("9:00"), None, output_name(room["a"])),)


def test_a_reopened_unrecorded_session_claims_the_gap() -> None:
    room = hall(SECRET).until("9:45").tap(StartTap("s")).until("10:00").tap(End("s")).until("10:05")
    assert withheld(room.day) == (Withheld(at("9:45"), at("10:00"), erase=True),)
    assert withheld(room.tap(Reopen("s")).day) == (Withheld(at("9:45"), None, erase=True),)


def test_what_is_left_out_of_a_replay_is_withheld_from_everybody() -> None:
    room = hall(A).until("9:00").tap(StartTap("a")).until("9:45").tap(End("a"))
    cut = (LeftOut(at("9:10"), at("9:12")), LeftOut(at("9:20"), at("9:25"), by_hand=False))
    orders = airing.orders(replace(room.day, left_out=cut), at("9:46"))
    assert orders.withheld == (Withheld(at("9:10"), at("9:12"), exact=True), Withheld(at("9:20"), at("9:25")))


def test_the_newest_are_ordered_where_there_are_very_many() -> None:
    day = hall(
        *(
            talk(f"s{n}", "9:00", "9:10", do_not_record=Flag.YES, started_ms=n * 1000, ended_ms=n * 1000 + 500)
            for n in range(MOST_WITHHELD + 20)
        )
    ).day
    orders = withheld(day)
    assert len(orders) == MOST_WITHHELD
    assert orders[-1].from_ms == (MOST_WITHHELD + 19) * 1000
