"""The API over a real database and a real HTTP server, with a fake media plane."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from argon2 import PasswordHasher

from streamer import passwords
from streamer.api import edges
from streamer.api.routes import make_application
from streamer.audience.service import Audience
from streamer.director.director import Director
from streamer.observe.metrics import WebMetrics
from streamer.settings import Settings, load_settings
from streamer.store.database import Database
from streamer.web.application import make_services
from tests.fakes.edges import StandIn, stand_in
from tests.fakes.loops import _function_scoped_runner as _function_scoped_runner
from tests.fakes.media_plane import FakePlane
from tests.fakes.stores import sqlite_store

ADMIN = "admin-token-of-the-tests-0123456789"
REAL_HASHER = passwords._HASHER

Client = TestClient[web.Request, web.Application]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords are hashed by the same rules with a thousandth of the work, which is a fifth of a second on purpose."""
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))


@pytest.fixture(scope="session")
def built_pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For all tests: who changes them copies the folder."""
    dist = tmp_path_factory.mktemp("dist")
    (dist / "assets").mkdir()
    for page in (
        "index",
        "watch",
        "studio",
        "embed",
        "session",
        "admin",
        "caption",
        "join",
        "stage",
        "hall",
        "docs",
        "archive",
    ):
        (dist / f"{page}.html").write_text(
            f'<!doctype html><html lang="en"><head><title>{page}</title>'
            f'<link rel="stylesheet" href="/assets/{page}.css"></head><body><div id="app"></div></body></html>'
        )
    (dist / "assets" / "app-abc123.js").write_text("console.log('hello');" * 50)
    (dist / "assets" / "app-abc123.js.br").write_bytes(b"what the build packed")
    return dist


@cache
def _loaded() -> Settings:
    """Reading the environment takes longer than many a test."""
    return load_settings(None, admin_token=ADMIN, room={"failed_attempts_per_minute": 5})


@pytest.fixture
def settings(tmp_path: Path, built_pages: Path) -> Settings:
    return _loaded().model_copy(update={"data": tmp_path / "data", "web_dist": built_pages})


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    database = sqlite_store(settings.data)
    await database.start()
    yield database
    await database.close()


@pytest.fixture
def plane() -> FakePlane:
    return FakePlane()


@pytest.fixture
async def serve(database: Database, plane: FakePlane) -> AsyncIterator[Callable[[Settings], Awaitable[Client]]]:
    """Start the API with settings of one's own."""
    clients: list[Client] = []

    directors: list[Director] = []
    audiences: list[Audience] = []

    async def start(settings: Settings) -> Client:
        services = make_services(
            settings,
            database,
            plane,
            public_url="http://streamer.test",
            public_state=lambda link: link.state,  # type: ignore[attr-defined]
        )
        await services.director.start()
        directors.append(services.director)
        await services.keys.start()
        await services.audience.start()
        audiences.append(services.audience)
        client: Client = TestClient(TestServer(make_application(services, WebMetrics().observe)))
        await client.start_server()
        clients.append(client)
        return client

    yield start
    for client in clients:
        await client.close()
    for audience in audiences:
        await audience.close()
    for director in directors:
        await director.close()


@pytest.fixture
async def client(serve: Callable[[Settings], Awaitable[Client]], settings: Settings) -> Client:
    return await serve(settings)


class Api:
    """Short for requests with a token."""

    def __init__(self, client: Client, token: str = ADMIN) -> None:
        self.client = client
        self.token = token

    def as_(self, token: str) -> Api:
        return Api(self.client, token)

    async def __call__(
        self, method: str, path: str, body: Any = None, *, expect: int | None = None, **headers: str
    ) -> Any:
        """The answer's JSON; fails when the status is not the expected one. ``headers``: by name, ``_`` for ``-``."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        wanted = expect or {"POST": 201, "DELETE": 204}.get(method, 200)
        async with self.client.request(
            method, f"/api/v1{path}", json=body, headers={**(bearer(self.token) if self.token else {}), **named}
        ) as response:
            text = await response.text()
            assert response.status == wanted, text
            return await response.json() if text else None

    async def grant(self, role: str, **scope: Any) -> str:
        """A new grant's token."""
        token: str = (await self("POST", "/grants", {"role": role, **scope}))["token"]
        return token


@pytest.fixture
def api(client: Client) -> Api:
    return Api(client)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Edges are told again, and given up on, after moments."""
    for name, value in {"RETRY_S": 0.02, "AGAIN_S": 0.02, "TOLD_WITHIN_S": 0.1}.items():
        monkeypatch.setattr(edges, name, value)


@pytest.fixture
async def edge(impatient: None) -> AsyncIterator[StandIn]:
    async with stand_in() as made:
        yield made
