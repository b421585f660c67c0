"""Debian's Chromium for end-to-end tests: one browser for a worker, a fresh context for a test, no fixed waits.

Playwright brings its own driver; the browser is the system's, without its windows where Debian's headless shell is
installed: that opens a page in a third of the time. Each page of :func:`opened` knows how to read the test
card's time strip out of its ``<video>``, and is photographed when its test fails.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Page, Request, async_playwright
from playwright.async_api import Error as BrowserError

from tests.fakes.waiting import until_answered

CHROMIUM = Path("/usr/bin/chromium")
HEADLESS_SHELL = Path("/usr/lib/chromium/chromium-headless-shell")
AXE = Path(__file__).resolve().parents[2] / "web/node_modules/axe-core/axe.min.js"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)
OTHER_NAMES = ("streamer.example.test", "salle.example.test", "asso.example.test")
"""Of this machine, for a browser: none is localhost, which has rights of its own."""
PATIENCE_MS = 45_000
"""A busy machine is no failure, and a long limit costs nothing while things arrive."""
BY_WEBRTC = "document.querySelector('video')?.srcObject instanceof MediaStream"
WEBRTC_AGAIN_S = 90.0
"""A page that saw no picture by it in five seconds plays otherwise, and tries again a minute later."""
FINISH_TRANSITIONS = """
document.getAnimations().forEach((animation) => {
  if (animation.effect?.getComputedTiming().endTime !== Infinity) animation.finish()
})
"""
SEVERE = frozenset({"serious", "critical"})

needs_chromium = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="chromium is not installed"),
]

# streamer/publish/testcard.py describes the strip.
READ_STRIP = """
globalThis.readStrip = (selector = 'video') => {
  const video = document.querySelector(selector)
  if (!video || video.readyState < 2 || !video.videoWidth) return null
  const { videoWidth: width, videoHeight: height } = video
  const canvas = (globalThis.stripCanvas ??= document.createElement('canvas'))
  const rows = Math.max(1, Math.round(0.024 * height))
  canvas.width = width
  canvas.height = rows
  const context = canvas.getContext('2d', { willReadFrequently: true })
  context.drawImage(video, 0, Math.round(0.038 * height), width, rows, 0, 0, width, rows)
  const { data } = context.getImageData(0, 0, width, rows)
  const CELLS = 56, cell = width / CELLS
  const levels = Array.from({ length: CELLS }, (_, index) => {
    const centre = (index + 0.5) * cell, reach = Math.max(cell * 0.2, 0.5)
    let sum = 0, count = 0
    for (let y = 0; y < rows; y++)
      for (let x = Math.floor(centre - reach); x <= Math.floor(centre + reach); x++, count++)
        sum += data[(y * width + x) * 4 + 1]
    return sum / count
  })
  const white = (levels[0] + levels[55]) / 2, black = (levels[1] + levels[54]) / 2
  if (white - black < 40) return null
  const bits = levels.map((level) => (level > (white + black) / 2 ? 1 : 0))
  let register = 0
  for (let index = 2; index < 54; index++) {
    register = (register << 1) | bits[index]
    if (register & 0x400) register ^= 0x400 | 0x233
  }
  if (register !== 0) return null
  return bits.slice(2, 44).reduce((value, bit) => value * 2 + bit, 0)
}
"""


@contextlib.asynccontextmanager
async def chromium(*arguments: str) -> AsyncIterator[Browser]:
    """The browser, until the end of the block. ``arguments`` are Chromium's own."""
    async with async_playwright() as driver:
        program = HEADLESS_SHELL if HEADLESS_SHELL.exists() else CHROMIUM
        browser = await driver.chromium.launch(executable_path=program, headless=True, args=[*ARGUMENTS, *arguments])
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class Opened:
    """A page, its requests and its errors."""

    page: Page
    context: BrowserContext
    requests: list[Request]
    errors: list[str]

    async def strip(self, selector: str = "video") -> int | None:
        """UTC milliseconds in the picture that the ``<video>`` shows now; None: no strip can be read."""
        value = await self.page.evaluate("(selector) => readStrip(selector)", selector)
        return None if value is None else int(value)

    async def latency_ms(self, selector: str = "video") -> float | None:
        """Between the moment in the picture and now. The test card and this browser have the same clock."""
        value = await self.page.evaluate(
            "(selector) => { const at = readStrip(selector); return at === null ? null : Date.now() - at }", selector
        )
        return None if value is None else float(value)

    async def wait_moving(self, selector: str = "video", *, beyond_ms: int = 0, within_s: float = 60) -> int:
        """Until two different moments were seen in the picture, after ``beyond_ms``. Returns the later one."""
        seen: set[int] = set()

        async def moves() -> bool:
            at = await self.strip(selector)
            if at is not None and at > beyond_ms:
                seen.add(at)
            return len(seen) >= 2

        await until_answered(moves, limit_s=within_s, what=lambda: f"the picture moves; strips {sorted(seen)[-3:]}")
        return max(seen)

    async def holds(self, expression: str, argument: Any = None, *, within_s: float = 60) -> None:
        """Until the JavaScript expression, or function of ``argument``, is true in the page."""
        # A function always: the pages' Content-Security-Policy lets no string be evaluated.
        function = expression if "=>" in expression else f"() => ({expression})"
        await self.page.wait_for_function(function, arg=argument, timeout=within_s * 1000, polling=50)

    async def text(self, words: str | re.Pattern[str], *, within_s: float = 60) -> None:
        """Until the page shows these words."""
        await self.page.get_by_text(words).first.wait_for(state="visible", timeout=within_s * 1000)

    async def mark(self) -> None:
        """Something that a reload would wipe out; :meth:`check_mark` tells."""
        await self.page.evaluate("globalThis.notReloaded = true")

    async def check_mark(self) -> None:
        assert await self.page.evaluate("globalThis.notReloaded === true"), "the page was loaded again"

    async def accessibility(self) -> list[str]:
        """axe's serious and critical findings, one line each."""
        # By the driver, not as an element: the pages' Content-Security-Policy has no say in it.
        if not await self.page.evaluate("'axe' in globalThis"):
            await self.page.evaluate(AXE.read_text("utf-8"))
        # A colour on its way to another is nobody's choice.
        await self.page.evaluate(FINISH_TRANSITIONS)
        found = await self.page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
        return [
            f"{violation['id']}: {node['target']} {node['failureSummary']}"
            for violation in found["violations"]
            if violation["impact"] in SEVERE
            for node in violation["nodes"]
        ]

    async def overflow_px(self) -> int:
        """By how much the page is wider than its window."""
        return int(
            await self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        )


@contextlib.asynccontextmanager
async def opened(
    browser: Browser,
    url: str = "about:blank",
    *,
    language: str = "en-GB",
    width: int = 1280,
    height: int = 800,
    permissions: tuple[str, ...] = (),
    **options: Any,
) -> AsyncIterator[Opened]:
    """A page in a context of its own. An error that a script of the page left unhandled fails the test."""
    context = await browser.new_context(
        locale=language, viewport={"width": width, "height": height}, permissions=list(permissions), **options
    )
    context.set_default_timeout(PATIENCE_MS)
    await context.add_init_script(READ_STRIP)
    page = await context.new_page()
    seen = Opened(page, context, [], [])
    page.on("request", lambda request: seen.requests.append(request))
    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    try:
        await page.goto(url)
        yield seen
        assert seen.errors == [], "unhandled errors in the page"
    except BaseException as error:
        with contextlib.suppress(BrowserError):
            error.add_note(f"photographed: {await _photograph(page)}")
        raise
    finally:
        await context.close()


async def _photograph(page: Page) -> Path:
    folder = Path(os.environ.get("E2E_SHOTS") or Path(tempfile.gettempdir()) / "streamer-e2e")
    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"\W+", "-", os.environ.get("PYTEST_CURRENT_TEST", "page").rpartition("::")[2]).strip("-")
    path = folder / f"{name}.png"
    await page.screenshot(path=path, timeout=5_000)
    return path
