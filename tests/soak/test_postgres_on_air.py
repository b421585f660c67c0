"""The same as tests/faults/test_postgres_on_air.py, with PostgreSQL stopped for thirty seconds, or started again a
hundred times."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tests.fakes.outages import database_away
from tests.fakes.postgres import binaries

RESTARTS = 100


@pytest.mark.timeout(300)
@pytest.mark.skipif(binaries() is None, reason="PostgreSQL is not installed (apt-get install postgresql)")
async def test_postgresql_stopped_for_thirty_seconds() -> None:
    with tempfile.TemporaryDirectory(prefix="streamer-") as folder:
        await database_away(Path(folder) / "data", stop_s=30)


@pytest.mark.timeout(3600)
@pytest.mark.skipif(binaries() is None, reason="PostgreSQL is not installed (apt-get install postgresql)")
async def test_postgresql_killed_or_restarted_a_hundred_times() -> None:
    with tempfile.TemporaryDirectory(prefix="streamer-") as folder:
        taps = await database_away(Path(folder) / "data", stop_s=1, restarts=RESTARTS)
    print(f"{len(taps.made)} acknowledged, {dict(taps.refused)}, slowest {taps.slowest_s:.1f} s")
