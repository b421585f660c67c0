"""Through a front process: the rights of each role. The tests are those of the server itself."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession, DummyCookieJar, web
from aiohttp.test_utils import TestServer

from streamer.control import run_folder
from streamer.settings import Settings
from streamer.web.core import Core
from streamer.web.front import front_application
from tests.fakes.loops import _function_scoped_runner as _function_scoped_runner
from tests.fakes.media_plane import FakePlane
from tests.unit.api.conftest import built_pages as built_pages
from tests.unit.api.conftest import quick_hashes as quick_hashes
from tests.unit.api.conftest import settings as alone
from tests.unit.api.test_rights import (
    World,
    test_a_cookie_opens_what_its_token_opens_and_nothing_else,
    test_a_strangers_token_is_refused_everywhere_but_on_pages_and_media,
    test_each_role_and_scope_gets_what_the_table_says_and_no_more,
    test_what_is_open_answers_nobody_and_everybody_alike,
)
from tests.unit.api.test_rights import world as server

__all__ = [
    "alone",
    "server",
    "test_a_cookie_opens_what_its_token_opens_and_nothing_else",
    "test_a_strangers_token_is_refused_everywhere_but_on_pages_and_media",
    "test_each_role_and_scope_gets_what_the_table_says_and_no_more",
    "test_what_is_open_answers_nobody_and_everybody_alike",
]


@pytest.fixture
def settings(alone: Settings) -> Settings:
    return alone.model_copy(update={"server": alone.server.model_copy(update={"web_processes": 1})})


@pytest.fixture
async def world(server: World, settings: Settings) -> AsyncIterator[World]:
    runner = server.client.server.runner
    assert runner is not None
    run_folder.make_run_dir(settings.run_dir)
    await web.SockSite(runner, run_folder.listen(settings.run_dir, run_folder.CORE_SOCKET)).start()
    async with (
        TestServer(front_application(settings, FakePlane(), Core(settings.run_dir))) as front,
        ClientSession(str(front.make_url("/")), cookie_jar=DummyCookieJar()) as server.edge,
    ):
        yield server
