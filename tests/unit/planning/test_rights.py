"""Items of a difference that are beyond the importer's rights."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streamer.conference.grants import Grant, ReachingGrant, Role
from streamer.conference.rooms import Room
from streamer.conference.schedule import Schedule, ScheduleItem, ScheduleRoom
from streamer.conference.sessions import Event, Session, SessionState
from streamer.planning.rights import NOT_ALLOWED, limited
from streamer.schedules.compare import Difference, compare
from streamer.schedules.matching import matcher_of

NINE, HOUR = 1_777_878_000_000, 3_600_000
ROOMS = (Room("curie", "Curie", "paris"), Room("loire", "Loire", "nantes"))
FAIR = Event("fair", "Fair", "nantes")

WHAT = {
    "new in curie", "new in loire", "renamed in curie", "renamed in loire", "to loire", "to curie",
    "cancelled in curie", "cancelled in loire", "back in curie", "back in loire",
}  # fmt: skip


def _session(title: str, room: str, state: SessionState = SessionState.SCHEDULED) -> Session:
    return Session(
        id=title, room=room, title=title, start_ms=NINE, end_ms=NINE + HOUR, event="fair", guid=title, state=state
    )


def _item(title: str, room: str, *, renamed: str = "") -> ScheduleItem:
    return ScheduleItem(title=renamed or title, start_ms=NINE, end_ms=NINE + HOUR, room=room, guid=title)


@pytest.fixture
def everything() -> Difference:
    existing = [
        _session("renamed in curie", "curie"),
        _session("renamed in loire", "loire"),
        _session("to loire", "curie"),
        _session("to curie", "loire"),
        _session("cancelled in curie", "curie"),
        _session("cancelled in loire", "loire"),
        _session("back in curie", "curie", SessionState.CANCELLED),
        _session("back in loire", "loire", SessionState.CANCELLED),
    ]
    items = (
        _item("new in curie", "Curie"),
        _item("new in loire", "Loire"),
        _item("renamed in curie", "Curie", renamed="Otherwise"),
        _item("renamed in loire", "Loire", renamed="Otherwise"),
        _item("to loire", "Loire"),
        _item("to curie", "Curie"),
        _item("back in curie", "Curie"),
        _item("back in loire", "Loire"),
    )
    schedule = Schedule("Fair", rooms=(ScheduleRoom("Curie"), ScheduleRoom("Loire")), items=items)
    return compare(existing, schedule, matcher_of(ROOMS), "fair")


def refused(difference: Difference, holder: Grant, event: Event = FAIR) -> set[str]:
    checked = limited(difference, holder, event, {room.id: room for room in ROOMS}, {})
    assert len(checked.items) == len(WHAT)
    out = set()
    for item in checked.items:
        if any(one.code == NOT_ALLOWED for one in item.consequences):
            assert item.blocked
            out.add(item.session.guid if item.session is not None else item.title)
    return out


@pytest.mark.parametrize(
    ("holder", "left"),
    [
        (Grant("g", Role.ADMIN), WHAT),
        (Grant("g", Role.ORGANISER), WHAT),
        (
            Grant("g", Role.ORGANISER, venue="nantes"),
            {"new in loire", "renamed in loire", "cancelled in loire", "back in loire"},
        ),
        (
            Grant("g", Role.ORGANISER, venue="paris"),
            {"new in curie", "renamed in curie", "cancelled in curie", "back in curie"},
        ),
        # An event's organiser plans in its venue's rooms, and goes on with what it has elsewhere.
        (Grant("g", Role.ORGANISER, event="fair"), WHAT - {"new in curie", "to curie"}),
        (ReachingGrant("g", Role.ORGANISER, event="fair", session_rooms=frozenset({"curie"})), WHAT),
        (Grant("g", Role.ORGANISER, event="other"), set()),
        (Grant("g", Role.TECHNICIAN), set()),
        (Grant("g", Role.VIEWER), set()),
    ],
)
def test_each_item_wants_the_rights_that_it_wants_over_rest(
    everything: Difference, holder: Grant, left: set[str]
) -> None:
    assert refused(everything, holder) == WHAT - left


def test_an_event_of_no_venue_is_planned_in_the_rooms_that_it_has(everything: Difference) -> None:
    nowhere = replace(FAIR, venue=None)
    organiser = ReachingGrant("g", Role.ORGANISER, event="fair", session_rooms=frozenset({"loire"}))
    assert refused(everything, organiser, nowhere) == {"new in curie", "to curie"}
