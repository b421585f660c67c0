"""A hundred deaths in the middle of writes: the long form of ``test_store_kills`` and ``test_audience_kills``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.audience_lives import Lives
from tests.fakes.chance import dice
from tests.fakes.store_kills import kill_while_writing
from tests.fakes.stores import postgres, store_url

__all__ = ["postgres", "store_url"]

KILLS = 100


@pytest.mark.timeout(3600)
async def test_no_acknowledged_change_is_lost(store_url: str, tmp_path: Path) -> None:
    assert await kill_while_writing(store_url, tmp_path, KILLS, dice()) >= KILLS


@pytest.mark.timeout(3600)
async def test_nothing_of_an_audience_that_was_acknowledged_is_lost(tmp_path: Path) -> None:
    lives = Lives(tmp_path, dice())
    await lives.begin()
    for _ in range(KILLS):
        await lives.live()
        assert lives.lost == set()
    assert lives.kinds["chat"] > 0
