"""kill -9 in the middle of two hundred writes a second: no acknowledged message, vote or moderation action is lost."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.fakes.audience_lives import Lives

KILLS = 2
SEED = 1


@pytest.mark.timeout(300)
async def test_nothing_that_was_acknowledged_is_lost(tmp_path: Path) -> None:
    lives = Lives(tmp_path, random.Random(SEED))
    await lives.begin()
    for _ in range(KILLS):
        await lives.live()
        assert lives.lost == set()
    print(f"{dict(lives.kinds)} acknowledged in {KILLS} lives")
    assert lives.kinds["chat"] > 0
