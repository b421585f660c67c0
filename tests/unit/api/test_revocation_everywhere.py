"""Everything that a grant, a login or a session's openness had opened ends within a second, in every way to hold
something open; other holders go on undisturbed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from streamer.api.context import now_ms
from streamer.settings import Settings
from streamer.store.grants import Grants
from tests.fakes.everything_open import Venue, venue
from tests.fakes.slow_reader import SlowReader
from tests.fakes.waiting import until


@pytest.fixture
async def hall(settings: Settings) -> AsyncIterator[Venue]:
    async with venue(settings) as made:
        yield made


async def test_a_grant_that_is_deleted_ends_all_that_it_opened_and_nothing_else(hall: Venue) -> None:
    grant, token = await hall.grant("technician", room="hall")
    mine = await hall.everything(token, source="main")
    theirs = await hall.everything((await hall.grant("technician", room="hall"))[1], source="second")
    assert len(mine.over) >= 14
    await hall.api("DELETE", f"/grants/{grant}")
    await mine.all_over()
    await theirs.all_open()
    hall.live.segment()
    assert await theirs.answered() == [200, 200, 200]


async def test_a_grant_that_another_process_deletes_is_over_as_soon(hall: Venue) -> None:
    grant, token = await hall.grant("technician", room="hall")
    mine = await hall.everything(token, source="main")
    async with hall.database.write() as connection:
        await Grants(connection).remove(grant)
    await mine.all_over()


async def test_a_login_that_ends_ends_what_it_opened_and_no_other_of_the_same_person(hall: Venue) -> None:
    password = "correct horse battery staple 42"
    await hall.api("PUT", "/password", {"password": password})
    cookie = await hall.login({"password": password})
    mine, other = await hall.everything(cookie), await hall.everything(await hall.login({"password": password}))
    await hall.api("POST", "/logout", headers={**cookie, "Origin": hall.services.public_url})
    await mine.all_over()
    await other.all_open()


async def test_a_grants_login_ends_alone(hall: Venue) -> None:
    _, token = await hall.grant("technician", room="hall")
    cookie = await hall.login({"token": token["Authorization"].removeprefix("Bearer ")})
    mine, by_token = await hall.everything(cookie), await hall.everything(token)
    await hall.api("POST", "/logout", headers={**cookie, "Origin": hall.services.public_url})
    await mine.all_over()
    await by_token.all_open()


async def test_what_a_grant_opened_ends_with_its_time_but_a_publication_on_air(hall: Venue) -> None:
    began_ms = now_ms()
    others = await hall.everything((await hall.grant("technician", room="hall"))[1])
    # The same again, and the publication, on a machine that may have become slower.
    ends_ms = now_ms() + 2_000 + 8 * (now_ms() - began_ms)
    expires = datetime.fromtimestamp(ends_ms / 1000, UTC).isoformat()
    mine = await hall.everything((await hall.grant("technician", room="hall", expires=expires))[1], source="main")
    assert now_ms() < ends_ms, "it took too long to open everything"
    await asyncio.sleep((ends_ms - now_ms()) / 1000)
    # A preview is hung up by the sweep of every few seconds.
    await mine.all_over(besides=frozenset({"whip", "whep"}))
    assert not hall.plane.rooms["hall"].hung_up or mine.over["whep"]()
    assert not mine.over["whip"]()
    await others.all_open()


async def test_a_shared_link_ends_when_its_session_is_for_invited_people_only(hall: Venue) -> None:
    for name in ("board", "done"):
        await hall.change(name, visibility="unlisted")
    by_links = await hall.by_links()
    for name in ("board", "done"):
        await hall.change(name, visibility="private")
    await by_links.all_over()
    # Unlisted again, it has another link.
    for name in ("board", "done"):
        await hall.change(name, visibility="unlisted")
    await by_links.all_over()


async def test_a_public_recording_that_becomes_private_is_cut_off(hall: Venue) -> None:
    await hall.change("done", visibility="public")
    async with hall.http.get("/api/v1/recordings/done") as r:
        recorded = await r.json()
    public = hall.services.public_url
    replay, download = (recorded[name].removeprefix(public) for name in ("replay_url", "download_url"))
    paths = (replay, download.replace("download.mp4", "v180.m3u8"), download.replace("download.mp4", "v180/1.m4s"))

    async def statuses() -> list[int]:
        found = []
        for path in (*paths, "/api/v1/sessions/done/timeline", "/api/v1/recordings/done"):
            async with hall.http.get(path) as r:
                found.append(r.status)
        return found

    assert await statuses() == [200] * 5
    reader = SlowReader(hall.url)
    await reader.ask(download)
    assert await reader.first_line() == "HTTP/1.1 200 OK"
    await hall.api("PATCH", "/sessions/done", {"visibility": "private"})
    # At once: nothing is waited for.
    assert await statuses() == [404] * 5
    await until(lambda: reader.cut)
    reader.close()
