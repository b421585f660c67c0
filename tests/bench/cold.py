"""A cold start of the watch page over a slow link: Chromium's throttling at 400 kbit/s and 400 ms, nothing cached.

The text is the server's, the picture the first frame that is shown; two frames are a picture that moves.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Callable
from dataclasses import dataclass

from playwright.async_api import Browser

from tests.fakes.browser import chromium, opened
from tests.fakes.publishing import camera
from tests.fakes.running import serving

LATENCY_MS = 400
BYTES_PER_S = 50_000
LONGEST_S = 60.0
WARM_S = 5.0
"""Of the broadcast, before a viewer comes."""
FRAMES = """{
  const seen = (globalThis.cold = { text: 0, frames: [] })
  const look = () => {
    if (!seen.text && document.querySelector('h1')?.textContent) seen.text = performance.now()
    const video = document.querySelector('video')
    if (!video) return setTimeout(look, 20)
    const shown = () => {
      seen.frames.push(performance.now())
      if (seen.frames.length < 2) video.requestVideoFrameCallback(shown)
    }
    video.requestVideoFrameCallback(shown)
  }
  look()
}"""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Start:
    """Seconds after the navigation began."""

    text_s: float
    picture_s: float
    moving_s: float


async def _start(browser: Browser, address: str) -> Start:
    async with opened(browser, script=FRAMES) as seen:
        link = await seen.context.new_cdp_session(seen.page)
        await link.send("Network.enable")
        await link.send("Network.clearBrowserCache")
        throttled = {"latency": LATENCY_MS, "downloadThroughput": BYTES_PER_S, "uploadThroughput": BYTES_PER_S}
        await link.send("Network.emulateNetworkConditions", {"offline": False, **throttled})
        await seen.page.goto(address, wait_until="commit")
        await seen.holds("globalThis.cold.frames.length === 2", within_s=LONGEST_S)
        text, first, second = await seen.page.evaluate("[cold.text, ...cold.frames].map((ms) => ms / 1000)")
        return Start(text, first, second)


async def measure(rounds: int, say: Say) -> list[Start]:
    found = []
    async with serving() as server, chromium() as browser:
        await server.room("hall", start="auto")
        async with camera(server, "hall"):
            await server.wait_state("hall", "live")
            await asyncio.sleep(WARM_S)
            for number in range(rounds):
                found.append(await _start(browser, f"{server.url}/watch/hall"))
                say(f"cold start {number}: {found[-1]}")
    return found


def table(found: list[Start]) -> str:
    rows = ["| a cold start at 400 kbit/s and 400 ms | median | worst |", "| --- | --- | --- |"]
    for name, values in (
        ("text", [one.text_s for one in found]),
        ("first picture", [one.picture_s for one in found]),
        ("it moves", [one.moving_s for one in found]),
    ):
        rows.append(f"| {name} | {statistics.median(values):.1f} s | {max(values):.1f} s |")
    return "\n".join(rows)
