"""Everything can be undone, until something later stands on it."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from streamer.conference import taps
from streamer.conference.clockwork import advance
from streamer.conference.day import RoomDay
from streamer.conference.rooms import StartRule as Mode
from streamer.conference.sessions import Flag, SessionState
from streamer.conference.sources import SourceKind, SourceSetting
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
from streamer.conference.undo import Effect, RoomImage, effect, restore
from tests.fakes.days import Hall, at, closed, hall, pause, talk

A, B, C = talk("a", "9:00", "9:45"), talk("b", "9:45", "10:30"), pause("c", "10:30", "10:45")
QUESTION = talk("q", "12:00", "12:30", do_not_record=Flag.ASK)


def tapped(room: Hall, command: Command) -> Effect:
    """As the director does it: the clock's answer to a tap is part of it."""
    before = advance(room.day, room.now_ms)
    room.tap(command)
    return effect(before, room.day)


def undo(room: Hall, done: Effect) -> Hall:
    room.day = restore(advance(room.day, room.now_ms), done, room.now_ms)
    return room.look()


def plain(day: RoomDay) -> object:
    return [replace(session, changed_ms=None) for session in day.sessions], day.hold, day.slate, day.source, day.sources


COMMANDS: list[Command] = [
    StartTap("b"),
    StartTap("b", at("9:20")),
    StartTap("a", at("9:02")),
    End("a"),
    End("a", at("9:20")),
    Extend("a", 10),
    Delay("a", 10, following=True),
    Delay("b", 30, following=True),
    Cancel("b"),
    AdHoc("x", "Panel"),
    ConsentAnswer("q", record=False),
    HoldOn("Fire alarm"),
    ShowSlate(True),
    TakeSource("desk"),
    Gain(-6),
    SetSource("camera", 3.0, mute=True, mono=True, kind=SourceKind.SLIDES),
]


@pytest.mark.parametrize("command", COMMANDS)
def test_an_undo_brings_back_what_was(command: Command) -> None:
    room = hall(A, B, C, QUESTION).until("9:00").tap(StartTap("a")).until("9:30")
    before = plain(room.day)
    done = tapped(room, command)
    assert plain(room.day) != before
    assert plain(undo(room, done).day) == before


def test_reopen_and_resume_can_be_undone() -> None:
    room = hall(A, B).until("9:00").tap(StartTap("a")).until("9:10").tap(HoldOn("Fire")).until("9:20")
    before = plain(room.day)
    done = tapped(room, Resume(shift=True))
    assert room["b"].start_ms == at("9:55")
    assert plain(undo(room, done).day) == before
    room.tap(Resume()).tap(End("a"))
    before = plain(room.day)
    done = tapped(room, Reopen("a"))
    assert room.running == "a"
    assert plain(undo(room, done).day) == before


def test_an_undo_of_a_wrong_tap_puts_the_one_before_on_air_again() -> None:
    room = hall(A, B).until("9:00").tap(StartTap("a")).until("9:30")
    done = tapped(room, StartTap("b"))
    room.until("9:35")
    undo(room, done)
    assert (room.running, room["a"].ended_ms, room["b"].started_ms) == ("a", None, None)


def test_what_the_clock_made_of_it_since_does_not_matter() -> None:
    room = hall(A, B).until("9:00")
    done = tapped(room, StartTap("a"))
    room.until("9:50")
    assert room.state("a") is SessionState.OVERRUN
    assert undo(room, done).running is None


def test_each_setting_of_a_source_is_undone_for_itself() -> None:
    room = hall(A)
    louder = tapped(room, SetSource("main", gain_db=6.0))
    tapped(room, SetSource("main", mute=True))
    tapped(room, SetSource("camera", gain_db=-3.0))
    undo(room, louder)
    assert room.day.sources == (SourceSetting("camera", -3.0), SourceSetting("main", mute=True))
    quieter = tapped(room, SetSource("camera", gain_db=-9.0))
    tapped(room, SetSource("camera", gain_db=-12.0))
    with pytest.raises(taps.Refused, match="changed again"):
        undo(room, quieter)


def test_the_rooms_one_gain_of_before_is_superseded() -> None:
    room = hall(A)
    with pytest.raises(taps.Refused, match="changed again"):
        undo(room, Effect(before=RoomImage(), after=RoomImage(gain_db=-6.0)))


def test_an_undo_leaves_alone_what_it_did_not_touch() -> None:
    room = hall(A, B).until("8:30")
    done = tapped(room, Delay("a", 10))
    room.day = replace(room.day, sessions=tuple(replace(s, title=f"New {s.id}") for s in room.day.sessions))
    undo(room, done)
    assert (room["a"].start_ms, room["a"].title) == (at("9:00"), "New a")


def test_what_was_changed_again_is_superseded() -> None:
    room = hall(A, B).until("9:00")
    started = tapped(room, StartTap("a"))
    extended = tapped(room.until("9:30"), Extend("a", 10))
    with pytest.raises(Refused) as caught:
        undo(room, started)
    assert (caught.value.code, caught.value.status) == ("superseded", 409)
    assert undo(room, extended)["a"].extended_until_ms is None


def test_an_end_is_not_undone_once_another_is_on_air() -> None:
    room = hall(A, B).until("9:00").tap(StartTap("a")).until("9:44")
    done = tapped(room, End("a"))
    room.until("9:46").tap(StartTap("b"))
    with pytest.raises(Refused, match="changed again"):
        undo(room, done)
    assert room.running == "b"


def test_a_corrected_mark_does_not_come_back_over_another_session() -> None:
    room = hall(A, B).until("9:00").tap(StartTap("a")).until("9:44").tap(End("a"))
    done = tapped(room, End("a", at("9:40")))
    room.until("9:45").tap(StartTap("b", at("9:41")))
    with pytest.raises(Refused):
        undo(room, done)


def test_the_clock_does_not_start_again_what_a_person_took_back() -> None:
    room = hall(A, start=Mode.AUTO).until("8:58")
    done = tapped(room, StartTap("a"))
    undo(room.until("9:05"), done)
    assert room.until("9:20").running is None
    assert room.tap(Delay("a", 30)).until("9:30").running == "a", "a new time is a new start"


def test_a_start_that_was_taken_back_early_has_its_planned_one() -> None:
    room = hall(A, start=Mode.AUTO).until("8:50")
    undo(room, tapped(room, StartTap("a")))
    assert room.running is None
    assert room.until("9:00").running == "a"


def test_the_start_of_a_closed_session_taken_back_leaves_the_room_reserved() -> None:
    room = hall(closed("g", "9:00", "9:45")).until("8:58")
    done = tapped(room, StartTap("g"))
    undo(room.until("9:05"), done)
    assert room.running is None
    assert room.public_status.reserved_until_ms == at("9:45")


def test_an_undo_of_an_end_in_an_auto_room_takes_back_what_the_clock_did_then() -> None:
    room = hall(A, B, start=Mode.AUTO).until("9:46")
    done = tapped(room, End("a"))
    assert room.running == "b"
    assert undo(room, done).running == "a"


def test_an_effect_can_be_stored() -> None:
    room = hall(A, B).until("9:00").tap(StartTap("a")).until("9:30")
    for command in (StartTap("b"), AdHoc("x"), HoldOn("Fire alarm", at("10:00"))):
        before = room.day
        done = effect(before, taps.apply(before, command, room.now_ms))
        assert msgspec.json.decode(msgspec.json.encode(done), type=Effect) == done


def test_nothing_changed_is_an_empty_effect() -> None:
    room = hall(A)
    assert effect(room.day, taps.apply(room.day, ShowSlate(False), room.now_ms)).empty
