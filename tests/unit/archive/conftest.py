"""These tests run on the loop of web processes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.archived import Archive, archive
from tests.fakes.loops import _function_scoped_runner as _function_scoped_runner


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Archive]:
    async with archive(tmp_path) as made:
        yield made
