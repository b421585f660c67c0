"""The permission table, and how far a grant reaches: itself, its room, its hours."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from streamer.conference.grants import (
    GRANTABLE,
    IN_THE_ROOM,
    PERMISSIONS,
    Action,
    Grant,
    ReachingGrant,
    Role,
    Target,
    bounded_end_ms,
    may_grant,
    may_plan_in,
    roles_seen,
)
from streamer.conference.reach import EARLY_MS, FORGOTTEN_MS, LATE_MS, reaching
from streamer.conference.sessions import Session, SessionState, Visibility

NINE = 1_900_000_000_000 - 1_900_000_000_000 % 86_400_000 + 9 * 3600_000
MINUTE = 60_000
TALK = Session(id="talk", room="a", title="T", start_ms=NINE, end_ms=NINE + 45 * MINUTE, event="conf")
TECHNICIAN = Grant(id="g", role=Role.TECHNICIAN, session="talk")
ROOM_A = Target(room="a", venue="v")


def at(now_ms: int, *sessions: Session, grant: Grant = TECHNICIAN, others: tuple[Session, ...] = ()) -> ReachingGrant:
    return reaching(grant, sessions, others, now_ms, {"a": ZoneInfo("Europe/Paris")})


def test_every_role_stands_in_the_table_and_lesser_roles_hold_less() -> None:
    assert set(PERMISSIONS) == set(Role)
    assert PERMISSIONS[Role.ADMIN] == frozenset(Action)
    assert set().union(*PERMISSIONS.values()) == set(Action)
    for role in set(Role) - {Role.PUBLISHER, Role.APPROVER}:
        assert PERMISSIONS[Role.VIEWER] <= PERMISSIONS[role] <= PERMISSIONS[Role.ADMIN]
    assert PERMISSIONS[Role.PUBLISHER] == {Action.PUBLISH}
    assert PERMISSIONS[Role.APPROVER] == {Action.RECORDING_APPROVE}
    for role in (Role.TECHNICIAN, Role.MODERATOR, Role.CAPTIONER, Role.SPEAKER):
        assert PERMISSIONS[role] < PERMISSIONS[Role.ORGANISER]
    for holder, given in GRANTABLE.items():
        for role in given:
            assert PERMISSIONS[role] <= PERMISSIONS[holder]
            assert role is not holder or holder is Role.ADMIN


def test_a_technicians_encoder_stays_no_longer_than_they_do() -> None:
    ana = Grant("g", Role.TECHNICIAN, room="a", expires_ms=NINE)
    assert GRANTABLE[Role.TECHNICIAN] == roles_seen(ana) == {Role.PUBLISHER}
    assert [bounded_end_ms(ana, asked) for asked in (None, NINE + 1, NINE - 1)] == [NINE, NINE, NINE - 1]
    assert bounded_end_ms(replace(ana, expires_ms=None), None) is None
    organiser = replace(ana, role=Role.ORGANISER)
    assert bounded_end_ms(organiser, NINE + 1) == NINE + 1
    assert roles_seen(organiser) == set(Role)


@pytest.mark.parametrize("role", list(Role))
def test_nobody_hands_out_outside_their_scope(role: Role) -> None:
    holder = Grant(id="g", role=role, event="conf")
    may = {given for given in Role if may_grant(holder, given, Target(event="conf", session="talk", room="a"))}
    assert may == GRANTABLE.get(role, frozenset())
    for target in (Target(), ROOM_A, Target(event="other"), Target(venue="v")):
        assert not any(may_grant(holder, given, target) for given in Role)


def test_a_grant_of_a_room_or_venue_covers_the_sessions_in_it_and_no_others() -> None:
    here, there = Target("a", "v", "conf", "talk"), Target("b", "w", "conf", "other")
    for grant in (Grant("g", Role.TECHNICIAN, room="a"), Grant("g", Role.TECHNICIAN, venue="v")):
        assert grant.allows(Action.SESSION_RUN, here)
        assert not grant.allows(Action.SESSION_RUN, there)
        assert not grant.allows(Action.SESSION_RUN, Target())
    assert not Grant("g", Role.ORGANISER, room="a").covers(Target(venue="v"))


def test_an_events_grant_covers_its_sessions_wherever_and_not_the_event_beside_it() -> None:
    grant = Grant("g", Role.ORGANISER, event="conf")
    assert grant.allows(Action.SESSION_CHANGE, Target("a", "v", "conf", "talk"))
    assert grant.allows(Action.SCHEDULE_IMPORT, Target(event="conf", venue="v"))
    assert not grant.allows(Action.SESSION_CHANGE, Target("a", "v", "other", "x"))
    assert not grant.allows(Action.SESSION_CHANGE, Target("a", "v", None, "x"))
    assert not grant.allows(Action.EVENT_CREATE, Target(venue="v"))


@pytest.mark.parametrize(
    ("minutes", "reaches"), [(-61, False), (-60, True), (0, True), (200, True), (45 + 359, True), (45 + 360, False)]
)
def test_a_sessions_grant_opens_the_room_an_hour_before_and_waits_for_a_start(minutes: int, reaches: bool) -> None:
    grant = at(NINE + minutes * MINUTE, TALK)
    assert grant.allows(Action.PUBLISH, ROOM_A) is reaches
    assert grant.rooms_named == {"a"}
    assert grant.lapses_ms == TALK.end_ms + FORGOTTEN_MS


def test_it_stays_as_long_as_the_session_runs_and_half_an_hour_more() -> None:
    running = replace(TALK, state=SessionState.OVERRUN, started_ms=NINE)
    day = 24 * 60 * MINUTE
    assert at(NINE + day, running).allows(Action.PUBLISH, ROOM_A)
    assert at(NINE + day, running).lapses_ms is None
    ended = replace(running, state=SessionState.ENDED, ended_ms=NINE + 50 * MINUTE)
    last = NINE + 50 * MINUTE + LATE_MS
    assert at(last - 1, ended).allows(Action.PUBLISH, ROOM_A)
    gone = at(last, ended)
    assert not gone.allows(Action.PUBLISH, ROOM_A)
    assert not gone.in_force(last)
    assert gone.in_force(last - 1)
    # An end that somebody named is for watching the replay; the room stays shut.
    kept = at(last, ended, grant=replace(TECHNICIAN, expires_ms=last + day))
    assert kept.in_force(last)
    assert not kept.allows(Action.PUBLISH, ROOM_A)
    assert kept.allows(Action.SESSION_VIEW_CLOSED, Target("a", "v", "conf", "talk"))


def test_it_follows_the_session_to_another_room_and_time() -> None:
    moved = replace(TALK, room="b", start_ms=NINE + 5 * 3600_000, end_ms=NINE + 6 * 3600_000)
    assert not at(NINE, moved).rooms
    late = at(NINE + 5 * 3600_000, moved)
    assert late.allows(Action.PUBLISH, Target(room="b"))
    assert not late.allows(Action.PUBLISH, ROOM_A)
    assert not at(NINE, replace(TALK, state=SessionState.CANCELLED)).rooms
    assert at(NINE).rooms == frozenset()


def test_in_the_room_it_does_what_the_crew_does_and_leaves_other_sessions_alone() -> None:
    grant = at(NINE, TALK, grant=replace(TECHNICIAN, role=Role.ORGANISER))
    for action in Action:
        assert grant.allows(action, ROOM_A) is (action in IN_THE_ROOM)
        assert not grant.allows(action, Target("a", "v", "conf", "another"))
        assert not grant.allows(action, Target("a", "v", "conf"))
        assert not grant.allows(action, Target(venue="v"))
    assert Action.ROOM_CHANGE not in IN_THE_ROOM
    assert Action.MEDIA_FORGET not in IN_THE_ROOM


@pytest.mark.parametrize("visibility", [Visibility.PRIVATE, Visibility.UNLISTED])
def test_it_waits_outside_while_somebody_elses_closed_session_has_the_room(visibility: Visibility) -> None:
    meeting = replace(
        TALK, id="m", event=None, visibility=visibility, start_ms=NINE - 60 * MINUTE, end_ms=NINE - 10 * MINUTE
    )
    before = NINE - 30 * MINUTE
    assert not at(before, TALK, others=(meeting,)).allows(Action.PREVIEW, ROOM_A)
    assert at(NINE - 9 * MINUTE, TALK, others=(meeting,)).allows(Action.PREVIEW, ROOM_A)
    over = replace(meeting, state=SessionState.OVERRUN)
    assert not at(NINE - 9 * MINUTE, TALK, others=(over,)).allows(Action.PREVIEW, ROOM_A)
    assert at(before, TALK, others=(replace(meeting, state=SessionState.ENDED),)).rooms == {"a"}
    assert at(before, TALK, others=(replace(meeting, visibility=Visibility.PUBLIC),)).rooms == {"a"}
    assert at(before, TALK, others=(replace(TALK, visibility=visibility),)).rooms == {"a"}
    on_air = replace(TALK, state=SessionState.OVERRUN, start_ms=NINE - 90 * MINUTE, started_ms=NINE - 90 * MINUTE)
    assert at(before, on_air, others=(meeting,)).rooms == {"a"}


def test_an_events_grant_has_the_room_through_the_pauses_of_the_day_and_not_at_night() -> None:
    evening = replace(TALK, id="late", start_ms=NINE + 9 * 3600_000, end_ms=NINE + 10 * 3600_000)
    tomorrow = replace(TALK, id="next", start_ms=NINE + 24 * 3600_000, end_ms=NINE + 25 * 3600_000)
    grant = Grant("g", Role.TECHNICIAN, event="conf")
    done = replace(TALK, state=SessionState.ENDED, started_ms=NINE, ended_ms=TALK.end_ms)
    over = replace(evening, state=SessionState.ENDED, started_ms=evening.start_ms, ended_ms=evening.end_ms)
    assert at(NINE + 4 * 3600_000, done, evening, tomorrow, grant=grant).rooms == {"a"}
    assert not at(over.end_ms + LATE_MS, done, over, tomorrow, grant=grant).rooms
    assert at(tomorrow.start_ms - EARLY_MS, done, over, tomorrow, grant=grant).rooms == {"a"}
    assert at(NINE, TALK, evening, tomorrow, grant=grant).lapses_ms is None


def test_nobody_opens_a_room_to_themselves_by_planning_in_it() -> None:
    of_event = at(NINE, TALK, grant=Grant("g", Role.ORGANISER, event="conf"))
    assert may_plan_in(of_event, Target(room="a", venue="w"), None), "it has sessions there"
    assert may_plan_in(of_event, Target(room="b", venue="v"), "v")
    assert not may_plan_in(of_event, Target(room="b", venue="v"), "w")
    assert not may_plan_in(of_event, Target(room="b", venue=None), None)
    of_session = at(NINE, TALK, grant=Grant("g", Role.ORGANISER, session="talk"))
    assert may_plan_in(of_session, Target(room="a", venue="v"), "v")
    assert not may_plan_in(of_session, Target(room="b", venue="v"), "v")
    assert may_plan_in(Grant("g", Role.ORGANISER, venue="v"), Target(room="b", venue="v"), None)
    assert not may_plan_in(Grant("g", Role.ORGANISER, room="a"), Target(room="b", venue="v"), "v")
    assert may_plan_in(Grant("g", Role.ADMIN), Target(room="b"), None)
