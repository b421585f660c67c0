"""The year's count of public events per venue."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from streamer.conference.rooms import Room, Venue
from streamer.conference.sessions import Kind, Session, SessionState, Visibility
from streamer.conference.year_count import count_year, counts

HOUR_MS = 3_600_000
VENUES = (Venue("p", "Paris"), Venue("g", "Guadeloupe", timezone="America/Guadeloupe"), Venue("n", "Nowhere yet"))
ROOMS = (Room("a", "A", venue="p"), Room("b", "B", venue="p"), Room("c", "C", venue="g"), Room("d", "D"))


def held(room: str = "a", at: str = "2026-06-01T10:00", zone: str = "Europe/Paris", **fields: object) -> Session:
    start_ms = round(datetime.fromisoformat(at).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)
    known: dict[str, object] = {
        "id": f"{room}-{at}", "room": room, "title": "T", "start_ms": start_ms, "end_ms": start_ms + HOUR_MS,
        "state": SessionState.ENDED, "started_ms": start_ms, "ended_ms": start_ms + HOUR_MS,
    }  # fmt: skip
    return Session(**(known | fields))  # type: ignore[arg-type]


def test_each_venue_has_its_row_and_rooms_without_one_have_theirs() -> None:
    sessions = [held("a", event="jdll"), held("b", event="jdll", kind=Kind.WORKSHOP), held("c"), held("d")]
    rows = count_year(sessions, ROOMS, VENUES, 2026)
    assert [(row.venue, row.count) for row in rows] == [("g", 1), ("n", 0), ("p", 2), ("", 1)]
    paris = rows[2]
    assert (paris.kinds[Kind.CONFERENCE], paris.kinds[Kind.WORKSHOP], paris.kinds[Kind.MEETING]) == (1, 1, 0)
    assert (paris.events, paris.duration_ms) == (1, 2 * HOUR_MS)
    assert [row.venue for row in count_year([held("a")], ROOMS[:3], VENUES, 2026)] == ["g", "n", "p"]


@pytest.mark.parametrize(
    ("changes", "counted"),
    [
        ({}, True),
        ({"state": SessionState.CANCELLED}, False),
        ({"state": SessionState.SCHEDULED, "started_ms": None, "ended_ms": None}, False),
        ({"state": SessionState.ON_AIR, "ended_ms": None}, False),
        ({"started_ms": None}, False),
        ({"kind": Kind.BREAK}, False),
        ({"kind": Kind.SOCIAL}, True),
        ({"kind": Kind.MEETING}, True),
        ({"visibility": Visibility.PRIVATE}, False),
        ({"kind": Kind.TRAINING, "visibility": Visibility.UNLISTED}, True),
        ({"kind": Kind.MEETING, "visibility": Visibility.UNLISTED}, False),
        ({"kind": Kind.TRAINING, "visibility": Visibility.PRIVATE}, False),
    ],
)
def test_what_counts(changes: dict[str, object], counted: bool) -> None:
    assert counts(replace(held(), **changes)) is counted  # type: ignore[arg-type]


def test_a_wrong_tap_is_no_event() -> None:
    session = held()
    assert session.started_ms is not None
    assert not counts(replace(session, ended_ms=session.started_ms + 59_000))
    assert counts(replace(session, ended_ms=session.started_ms + 60_000))


def test_the_year_turns_on_the_venues_clock() -> None:
    paris = held("a", "2027-01-01T00:30")
    guadeloupe = held("c", "2026-12-31T19:30", zone="America/Guadeloupe")
    assert paris.start_ms == guadeloupe.start_ms
    rows = {row.venue: row.count for row in count_year([paris, guadeloupe], ROOMS, VENUES, 2026)}
    assert (rows["p"], rows["g"]) == (0, 1)
    rows = {row.venue: row.count for row in count_year([paris, guadeloupe], ROOMS, VENUES, 2027)}
    assert (rows["p"], rows["g"]) == (1, 0)
