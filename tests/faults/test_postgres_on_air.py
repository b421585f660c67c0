"""PostgreSQL stopped, killed and started again under a room that is on air."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tests.fakes.outages import database_away
from tests.fakes.postgres import binaries

pytestmark = pytest.mark.slow

RESTARTS = 4
"""The long form in tests/soak has more."""


@pytest.mark.skipif(binaries() is None, reason="PostgreSQL is not installed (apt-get install postgresql)")
async def test_the_broadcast_and_the_clock_go_on_and_nothing_acknowledged_is_lost() -> None:
    with tempfile.TemporaryDirectory(prefix="streamer-") as folder:
        taps = await database_away(Path(folder) / "data", stop_s=1, restarts=RESTARTS)
    print(f"{len(taps.made)} acknowledged, {dict(taps.refused)}, slowest {taps.slowest_s:.1f} s")
