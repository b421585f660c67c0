"""A hundred deaths inside an erasure: the long form of ``tests/faults/test_erasing_kills.py``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.chance import dice
from tests.fakes.erasable import prepare
from tests.fakes.killed_erasing import kill_while_erasing


@pytest.mark.timeout(1800)
async def test_a_hundred_deaths_inside_an_erasure(tmp_path: Path) -> None:
    tally = await kill_while_erasing(await prepare(tmp_path / "data"), tmp_path, 100, dice())
    print(tally)
    assert tally.broken == []
    assert tally.finished_later > 0
