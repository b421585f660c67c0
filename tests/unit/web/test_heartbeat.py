"""The server's signs of life."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web
from pydantic import ValidationError

from streamer.errors import Unavailable
from streamer.settings import Settings, load_settings
from streamer.web.heartbeat import Heartbeat
from tests.unit.planning.test_fetch import serving


def settings(folder: Path, url: str, *allowed: str) -> Settings:
    return load_settings(
        None, data=folder, notify={"heartbeat_url": url}, schedules={"allow_networks": allowed, "fetch_timeout_s": 5}
    )


async def fine() -> None:
    return None


async def broken() -> None:
    raise Unavailable("The media host does not answer.", code="media_host_unavailable")


async def test_a_server_that_works_gives_signs_of_life_and_one_that_does_not_gives_none(tmp_path: Path) -> None:
    heard: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        heard.append(f"{request.method} {request.path_qs}")
        return web.Response(status=204 if "empty" in request.path else 500 if "error" in request.path else 200)

    async with serving(handler) as server:
        for path, expected in (("/ping?room=1", True), ("/empty", True), ("/error", False)):
            given = settings(tmp_path, str(server.make_url(path)), "127.0.0.1")
            assert await Heartbeat(given, {"database": fine}).beat() is expected, path
            assert heard.pop() == f"GET {path}"
            assert await Heartbeat(given, {"database": fine, "media_host": broken}).beat() is False
            assert heard == []


async def test_the_address_obeys_the_rules_of_polled_schedules(tmp_path: Path) -> None:
    async def handler(_request: web.Request) -> web.Response:
        raise AssertionError("it was asked")

    async with serving(handler) as server:
        assert await Heartbeat(settings(tmp_path, str(server.make_url("/"))), {}).beat() is False


@pytest.mark.parametrize("url", ["ftp://example.org/", "example.org", "https://user:word@example.org/", "https://"])
def test_what_is_no_address_is_refused_where_it_is_typed(tmp_path: Path, url: str) -> None:
    with pytest.raises(ValidationError, match="heartbeat_url"):
        settings(tmp_path, url)
