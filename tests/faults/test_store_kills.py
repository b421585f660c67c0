"""kill -9 of a process in the middle of its writes: what it had acknowledged is there, and nothing by halves."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.chance import dice
from tests.fakes.store_kills import kill_while_writing

KILLS = 3


@pytest.mark.search
async def test_no_acknowledged_change_is_lost_when_a_writer_is_killed(store_url: str, tmp_path: Path) -> None:
    assert await kill_while_writing(store_url, tmp_path, KILLS, dice()) >= KILLS
