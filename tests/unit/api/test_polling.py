"""Schedules that are followed: what is told of how the last look went, and of what waits for somebody's yes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest
from aiohttp import web

from streamer.api.context import SERVICES
from streamer.planning.poll import SchedulePoller
from streamer.settings import Settings
from tests.unit.api.conftest import Api, Client
from tests.unit.api.test_imports import schedule
from tests.unit.planning.test_fetch import serving


@dataclass
class Site:
    """A web site with a schedule, and an API that follows it."""

    api: Api
    url: str = ""
    text: str = ""
    asked: int = 0

    async def handle(self, _request: web.Request) -> web.Response:
        self.asked += 1
        if not self.text:
            return web.Response(status=500)
        return web.Response(text=self.text, content_type="application/xml")

    def poller(self) -> SchedulePoller:
        assert self.api.client.app is not None
        return self.api.client.app[SERVICES].schedules


@pytest.fixture
async def site(serve: Callable[[Settings], Awaitable[Client]], settings: Settings) -> AsyncIterator[Site]:
    local = settings.schedules.model_copy(update={"allow_networks": ("127.0.0.1",)})
    site = Site(Api(await serve(settings.model_copy(update={"schedules": local}))))
    async with serving(site.handle) as server:
        site.url = str(server.make_url("/schedule.xml"))
        yield site


async def test_how_the_last_look_at_a_schedule_went_is_told_and_survives_a_restart(site: Site) -> None:
    api = site.api
    await api("POST", "/events", {"id": "jdl", "name": "Journées"})
    assert (await api("GET", "/schedule-sources"))["items"] == []
    assert (await api("POST", "/schedule-sources/jdl/poll", expect=409))["error"]["code"] == "no_schedule"
    await api("PATCH", "/events/jdl", {"source_url": site.url})
    (new,) = (await api("GET", "/schedule-sources"))["items"]
    assert (new["event_name"], new["url"], new["polled"], new["error"], new["waiting"]) == (
        "Journées",
        site.url,
        None,
        "",
        [],
    )
    failed = await api("POST", "/schedule-sources/jdl/poll", expect=200)
    assert "500" in failed["error"]
    assert failed["polled"] is not None
    site.text = schedule((1, "09:00", "One"), (2, "10:00", "Two"))
    read = await api("POST", "/schedule-sources/jdl/poll", expect=200)
    assert (read["error"], read["waiting"]) == ("", [])
    one = next(item for item in (await api("GET", "/sessions?event=jdl"))["items"] if item["title"] == "One")
    await api("POST", f"/sessions/{one['id']}/delay", {"minutes": 10}, expect=200)
    site.text = schedule((1, "11:00", "One"), (2, "10:00", "Deux"))
    waits = await api("POST", "/schedule-sources/jdl/poll", expect=200)
    assert [(item["title"], item["needs_yes"]) for item in waits["waiting"]] == [("One", True)]
    assert [item["code"] for item in waits["waiting"][0]["consequences"]] == ["delayed_by_hand"]
    assert {item["title"] for item in (await api("GET", "/sessions?event=jdl"))["items"]} == {"One", "Deux"}
    # Another process finds out by itself, and then has no reason to look again so soon.
    assert api.client.app is not None
    api.client.app[SERVICES].schedules.waiting.clear()
    asked, poller = site.asked, site.poller()
    for _ in range(2):
        await poller.look()
        (told,) = (await api("GET", "/schedule-sources?event=jdl"))["items"]
        assert [item["title"] for item in told["waiting"]] == ["One"]
    assert (site.asked - asked, poller.failures) == (1, 0)
    # Somebody says yes, by hand: nothing waits any more at the next look.
    shown = await api("POST", "/imports", {"url": site.url, "event": "jdl"})
    await api("POST", f"/imports/{shown['id']}/apply", {"accept": "all"}, expect=200)
    assert (await api("POST", "/schedule-sources/jdl/poll", expect=200))["waiting"] == []
    await api("PATCH", "/events/jdl", {"source_url": ""})
    assert (await api("GET", "/schedule-sources"))["items"] == []


async def test_who_plans_an_event_sees_its_schedule_alone(site: Site) -> None:
    api = site.api
    for event in ("jdl", "other"):
        await api("POST", "/events", {"id": event, "name": event, "source_url": site.url})
    organiser = api.as_(await api.grant("organiser", event="jdl"))
    assert [item["event"] for item in (await organiser("GET", "/schedule-sources"))["items"]] == ["jdl"]
    await organiser("GET", "/schedule-sources?event=other", expect=403)
    await organiser("POST", "/schedule-sources/other/poll", expect=403)
    await organiser("POST", "/schedule-sources/jdl/poll", expect=200)
    await organiser("GET", "/schedule-sources?event=nothing", expect=404)
