"""Ten thousand damaged inputs for each parser of the web plane: the long form of ``tests/unit/test_fuzzing_web.py``."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamer.api.cursors import Cursors
from tests.fakes.chance import dice
from tests.fakes.fuzzed_app import AS_ADMIN, fuzzed, search_polls, search_sockets
from tests.fakes.fuzzed_web import PARSERS, Parser, search, search_cursors, search_requests
from tests.fakes.stores import sqlite_store

ROUNDS = 10_000


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)
def test_a_parser_reads_or_refuses(parser: Parser) -> None:
    search(parser, ROUNDS, dice()).assert_none()


async def test_cursors_are_read_or_refused(tmp_path: Path) -> None:
    database = sqlite_store(tmp_path)
    await database.start()
    (await search_cursors(Cursors(database), ROUNDS, dice())).assert_none()
    await database.close()


async def test_no_request_makes_an_error_of_ours(tmp_path: Path) -> None:
    async with fuzzed(tmp_path) as app:
        (await search_requests(app.ask, AS_ADMIN, ROUNDS, dice())).assert_none()
        assert app.exceptions() == []


async def test_no_frame_makes_an_error_of_ours(tmp_path: Path) -> None:
    async with fuzzed(tmp_path) as app:
        (await search_sockets(app, ROUNDS, dice())).assert_none()
        assert app.exceptions() == []


async def test_no_polled_body_makes_an_error_of_ours(tmp_path: Path) -> None:
    async with fuzzed(tmp_path) as app:
        (await search_polls(app, ROUNDS, dice())).assert_none()
        assert app.exceptions() == []
