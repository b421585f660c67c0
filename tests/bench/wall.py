"""The cost of the page of all rooms: Chromium without a GPU, ten rooms with meters and pictures that change all the
time (tests/fakes/lively_plane.py). CPU time of all its processes, so that a busy machine changes little."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from tests.bench.machine import Cpu, cpu_seconds, family, spent
from tests.fakes.browser import chromium, opened
from tests.fakes.running import Running
from tests.fakes.web_alone import web_alone
from tests.unit.api.test_signalling import OFFER

ROOMS = 10
SIZES = ((390, 844), (1920, 1080), (3840, 2160))
SETTLES_S = 5.0
PAGE_LIMIT = 0.15
"""Of a core."""

Page = tuple[int, int, float]
"""Width, height, CPU seconds a second."""


async def measure(window_s: float) -> list[Page]:
    # The pages of a test live for seconds, and its browser compiles no script well for them; this one lives for a day.
    async with web_alone({}) as server, chromium("--js-flags=") as browser:
        await server.api("POST", "/venues", {"id": "mines", "name": "Mines"}, status=201)
        for number in range(ROOMS):
            await _on_air(server, f"wall-{number}")
        grant = await server.api("POST", "/grants", {"role": "technician", "venue": "mines"}, status=201)
        found: list[Page] = []
        for width, height in SIZES:
            async with opened(
                browser, grant["link"], width=width, height=height, reduced_motion="no-preference"
            ) as seen:
                await seen.holds(f"document.querySelectorAll('[data-room]').length === {ROOMS}")
                await seen.holds("document.querySelectorAll('[data-room] img').length > 0")
                await asyncio.sleep(SETTLES_S)
                before, began = _browsers(), time.monotonic()
                await asyncio.sleep(window_s)
                used = sum(spent(before, _browsers()).values())
                found.append((width, height, used / (time.monotonic() - began)))
        return found


async def _on_air(server: Running, room: str) -> None:
    token = await server.room(room, venue="mines")
    headers = {"Content-Type": "application/sdp", "Authorization": f"Bearer {token}"}
    async with server.session.post(f"{server.url}/whip/{room}", data=OFFER, headers=headers) as response:
        assert response.status == 201, await response.text()
    await server.begin(await server.plan(room, f"In {room}"))


def _browsers() -> dict[int, Cpu]:
    def is_browser(pid: int) -> bool:
        try:
            return b"chromium" in Path(f"/proc/{pid}/cmdline").read_bytes().partition(b"\0")[0]
        except OSError:
            return False

    return cpu_seconds(pid for pid in family(os.getpid()) if is_browser(pid))


def rows(pages: list[Page]) -> list[str]:
    """Markdown, of three columns."""
    return [
        f"| **The wall's page with {ROOMS} rooms, {width}x{height}** | **{cores:.3f}** | {PAGE_LIMIT} |"
        for width, height, cores in pages
    ]
