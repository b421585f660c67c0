"""The whole server over each database: what it answered is there after kill -9 and after a restart."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.fakes.running import Running, serving
from tests.fakes.waiting import until_answered


@pytest.fixture
def data() -> Iterator[Path]:
    # Sockets' paths are short: not in pytest's folder.
    with tempfile.TemporaryDirectory(prefix="streamer-") as folder:
        yield Path(folder) / "data"


pytestmark = pytest.mark.slow

STORED = {
    "venues": ("id", "name", "timezone", "language"),
    "rooms": ("id", "name", "venue", "start", "between"),
    "grants": ("id", "role", "room", "label"),
}


async def everything(server: Running) -> dict[str, list[dict[str, Any]]]:
    """The stored values of each resource, without present states."""
    return {
        kind: [
            {name: item[name] for name in names} for item in (await server.api("GET", f"/{kind}", status=200))["items"]
        ]
        for kind, names in STORED.items()
    }


async def test_what_was_answered_outlives_the_server(store_url: str, data: Path) -> None:
    # No room is opened: none has to wait for one.
    settings = {"STREAMER_STORE__URL": store_url, "STREAMER_ROOM__WARM_SPARE": "false"}
    async with serving(data=data, environment=settings) as server:
        await server.api("POST", "/venues", {"id": "v", "name": "Été"}, status=201)
        token = await server.room("a", venue="v")
        assert (await server.api("DELETE", "/venues/v", status=409))["error"]["code"] == "in_use"
        assert (await server.api("POST", "/rooms", {"id": "a", "name": "A"}, status=409))["error"]["code"] == "exists"
        before = await everything(server)
        assert [len(items) for items in before.values()] == [1, 1, 1]

        await server.api("PATCH", "/rooms/a", {"name": "Grande salle"}, status=200)
        old = await server.kill("web")

        async def back() -> bool:
            try:
                return server.pid("web") != old and bool(await everything(server))
            except (aiohttp.ClientError, OSError, AssertionError):
                return False

        await until_answered(back)
        before["rooms"][0]["name"] = "Grande salle"
        assert await everything(server) == before
    async with serving(data=data, environment=settings) as server:
        assert await everything(server) == before
        headers = {"Authorization": f"Bearer {token}"}
        async with server.session.get(f"{server.url}/api/v1/rooms/a", headers=headers) as answer:
            assert answer.status == 200
        await server.api("DELETE", "/rooms/a", status=204)
        await server.api("DELETE", "/venues/v", status=204)
        assert (await everything(server))["grants"] == []
