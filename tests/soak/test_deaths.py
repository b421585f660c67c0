"""A hundred deaths of both planes: the long form of ``tests/faults/test_deaths.py``."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tests.fakes.chance import dice
from tests.fakes.deaths import LOST_MS, die_again_and_again


@pytest.mark.timeout(3600)
async def test_a_hundred_deaths_of_both_planes() -> None:
    with tempfile.TemporaryDirectory(prefix="streamer-") as folder:
        tally = await die_again_and_again(Path(folder) / "data", 100, dice())
    assert max(tally.lost_ms) < LOST_MS
