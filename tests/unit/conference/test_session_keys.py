"""Keys of closed sessions: whose they are, and what moves a session's generation."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.conference.session_keys import LINK, admin_holder, holder_of, key_of, with_generation
from streamer.conference.sessions import Session, Visibility
from streamer.conference.undo import effect, restore
from streamer.director.editing import edited
from tests.fakes.days import closed, hall, talk

SECRET, OTHER = b"\x01" * 32, b"\x02" * 32
BOARD = Session("board", "hall", "Board", 0, 1, visibility=Visibility.PRIVATE)
PUBLIC, UNLISTED, PRIVATE = Visibility.PUBLIC, Visibility.UNLISTED, Visibility.PRIVATE


@given(st.sampled_from([LINK, "Ab_-12345678", "login-Ab_-1234", "admin-x"]), st.integers(1, 9))
def test_a_key_is_of_one_holder_one_session_and_one_generation(holder: str, generation: int) -> None:
    session = replace(BOARD, generation=generation)
    key = key_of(SECRET, session, holder)
    assert holder_of(SECRET, session, key) == holder
    assert key.isascii()
    assert not set(key) - set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
    assert holder_of(OTHER, session, key) is None
    assert holder_of(SECRET, replace(session, generation=generation + 1), key) is None
    assert holder_of(SECRET, replace(session, id="other"), key) is None
    _, _, mac = key.rpartition(".")
    assert holder_of(SECRET, session, f"another.{mac}") is None


@given(st.text(max_size=200))
def test_nothing_else_is_a_key(text: str) -> None:
    assert holder_of(SECRET, BOARD, text) is None


def test_another_admin_token_is_another_holder() -> None:
    assert admin_holder(SECRET, "a" * 32) != admin_holder(SECRET, "b" * 32)
    assert "a" * 32 not in admin_holder(SECRET, "a" * 32)


@pytest.mark.parametrize(
    ("before", "after", "moves"),
    [
        (PUBLIC, UNLISTED, True),
        (PUBLIC, PRIVATE, True),
        (UNLISTED, PRIVATE, True),
        (PRIVATE, UNLISTED, False),
        (PRIVATE, PUBLIC, False),
        (UNLISTED, UNLISTED, False),
    ],
)
def test_the_generation_moves_when_fewer_may_see_it(before: Visibility, after: Visibility, moves: bool) -> None:
    session = replace(BOARD, visibility=before, generation=4)
    assert edited(session, {"visibility": after}).generation == 4 + moves
    assert with_generation(session, replace(session, visibility=after, generation=1)).generation == 4 + moves


def test_what_is_undone_brings_no_old_key_back() -> None:
    """A link that was handed out while it was unlisted stays dead, whatever is taken back."""
    room = hall(closed("g", "9:00", "9:45", visibility=PRIVATE))
    wide = replace(room.day, sessions=(edited(room["g"], {"visibility": UNLISTED}),))
    back = restore(wide, effect(room.day, wide), 0).sessions[0]
    assert (back.visibility, back.generation) == (PRIVATE, 2)
    tight = replace(room.day, sessions=(edited(talk("g", "9:00", "9:45"), {"visibility": PRIVATE}),))
    open_again = restore(tight, effect(replace(tight, sessions=(talk("g", "9:00", "9:45"),)), tight), 0).sessions[0]
    assert (open_again.visibility, open_again.generation) == (PUBLIC, 2)
