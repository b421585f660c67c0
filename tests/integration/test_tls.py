"""TLS by certificate files under a name, and the public address in every link."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from tests.fakes.certificates import write_certificate
from tests.fakes.following import all_past, faultless
from tests.fakes.hls_client import HlsFollower
from tests.fakes.ports import free_port
from tests.fakes.running import ADMIN_TOKEN, serving
from tests.fakes.shared import SMALL
from tests.fakes.waiting import LIMIT_S, until_answered

pytestmark = pytest.mark.slow

NAME = "venue.test"


class OnLoopback(AbstractResolver):
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [ResolveResult(hostname=host, host="127.0.0.1", port=port, family=socket.AF_INET, proto=0, flags=0)]

    async def close(self) -> None:
        pass


async def test_publish_and_watch_under_a_name_with_tls(tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    write_certificate(certificate, key, names=(NAME,))
    trusting = ssl.create_default_context(cafile=str(certificate))
    port = free_port()
    public = f"https://{NAME}:{port}"
    arguments = ("--tls-cert", str(certificate), "--tls-key", str(key), "--public-url", public)
    settings = SMALL | {"STREAMER_MEDIA__RUNGS": "[]", "STREAMER_ROOM__WARM_SPARE": "false"}
    async with (
        serving(*arguments, port=port, data=tmp_path / "data", environment=settings),
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusting, resolver=OnLoopback(), limit=0)) as session,
    ):

        async def api(method: str, path: str, body: Any = None) -> Any:
            headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
            async with session.request(method, f"{public}/api/v1{path}", json=body, headers=headers) as response:
                assert response.status < 300, await response.text()
                return await response.json()

        await api("POST", "/rooms", {"id": "hall", "name": "Hall", "start": "auto"})
        grant = await api("POST", "/grants", {"role": "technician", "room": "hall"})
        assert grant["link"] == f"{public}/studio/hall#token={grant['token']}"
        async with session.get(f"{public}/watch/hall") as response:
            assert response.status == 200
            assert "Strict-Transport-Security" in response.headers or response.headers["X-Content-Type-Options"]

        # The publisher verifies certificates against the system's store: it is told of ours, under our address.
        publisher = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.fakes.publishing", f"https://127.0.0.1:{port}/whip/hall", grant["token"]),
            env={**os.environ, "SSL_CERT_FILE": str(certificate)},
        )
        try:

            async def live() -> bool:
                assert publisher.returncode is None
                return bool((await api("GET", "/rooms/hall"))["state"] == "live")

            await until_answered(live)
            async with HlsFollower(f"{public}/live/hall/index.m3u8", session=session) as follower:
                await follower.open()
                await follower.follow(until=all_past(1))
                faultless(follower)
        finally:
            publisher.terminate()
            assert await asyncio.wait_for(publisher.wait(), LIMIT_S) == 0
        with pytest.raises(aiohttp.ClientError):
            async with aiohttp.ClientSession() as stranger, stranger.get(f"http://127.0.0.1:{port}/livez"):
                pass
