"""kill -9 of the web process inside an erasure, at random points, of each kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.chance import dice
from tests.fakes.erasable import prepare
from tests.fakes.killed_erasing import kill_while_erasing

ROUNDS = 6


@pytest.mark.timeout(240)
async def test_what_was_erased_when_the_process_died_is_gone_after_the_next_start(tmp_path: Path) -> None:
    tally = await kill_while_erasing(await prepare(tmp_path / "data"), tmp_path, ROUNDS, dice())
    print(tally)
    assert tally.broken == []
    assert tally.acknowledged + tally.finished_later > 0
