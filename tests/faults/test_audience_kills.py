"""kill -9 in the middle of two hundred writes a second: no acknowledged message, vote or moderation action is lost, and
none that is sent again stands there twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.audience_lives import Lives
from tests.fakes.chance import dice

KILLS = 2


@pytest.mark.search
@pytest.mark.timeout(300)
async def test_nothing_that_was_acknowledged_is_lost_and_nothing_sent_again_is_doubled(tmp_path: Path) -> None:
    lives = Lives(tmp_path, dice())
    await lives.begin()
    for _ in range(KILLS):
        await lives.live()
        assert lives.lost == set()
        assert lives.doubled == set()
    print(f"{dict(lives.kinds)} acknowledged in {KILLS} lives, {lives.repeated} stored without an answer")
    assert lives.kinds["chat"] > 0
