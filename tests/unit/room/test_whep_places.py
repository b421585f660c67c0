"""Places for WHEP: offers that never connect, viewers and the crew's previews are bounded apart."""

from __future__ import annotations

import contextlib

import pytest

from streamer.broadcast.media_events import PREVIEW
from streamer.control.messages import Offer
from streamer.errors import Unavailable
from streamer.room.whep_places import Place, WhepPlaces
from streamer.settings import WhepSettings


def offers(places: WhepPlaces, count: int, household: str) -> list[Place]:
    """The accepted ones of ``count`` offers."""
    taken = []
    with contextlib.suppress(Unavailable):
        for _ in range(count):
            taken.append(places.take(Offer(kind="play", sdp="", household=household)))
    return taken


def test_offers_that_never_connect_keep_nobody_else_out() -> None:
    places = WhepPlaces(WhepSettings(max_viewers=20, max_pending=40, max_previews=4))
    assert len(offers(places, 100, "stranger")) == 20
    assert len(offers(places, 100, "another")) == 10
    [viewer] = offers(places, 1, "viewer")
    assert viewer.connect()
    preview = places.take(Offer(kind="play", sdp="", output=PREVIEW, grant="technician", household="stranger"))
    assert preview.connect()
    assert (places.connected, places.refused_total) == (1, 2)
    for place in (viewer, preview):
        place.leave()
    assert (places.connected, places.previews.taken, places.pending.taken) == (0, 0, 30)


def test_a_hall_may_have_all_places_and_a_full_room_still_has_its_crews() -> None:
    places = WhepPlaces(WhepSettings(max_viewers=3, max_pending=40, max_previews=4))
    hall = offers(places, 10, "hall")
    assert [place.connect() for place in hall] == [True] * 3
    assert offers(places, 10, "hall") == offers(places, 10, "elsewhere") == []
    crew = Offer(kind="play", sdp="", output=PREVIEW, grant="technician")
    assert places.take(crew).connect()
    hall[0].leave()
    assert len(offers(places, 10, "elsewhere")) == 1


def test_of_those_who_connect_at_once_no_more_than_the_bound_stay() -> None:
    places = WhepPlaces(WhepSettings(max_viewers=3, max_pending=40))
    made = offers(places, 3, "a") + offers(places, 3, "b")
    assert [place.connect() for place in made] == [True] * 3 + [False] * 3
    for place in made:
        place.leave()
    assert (places.connected, places.pending.taken) == (0, 0)


def test_one_grant_does_not_take_the_previews_of_the_others() -> None:
    places = WhepPlaces(WhepSettings(max_previews=4))
    first, second = (Offer(kind="play", sdp="", output=PREVIEW, grant=grant) for grant in ("one", "two"))
    for _ in range(2):
        places.take(first)
    with pytest.raises(Unavailable) as refused:
        places.take(first)
    assert (refused.value.code, refused.value.headers) == ("too_many_viewers", {"Retry-After": "5"})
    assert places.take(second)
