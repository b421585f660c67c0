"""Publishers that lie in every field for some minutes; the short form is ``tests/unit/rtc/test_hostile_rtp.py``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.hostile_room import ordeal
from tests.fakes.liar import LIES


@pytest.mark.timeout(1800)
async def test_ten_pairs_of_liars_one_after_the_other_hold_nobody_up(tmp_path: Path) -> None:
    await ordeal(tmp_path, range(10), LIES)
