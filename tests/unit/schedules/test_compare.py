"""Changes and consequences of an import; a second import changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.conference.rooms import Room, Venue
from streamer.conference.schedule import Schedule, ScheduleItem, ScheduleRoom
from streamer.conference.sessions import Flag, Kind, ReplayPolicy, Session, SessionState, Visibility
from streamer.planning.apply import Applied, apply
from streamer.schedules.compare import Difference, DifferenceItem, compare
from streamer.schedules.matching import RoomMatcher, matcher_of
from tests.fakes.chance import examples

MINUTE = 60_000
HOUR = 60 * MINUTE
NINE = 1_777_878_000_000
NOW = NINE - 24 * HOUR
HALL = Room("hall", "Grande salle d'été", guid="7A0FC001-E587-47E1-B378-B6EC7E666337")
LAB = Room("lab", "Lab", aliases=("Salle 2", "b379c473-93b9-4eae-9a09-d482e86cede3"))
ROOMS = matcher_of((HALL, LAB))


def item(title: str = "One", **fields: Any) -> ScheduleItem:
    values: dict[str, Any] = {"start_ms": NINE, "end_ms": NINE + HOUR, "room": HALL.name, "guid": f"g-{title}"}
    return ScheduleItem(title=title, **{**values, **fields})


def schedule(*items: ScheduleItem) -> Schedule:
    names = dict.fromkeys(one.room for one in items if one.room)
    return Schedule("Day", rooms=tuple(ScheduleRoom(name) for name in names), items=items)


def ids(prefix: str = "s") -> Callable[[], str]:
    numbers = count(1)
    return lambda: f"{prefix}{next(numbers)}"


def applied(difference: Difference, accept: Any = (), **fields: Any) -> Applied:
    return apply(difference, accept, new_id=ids(), now_ms=NOW, **fields)


def imported(*items: ScheduleItem) -> list[Session]:
    return list(applied(compare([], schedule(*items), ROOMS, "e")).new)


def only(difference: Difference) -> DifferenceItem:
    (found,) = difference.items
    return found


def again(sessions: list[Session], *items: ScheduleItem, rooms: RoomMatcher = ROOMS) -> Difference:
    return compare(sessions, schedule(*items), rooms, "e", now_ms=NOW)


def codes(found: DifferenceItem) -> set[str]:
    return {consequence.code for consequence in found.consequences}


def test_a_new_session_takes_all_that_the_schedule_says_and_its_kind_s_defaults() -> None:
    one = item(
        subtitle="S", abstract="A", description="D", speakers=("Ada",), language="fr", track="T", tags=("x",),
        url="https://a.org/1", do_not_record=Flag.YES, id="7", sequence=3,
    )  # fmt: skip
    (session,) = imported(one)
    assert session == Session(
        id="s1", room="hall", title="One", start_ms=NINE, end_ms=NINE + HOUR, event="e", subtitle="S",
        abstract="A\n\nD", speakers=("Ada",), language="fr", track="T", tags=("x",), url="https://a.org/1",
        do_not_record=Flag.YES, guid="g-One", external_id="7", sequence=3,
    )  # fmt: skip
    social, meeting, training = imported(
        item("A", kind=Kind.SOCIAL), item("B", kind=Kind.MEETING), item("C", kind=Kind.TRAINING)
    )
    assert social.replay is ReplayPolicy.NEVER
    assert (meeting.visibility, training.visibility) == (Visibility.PRIVATE, Visibility.UNLISTED)
    assert codes(compare([], schedule(item(kind=Kind.MEETING)), ROOMS, "e").added[0]) == {"closed_by_kind"}


def test_the_same_schedule_again_changes_nothing() -> None:
    items = (item("One"), item("Two", guid="", id="2"), item("Three", guid="", id="three@1"), item("Four", room="Lab"))
    difference = again(imported(*items), *items)
    assert difference.items == ()
    assert difference.unchanged == 4


def test_a_session_moves_in_time_and_to_another_room() -> None:
    sessions = imported(item())
    difference = again(
        sessions, item(start_ms=NINE + HOUR, end_ms=NINE + 3 * HOUR, room="Salle 2", title="New", guid="g-One")
    )
    found = only(difference)
    assert difference.moved == (found,)
    assert {(field.name, field.new) for field in found.fields} == {
        ("start_ms", NINE + HOUR), ("end_ms", NINE + 3 * HOUR), ("room", "lab"), ("title", "New")
    }  # fmt: skip
    assert not found.needs_yes
    (moved,) = applied(difference).changed
    assert (moved.id, moved.room, moved.start_ms, moved.sequence) == ("s1", "lab", NINE + HOUR, 1)


def test_what_the_file_is_silent_about_stays() -> None:
    (session,) = imported(item(do_not_record=Flag.YES, speakers=("Ada",), language="fr"))
    unsaid = frozenset({"do_not_record", "speakers", "language", "abstract", "description"})
    assert again([replace(session, abstract="Ours")], item(unsaid=unsaid)).items == ()


def test_pictures_follow_the_schedule_except_those_that_somebody_uploaded_here() -> None:
    there, other = "https://s.example/ada.jpg", "https://s.example/ada2.jpg"
    (session,) = imported(item(speakers=("Ada", "Bo"), portraits=(("Ada", there),)))
    assert session.portraits == (("Ada", there),)
    changed = only(again([session], item(speakers=("Ada", "Bo"), portraits=(("Ada", other), ("Bo", there)))))
    assert [(one.name, one.new) for one in changed.fields] == [("portraits", (("Ada", other), ("Bo", there)))]
    ours = replace(session, portraits=(("Ada", "/portraits/0.jpg"),))
    assert again([ours], item(speakers=("Ada", "Bo"), portraits=(("Ada", there),))).items == ()
    # A file that has pictures and no more of hers takes hers away; one that knows of no pictures takes nothing.
    gone = only(again([session], item(speakers=("Ada", "Bo"))))
    assert [(one.name, one.new) for one in gone.fields] == [("portraits", ())]
    silent = item(speakers=("Ada", "Bo"), unsaid=frozenset({"portraits"}))
    assert again([session], silent).items == ()


@pytest.mark.parametrize("state", [SessionState.ARMED, SessionState.ON_AIR, SessionState.OVERRUN])
def test_what_is_about_to_begin_or_on_air_is_not_moved_without_a_yes(state: SessionState) -> None:
    sessions = [replace(imported(item())[0], state=state)]
    difference = again(sessions, item(end_ms=NINE + 2 * HOUR))
    found = only(difference)
    assert found.needs_yes
    assert codes(found) == {"armed" if state is SessionState.ARMED else "on_air"}
    assert applied(difference) == Applied(waiting=(found,))
    (changed,) = applied(difference, {found.key}).changed
    assert (changed.end_ms, changed.state) == (NINE + 2 * HOUR, state)
    assert applied(difference, "all").changed == (changed,)
    # A title is only told: nobody has to be asked.
    assert not only(again(sessions, item(speakers=("Ada",)))).needs_yes


@pytest.mark.parametrize("changes", [{"room": "Lab"}, {"cancelled": True}])
def test_what_is_on_air_stays_in_its_room_and_is_not_cancelled_whatever_anybody_says(changes: dict[str, Any]) -> None:
    sessions = [replace(imported(item())[0], state=SessionState.ON_AIR, started_ms=NINE)]
    difference = again(sessions, item(**changes))
    assert only(difference).blocked
    assert applied(difference, "all") == Applied(waiting=difference.items)
    assert applied(again(sessions), "all").changed == ()


def test_a_delay_given_here_is_no_difference_to_the_schedule() -> None:
    (session,) = imported(item())
    late = replace(session, start_ms=NINE + 10 * MINUTE, end_ms=NINE + HOUR + 10 * MINUTE, delay_ms=10 * MINUTE)
    assert again([late], item()).items == ()
    # The schedule has come round to the delay.
    assert again([late], item(start_ms=late.start_ms, end_ms=late.end_ms)).items == ()
    pause = replace(session, start_ms=NINE + 10 * MINUTE, delay_ms=10 * MINUTE, shortened_ms=10 * MINUTE)
    assert again([pause], item()).items == ()
    difference = again([late], item(start_ms=NINE + HOUR, end_ms=NINE + 2 * HOUR))
    assert codes(only(difference)) == {"delayed_by_hand"}
    assert only(difference).fields[0].old == NINE
    assert applied(difference).changed == ()
    (moved,) = applied(difference, "all").changed
    assert (moved.start_ms, moved.delay_ms) == (NINE + HOUR, 0)


def test_an_extension_given_here_is_only_undone_with_a_yes() -> None:
    sessions = [replace(imported(item())[0], extended_until_ms=NINE + 2 * HOUR)]
    assert again(sessions, item()).items == ()
    assert codes(only(again(sessions, item(end_ms=NINE + HOUR // 2)))) == {"extended_by_hand"}


def test_cancelled_and_vanished_sessions_are_cancelled_and_planned_ones_stay() -> None:
    one, two = imported(item("One"), item("Two"))
    by_hand = Session("mine", "hall", "Ours", NINE + 5 * HOUR, NINE + 6 * HOUR, event="e")
    ad_hoc = replace(two, id="adhoc", guid="x", ad_hoc=True)
    difference = again([one, two, by_hand, ad_hoc], item("One", cancelled=True))
    assert [found.session.id for found in difference.cancelled if found.session] == ["s1", "s2"]
    gone = applied(difference).changed
    assert [(session.state, session.changed_ms, session.sequence) for session in gone] == [
        (SessionState.CANCELLED, NOW, 1)
    ] * 2
    assert again([*gone, by_hand], item("One", cancelled=True)).items == ()
    assert again([], item(cancelled=True)).left_out == 1


def test_a_cancelled_session_that_the_schedule_has_comes_back_with_a_yes_only() -> None:
    sessions = [replace(imported(item())[0], state=SessionState.CANCELLED)]
    difference = again(sessions, item())
    assert codes(only(difference)) == {"cancelled_here"}
    assert applied(difference).changed == ()
    assert applied(difference, "all").changed[0].state is SessionState.SCHEDULED


def test_a_schedule_that_has_lost_most_of_itself_is_not_believed_without_a_yes() -> None:
    items = [item(f"T{n}", start_ms=NINE + n * HOUR, end_ms=NINE + (n + 1) * HOUR) for n in range(12)]
    sessions = imported(*items)
    difference = again(sessions, *items[:3])
    assert len(difference.cancelled) == 9
    assert all(codes(found) == {"many_vanish"} for found in difference.cancelled)
    assert applied(difference).changed == ()
    assert len(applied(again(sessions, *items[:10])).changed) == 2


def test_what_is_over_stays_when_the_file_drops_it_and_keeps_its_times() -> None:
    (session,) = imported(item())
    past = replace(session, start_ms=NOW - 2 * HOUR, end_ms=NOW - HOUR)
    assert again([past]).items == ()
    ended = replace(session, state=SessionState.ENDED, started_ms=NINE, ended_ms=NINE + HOUR)
    assert again([ended], item(start_ms=NINE + HOUR, end_ms=NINE + 2 * HOUR, room="Lab")).items == ()
    assert again([ended]).items == ()
    found = only(again([ended], item(do_not_record=Flag.YES)))
    assert codes(found) == {"has_ended"}


def test_stricter_privacy_comes_at_once_and_looser_with_a_yes() -> None:
    (session,) = imported(item())
    assert not only(again([session], item(do_not_stream=Flag.YES, do_not_record=Flag.ASK))).needs_yes
    closed = replace(session, do_not_stream=Flag.YES, visibility=Visibility.PRIVATE)
    found = only(again([closed], item()))
    assert codes(found) == {"less_private"}
    assert {field.name for field in found.fields} == {"do_not_stream"}
    # A kind that is closed by default closes; one that is not opens nothing.
    difference = again([session], item(kind=Kind.MEETING))
    (meeting,) = applied(difference).changed
    assert (meeting.visibility, meeting.generation) == (Visibility.PRIVATE, session.generation + 1)
    back = again([meeting], item())
    assert codes(only(back)) == {"stays_closed"}
    assert applied(back).changed[0].visibility is Visibility.PRIVATE
    on_air = replace(session, state=SessionState.ON_AIR)
    assert codes(only(again([on_air], item(do_not_stream=Flag.YES)))) == {"on_air"}


def test_guids_come_before_ids_and_ids_are_used_again() -> None:
    (session,) = imported(item(guid="a", id="1"))
    assert again([session], item(guid="A", id="2")).items == ()
    found = again([session], item(guid="b", id="1"))
    assert (len(found.added), len(found.cancelled)) == (1, 1)
    without = again([session], item(guid="", id="1", title="Renamed"))
    assert [field.name for field in only(without).fields] == ["title"]


def test_a_session_planned_by_hand_is_taken_over_by_title_start_and_room() -> None:
    mine = Session("mine", "hall", "ONÉ", NINE, NINE + HOUR, event="e")
    found = only(again([mine], item("Oné", id="9")))
    assert {field.name for field in found.fields} == {"title", "guid", "external_id"}
    assert applied(again([mine], item("Oné", id="9"))).changed[0].guid == "g-Oné"


def test_rooms_are_known_by_guid_name_alias_and_slug() -> None:
    known = {
        "hall": [
            ScheduleRoom("Amphi", guid=HALL.guid.lower()), ScheduleRoom("GRANDE  SALLE D'ETE"),
            ScheduleRoom("x", slug="hall"),
        ],
        "lab": [ScheduleRoom("salle 2"), ScheduleRoom("Tan", guid="b379c473-93b9-4eae-9a09-d482e86cede3")],
    }  # fmt: skip
    for room, names in known.items():
        for name in names:
            assert ROOMS.match(name).room == room
    assert ROOMS.match(ScheduleRoom("Cave")).room is None


def test_names_count_within_the_venue_and_two_of_a_name_are_asked_about() -> None:
    venues = (Venue("nantes", "Nantes"), Venue("rennes", "Rennes"))
    rooms = (Room("n-1", "Amphi", "nantes"), Room("r-1", "Amphi", "rennes", guid="rg"))
    anywhere = matcher_of(rooms, venues)
    assert anywhere.match(ScheduleRoom("Amphi")).ambiguous == ("n-1", "r-1")
    assert anywhere.match(ScheduleRoom("Amphi (Rennes)")).room == "r-1"
    nantes = matcher_of(rooms, venues, "nantes")
    assert nantes.match(ScheduleRoom("amphi")).room == "n-1"
    foreign = nantes.match(ScheduleRoom("Amphi", guid="RG"))
    assert (foreign.room, foreign.elsewhere) == (None, True)
    both = matcher_of(rooms, venues, "nantes", frozenset({"rennes"}))
    assert both.match(ScheduleRoom("Elsewhere", guid="RG")).room == "r-1"
    assert both.match(ScheduleRoom("Amphi")).room == "n-1"
    one = schedule(item(room="Amphi"))
    difference = compare([], one, anywhere, "e")
    assert difference.rooms_unknown == ("Amphi",)
    assert {warning.code for warning in difference.warnings} == {"ambiguous_room"}
    assert applied(difference).new == ()
    assert anywhere.planned(one).new == ()


def test_unknown_rooms_are_planned_once_under_free_slugs() -> None:
    rooms = matcher_of((Room("cave", "Other cave", "nantes"),), venue="rennes")
    one = Schedule(
        "x", rooms=(ScheduleRoom("Cave", guid="g"), ScheduleRoom("Câve"), ScheduleRoom("中"), ScheduleRoom("文"))
    )
    planned = rooms.planned(one)
    assert [(room.id, room.name, room.venue, room.guid) for room in planned.new] == [
        ("cave-2", "Cave", "rennes", "g"),
        ("room", "中", "rennes", ""),
        ("room-2", "文", "rennes", ""),
    ]
    assert planned.matcher.planned(one).new == ()
    told = [warning.message for warning in compare([], one, planned.matcher, "e").warnings]
    assert told == ["Cave and Câve are taken for one room (cave-2)."]


ITEMS = st.lists(
    st.builds(
        lambda n, start, room, kind, record, cancelled, by: item(
            f"T{n}",
            start_ms=NINE + start * HOUR,
            end_ms=NINE + (start + 1) * HOUR,
            room=room,
            kind=kind,
            do_not_record=record,
            cancelled=cancelled,
            guid=f"g{n}" if by != "id" else "",
            id=str(n) if by != "guid" else "",
        ),
        st.integers(0, 9),
        st.integers(0, 9),
        st.sampled_from([HALL.name, "Salle 2", "Nowhere", ""]),
        st.sampled_from(Kind),
        st.sampled_from(Flag),
        st.booleans(),
        st.sampled_from(["guid", "id", "both"]),
    ),
    max_size=8,
    unique_by=lambda one: one.title,
)


@settings(max_examples=examples(150))
@given(ITEMS, ITEMS, st.data())
def test_whatever_was_imported_a_second_time_changes_nothing(
    before: list[ScheduleItem], after: list[ScheduleItem], data: st.DataObject
) -> None:
    sessions = [
        replace(
            session, state=data.draw(st.sampled_from(SessionState)), delay_ms=data.draw(st.sampled_from([0, MINUTE]))
        )
        for session in imported(*before)
    ]
    first = again(sessions, *after)
    assert first.unchanged + first.left_out + len(first.items) >= len(after)
    done = apply(first, "all", new_id=ids("n"), now_ms=NOW)
    changed = {session.id: session for session in done.changed}
    stored = [changed.get(session.id, session) for session in sessions] + list(done.new)
    assert len({session.id for session in stored}) == len(stored)
    second = again(stored, *after)
    waiting = {(found.change, found.title) for found in done.waiting}
    assert {(found.change, found.title) for found in second.items} == waiting


# --- places ---


def test_a_session_without_a_room_is_the_venues_and_keeps_a_room_that_somebody_gave_it() -> None:
    rooms = matcher_of((HALL, LAB), (Venue("v", "House"),), "v")
    dinner = item("Dinner", room="")
    (made,) = applied(compare([], schedule(dinner), rooms, "e")).new
    assert (made.room, made.venue, made.state) == ("", "v", SessionState.SCHEDULED)
    assert again([made], dinner).unchanged == 1
    given = replace(made, room="lab", venue=None)
    assert again([given], dinner).unchanged == 1
    moved = only(again([made], item("Dinner", room="Lab")))
    (changed,) = applied(Difference("e", moved=(moved,))).changed
    assert (changed.room, changed.venue) == ("lab", None)
    # One that nobody knows is something else.
    assert only(compare([], schedule(item(room="Nowhere")), rooms, "e")).blocked


def test_other_rooms_come_and_go_and_the_one_that_carries_stays() -> None:
    both = item(also_in=("Lab",))
    file = replace(schedule(both), rooms=(ScheduleRoom(HALL.name), ScheduleRoom("Lab")))
    (made,) = applied(compare([], file, ROOMS, "e")).new
    assert (made.room, made.also_in) == ("hall", ("lab",))
    swapped = replace(made, room="lab", also_in=("hall",))
    assert compare([swapped], file, ROOMS, "e").unchanged == 1
    silent = item(unsaid=frozenset({"also_in"}))
    assert again([made], silent).unchanged == 1
    (fewer,) = applied(again([made], item())).changed
    assert (fewer.room, fewer.also_in) == ("hall", ())
    running = replace(made, state=SessionState.ON_AIR)
    assert not only(again([running], item())).blocked, "its media stay where they are"


def test_names_of_several_rooms_and_of_the_venue_are_read_by_what_is_known() -> None:
    rooms = matcher_of((HALL, LAB), (Venue("v", "House"),), "v")
    items = (
        item("1", room="Grande salle d'été, Lab"), item("2", room="Lab + Foyer"), item("3", room="Foyer"),
        item("4", room="Lab, first floor"), item("5", room="HOUSE"), item("6", room="Salle 2 et Foyer"),
    )  # fmt: skip
    placed = rooms.placed(schedule(*items))
    assert [(one.room, one.also_in) for one in placed.items] == [
        ("Grande salle d'été", ("Lab",)), ("Lab", ("Foyer",)), ("Foyer", ()),
        ("Lab, first floor", ()), ("", ()), ("Salle 2", ("Foyer",)),
    ]  # fmt: skip
    assert [warning.code for warning in placed.warnings] == ["several_rooms"] * 3
    assert "HOUSE" not in [room.name for room in placed.rooms]
    untouched = schedule(items[2])
    assert rooms.placed(untouched) is untouched
    house = matcher_of((HALL, Room("house", "House", "v")), (Venue("v", "House"),), "v")
    assert house.placed(schedule(items[4])).items[0].room == "HOUSE", "a room that we know stays one"
