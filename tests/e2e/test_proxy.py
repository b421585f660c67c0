"""Through two edges with our own configuration, nginx and Varnish each: TLS, HTTP/2 and a name that is not localhost,
camera and viewers alike."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.fakes.browser import BY_WEBRTC, OTHER_NAMES, SENDS_SMALL, WEBRTC_AGAIN_S, needs_chromium, opened
from tests.fakes.certificates import Certificate
from tests.fakes.nginx import nginx, nginx_config, nginx_program
from tests.fakes.ports import free_port
from tests.fakes.publishing import TINY, camera
from tests.fakes.running import Running, serving
from tests.fakes.shared import SMALLEST, close_rooms
from tests.fakes.varnish import varnish, varnish_program
from tests.fakes.waiting import until_answered

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.slow,
    *needs_chromium,
    pytest.mark.skipif(
        nginx_program() is None or varnish_program() is None, reason="nginx or varnish is not installed"
    ),
]

NAME = OTHER_NAMES[0]
SECOND = "127.0.0.2"
"""The name of another edge before the same server."""
PROTOCOLS = """() => performance.getEntriesByType('resource')
  .filter(({ name }) => name.includes('/live/') || name.includes('/assets/')).map((entry) => entry.nextHopProtocol)"""
STEERED = "performance.getEntriesByType('resource').some(({ name }) => name.endsWith('/live/steering.json'))"
LAST_HOST = """(host) => new URL(performance.getEntriesByType('resource').map(({ name }) => name)
  .filter((name) => name.includes('/live/')).at(-1)).hostname === host"""
ALL_ENTRIES = "performance.setResourceTimingBufferSize(100_000)"
"""A page keeps 250 otherwise, which a player has asked for in half a minute."""


@dataclass
class Proxied:
    server: Running
    url: str
    first: list[subprocess.Popen[bytes]]
    """The programs of the first edge."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def proxied(certificate: Certificate, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Proxied]:
    folder: Path = tmp_path_factory.mktemp("proxy")
    # Workers of a root-run nginx give up their rights and must still reach their folder.
    for path in (folder, folder.parent, folder.parent.parent):
        path.chmod(0o755)
    port, upstream = free_port(), free_port()
    url = f"https://{NAME}:{port}"
    settings = SMALLEST | {
        "STREAMER_MEDIA__RUNGS": '[{"height": 180, "bitrate_kbps": 150}]',
        "STREAMER_SERVER__TRUSTED_PROXIES": '["127.0.0.1"]',
        "STREAMER_ROOM__WARM_SPARE": "true",
        "STREAMER_EDGES__NAMES": f'["{SECOND}"]',
    }
    async with serving("--public-url", url, environment=settings, port=upstream) as server:
        with contextlib.ExitStack() as running:
            edges = []
            for address in ("127.0.0.1", SECOND):
                own = folder / address
                own.mkdir()
                cache, from_cache = free_port(), free_port()
                config = nginx_config(
                    own,
                    upstream=upstream,
                    port=port,
                    certificate=certificate.file,
                    key=certificate.key,
                    name=NAME,
                    cache=cache,
                    from_cache=from_cache,
                    address=address,
                )
                kept = varnish(own / "varnish", port=cache, origin=from_cache)
                edges.append([running.enter_context(nginx(config)), running.enter_context(kept)])

            async def up() -> bool:
                for address, edge in zip(("127.0.0.1", SECOND), edges, strict=True):
                    ended = any(process.poll() is not None for process in edge)
                    assert not ended, (folder / address / "error.log").read_text()
                    # Until its cache knows that the server lives, it answers 503.
                    nowhere = f"https://{address}:{port}/live/nowhere/index.m3u8"
                    try:
                        async with server.session.get(nowhere, ssl=False) as response:
                            if response.status != 404:
                                return False
                    except aiohttp.ClientError:
                        return False
                return True

            await until_answered(up, limit_s=60)
            yield Proxied(server, url, edges[0])


async def test_the_studio_publishes_and_a_link_from_the_api_leads_there(browser: Browser, proxied: Proxied) -> None:
    await proxied.server.room("amphi", name="Amphi", start="auto")
    grant = await proxied.server.api("POST", "/grants", {"role": "technician", "room": "amphi"}, status=201)
    assert grant["link"].startswith(f"{proxied.url}/studio/amphi#token=")
    async with opened(browser, grant["link"], permissions=("camera", "microphone"), script=SENDS_SMALL) as seen:
        assert await seen.page.evaluate("isSecureContext")
        await seen.page.get_by_role("radio", name="720p").check()
        await seen.page.get_by_role("button", name="Open camera and microphone").click()
        await seen.page.get_by_role("button", name="Go on air").click()
        await seen.holds("document.querySelector('[data-testid=tally]').dataset.state === 'on_air'", within_s=60)
        await proxied.server.wait_state("amphi", "live")
        async with opened(browser, f"{proxied.url}/watch/amphi") as viewer:
            await viewer.holds("document.querySelector('video').currentTime > 1", within_s=60)
    await close_rooms(proxied.server)


async def test_viewers_play_over_http2_and_webrtc_and_go_on_at_another_edge(browser: Browser, proxied: Proxied) -> None:
    await proxied.server.room("hall", name="Grande salle", start="auto")
    async with camera(proxied.server, "hall", options=TINY):
        await proxied.server.wait_state("hall", "live")
        async with opened(browser, f"{proxied.url}/watch/hall?latency=lowest") as lowest:
            await lowest.holds(BY_WEBRTC, within_s=WEBRTC_AGAIN_S)
            await lowest.wait_moving()
        async with opened(browser, f"{proxied.url}/embed/hall") as embedded:
            await embedded.wait_moving()
            link = await embedded.page.get_by_role("link", name="Open the room’s page").get_attribute("href")
            assert link == f"{proxied.url}/watch/hall"
        async with opened(browser, f"{proxied.url}/watch/hall", script=ALL_ENTRIES) as seen:
            await seen.wait_moving()

            async def keeps_up() -> bool:
                late = await seen.latency_ms()
                return late is not None and late < 5_000

            await until_answered(keeps_up, limit_s=60)
            protocols = await seen.page.evaluate(PROTOCOLS)
            assert len(protocols) > 5
            assert set(protocols) == {"h2"}
            # One edge dies: its viewers go on at the other one.
            await seen.mark()
            await seen.holds(STEERED)
            for process in proxied.first:
                process.kill()
            await seen.wait_moving(beyond_ms=time.time_ns() // 1_000_000 + 2_000)
            await seen.holds(LAST_HOST, SECOND)
            await seen.check_mark()
