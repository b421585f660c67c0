"""Dataclasses as rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pytest
from sqlalchemy import Column, MetaData, Table, Text, create_engine, insert, select

from streamer.store.mapping import RowMapping
from streamer.store.text import storable


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True)
class Thing:
    name: str
    room: str | None = None
    colour: Colour | None = None
    spans: tuple[tuple[int, int], ...] = ()
    more: Mapping[str, Any] | None = None
    passing: frozenset[str] = frozenset()


METADATA = MetaData()
THINGS = Table(
    "things", METADATA, *(Column(name, Text) for name in ("name", "room_id", "colour", "spans", "more", "digest"))
)


def test_a_dataclass_comes_back_from_its_row() -> None:
    mapping = RowMapping(Thing, THINGS, unstored=("passing",))
    engine = create_engine("sqlite://")
    things = [
        Thing("full", "a", Colour.RED, ((1, 2), (3, 4)), {"é": [1, None]}),
        Thing("empty"),
    ]
    with engine.begin() as connection:
        METADATA.create_all(connection)
        for thing in things:
            connection.execute(insert(THINGS).values(digest="x", **mapping.values(thing)))
        assert [mapping.item(row) for row in connection.execute(select(THINGS))] == things
    engine.dispose()


def test_a_field_without_a_column_is_found_at_once() -> None:
    with pytest.raises(TypeError, match=r"Thing\.passing has no column in things"):
        RowMapping(Thing, THINGS)


def test_a_field_that_no_column_holds_is_found_at_once() -> None:
    table = Table("others", MetaData(), *(Column(name, Text) for name in Thing.__dataclass_fields__))
    with pytest.raises(TypeError, match="no column holds"):
        RowMapping(Thing, table)


@pytest.mark.parametrize(
    ("text", "stored"),
    [("plain", "plain"), ("été 🎥", "été 🎥"), ("a\0b", "a\ufffdb"), ("é\0\ud800", "é\ufffd?"), ("", "")],
)
def test_text_is_made_storable(text: str, stored: str) -> None:
    assert storable(text) == stored
