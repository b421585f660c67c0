"""``/metrics``: for this machine, the named networks and who holds a token; for nobody through a proxy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer, make_mocked_request

from streamer.api.context import SERVICES
from streamer.api.monitoring import MetricsAccess
from streamer.conference.grants import Grant, Role, new_token
from streamer.errors import Forbidden
from streamer.settings import MetricsSettings, Settings
from streamer.store.database import Database
from streamer.store.grants import Grants
from streamer.web.application import assemble
from tests.fakes.media_plane import FakePlane
from tests.unit.api.conftest import ADMIN, Client, bearer

TOKEN = "for-the-metrics-and-nothing-else-at-all"
STRANGER = "203.0.113.9"


@pytest.fixture
async def behind_proxy(settings: Settings, database: Database) -> AsyncIterator[Client]:
    """Behind a proxy on the loopback, as the shipped ones are."""
    server = settings.server.model_copy(update={"trusted_proxies": ("127.0.0.1",)})
    metrics = MetricsSettings(token=TOKEN, networks=("198.51.100.0/24",))
    settings = settings.model_copy(update={"server": server, "metrics": metrics})
    app = assemble(settings, database, FakePlane(), public_url="http://streamer.test")
    async with TestClient(TestServer(app)) as client:
        yield client


async def ask(client: Client, headers: dict[str, str]) -> int:
    async with client.get("/metrics", headers=headers) as response:
        if response.status == 200:
            assert "streamer_build_info" in await response.text()
        return response.status


async def test_a_stranger_through_the_proxy_reads_no_metrics(behind_proxy: Client) -> None:
    assert await ask(behind_proxy, {"X-Forwarded-For": STRANGER}) == 403
    assert await ask(behind_proxy, {"X-Forwarded-For": f"127.0.0.1, {STRANGER}"}) == 403
    # A loopback address that somebody names is no loopback connection.
    assert await ask(behind_proxy, {"X-Forwarded-For": "127.0.0.1"}) == 403
    assert await ask(behind_proxy, {"Forwarded": "for=127.0.0.1"}) == 403
    assert await ask(behind_proxy, {"X-Forwarded-For": STRANGER, **bearer("a wrong one")}) == 403


async def test_this_machine_the_networks_and_the_token_of_the_settings_read_them(behind_proxy: Client) -> None:
    assert await ask(behind_proxy, {}) == 200
    assert await ask(behind_proxy, {"X-Forwarded-For": "198.51.100.7"}) == 200
    assert await ask(behind_proxy, {"X-Forwarded-For": STRANGER, **bearer(TOKEN)}) == 200


async def test_admins_read_them_from_anywhere_and_a_rooms_crew_does_not(
    behind_proxy: Client, database: Database
) -> None:
    assert await ask(behind_proxy, {"X-Forwarded-For": STRANGER, **bearer(ADMIN)}) == 200
    tokens = {}
    async with database.write() as connection:
        for role in (Role.ADMIN, Role.TECHNICIAN):
            made = new_token()
            await Grants(connection).add(Grant(id=made.grant_id, role=role), made.secret_sha256)
            tokens[role] = made.token
    assert await ask(behind_proxy, {"X-Forwarded-For": STRANGER, **bearer(tokens[Role.ADMIN])}) == 200
    assert await ask(behind_proxy, {"X-Forwarded-For": STRANGER, **bearer(tokens[Role.TECHNICIAN])}) == 403


@pytest.mark.parametrize(
    ("peer", "headers", "may"),
    [
        ("127.0.0.1", {}, True),
        ("::1", {}, True),
        ("::ffff:127.0.0.1", {}, True),
        # A proxy on this machine that the settings do not name.
        ("127.0.0.1", {"X-Forwarded-For": STRANGER}, False),
        (STRANGER, {}, False),
        (STRANGER, {"X-Forwarded-For": "127.0.0.1"}, False),
        (STRANGER, {"X-Forwarded-For": "::1", "X-Real-IP": "127.0.0.1"}, False),
    ],
)
async def test_a_forged_header_opens_nothing(client: Client, peer: str, headers: dict[str, str], may: bool) -> None:
    app: web.Application = client.server.app  # type: ignore[union-attr]
    request = make_mocked_request("GET", "/metrics", headers=headers, app=app)
    told: dict[str, Any] = {"peername": (peer, 1)}
    request.transport.get_extra_info.side_effect = told.get  # type: ignore[union-attr]
    access = MetricsAccess(app[SERVICES])
    if may:
        await access(request)
    else:
        with pytest.raises(Forbidden):
            await access(request)
