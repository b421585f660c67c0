"""Vite's part of ``make dev``, before a server that is there already."""

from __future__ import annotations

import shutil

import aiohttp
import pytest

from tests import dev
from tests.fakes.ports import free_port
from tests.fakes.running import Running
from tests.fakes.waiting import until_answered

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed"),
]


async def test_pages_come_from_their_sources_and_all_else_from_the_server(server: Running) -> None:
    await server.room("dev", name="Salle d’essai")
    port = free_port()
    pages = dev.vite("127.0.0.1", port, server.url)
    pages.start()
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as browser:

            async def get(path: str) -> str:
                try:
                    async with browser.get(path) as answer:
                        return await answer.text() if answer.status == 200 else ""
                except aiohttp.ClientError:
                    return ""

            await until_answered(lambda: get("/api/v1/rooms/dev"))
            watch = await get("/watch/dev")
            assert "/src/pages/watch/main.ts" in watch
            assert '"name":"Salle d’essai"' in watch
            assert "/src/pages/docs/main.ts" in await get("/api/v1/docs")
            for path in ("/schedule.json", "/readyz", "/watch/dev/qr.svg", "/src/pages/watch/main.ts"):
                assert await get(path), path
            socket = "/socket.io/?EIO=4&transport=websocket"
            async with browser.ws_connect(socket, origin=server.url) as connection:
                assert (await connection.receive_str(timeout=10)).startswith("0{")
    finally:
        pages.stop()
    assert pages.ended
