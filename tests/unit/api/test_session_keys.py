"""Keys over a real database: what the web process remembers of their holders, and where they must not stand."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import update

from streamer.api import session_keys
from streamer.conference.spans import output_name
from streamer.errors import Unavailable
from streamer.settings import Settings
from streamer.store import revision
from streamer.store.tables import revisions
from tests.fakes.everything_open import Venue, venue
from tests.unit.api.conftest import Api, Client


@pytest.fixture
async def hall(settings: Settings) -> AsyncIterator[Venue]:
    async with venue(settings) as made:
        yield made


async def test_who_watches_goes_on_while_the_database_does_not_answer(
    hall: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, token = await hall.grant("viewer", session="board")
    board = await hall.api("GET", "/sessions/board", headers=token)
    _, late = await hall.grant("viewer", session="board")
    key = (await hall.api("GET", "/sessions/board", headers=late))["key"]
    keys = hall.services.keys
    outputs = [f"{output_name(session)}" for session in hall.services.director.day("hall").sessions]
    assert await keys.open_live("hall", outputs, board["key"]) is not None
    asked = 0

    @asynccontextmanager
    async def gone() -> AsyncIterator[Any]:
        nonlocal asked
        asked += 1
        raise Unavailable("The database does not answer.")
        yield

    monkeypatch.setattr(session_keys, "FRESH_S", 0.0)
    monkeypatch.setattr(hall.database, "read", gone)
    for _ in range(50):
        assert await keys.open_live("hall", outputs, board["key"]) is not None
    assert asked < 10, "it is not asked again for each part"
    with pytest.raises(Unavailable):
        await keys.open_live("hall", outputs, key)
    monkeypatch.setattr(session_keys, "TRUSTED_S", 0.0)
    with pytest.raises(Unavailable):
        await keys.open_live("hall", outputs, board["key"])


async def test_a_database_from_before_a_link_was_killed_does_not_open_it_again(hall: Venue) -> None:
    keys, path = hall.services.keys, "/sessions/board"
    await hall.api("PATCH", path, {"visibility": "unlisted"})
    link = (await hall.api("GET", path))["watch_url"].rpartition("/")[2]
    before = hall.services.director.find("board")
    assert before is not None
    assert keys.is_link(before, link)
    async with hall.database.read() as connection:
        old = await revision.current(connection)
    for visibility in ("private", "unlisted"):
        await hall.api("PATCH", path, {"visibility": visibility})
    await keys.look()
    await keys.start()
    now = hall.services.director.find("board")
    assert now is not None
    fresh = keys.link_key(now)
    assert not keys.is_link(now, link)
    await keys.start()
    assert keys.is_link(now, fresh), "a start alone ends nothing"
    async with hall.database.write() as connection:
        await connection.execute(update(revisions).values(value=old))
    await keys.start()
    assert not keys.is_link(before, link)
    renewed = keys.link_key(before)
    await keys.start()
    assert keys.is_link(before, renewed), "once is enough"


async def test_no_key_and_no_inner_name_in_bodies_logs_or_metrics(
    hall: Venue, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    mine = await hall.everything((await hall.grant("technician", room="hall"))[1])
    session = await hall.api("GET", "/sessions/board", headers=mine.headers)
    key, inner = session["key"], output_name(hall.services.director.day("hall").sessions[-1])
    base = session["live_url"].removesuffix("index.m3u8")
    bodies = []
    paths = (session["live_url"], f"{base}{hall.live.id}/v720.m3u8", f"{base}nothing", f"{base}%00.m3u8")
    for path in (*paths, "/metrics", "/api/v1/rooms/hall", "/streams/v2.json"):
        async with hall.http.get(path) as r:
            bodies.append(await r.text())
            bodies.append(str(dict(r.headers)))
    written = capsys.readouterr()
    # The test server's own access log is the one that production does without (``web.py``).
    logged = [record.getMessage() for record in caplog.records if record.name != "aiohttp.access"]
    text = "\n".join([*bodies, *logged, written.out, written.err])
    assert key not in text
    assert key.rpartition(".")[2] not in text
    assert inner not in text


async def test_the_page_of_a_link_is_told_to_nobody_and_kept_nowhere(client: Client, api: Api) -> None:
    made: list[str] = []
    for path in ("/session/unknown/link.wrong", "/session/unknown"):
        async with client.get(path, headers={"Accept": "text/html"}) as r:
            assert r.status == (200 if "link" in path else 404)
            made.append(r.headers["Referrer-Policy"])
            if "wrong" in path:
                assert r.headers["Cache-Control"] == "private, no-store"
                assert r.headers["X-Robots-Tag"] == "noindex"
                assert "wrong" not in await r.text()
    assert made == ["no-referrer", "strict-origin-when-cross-origin"]


@pytest.mark.parametrize(("language", "words"), [("en", "Ask for a new link"), ("fr", "Demandez un nouveau lien")])
async def test_old_addresses_ask_for_a_new_link(hall: Venue, language: str, words: str) -> None:
    headers = {"Accept": "text/html", "Accept-Language": language}
    texts = set()
    for path in (
        "/live/hall/~an-old-key/index.m3u8",
        "/replay/done/index.m3u8?key=an-old-key",
        "/replay/nothing/index.m3u8?key=an-old-key",
    ):
        async with hall.http.get(path, headers=headers) as r:
            assert r.status == 404
            texts.add(await r.text())
    assert len(texts) == 1
    assert words in texts.pop()
