from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession

from tests.fakes.delivery_server import Served, serve
from tests.fakes.loops import _function_scoped_runner as _function_scoped_runner
from tests.fakes.replaying import Replays, replays


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serve(tmp_path) as server:
        yield server


@pytest.fixture
async def http(served: Served) -> AsyncIterator[ClientSession]:
    async with ClientSession(served.url, auto_decompress=True) as session:
        yield session


@pytest.fixture
async def on(tmp_path: Path) -> AsyncIterator[Replays]:
    async with replays(tmp_path) as made:
        yield made


@pytest.fixture(params=["itself", "a front process"])
async def either_way(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Replays]:
    """Served by the web process itself, and by a front process before it."""
    monkeypatch.setattr("streamer.web.replays.FRESH_S", 0.0)
    async with replays(tmp_path, front=request.param != "itself") as made:
        yield made
