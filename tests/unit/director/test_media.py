"""The media state of a room, known and unknown."""

from __future__ import annotations

from typing import Any

from streamer.conference.day import MediaState
from streamer.control.messages import RoomStatus
from streamer.director.media import media_of

NOTHING = MediaState()


def status(**values: Any) -> RoomStatus:
    return RoomStatus(room="hall", pid=1, **values)


def ask(told: RoomStatus | None, before: MediaState, *, room_open: bool = True, up: bool = True) -> MediaState:
    return media_of(told, room_open=room_open, up=up, before=before, now_ms=9_000)


def test_a_camera_that_the_room_process_tells_of_is_known() -> None:
    told = status(media_up=True, media_since_ms=5_000)
    assert ask(told, NOTHING) == MediaState(True, 5_000, None, known=True)


def test_nothing_coming_in_is_known_too() -> None:
    told = status(media_up=False, media_stopped_ms=7_000)
    assert ask(told, NOTHING) == MediaState(False, None, 7_000, known=True)


def test_a_room_that_is_not_open_has_nothing_coming_in() -> None:
    assert ask(None, NOTHING, room_open=False).known
    closed = ask(None, MediaState(True, 5_000, known=True), room_open=False)
    assert closed == MediaState(False, None, 9_000, known=True)
    assert ask(None, closed, room_open=False) == closed, "it stopped when it stopped"


def test_while_the_room_process_is_away_a_camera_stays() -> None:
    before = MediaState(True, 5_000, known=True)
    assert ask(status(media_up=False), before, up=False) == before


def test_a_room_that_has_opened_and_not_answered_may_have_a_camera_in_preview() -> None:
    before = MediaState(False, None, 7_000, known=True)
    assert not ask(None, before).known
