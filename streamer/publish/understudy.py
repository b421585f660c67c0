"""An understudy leaves its source to whoever takes it, and comes back when the source has been free for a while.

Streamer tells everybody whether a room's source is up (``GET /api/v1/rooms/{room}``). Asking is better than offering:
an offer that is accepted takes the source from somebody whose page is being loaded anew.
"""

from __future__ import annotations

import asyncio
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import aiohttp

FREE_S = 60.0
"""As long as a studio's page that was on air may take to come back by itself."""
LOOK_S = 2.0


class Understudy:
    """Watches the source of the WHIP address ``url``. ``free_s``: how long it must have been free."""

    def __init__(self, url: str, *, free_s: float = FREE_S, look_s: float = LOOK_S) -> None:
        parts = urlsplit(url)
        before, _, place = parts.path.rpartition("/whip/")
        room, _, source = place.strip("/").partition("/")
        self._status = urlunsplit((parts.scheme, parts.netloc, f"{before}/api/v1/rooms/{quote(unquote(room))}", "", ""))
        self._source = unquote(source) or "main"
        self._free_s = free_s
        self._look_s = look_s

    async def until_free(self, http: aiohttp.ClientSession, stop: asyncio.Event) -> None:
        """Returns when the source has been free for long enough, or ``stop`` is set."""
        loop = asyncio.get_running_loop()
        free_since: float | None = None
        while not stop.is_set():
            if await self._is_free(http):
                free_since = loop.time() if free_since is None else free_since
                if loop.time() - free_since >= self._free_s:
                    return
            else:
                free_since = None
            try:
                async with asyncio.timeout(self._look_s):
                    await stop.wait()
            except TimeoutError:
                continue

    async def _is_free(self, http: aiohttp.ClientSession) -> bool:
        """A server that does not answer tells nothing: somebody may be on air."""
        try:
            async with http.get(self._status) as response:
                told = await response.json() if response.status == 200 else None
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return False
        sources = told.get("sources") if isinstance(told, dict) else None
        if not isinstance(sources, dict):
            return False
        source = sources.get(self._source)
        return not (isinstance(source, dict) and source.get("up"))
