"""Through an edge: the rights of each role, and closed sessions' outputs. The tests are those of the server itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession

from tests.fakes.delivery_server import Served
from tests.fakes.loops import _function_scoped_runner as _function_scoped_runner
from tests.fakes.varnish import at_edge, varnish_program
from tests.unit.api.conftest import built_pages as built_pages
from tests.unit.api.conftest import quick_hashes as quick_hashes
from tests.unit.api.conftest import settings as settings
from tests.unit.api.test_rights import (
    World,
    test_a_cookie_opens_what_its_token_opens_and_nothing_else,
    test_a_strangers_token_is_refused_everywhere_but_on_pages_and_media,
    test_each_role_and_scope_gets_what_the_table_says_and_no_more,
    test_what_is_open_answers_nobody_and_everybody_alike,
)
from tests.unit.api.test_rights import world as server
from tests.unit.delivery.conftest import served as served
from tests.unit.delivery.test_private import (
    test_a_session_that_is_over_leaves_nothing_behind,
    test_an_interval_that_is_not_public_is_not_served_in_public,
    test_another_key_is_like_a_room_that_is_not_there,
    test_public_addresses_serve_nothing_of_it,
    test_the_programme_has_no_address,
    test_whoever_has_the_key_plays_it_from_the_address_alone,
)

__all__ = [
    "server",
    "test_a_cookie_opens_what_its_token_opens_and_nothing_else",
    "test_a_session_that_is_over_leaves_nothing_behind",
    "test_a_strangers_token_is_refused_everywhere_but_on_pages_and_media",
    "test_an_interval_that_is_not_public_is_not_served_in_public",
    "test_another_key_is_like_a_room_that_is_not_there",
    "test_each_role_and_scope_gets_what_the_table_says_and_no_more",
    "test_public_addresses_serve_nothing_of_it",
    "test_the_programme_has_no_address",
    "test_what_is_open_answers_nobody_and_everybody_alike",
    "test_whoever_has_the_key_plays_it_from_the_address_alone",
]
pytestmark = pytest.mark.skipif(varnish_program() is None, reason="varnish is not installed")


@pytest.fixture
async def world(server: World, tmp_path: Path) -> AsyncIterator[World]:
    async with at_edge(tmp_path / "varnish", str(server.client.make_url("/"))) as server.edge:
        server.metrics = 403
        yield server


@pytest.fixture
async def http(served: Served, tmp_path: Path) -> AsyncIterator[ClientSession]:
    async with at_edge(tmp_path / "varnish", served.url) as edge:
        yield edge
