"""The known parts of a session for each caller, case by case."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streamer.conference import airing
from streamer.conference.grants import Grant, Role
from streamer.conference.sessions import Session, Visibility
from streamer.conference.spans import output_name
from streamer.conference.taps import StartTap
from streamer.conference.visibility import ANYBODY, NOTHING, Caller, Holder, Told, View, orders_told, outputs_told, told
from tests.fakes.days import hall, talk

SESSION = Session("s1", "salle", "Bureau", 0, 1000, event="pses", visibility=Visibility.PRIVATE)
PUBLIC = replace(SESSION, visibility=Visibility.PUBLIC)
UNLISTED = replace(SESSION, visibility=Visibility.UNLISTED)
CREW, READER = Told(View.CREW, Holder.GRANT), Told(View.PUBLIC)


def grant(role: Role, **scope: str) -> Caller:
    return Caller(Grant("g", role, **scope))


def test_anybody_is_told_of_public_sessions_alone() -> None:
    assert told(ANYBODY, PUBLIC, "paris") == READER
    assert told(ANYBODY, UNLISTED, "paris") == told(ANYBODY, SESSION, "paris") == NOTHING


@pytest.mark.parametrize("role", list(Role))
def test_a_grant_that_covers_the_session_is_told_of_it_but_an_encoders_and_an_approvers(role: Role) -> None:
    expected = NOTHING if role in (Role.PUBLISHER, Role.APPROVER) else CREW
    for scope in ({"room": "salle"}, {"venue": "paris"}, {"event": "pses"}, {"session": "s1"}, {}):
        assert told(grant(role, **scope), SESSION, "paris") == expected
        assert told(grant(role, **scope), UNLISTED, "paris") == expected


@pytest.mark.parametrize("role", list(Role))
def test_a_grant_elsewhere_is_told_no_more_than_anybody(role: Role) -> None:
    for scope in ({"room": "amphi"}, {"venue": "nantes"}, {"event": "ag"}, {"session": "s2"}):
        assert told(grant(role, **scope), SESSION, "paris") == NOTHING
        assert told(grant(role, **scope), PUBLIC, "paris") == READER


def test_a_link_opens_an_unlisted_session_and_no_private_one() -> None:
    caller = Caller(links=frozenset({"s1"}))
    assert told(caller, UNLISTED, None) == Told(View.CREW, Holder.LINK)
    assert told(caller, SESSION, None) == NOTHING
    assert told(caller, replace(UNLISTED, id="s2"), None) == NOTHING


def test_the_crew_of_a_public_session_has_no_key() -> None:
    assert told(grant(Role.MODERATOR, room="salle"), PUBLIC, None) == Told(View.CREW)
    assert told(grant(Role.VIEWER, room="salle"), PUBLIC, None) == READER


def test_what_was_said_behind_closed_doors_stays_there() -> None:
    assert told(ANYBODY, PUBLIC, None, as_closed=True) == NOTHING
    assert told(grant(Role.MODERATOR, room="amphi"), PUBLIC, None, as_closed=True) == NOTHING
    assert told(grant(Role.VIEWER, room="salle"), PUBLIC, None, as_closed=True) == Told(View.CREW)


def test_the_crew_of_a_closed_session_finds_its_output_by_the_sessions_id() -> None:
    board = talk("b", "9:00", "9:45", visibility=Visibility.PRIVATE)
    room = hall(board).until("9:00").tap(StartTap("b"))
    crew, elsewhere = grant(Role.TECHNICIAN, room="hall"), grant(Role.TECHNICIAN, session="s2")
    orders, inner = airing.orders(room.day, room.now_ms), output_name(board)
    assert [(output.name, output.shows) for output in orders.outputs] == [(inner, "programme")]
    assert [output.name for output in orders_told(crew, orders, room.day, None).outputs] == ["~b"]
    assert orders_told(elsewhere, orders, room.day, None).outputs == ()
    assert [outputs_told(crew, room.day, None)(name) for name in ("public", inner, "~other")] == ["public", "~b", None]


def test_the_crew_is_not_told_when_the_next_hidden_session_begins() -> None:
    room = hall(talk("a", "9:00", "9:45"), talk("b", "10:00", "10:45", visibility=Visibility.PRIVATE))
    orders = airing.orders(room.until("9:00").tap(StartTap("a")).day, room.now_ms)
    assert orders.slate_from_ms is not None
    assert orders_told(grant(Role.TECHNICIAN, session="a"), orders, room.day, None).slate_from_ms is None
