"""Subtitle renditions beside live outputs and in replays: what is listed, what is in it, who gets it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
from aiohttp import ClientSession

from streamer.archive.material import Span
from streamer.audience.captions import PlacedCue
from streamer.delivery import captions
from tests.fakes.broadcast import EPOCH_MS, FakeBroadcast
from tests.fakes.captions import FakeCaptions, Shown, read_vtt
from tests.fakes.delivery_server import Served, serve
from tests.fakes.hls_playlist import MediaPlaylist, parse_media
from tests.fakes.hls_rules import check_captions, check_playlist
from tests.fakes.replaying import Player, replays
from tests.fakes.waiting import until


@pytest.fixture
def typed() -> FakeCaptions:
    return FakeCaptions()


@pytest.fixture
async def served(tmp_path: Path, typed: FakeCaptions) -> AsyncIterator[Served]:
    async with serve(tmp_path, captions=typed) as server:
        yield server


@pytest.fixture
async def http(served: Served) -> AsyncIterator[ClientSession]:
    async with ClientSession(served.url) as session:
        yield session


async def got(http: ClientSession, address: str, status: int = 200) -> bytes:
    async with http.get(address) as response:
        assert response.status == status, (address, await response.text())
        return await response.read()


async def playlist(http: ClientSession, served: Served, fake: FakeBroadcast, query: str = "") -> MediaPlaylist:
    return parse_media((await got(http, served.playlist(fake, "captions-fr", query))).decode())


async def shown(http: ClientSession, served: Served, fake: FakeBroadcast) -> dict[int, list[Shown]]:
    """By number of the segment."""
    address = served.playlist(fake, "captions-fr", "?dvr=1")
    listed = parse_media((await got(http, address)).decode())
    return {s.msn: read_vtt(await got(http, urljoin(address, s.uri))) for s in listed.segments}


def test_a_language_has_its_own_name() -> None:
    assert [captions.autonym(tag) for tag in ("fr", "pt-BR", "br", "xx")] == [
        "Français",
        "Português (BR)",
        "Brezhoneg",
        "xx",
    ]


def test_nothing_that_is_typed_is_markup() -> None:
    text = "<b>gras</b> & --> <script>alert(1)</script>\n&lt;"
    (cue,) = read_vtt(captions.webvtt([PlacedCue("a", 5_000, 6_500, text)], 0))
    assert cue.text == text
    assert (cue.begin, cue.end) == pytest.approx((5, 6.5), abs=0.0001)


def test_after_more_than_a_day_times_go_on() -> None:
    (cue,) = read_vtt(captions.webvtt([PlacedCue("a", 360_000_123, 360_001_000, "Tard")], 0))
    assert cue.begin == pytest.approx(360_000.123, abs=0.0001)


async def test_the_multivariant_playlist_declares_each_language(served: Served, http: ClientSession) -> None:
    fake = served.broadcast(caption_languages=("fr", "en")).open()
    fake.segments(1)
    text = (await got(http, "/live/salle/index.m3u8")).decode()
    lines = [line for line in text.splitlines() if "TYPE=SUBTITLES" in line]
    assert [("Français" in line, 'LANGUAGE="fr"' in line) for line in lines] == [(True, True), (False, False)]
    assert f'URI="{fake.id}/captions-fr.m3u8"' in lines[0]
    assert text.count('SUBTITLES="captions"') == 3
    dvr = (await got(http, "/live/salle/index.m3u8?dvr=1")).decode()
    assert f'URI="{fake.id}/captions-en.m3u8?dvr=1"' in dvr


async def test_without_languages_there_is_nothing(served: Served, http: ClientSession) -> None:
    fake = served.broadcast().open()
    fake.segments(1)
    assert b"SUBTITLES" not in await got(http, "/live/salle/index.m3u8")
    await got(http, served.playlist(fake, "captions-fr"), 404)
    await got(http, served.media(fake, "captions-fr/0.vtt"), 404)


@pytest.mark.parametrize("query", ["", "?dvr=1"])
async def test_segments_lie_beside_those_of_the_pictures(served: Served, http: ClientSession, query: str) -> None:
    fake = served.broadcast(caption_languages=("fr",)).open()
    fake.segments(4)
    fake.new_interval(aired=False)
    fake.segments(2)
    fake.jump(900_000)
    fake.segment(gap_in=("v720",))
    fake.segments(30)
    fake.trim(3)
    fake.begin()
    fake.part(fake.renditions[0], 0, 30_000)
    beside = parse_media((await got(http, served.playlist(fake, "v720", query))).decode())
    mine = await playlist(http, served, fake, query)
    assert not check_playlist(beside)
    assert not check_captions(mine, beside)
    assert [s.msn for s in mine.segments] == [s.msn for s in beside.segments if s.complete] == [*range(3, 37)]
    delta = await playlist(http, served, fake, f"{query or '?'}&_HLS_skip=YES")
    assert delta.skipped > 0
    assert [s.uri for s in delta.segments] == [s.uri for s in mine.segments[delta.skipped :]]
    fake.done()
    fake.close()
    ended = await playlist(http, served, fake, query)
    assert ended.ended


async def test_a_blocking_reload_is_answered_when_the_segment_is_whole(served: Served, http: ClientSession) -> None:
    fake = served.broadcast(caption_languages=("fr",)).open()
    fake.segments(3)
    reload = asyncio.create_task(playlist(http, served, fake, "?_HLS_msn=3"))
    await until(lambda: served.stats.held_now == 1)
    fake.begin()
    for r in fake.renditions:
        fake.part(r, 0, 30_000)
    assert not reload.done()
    fake.done()
    assert [s.msn for s in (await reload).segments] == [0, 1, 2, 3]


async def test_what_is_said_is_in_the_segments_of_its_time(
    served: Served, http: ClientSession, typed: FakeCaptions
) -> None:
    fake = served.broadcast(caption_languages=("fr", "en")).open()
    fake.segments(6)  # of two seconds each
    typed.add("Bonjour à tous", EPOCH_MS + 2_500, lasts_ms=2_000)
    typed.add("<i>Late</i>", EPOCH_MS + 3_000, EPOCH_MS + 8_000, lasts_ms=1_500)
    found = await shown(http, served, fake)
    assert {msn: [cue.text for cue in cues] for msn, cues in found.items()} == {
        0: [],
        1: ["Bonjour à tous"],
        2: ["Bonjour à tous"],
        3: [],
        4: ["<i>Late</i>"],
        5: [],
    }
    assert found[1] == found[2], "one cue, told twice"
    assert (found[1][0].begin, found[1][0].end) == pytest.approx((2.5, 4.5), abs=0.0001)
    async with http.get(served.media(fake, "captions-fr/1.vtt")) as response:
        assert response.content_type == "text/vtt"
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert response.headers["Cache-Control"] == "public, max-age=3"
        etag = response.headers["ETag"]
    async with http.get(served.media(fake, "captions-fr/1.vtt"), headers={"If-None-Match": etag}) as response:
        assert response.status == 304
    assert read_vtt(await got(http, served.media(fake, "captions-en/1.vtt"))) == []
    for name in ("captions-fr/1.m4s", "captions-fr/6.vtt", "captions-de/1.vtt", "v720/1.vtt", "captions-fr/init-1.mp4"):
        await got(http, served.media(fake, name), 404)


async def test_what_was_said_while_the_slate_was_shown_is_read_by_nobody(
    served: Served, http: ClientSession, typed: FakeCaptions
) -> None:
    """A closed session between two public ones: neither in the slate's segments nor, late, in the next session's."""
    fake = served.broadcast(caption_languages=("fr",)).open()
    fake.segments(2)
    fake.new_interval(aired=False)
    fake.segments(2)
    fake.new_interval(aired=True)
    fake.segments(3)
    typed.add("Secret", EPOCH_MS + 5_000)
    typed.add("Secret, late", EPOCH_MS + 7_000, EPOCH_MS + 8_500)
    typed.add("Said before, read on the slate", EPOCH_MS + 3_000, EPOCH_MS + 4_500)
    typed.add("Public", EPOCH_MS + 9_000)
    found = await shown(http, served, fake)
    assert {cue.text for cues in found.values() for cue in cues} == {"Public"}


async def test_a_replay_has_them_at_their_own_times_without_what_was_cut(tmp_path: Path, typed: FakeCaptions) -> None:
    async with replays(tmp_path, captions=typed, languages=("fr",)) as on:
        at = on.studio.at
        on.begin(1.0)
        on.studio.run(12.5)
        typed.add("Before the start", at(0.5))
        typed.add("Late when it was live", at(2.0), at(9))
        typed.add("In the incident", at(4.5))
        typed.add("Until the incident begins and no longer than that", at(3.0))
        typed.add("After it", at(8.0))
        on.end(12, skips=(Span(at(4.0), at(7.7)),))
        player = await on.player()
        assert "captions-fr" in player.renditions
        await player.reload()
        assert not check_captions(player.playlists["captions-fr"], player.playlists["v180"])
        found = await replayed(player)
        # Times are the broadcast's own, as the pictures' are: players shift both at a discontinuity.
        assert {cue.text.replace("\n", " "): round(cue.begin, 3) for cue in found} == {
            "Late when it was live": 2.0,
            "Until the incident begins and no longer than that": 3.0,
            "After it": 8.0,
        }
        assert max(cue.end for cue in found if cue.begin == pytest.approx(3, abs=0.001)) == pytest.approx(
            4.0, abs=0.001
        )
        data = await player.fetch(f"/replay/talk/{on.state.current.id}/download.mp4")  # type: ignore[union-attr]
        assert b"tx3g" in data
        assert b"After it" in data
        assert b"In the incident" not in data


async def replayed(player: Player) -> list[Shown]:
    address = player.renditions["captions-fr"]
    found: dict[tuple[str, float], Shown] = {}
    for segment in player.playlists["captions-fr"].segments:
        for cue in read_vtt(await player.fetch(urljoin(address, segment.uri))):
            found[(cue.id, cue.begin)] = cue
    return sorted(found.values(), key=lambda cue: cue.begin)


async def test_a_replay_that_grows_has_them_too(tmp_path: Path, typed: FakeCaptions) -> None:
    async with replays(tmp_path, captions=typed, languages=("fr",)) as on:
        on.begin(1.0)
        on.studio.run(6.5)
        typed.add("Bonjour", on.studio.at(3.0))
        player = await on.player()
        await player.reload()
        assert not player.playlists["captions-fr"].ended
        assert [cue.text for cue in await replayed(player)] == ["Bonjour"]
