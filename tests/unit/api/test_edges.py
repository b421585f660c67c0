"""Edges are told what must not be served any more, until they acknowledge it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from pydantic import ValidationError

from streamer.api import edges as telling_edges
from streamer.api.edges import EVERYTHING, MOST_SCOPES, Edges
from streamer.archive.catalogue import EditionRef, ReplayState
from streamer.control.server import wait_cancelled
from streamer.sections import EdgeSettings
from streamer.store.erasing import NotErased
from tests.fakes.edges import SECRET, StandIn
from tests.fakes.waiting import until


async def test_an_edge_is_told_twice_and_again_until_it_acknowledges(
    edge: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    edges = Edges(EdgeSettings(addresses=(edge.address,), secret=SECRET))
    telling = asyncio.create_task(edges.run())
    try:
        with monkeypatch.context() as patient:
            # The answer of a busy machine comes late.
            patient.setattr(telling_edges, "TOLD_WITHIN_S", 60)
            await edges.without("salle")
        await until(lambda: (edges.stats.told_total, edges.stats.owed_now) == (2, 0))
        assert edge.told == ["live/salle"] * 2
        edge.status = 503
        with pytest.raises(NotErased):
            await edges.without("salle")
        await until(lambda: edges.owe("salle"))
        assert not edges.owe("other")
        assert edges.stats.owed_now == 1
        edge.status = 204
        await until(lambda: edge.told == ["live/salle"] * 4 and not edges.owe("salle"))
        edge.status = 503
        for number in range(MOST_SCOPES + 1):
            edges.withdraw(f"replay/{number}")
        edge.status = 204
        await until(lambda: edge.told[4:].count(EVERYTHING) == 2)
        assert len(edge.told) < 10
    finally:
        await wait_cancelled(telling)


async def test_a_replay_is_withdrawn_when_somebody_may_not_have_an_edition_any_more(edge: StandIn) -> None:
    edges = Edges(EdgeSettings(addresses=(edge.address,), secret=SECRET))
    telling = asyncio.create_task(edges.run())

    def state(*editions: EditionRef, published: bool = True, closed: bool = False) -> ReplayState:
        return ReplayState("talk", "salle", Path(), editions, published, closed)

    first, second = EditionRef("a", 0, 9), EditionRef("b", 0, 5)
    replaced = EditionRef("a", 0, 9, replaced=True)
    try:
        for harmless in (None, state(published=False), state(first), state(first), state(first, second)):
            edges.replay("talk", harmless)
        assert edges.stats.owed_now == 0
        for number, withdrawn in enumerate((state(replaced, second), state(second, closed=True)), start=1):
            edges.replay("talk", withdrawn)
            await until(lambda number=number: edge.told == ["replay/talk"] * (2 * number))
    finally:
        await wait_cancelled(telling)


async def test_an_edge_that_missed_too_much_still_owes_each_room(edge: StandIn) -> None:
    edges = Edges(EdgeSettings(addresses=(edge.address,), secret=SECRET))
    with pytest.raises(NotErased):
        await edges.without("salle")
    await until(lambda: edges.owe("salle"))
    for number in range(2 * MOST_SCOPES):
        edges.withdraw(f"replay/{number}")
    assert edges.owe("salle")
    assert not edges.owe("other")


def test_edges_want_addresses_and_a_secret() -> None:
    for bad in ({"addresses": ["edge.example.org"], "secret": SECRET}, {"addresses": ["https://e"]}):
        with pytest.raises(ValidationError):
            EdgeSettings.model_validate(bad)
