"""A room process carries out its config's orders."""

from __future__ import annotations

import msgspec

from streamer.broadcast.orders import OutputOrder, RoomOrders, SlateOrder
from streamer.control.messages import RoomConfig
from streamer.room.slate_words import slate_text


def test_the_slate_says_what_is_ordered_and_how_long_it_is_until_then() -> None:
    orders = RoomOrders(public="slate", slate=SlateOrder("Opening", "Next: 9:00", until_ms=1_000_000_000))
    config = RoomConfig(id="hall", name="Hall", venue="Paris", slate_title="old", slate_text="old", orders=orders)
    text = slate_text(config, 1_000_000_000 - 5 * 60_000)
    assert (text.title, text.text) == ("Opening", "Next: 9:00 · in 5 minutes")
    assert slate_text(config, 1_000_000_000 + 1).text == "Next: 9:00"


def test_without_orders_the_rooms_own_words_stand() -> None:
    config = RoomConfig(id="hall", name="Hall", slate_title="Come back", slate_text="at nine")
    assert (slate_text(config, 0).title, slate_text(config, 0).text) == ("Come back", "at nine")


def test_a_room_without_orders_shows_the_slate_and_keeps_nothing() -> None:
    orders = msgspec.json.decode(b'{"id": "hall", "name": "Hall"}', type=RoomConfig).orders
    assert (orders.public, orders.record, orders.outputs) == ("slate", False, ())


def test_a_process_of_another_version_does_what_was_meant_not_what_it_would_do_by_default() -> None:
    """Until this version the default was on air and recorded, and processes of both live side by side in an upgrade."""

    class Before(msgspec.Struct, frozen=True):
        public: str = "programme"
        outputs: tuple[OutputOrder, ...] = ()
        record: bool = True

    for public, record in (("slate", False), ("slate", True), ("programme", False), ("programme", True)):
        ours = RoomOrders(public=public, record=record)  # type: ignore[arg-type]
        theirs = msgspec.msgpack.decode(msgspec.msgpack.encode(ours), type=Before)
        assert (theirs.public, theirs.record) == (public, record)
        back = msgspec.msgpack.decode(msgspec.msgpack.encode(theirs), type=RoomOrders)
        assert (back.public, back.record) == (public, record)
