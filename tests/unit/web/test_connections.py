"""Admission of connections when places are scarce."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.descriptors import DescriptorBudget, budget
from streamer.web.connections import ConnectionKind, Connections, ConnectionStats, Seat


class FakeConnection:
    """A connection that can be cut."""

    def __init__(self, seat: Seat) -> None:
        self.seat, self.was_cut = seat, False
        seat.connection = self

    def cut(self) -> None:
        self.was_cut = True


def limited(places: int = 16, crew: int = 4, **options: int) -> Connections:
    return Connections(DescriptorBudget(places, crew), ConnectionStats(), **options)


def come(connections: Connections, household: str, count: int = 1, *, busy: bool = False) -> list[FakeConnection]:
    lines = []
    for _ in range(count):
        seat = connections.admit(household)
        if seat is not None:
            lines.append(FakeConnection(seat))
            if busy and seat.kind is ConnectionKind.ANYBODY:
                connections.busy(seat)
    return lines


def test_one_household_has_half_of_the_places_and_its_own_idle_connections_go_for_its_newest() -> None:
    connections = limited()
    lines = come(connections, "greedy", 20)
    assert [line.was_cut for line in lines] == [True] * 12 + [False] * 8
    assert connections.stats.open == 8
    assert connections.stats.cut_for_others_total == 12
    [viewer] = come(connections, "viewer")
    assert viewer.seat.kind is ConnectionKind.ANYBODY
    assert connections.stats.cut_for_others_total == 12, "there is room: nobody has to go for it"


def test_where_all_is_taken_idle_ones_of_the_household_with_most_go_for_a_newcomer() -> None:
    connections = limited(places=6)
    lines = {name: come(connections, name, 3) for name in "abcde"}
    here = {name: sum(not line.was_cut for line in lines[name]) for name in lines}
    assert min(here.values()) >= 1
    assert sum(here.values()) == connections.stats.open == 6


def test_who_is_being_answered_is_not_cut_and_a_grant_opens_what_strangers_cannot_fill() -> None:
    connections = limited()
    busy = come(connections, "a", 20, busy=True) + come(connections, "b", 20, busy=True)
    busy += [line for name in "cdefghijkl" for line in come(connections, name, 5, busy=True)]
    assert not any(line.was_cut for line in busy if line.seat.kind is ConnectionKind.ANYBODY)
    [crew] = come(connections, "crew")
    assert crew.seat.kind is ConnectionKind.PROBATION
    connections.prove(crew.seat)
    assert crew.seat.kind is ConnectionKind.CREW
    assert connections.stats.crew == 1
    # From now on it stays, whatever others do.
    for name in "mnopqrstuv":
        come(connections, name, 20)
    connections.idle(crew.seat)
    assert not crew.was_cut
    assert connections.stats.open <= 20


def test_the_crew_of_a_household_that_fills_its_share_comes_in_all_the_same() -> None:
    connections = limited()
    come(connections, "hall", 8, busy=True)
    [crew] = come(connections, "hall")
    assert crew.seat.kind is ConnectionKind.PROBATION


def test_trusted_proxies_take_nobodys_share() -> None:
    connections = limited()
    seats = [connections.admit("proxy", proxy=True) for _ in range(12)]
    assert all(seat is not None and seat.kind is ConnectionKind.PROXY for seat in seats)
    assert len([line for line in come(connections, "viewer", 3) if not line.was_cut]) == 3
    assert come(connections, "greedy", 30)
    assert connections.stats.open <= 20


def test_a_bound_per_household_can_be_set() -> None:
    connections = limited(per_household=2)
    assert [line.was_cut for line in come(connections, "a", 4)] == [True, True, False, False]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(("come", "busy", "idle", "prove", "leave")))))
def test_whatever_comes_and_goes_the_counts_hold(events: list[tuple[str, str]]) -> None:
    connections = limited(places=8, crew=3)
    here: list[FakeConnection] = []
    for household, what in events * 3:
        mine = [line for line in here if line.seat.household == household]
        if what == "come":
            here += come(connections, household)
        elif mine:
            line = mine[len(mine) // 2]
            getattr(connections, what)(line.seat)
        here = [line for line in here if not line.seat.left]
        assert connections.stats.open == len(here) <= 11
        assert connections.stats.crew == sum(line.seat.kind is ConnectionKind.CREW for line in here)
        assert not any(line.was_cut for line in here)
    for line in here:
        connections.leave(line.seat)
    assert (connections.stats.open, connections.stats.crew) == (0, 0)
    assert len(come(connections, "newcomer", 4)) == 4


def test_descriptors_are_kept_for_files_and_for_the_crew() -> None:
    small, large = budget(512), budget(65_536)
    assert small == DescriptorBudget(connections=360, crew=24)
    assert large.connections + large.crew == 65_536 - 256
    # A hall of 300 phones, six connections each and one for the page, is within one household's share.
    assert large.connections // 2 > 300 * 7
    assert budget(65_536, 100) == DescriptorBudget(92, 8)
