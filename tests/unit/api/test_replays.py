"""The archive: past sessions by their words, by what was said in them, by event and tag."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from streamer.api.context import SERVICES
from streamer.archive.material import Span
from streamer.conference.captions import Cue
from streamer.conference.sessions import Event
from streamer.store.captions import Captions
from streamer.store.database import Database
from streamer.store.events import Events
from streamer.store.sessions import Sessions
from tests.fakes.studio import Studio
from tests.unit.api.conftest import Api, Client
from tests.unit.api.test_recordings import studio as studio


@pytest.fixture
async def archive(api: Api, client: Client, database: Database, studio: Studio) -> Studio:
    """A public talk and a board's meeting, each with captions."""
    async with database.write() as connection:
        await Events(connection).add(Event("days", "Two days"))
        talk = await Sessions(connection).get("talk")
        told = replace(talk, title="L’Été à Nantes", speakers=("Zoé Dupont",), tags=("Ville", "climat"), event="days")
        await Sessions(connection).save_many((told,))
        for second, session, text in (
            (1.0, "talk", "Avant le début"),
            (3.0, "talk", "La Révolution des marmottes"),
            (5.0, "talk", "coupé des marmottes"),
            (9.0, "board", "La marmotte du conseil"),
        ):
            at_ms = studio.at(second)
            await Captions(connection).add(
                Cue(f"c{second}", "salle", "fr", text, at_ms, at_ms, at_ms + 1, at_ms, "g", session)
            )
    await client.app[SERVICES].director.refresh()
    return studio


async def found(api: Api, query: str = "") -> list[str]:
    return [item["session"]["id"] for item in (await api("GET", f"/replays{query}"))["items"]]


async def test_past_sessions_are_listed_with_their_pictures(api: Api, archive: Studio) -> None:
    item = (await api.as_("")("GET", "/replays"))["items"][0]
    assert item["session"]["title"] == "L’Été à Nantes"
    assert item["still_url"] == "http://streamer.test/replay/talk/still.jpg"
    assert (item["duration_ms"], item["found"]) == (6000, None)
    # Also for those who may see others: it is what everybody sees.
    assert await found(api) == ["talk"]


@pytest.mark.parametrize(
    ("query", "finds"),
    [
        ("?q=ete", True),
        ("?q=NANTES dupont", True),
        ("?q=climat", True),
        ("?q=nothing", False),
        ("?tag=ville", True),
        ("?tag=ville&q=zoe", True),
        ("?tag=vill", False),
        ("?event=days", True),
        ("?event=other", False),
        ("?venue=v", True),
        ("?venue=w", False),
    ],
)
async def test_they_are_found_by_their_words(api: Api, archive: Studio, query: str, finds: bool) -> None:
    assert await found(api, query) == (["talk"] if finds else [])


async def test_they_are_found_by_what_was_said_with_its_place(api: Api, archive: Studio) -> None:
    answer: dict[str, Any] = await api("GET", "/replays?q=revolution marmottes")
    assert answer["items"][0]["found"]["at_s"] == 1
    answer = await api("GET", "/replays?q=Marmottes révolution")
    assert answer["items"][0]["found"] == {"at_s": 1, "text": "La Révolution des marmottes"}
    assert await found(api, "?q=conseil") == []


async def test_nothing_is_found_by_what_is_cut_away(
    api: Api, archive: Studio, database: Database, client: Client
) -> None:
    cut = {"skips": [{"from_ms": archive.at(4.5), "to_ms": archive.at(6)}]}
    await api("PATCH", "/recordings/talk", cut)
    assert await found(api, "?q=coup%C3%A9") == []
    assert await found(api, "?q=avant") == []
    assert await found(api, "?q=marmottes") == ["talk"]
    state = await client.app[SERVICES].archivist.find("talk")
    assert state is not None
    assert state.current is not None
    assert state.current.skips == (Span(archive.at(4.5), archive.at(6)),)


async def test_what_is_not_published_or_closed_is_not_there(api: Api, archive: Studio) -> None:
    await api("PATCH", "/recordings/talk", {"published": False})
    assert await found(api) == []
    await api("PATCH", "/recordings/talk", {"published": True})
    assert await found(api) == ["talk"]
    await api("PATCH", "/sessions/talk", {"visibility": "unlisted"})
    assert await found(api) == await found(api, "?q=nantes") == await found(api, "?q=marmottes") == []
