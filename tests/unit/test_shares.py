"""Places that many households want."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamer.shares import Shares


def test_one_household_gets_half_and_the_next_half_of_what_is_left() -> None:
    shares = Shares(16)
    assert sum(shares.take("greedy") for _ in range(40)) == 8
    assert sum(shares.take("second") for _ in range(40)) == 4
    assert shares.take("third")
    assert shares.refused_total == 32 + 36
    for _ in range(8):
        shares.give_back("greedy")
    assert shares.of("greedy") == 0
    assert sum(shares.take("second") for _ in range(40)) == 4


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.booleans())))
def test_a_newcomer_finds_a_place_while_the_households_are_fewer_than_the_places(
    events: list[tuple[str, bool]],
) -> None:
    shares = Shares(100)
    for key, comes in events * 20:
        if comes:
            shares.take(key)
        elif shares.of(key):
            shares.give_back(key)
        assert 0 <= shares.taken <= shares.total
        assert shares.taken == sum(shares.of(each) for each in "abcdef")
        assert shares.may("newcomer")
