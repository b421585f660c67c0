"""Chromium by its own DevTools protocol, for what Playwright cannot do: it keeps each of its tabs visible, always.

Here a tab that another one covers is hidden, with everything that browsers do to hidden tabs.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import aiohttp
from yarl import URL

from tests.fakes.browser import ARGUMENTS, CHROMIUM
from tests.fakes.waiting import until_answered

START_LIMIT_S = 60.0
ANSWER_LIMIT_S = 30.0
_LISTENING = re.compile(rb"DevTools listening on ws://([^/]+)/")


@dataclass
class Tab:
    """One tab, spoken to in turns."""

    id: str
    browser: TabbedBrowser
    _socket: aiohttp.ClientWebSocketResponse
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    async def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, awaited where it is a promise; as if the person had just clicked.

        None as well while the tab is between two documents.
        """
        number = next(self._numbers)
        wanted = {"expression": expression, "returnByValue": True, "awaitPromise": True, "userGesture": True}
        await self._socket.send_json({"id": number, "method": "Runtime.evaluate", "params": wanted})
        async with asyncio.timeout(ANSWER_LIMIT_S):
            while True:
                answer = await self._socket.receive_json()
                if answer.get("id") == number:
                    break
        if "error" in answer:
            return None
        result = answer["result"]
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    async def holds(self, expression: str, *, within_s: float = 60) -> None:
        await until_answered(lambda: self.evaluate(expression), limit_s=within_s, what=lambda: expression)

    async def show(self) -> None:
        """In front of all others."""
        async with self.browser.session.get(f"http://{self.browser.address}/json/activate/{self.id}") as response:
            assert response.status == 200

    async def close(self) -> None:
        """As by its cross."""
        async with self.browser.session.get(f"http://{self.browser.address}/json/close/{self.id}") as response:
            assert response.status == 200


@dataclass
class TabbedBrowser:
    address: str
    session: aiohttp.ClientSession
    stack: contextlib.AsyncExitStack

    async def tab(self, url: str) -> Tab:
        address = URL(f"http://{self.address}/json/new?{quote(url, safe='')}", encoded=True)
        async with self.session.put(address) as response:
            target = await response.json()
        socket = await self.stack.enter_async_context(self.session.ws_connect(target["webSocketDebuggerUrl"]))
        return Tab(target["id"], self, socket)


@contextlib.asynccontextmanager
async def tabbed_chromium(*arguments: str) -> AsyncIterator[TabbedBrowser]:
    """A browser with a window of tabs. It is ended with the block, and its profile removed."""
    async with contextlib.AsyncExitStack() as stack:
        profile = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="streamer-chromium-", ignore_cleanup_errors=True)
        )
        command = [str(CHROMIUM), "--headless", *ARGUMENTS, *arguments]
        process = await asyncio.create_subprocess_exec(
            *command,
            "--remote-debugging-port=0",
            f"--user-data-dir={profile}",
            "about:blank",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        stack.push_async_callback(_end, process)
        assert process.stderr is not None
        async with asyncio.timeout(START_LIMIT_S):
            while not (found := _LISTENING.search(await process.stderr.readline())):
                assert process.returncode is None, "chromium did not start"
        # Read on, or a full pipe stops the browser.
        reading = asyncio.create_task(process.stderr.read(), name="chromium's words")
        stack.callback(reading.cancel)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        yield TabbedBrowser(found[1].decode(), session, stack)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
    try:
        async with asyncio.timeout(10):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
