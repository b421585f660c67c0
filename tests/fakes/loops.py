"""Tests on the loop that web processes run on. A conftest that imports the fixture has them so for its folder.

It takes the place of pytest-asyncio's of this name. Its hook for other loops is no way: a loop that differs between
modules ends what the session's tests share, whole servers among it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
import uvloop


@pytest.fixture
def _function_scoped_runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        asyncio.set_event_loop(runner.get_loop())
        yield runner
    asyncio.set_event_loop(None)
