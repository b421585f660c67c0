"""Damaged input from strangers to the web plane: some hundred inputs for each parser (``make soak``: 10,000)."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamer.api.cursors import Cursors
from tests.fakes.chance import dice
from tests.fakes.fuzzed_app import AS_ADMIN, fuzzed, search_polls, search_sockets
from tests.fakes.fuzzed_web import PARSERS, Parser, search, search_cursors, search_requests
from tests.fakes.stores import sqlite_store

ROUNDS = 200


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)
def test_a_parser_reads_or_refuses(parser: Parser) -> None:
    search(parser, ROUNDS, dice(8)).assert_none()


async def test_cursors_are_read_or_refused(tmp_path: Path) -> None:
    database = sqlite_store(tmp_path)
    await database.start()
    (await search_cursors(Cursors(database), ROUNDS, dice(8))).assert_none()
    await database.close()


async def test_no_request_makes_an_error_of_ours(tmp_path: Path) -> None:
    async with fuzzed(tmp_path) as app:
        (await search_requests(app.ask, AS_ADMIN, 2 * ROUNDS, dice(8))).assert_none()
        assert app.exceptions() == []


async def test_no_frame_makes_an_error_of_ours(tmp_path: Path) -> None:
    async with fuzzed(tmp_path) as app:
        (await search_sockets(app, 2 * ROUNDS, dice(8))).assert_none()
        assert app.exceptions() == []


async def test_no_polled_body_makes_an_error_of_ours(tmp_path: Path) -> None:
    async with fuzzed(tmp_path) as app:
        (await search_polls(app, 2 * ROUNDS, dice(8))).assert_none()
        assert app.exceptions() == []
