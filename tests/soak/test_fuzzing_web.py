"""Ten thousand damaged inputs for each parser of the web plane: the long form of ``tests/unit/test_fuzzing_web.py``."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from streamer.api.cursors import Cursors
from streamer.store.database import Database, database_url
from tests.fakes.fuzzed_app import AS_ADMIN, fuzzed, search_polls, search_sockets
from tests.fakes.fuzzed_web import PARSERS, Parser, search, search_cursors, search_requests

ROUNDS = 10_000


@pytest.fixture
def dice() -> random.Random:
    """``SOAK_SEED`` does a search again."""
    seed = int(os.environ.get("SOAK_SEED") or random.randrange(2**32))
    print(f"SOAK_SEED={seed}")
    return random.Random(seed)


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)
def test_a_parser_reads_or_refuses(parser: Parser, dice: random.Random) -> None:
    search(parser, ROUNDS, dice).assert_none()


async def test_cursors_are_read_or_refused(tmp_path: Path, dice: random.Random) -> None:
    database = Database(database_url("", tmp_path))
    await database.start()
    (await search_cursors(Cursors(database), ROUNDS, dice)).assert_none()
    await database.close()


async def test_no_request_makes_an_error_of_ours(tmp_path: Path, dice: random.Random) -> None:
    async with fuzzed(tmp_path) as app:
        (await search_requests(app.ask, AS_ADMIN, ROUNDS, dice)).assert_none()
        assert app.exceptions() == []


async def test_no_frame_makes_an_error_of_ours(tmp_path: Path, dice: random.Random) -> None:
    async with fuzzed(tmp_path) as app:
        (await search_sockets(app, ROUNDS, dice)).assert_none()
        assert app.exceptions() == []


async def test_no_polled_body_makes_an_error_of_ours(tmp_path: Path, dice: random.Random) -> None:
    async with fuzzed(tmp_path) as app:
        (await search_polls(app, ROUNDS, dice)).assert_none()
        assert app.exceptions() == []
