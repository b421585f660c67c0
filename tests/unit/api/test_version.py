"""Programs learn whom they talk to before they say who they are."""

from __future__ import annotations

from streamer import PROTOCOL_VERSION, __version__
from tests.unit.api.conftest import Client


async def test_anybody_is_told_the_versions(client: Client) -> None:
    async with client.get("/api/v1/version") as response:
        assert response.status == 200
        assert await response.json() == {"version": __version__, "protocol": PROTOCOL_VERSION}
