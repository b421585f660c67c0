"""A hall over REST whose alarms go to receivers on this machine. A module that imports the fixtures has them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from streamer.api.context import SERVICES, Services
from streamer.settings import Settings, load_settings
from tests.fakes.receivers import HttpReceiver, Received, http_receiver
from tests.unit.api.conftest import ADMIN, Api, Client


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Receivers on this machine may be reached."""
    return load_settings(
        None,
        data=settings.data,
        admin_token=ADMIN,
        web_dist=settings.web_dist,
        schedules={"allow_networks": ["127.0.0.0/8"]},
        notify={"send_timeout_s": 1},
    )


@pytest.fixture
def services(client: Client) -> Services:
    assert client.server is not None
    return client.server.app[SERVICES]  # type: ignore[attr-defined, no-any-return]


@pytest.fixture
async def receiver() -> AsyncIterator[HttpReceiver]:
    async with http_receiver() as made:
        yield made


@asynccontextmanager
async def notifying(services: Services) -> AsyncIterator[None]:
    running = asyncio.create_task(services.notifier.run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def at(minutes: float) -> str:
    return (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat()


async def late(api: Api, room: str = "salle", **fields: Any) -> str:
    """A session that should have begun: its alarm rings at once."""
    body = {"room": room, "title": "Sailing", "start": at(-0.5), "end": at(30), **fields}
    made: str = (await api("POST", "/sessions", body))["id"]
    return made


@pytest.fixture
async def hall(api: Api) -> Api:
    await api("POST", "/venues", {"id": "lyon", "name": "Lyon"})
    await api("POST", "/rooms", {"id": "salle", "name": "La Salle", "venue": "lyon"})
    return api


async def webhook(api: Api, receiver: HttpReceiver, path: str = "/hook", **fields: Any) -> dict[str, Any]:
    made: dict[str, Any] = await api("POST", "/hooks", {"kind": "webhook", "url": receiver.url(path), **fields})
    return made


def of_type(received: list[Received], kind: str) -> list[dict[str, Any]]:
    return [one.json for one in received if one.json["type"] == kind]
