"""Debian's Chromium for end-to-end tests: one browser for a worker, a new visitor for a test, no fixed waits.

Playwright brings its own driver; the browser is the system's, without its windows where Debian's headless shell is
installed: that opens a page in a third of the time. Each page of :func:`opened` knows how to read the test
card's time strip out of its ``<video>``, and is photographed when its test fails.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import pytest
from playwright.async_api import Browser, BrowserContext, Page, Request, async_playwright, expect
from playwright.async_api import Error as BrowserError
from playwright.async_api import TimeoutError as BrowserTimeout
from yarl import URL

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
    # A page finds the process of the one before: half of what it takes to open one is to start that.
    "--renderer-process-limit=1",
    # Pages of a test live for seconds: to compile their scripts better costs more than it gains.
    "--js-flags=--no-opt --no-maglev",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)
OTHER_NAMES = ("streamer.example.test", "salle.example.test", "asso.example.test")
"""Of this machine, for a browser: none is localhost, which has rights of its own."""
LANGUAGES = {"en-GB": "English", "fr-FR": "Français"}
"""Their names on a page that speaks several, by a browser's names of them."""
PATIENCE_MS = 45_000
"""A busy machine is no failure, and a long limit costs nothing while things arrive."""
expect.set_options(timeout=PATIENCE_MS)
BY_WEBRTC = "document.querySelector('video')?.srcObject instanceof MediaStream"
WEBRTC_AGAIN_S = 90.0
"""A page that saw no picture by it in five seconds plays otherwise, and tries again a minute later."""
FINISH_TRANSITIONS = """
document.getAnimations().forEach((animation) => {
  if (animation.effect?.getComputedTiming().endTime !== Infinity) animation.finish()
})
"""
TWO_FRAMES = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
SEVERE = frozenset({"serious", "critical"})
RUN_AXE = """(severe) => {
  const mild = axe._audit.rules.filter(({ impact }) => impact && !severe.includes(impact))
  const rules = Object.fromEntries(mild.map(({ id }) => [id, { enabled: false }]))
  return axe.run(document, { rules, resultTypes: ['violations'] })
}"""
"""Without the rules whose findings have a milder impact, always the rule's own: nobody would read them."""

SENDS_SMALL = """
{
  const { addTransceiver } = RTCPeerConnection.prototype, { setParameters } = RTCRtpSender.prototype
  const small = (encodings) => encodings.forEach((one) => { one.scaleResolutionDownBy = 4 })
  RTCPeerConnection.prototype.addTransceiver = function (what, init) {
    if (init?.sendEncodings) small(init.sendEncodings)
    return addTransceiver.call(this, what, init)
  }
  RTCRtpSender.prototype.setParameters = function (parameters) {
    if (this.track?.kind === 'video') small(parameters.encodings)
    return setParameters.call(this, parameters)
  }
}
"""
"""For :func:`opened`: what the page films goes out in a quarter of its width, 320x180, which a room passes on as it
is."""

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

MOVES = """([selector, beyond, call]) => {
  const seen = ((globalThis.strips ??= {})[call] ??= new Set())
  const at = readStrip(selector)
  if (at > beyond) seen.add(at)
  return seen.size >= 2 && Math.max(...seen)
}"""
_CALLS = itertools.count()


@contextlib.asynccontextmanager
async def chromium(*arguments: str, whole: bool = False) -> AsyncIterator[Browser]:
    """The browser, until the end of the block. ``arguments`` are Chromium's own. ``whole``: with notifications, which
    the headless shell always denies."""
    async with async_playwright() as driver:
        program = HEADLESS_SHELL if HEADLESS_SHELL.exists() and not whole else CHROMIUM
        browser = await driver.chromium.launch(executable_path=program, headless=True, args=[*ARGUMENTS, *arguments])
        try:
            yield browser
        finally:
            await browser.close()


NOTES_SHIFTS = """
window.shifted = 0
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value
}).observe({ type: 'layout-shift', buffered: true })
"""
"""Before a page's scripts: notes how much moves by itself."""
MOST_SHIFTED = 0.1
"""The limit of a good page (https://web.dev/articles/cls)."""


@dataclass
class Opened:
    """A page, its errors and its requests."""

    page: Page
    context: BrowserContext
    errors: list[str] = field(default_factory=list)
    requests: Any = None
    """A list, where the test has asked for it."""

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
        # Looked for in the page: each question from here takes three processes.
        asked = [selector, beyond_ms, next(_CALLS)]
        try:
            found = await self.page.wait_for_function(MOVES, arg=asked, timeout=within_s * 1000, polling=50)
        except BrowserTimeout:
            seen = await self.page.evaluate("([, , call]) => [...(globalThis.strips?.[call] ?? [])]", asked)
            raise AssertionError(f"not within {within_s} s: the picture moves; strips {seen}") from None
        return int(await found.json_value())

    async def holds(self, expression: str, argument: Any = None, *, within_s: float = 60) -> None:
        """Until the JavaScript expression, or function of ``argument``, is true in the page."""
        # A function always: the pages' Content-Security-Policy lets no string be evaluated.
        function = expression if "=>" in expression else f"() => ({expression})"
        await self.page.wait_for_function(function, arg=argument, timeout=within_s * 1000, polling=50)

    async def text(self, words: str | re.Pattern[str], *, within_s: float = 60) -> None:
        """Until the page shows these words."""
        await self.page.get_by_text(words).first.wait_for(state="visible", timeout=within_s * 1000)

    async def show_controls(self) -> None:
        """The player's hide after a moment and let clicks through; whoever moves the mouse over it has them back. Here
        they stay until a menu of theirs is closed: a busy machine may need longer than that moment for a click."""
        # Before they are there, a mouse brings nothing.
        await self.page.locator("media-control-bar").first.wait_for(state="attached")
        await self.page.evaluate("document.querySelector('media-controller').setAttribute('autohide', '-1')")
        for x in (200, 220):
            await self.page.mouse.move(x, 200)

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
        # A table knows in the next frame whether it is scrolled, and then takes the focus.
        await self.page.evaluate(TWO_FRAMES)
        # A colour on its way to another is nobody's choice.
        await self.page.evaluate(FINISH_TRANSITIONS)
        found = await self.page.evaluate(RUN_AXE, sorted(SEVERE))
        return [
            f"{violation['id']}: {node['target']} {node['failureSummary']}"
            for violation in found["violations"]
            if violation["impact"] in SEVERE
            for node in violation["nodes"]
        ]

    def most_asked(self) -> tuple[str, int]:
        """The piece of media that the page asked for most often, and how often."""
        asked = Counter(request.url for request in self.requests if request.url.endswith(".m4s"))
        return asked.most_common(1)[0]

    async def speak(self, language: str) -> None:
        """Turn the page by its own switch, also where that is folded away or behind a dialog. ``language``: a key of
        :data:`LANGUAGES`."""
        switch = self.page.get_by_role("button", name=LANGUAGES[language], exact=True, include_hidden=True)
        await switch.first.dispatch_event("click")
        await self.holds("(code) => document.documentElement.lang === code", language[:2])

    async def overflow_px(self) -> int:
        """By how much the page is wider than its window."""
        return int(
            await self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        )


@dataclass
class _Profile:
    """A browser context that visitors take in turns. Its first page keeps its process, and is nobody's."""

    context: BrowserContext
    first: Page

    @classmethod
    async def make(cls, browser: Browser, **options: Any) -> _Profile:
        context = await browser.new_context(**options)
        context.set_default_timeout(PATIENCE_MS)
        await context.add_init_script(READ_STRIP)
        return cls(context, await context.new_page())

    async def forget(self, addresses: Iterable[str]) -> None:
        """All that pages of these addresses keep. What remains is the cache of files, as with anybody who comes
        back."""
        for page in self.context.pages:
            if page is not self.first:
                await page.close()
        await self.context.clear_cookies()
        protocol = await self.context.new_cdp_session(self.first)
        for origin in {URL(address).origin() for address in addresses if address.startswith("http")}:
            await protocol.send("Storage.clearDataForOrigin", {"origin": str(origin), "storageTypes": "all"})
        await protocol.detach()


_FREE: WeakKeyDictionary[Browser, dict[str, list[_Profile]]] = WeakKeyDictionary()
"""By what they were made with."""


@contextlib.asynccontextmanager
async def opened(
    browser: Browser,
    url: str = "about:blank",
    *,
    language: str = "en-GB",
    width: int = 1280,
    height: int = 800,
    permissions: tuple[str, ...] = (),
    script: str = "",
    requests: bool = False,
    **options: Any,
) -> AsyncIterator[Opened]:
    """The page of a visitor who was never here. An error that a script of the page left unhandled fails the test.

    ``script`` runs before those of the page. Nothing moves for show (``reduced_motion``), unless it is asked for.
    ``requests``: note what the page asks for; the driver tells of each, so only where a test wants to know.
    """
    options = {"reduced_motion": "reduce", **options}
    options |= {"locale": language, "viewport": {"width": width, "height": height}, "permissions": list(permissions)}
    free = _FREE.setdefault(browser, {}).setdefault(json.dumps(options, sort_keys=True), [])
    profile = free.pop() if free else await _Profile.make(browser, **options)
    page = await profile.context.new_page()
    if script:
        await page.add_init_script(script)
    seen, addresses = Opened(page, profile.context), {url}
    page.on("framenavigated", lambda frame: addresses.add(frame.url))
    if requests:
        noted: list[Request] = []
        seen.requests = noted
        page.on("request", lambda request: noted.append(request))
    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    try:
        await page.goto(url)
        yield seen
        assert seen.errors == [], "unhandled errors in the page"
    except BaseException as error:
        with contextlib.suppress(BrowserError):
            error.add_note(f"photographed: {await _photograph(page)}")
        await profile.context.close()
        raise
    await profile.forget(addresses)
    free.append(profile)


async def _photograph(page: Page) -> Path:
    folder = Path(os.environ.get("E2E_SHOTS") or Path(tempfile.gettempdir()) / "streamer-e2e")
    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"\W+", "-", os.environ.get("PYTEST_CURRENT_TEST", "page").rpartition("::")[2]).strip("-")
    path = folder / f"{name}.png"
    await page.screenshot(path=path, timeout=5_000)
    return path
