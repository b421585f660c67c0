"""Captions: placed, stored, sent, corrected, forgotten."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from streamer.audience.captioning import CaptionEvent, Captioning, Typed
from streamer.conference.rooms import Room
from streamer.errors import StreamerError
from streamer.store.database import Database
from streamer.store.rooms import Rooms
from tests.fakes.broadcast import EPOCH_MS, FakeBroadcast
from tests.fakes.media_plane import FakePlane, FakeRoom, on_air
from tests.fakes.stores import sqlite_store


@dataclass
class Captioner:
    """A room with a broadcast of 10 s, and who types there."""

    database: Database
    link: FakeRoom = field(default_factory=on_air)
    told: list[CaptionEvent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.plane = FakePlane(self.link)
        self.fake = FakeBroadcast(self.link.feed, caption_languages=("fr", "en")).open()
        self.fake.segments(5)
        self.captioning = self.another()
        self.captioning.listen(self.told.append)

    def another(self) -> Captioning:
        """As after a restart."""
        return Captioning(
            self.database,
            self.plane,
            clock=lambda: EPOCH_MS + self.fake.at // 90,
            session_at=lambda room, at_ms: f"talk of {room}" if at_ms >= EPOCH_MS + 5_000 else None,
        )

    async def type(self, text: str, at_s: float | None = None, *, final: bool = True, **more: str) -> CaptionEvent:
        at_ms = None if at_s is None else EPOCH_MS + round(at_s * 1000)
        typed = Typed(more.get("lang", "fr"), text, at_ms, final, more.get("line"))
        return await self.captioning.write("salle", typed, more.get("grant", "g"))

    async def live(self, from_s: float = 0, to_s: float = 100, of: Captioning | None = None) -> list[tuple[float, str]]:
        begin, end = EPOCH_MS + round(from_s * 1000), EPOCH_MS + round(to_s * 1000)
        found = await (of or self.captioning).live("salle", "fr", begin, end)
        return [((cue.from_ms - EPOCH_MS) / 1000, cue.text) for _, cue in found]

    async def said(self) -> list[tuple[float, str]]:
        found = await self.captioning.said("salle", "fr", EPOCH_MS, EPOCH_MS + 100_000)
        return [((cue.from_ms - EPOCH_MS) / 1000, cue.text) for cue in found]


@pytest.fixture
async def captioner(tmp_path: Path) -> AsyncIterator[Captioner]:
    database = sqlite_store(tmp_path)
    await database.start()
    async with database.write() as connection:
        await Rooms(connection).add(Room("salle", "Salle", caption_languages=("fr", "en")))
        await Rooms(connection).add(Room("other", "Other"))
    yield Captioner(database)
    await database.close()


async def refused(captioner: Captioner, text: str, at_s: float | None = None, **more: str) -> str:
    with pytest.raises(StreamerError) as caught:
        await captioner.type(text, at_s, **more)
    return caught.value.code


async def test_late_text_is_in_no_segment_that_is_listed_and_at_its_own_time_in_the_replay(
    captioner: Captioner,
) -> None:
    await captioner.type("Bonjour", 7.2)
    assert await captioner.live(0, 10) == []
    assert await captioner.live() == [(10.001, "Bonjour")]
    assert await captioner.said() == [(7.2, "Bonjour")]


async def test_texts_that_are_not_final_replace_one_another_and_keep_their_time(captioner: Captioner) -> None:
    first = await captioner.type("Bon", 6.0, final=False)
    second = await captioner.type("Bonjour à", 8.0, final=False)
    assert await captioner.live() == []
    assert await captioner.said() == []
    last = await captioner.type("Bonjour à tous.", 9.0)
    assert first.id == second.id == last.id
    assert [(e.text, e.final, e.at_ms - EPOCH_MS, e.session) for e in captioner.told] == [
        ("Bon", False, 6_000, "talk of salle"),
        ("Bonjour à", False, 6_000, "talk of salle"),
        ("Bonjour à tous.", True, 6_000, "talk of salle"),
    ]
    assert await captioner.said() == [(6.0, "Bonjour à tous.")]
    assert (await captioner.type("Ensuite", 9.5)).id != last.id


async def test_two_captioners_do_not_finish_each_others_lines(captioner: Captioner) -> None:
    mine = await captioner.type("Hel", final=False, lang="en", grant="a")
    other = await captioner.type("Bon", final=False, lang="fr", grant="b")
    assert mine.id != other.id
    assert (await captioner.type("Hello", lang="en", grant="a")).id == mine.id


async def test_lines_that_come_together_are_read_one_after_the_other(captioner: Captioner) -> None:
    for text in ("Un", "Deux", "Trois"):
        await captioner.type(text, 9.0)
    assert await captioner.live() == [(10.001, "Un"), (11.501, "Deux"), (13.001, "Trois")]


async def test_after_a_restart_they_have_the_same_places(captioner: Captioner) -> None:
    for text in ("Un", "Deux", "Trois"):
        await captioner.type(text, 9.0)
    captioner.fake.segments(2)
    assert await captioner.live(of=captioner.another()) == await captioner.live()


async def test_a_correction_changes_the_replay_and_of_live_outputs_what_is_not_listed_yet(captioner: Captioner) -> None:
    listed = await captioner.type("Bonjuor", 9.0)
    captioner.fake.segments(1)
    fresh = await captioner.type("à tuos", 11.0)
    await captioner.type("Bonjour", line=listed.id)
    await captioner.type("à tous", line=fresh.id)
    assert await captioner.live() == [(10.001, "Bonjuor"), (12.001, "à tous")]
    assert await captioner.live(of=captioner.another()) == await captioner.live()
    assert [text for _, text in await captioner.said()] == ["Bonjour", "à tous"]
    assert (captioner.told[-1].id, captioner.told[-1].text, captioner.told[-1].final) == (fresh.id, "à tous", True)


async def test_a_line_is_taken_away(captioner: Captioner) -> None:
    line = await captioner.type("Zut", 9.0)
    await captioner.type("", line=line.id)
    assert await captioner.live() == []
    assert await captioner.said() == []
    assert await refused(captioner, "Again", line=line.id) == "no_such_caption"


async def test_what_is_refused(captioner: Captioner) -> None:
    assert await refused(captioner, "Hallo", lang="de") == "unknown_language"
    assert await refused(captioner, " \u200b ") == "empty_text"
    assert await refused(captioner, "a" * 501) == "too_long"
    assert await refused(captioner, "Later", 60) == "too_late"
    assert await refused(captioner, "Long ago", -3600) == "too_late"
    line = await captioner.type("Ici", 9.0)
    with pytest.raises(StreamerError, match="no such caption"):
        await captioner.captioning.write("other", Typed("fr", "Là", line=line.id), "g")
    captioner.fake.close()
    assert await refused(captioner, "Fini") == "not_on_air"


async def test_a_player_that_is_ahead_of_the_mirror_types_now(captioner: Captioner) -> None:
    assert (await captioner.type("Vite", 11.5)).at_ms == EPOCH_MS + 10_000


async def test_what_is_forgotten_was_never_said(captioner: Captioner) -> None:
    for at_s in (3.0, 6.0, 9.0):
        await captioner.type(f"At {at_s}", at_s)
    assert await captioner.captioning.forget("salle", EPOCH_MS + 5_000, EPOCH_MS + 8_000) == 1
    assert [text for _, text in await captioner.said()] == ["At 3.0", "At 9.0"]
    assert [text for _, text in await captioner.live()] == ["At 3.0", "At 9.0"]


async def test_what_could_not_be_stored_is_not_shown_and_not_told(captioner: Captioner) -> None:
    await captioner.type("Un", 9.0)
    await captioner.database.close()
    assert await refused(captioner, "Deux") == "store_unavailable"
    assert [text for _, text in await captioner.live()] == ["Un"]
    assert len(captioner.told) == 1
