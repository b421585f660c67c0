"""A director over a real database, with room a."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.directing import Stage
from tests.fakes.loops import _function_scoped_runner as _function_scoped_runner
from tests.fakes.stores import sqlite_store


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    database = sqlite_store(tmp_path)
    await database.start()
    stage = Stage(database, tmp_path)
    await stage.open()
    yield stage
    await database.close()
