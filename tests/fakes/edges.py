"""An edge that only notes what it is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.test_utils import TestServer

from streamer.api.edges import PATH, SCOPE_HEADER

SECRET = "0123456789abcdef0123456789abcdef"


@dataclass
class StandIn:
    """``status`` is its answer."""

    address: str = ""
    status: int = 204
    told: list[str] = field(default_factory=list)
    """The scopes that it has acknowledged."""


@asynccontextmanager
async def stand_in() -> AsyncIterator[StandIn]:
    made = StandIn()

    async def ban(request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == f"Bearer {SECRET}"
        if made.status == 204:
            made.told.append(request.headers[SCOPE_HEADER])
        return web.Response(status=made.status)

    app = web.Application()
    app.router.add_post(PATH, ban)
    async with TestServer(app) as server:
        made.address = str(server.make_url("/"))
        yield made
