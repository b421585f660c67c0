"""Both planes die while a room is on air: numbers never repeat, at most one part is lost.

Erasures have deaths of their own: ``test_erasing_kills.py``. At random points, and many: ``tests/soak/test_deaths.py``.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tests.fakes.chance import dice
from tests.fakes.deaths import LOST_MS, die_again_and_again

pytestmark = pytest.mark.slow

DEATHS = 2


async def test_numbers_never_repeat_and_at_most_one_part_is_lost() -> None:
    # Sockets' paths are short: not in pytest's folder.
    with tempfile.TemporaryDirectory(prefix="streamer-") as folder:
        tally = await die_again_and_again(Path(folder) / "data", DEATHS, dice())
    print(f"{dict(tally.deaths)}, back after {[round(s, 1) for s in tally.back_s]} s")
    print(f"lost {[round(ms) for ms in tally.lost_ms]} ms")
    assert max(tally.lost_ms) < LOST_MS
    assert tally.seen
