"""Replays through a front process: what it serves by itself, and what ends with the core's word. That they play as they
do without one stands in ``tests/unit/delivery/test_replay.py``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from streamer.api.edges import AGAIN_S
from streamer.archive.catalogue import EditionRef
from streamer.delivery.parts import MediaBytes
from streamer.delivery.routes import REPLAY_STATS
from streamer.web import core
from streamer.web.replays import FRESH_S
from tests.fakes.replaying import Replays, replays
from tests.fakes.waiting import LIMIT_S, in_time, until_answered


@pytest.fixture
async def on(tmp_path: Path) -> AsyncIterator[Replays]:
    async with replays(tmp_path, front=True) as made:
        yield made


async def statuses(on: Replays, addresses: list[str]) -> set[int]:
    found = set()
    for address in addresses:
        async with on.http.get(address) as r:
            await r.read()
            found.add(r.status)
    return found


async def all_are(on: Replays, addresses: list[str], status: int) -> bool:
    return await statuses(on, addresses) == {status}


async def finished(on: Replays) -> list[str]:
    """Addresses of a replay that is published, all of which the front has served."""
    on.begin(1.0)
    on.studio.run(8)
    on.end(7)
    player = await on.player()
    await player.reload()
    playlists = list(player.renditions.values())
    media = [one.replace(".m3u8", "/1.m4s") for one in playlists]
    addresses = [player.address, "/replay/talk/vod/index.m3u8", *playlists, *media]
    assert await statuses(on, addresses) == {200}
    return addresses


async def test_a_front_process_serves_what_is_published_and_asks_the_core_for_little(on: Replays) -> None:
    asked: list[str] = []
    find = on.catalogue.find

    async def counted(session: str) -> Any:
        asked.append(session)
        return await find(session)

    on.catalogue.find = counted  # type: ignore[method-assign]
    media = [one for one in await finished(on) if one.endswith(".m4s")]
    own, cores = on.app[REPLAY_STATS], on.core[REPLAY_STATS]
    for _ in range(20):
        await statuses(on, media)
    assert own.segments_total >= 20 * len(media)
    assert (cores.segments_total, cores.playlists_total, cores.index_total) == (0, 0, 0)
    assert len(asked) < own.segments_total / 2
    # All else is the core's.
    async with on.http.get("/replay/talk/vod/download.mp4") as r:
        await r.read()
        assert r.status == 200
    assert cores.downloads_total == 1


async def test_a_replay_that_grows_is_the_cores(on: Replays) -> None:
    on.studio.run(5.5)
    on.begin(3.5)
    on.studio.run(5)
    player = await on.player()
    await player.reload()
    assert (on.app[REPLAY_STATS].playlists_total, on.core[REPLAY_STATS].playlists_total > 0) == (0, True)


@pytest.mark.parametrize("why", ["closed", "withheld", "forgotten", "revoked"])
async def test_what_everybody_could_see_is_refused_within_a_second(on: Replays, why: str) -> None:
    addresses = await finished(on)
    ended, vod = on.state.editions
    if why == "closed":
        on.change(closed=True)
    elif why == "withheld":
        on.change(published=False)
    elif why == "revoked":
        # The session is closed, and the catalogue does not know it yet.
        async def nobody(_session: str, _key: str | None) -> None: ...

        on.keys.open_replay = nobody  # type: ignore[method-assign]
    else:
        fresh = EditionRef("fresh", on.studio.at(3), vod.end_ms, created_ms=on.studio.at(20))
        on.change(editions=(replace(ended, replaced=True), replace(vod, replaced=True), fresh))
        addresses = [one for one in addresses if "/vod/" in one]
    refused = {410} if why == "forgotten" else {404}

    async def all_refused() -> bool:
        return await statuses(on, addresses) == refused

    with in_time(1.0):
        await until_answered(all_refused)
    assert FRESH_S < AGAIN_S / 2, "an edge has asked a front, and the second telling comes after the answer"


async def test_what_is_withheld_while_it_is_read_is_not_given(on: Replays, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.web.replays.FRESH_S", 0.0)
    media = [one for one in await finished(on) if one.endswith(".m4s")]
    get = MediaBytes.get

    async def withheld(self: MediaBytes, *where: Any) -> bytes:
        on.change(published=False)
        return await get(self, *where)

    monkeypatch.setattr(MediaBytes, "get", withheld)
    assert await statuses(on, media[:1]) == {404}


async def test_without_the_core_nobody_says_what_is_published(on: Replays, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "WAIT_S", 0.1)
    addresses = await finished(on)
    await on.core_runner.cleanup()

    with in_time(1.0 + 0.1 * len(addresses)):
        await until_answered(lambda: all_are(on, addresses, 503))


async def test_a_core_that_hangs_holds_no_viewer(on: Replays, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "WAIT_S", 0.1)
    addresses, hangs = await finished(on), asyncio.Event()

    async def never(_session: str) -> None:
        await hangs.wait()

    monkeypatch.setattr(on.catalogue, "find", never)
    try:
        async with asyncio.timeout(LIMIT_S):
            await until_answered(lambda: all_are(on, addresses[:1], 503))
    finally:
        hangs.set()


async def test_nobody_outside_asks_the_core_as_a_front_process_does(on: Replays) -> None:
    await finished(on)
    assert await statuses(on, ["/~front/replay/talk"]) == {404}
