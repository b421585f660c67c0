"""What a room process makes of its config's orders."""

from __future__ import annotations

from streamer.conference.orders import RoomOrders, SlateOrder
from streamer.room.process import slate_text
from streamer.room.protocol import RoomConfig


def test_the_slate_says_what_is_ordered_and_how_long_it_is_until_then() -> None:
    orders = RoomOrders(public="slate", slate=SlateOrder("Opening", "Next: 9:00", until_ms=1_000_000_000))
    config = RoomConfig(id="hall", name="Hall", venue="Paris", slate_title="old", slate_text="old", orders=orders)
    text = slate_text(config, 1_000_000_000 - 5 * 60_000)
    assert (text.title, text.text) == ("Opening", "Next: 9:00 · in 5 minutes")
    assert slate_text(config, 1_000_000_000 + 1).text == "Next: 9:00"


def test_without_orders_the_rooms_own_words_stand() -> None:
    config = RoomConfig(id="hall", name="Hall", slate_title="Come back", slate_text="at nine")
    assert (slate_text(config, 0).title, slate_text(config, 0).text) == ("Come back", "at nine")
