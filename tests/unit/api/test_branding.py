"""The look of a venue or event in the first byte of the pages, and what nobody may learn from it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.fakes.media_plane import FakePlane, on_air
from tests.unit.api.conftest import Api, Client
from tests.unit.api.test_pages import config_of
from tests.unit.api.test_pictures import png, upload

VENUE, EVENT = "#e30613", "#00aa66"


async def text_of(client: Client, path: str) -> str:
    async with client.get(path) as response:
        return await response.text()


def bands(html: str) -> list[str]:
    """The given colours, in the order of the rules: the last one wins. Each stands in the rules of both schemes."""
    found = re.search(r'<style id="branding">(.*?)</style>', html)
    return [] if found is None else re.findall(r"--color-band:(#[0-9a-f]{6})", found[1])[::2]


def times(minutes: float) -> dict[str, str]:
    start = datetime.now(UTC) + timedelta(minutes=minutes)
    return {"start": start.isoformat(), "end": (start + timedelta(minutes=30)).isoformat()}


@pytest.fixture
async def hall(api: Api, plane: FakePlane) -> Api:
    """A room of a venue that has a look, and an event that has one."""
    logo = (await upload(api, png()))["address"]
    await api("POST", "/venues", {"id": "v", "name": "Maison", "colour": VENUE, "logo": logo, "typeface": "serif"})
    await api("POST", "/rooms", {"id": "a", "name": "A", "venue": "v"})
    await api("POST", "/events", {"id": "days", "name": "Two days", "venue": "v", "colour": EVENT})
    plane.rooms["a"] = on_air()
    return api


async def planned(api: Api, minutes: float, **more: Any) -> str:
    made: dict[str, Any] = await api("POST", "/sessions", {"room": "a", "title": "Talk", **times(minutes), **more})
    return str(made["id"])


@pytest.mark.parametrize("path", ["/", "/?venue=v", "/watch/a", "/embed/a", "/stage/a", "/archive"])
async def test_the_venues_look_stands_in_the_first_byte(hall: Api, path: str) -> None:
    html = await text_of(hall.client, path)
    assert bands(html) == [VENUE]
    assert html.count('name="theme-color"') == 2
    assert "--font-title:Charter" in html
    branding = config_of(html)["branding"]
    assert branding["name"] == "Maison"
    assert branding["logo"].startswith("/logos/")


@pytest.mark.parametrize(
    "path", ["/studio/a", "/moderate/a", "/caption/a", "/admin", "/join", "/archive?event=nothing"]
)
async def test_the_crews_tools_look_the_same_everywhere(hall: Api, path: str) -> None:
    expected = [VENUE] if path.startswith("/archive") else []
    assert bands(await text_of(hall.client, path)) == expected


async def test_an_events_look_comes_behind_its_venues_while_it_is_on_or_near(hall: Api) -> None:
    session = await planned(hall, 60, event="days")
    for path in ("/", "/watch/a", f"/session/{session}", "/archive?event=days"):
        html = await text_of(hall.client, path)
        assert bands(html) == [VENUE, EVENT], path
        assert config_of(html)["branding"]["name"] == "Two days"
        assert config_of(html)["branding"]["logo"].startswith("/logos/")
    assert "<title>Talk · Two days</title>" in await text_of(hall.client, f"/session/{session}")
    await hall("PATCH", "/events/days", {"colour": "#123456"})
    assert bands(await text_of(hall.client, "/watch/a")) == [VENUE, "#123456"]


async def test_an_event_of_next_week_has_only_its_own_pages(hall: Api) -> None:
    session = await planned(hall, 7 * 24 * 60, event="days")
    assert bands(await text_of(hall.client, "/watch/a")) == [VENUE]
    assert bands(await text_of(hall.client, f"/session/{session}")) == [VENUE, EVENT]


@pytest.mark.parametrize("visibility", ["unlisted", "private"])
async def test_a_closed_session_dresses_no_page_in_its_event(hall: Api, visibility: str) -> None:
    session = await planned(hall, 60, event="days", visibility=visibility)
    for path in ("/", "/watch/a", "/embed/a", "/stage/a", "/archive", f"/embed/a?session={session}"):
        assert bands(await text_of(hall.client, path)) == [VENUE], path
    missing = await text_of(hall.client, "/session/nothing")
    assert bands(missing) == []
    # The page of a closed session is that of one that does not exist.
    assert await text_of(hall.client, f"/session/{session}") == missing


async def test_a_server_of_two_venues_has_no_branding_of_one(hall: Api) -> None:
    await hall("POST", "/venues", {"id": "w", "name": "Wien"})
    await hall("POST", "/rooms", {"id": "b", "name": "B", "venue": "w"})
    assert config_of(await text_of(hall.client, "/"))["branding"] is None
    assert bands(await text_of(hall.client, "/?venue=v")) == [VENUE]
    assert bands(await text_of(hall.client, "/watch/b")) == []


async def test_a_cover_is_the_picture_of_a_page_that_has_no_other(hall: Api) -> None:
    cover = f"/covers/{'0' * 24}.jpg"
    await hall("PATCH", "/venues/v", {"cover": cover})
    session = await planned(hall, 60)
    html = await text_of(hall.client, f"/session/{session}")
    assert f'property="og:image" content="http://streamer.test{cover}"' in html
    assert f'--backdrop:url("{cover}")' in html
