"""Documents that are expensive to make. They are made one at a time and kept until their contents change."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass

from aiohttp import hdrs, web

from streamer.errors import Unavailable

MOST_BYTES = 64 * 1024 * 1024
MOST_WAITING = 64


@dataclass(frozen=True, slots=True)
class Document:
    """``tag``: the ETag. ``name``: the file's name without its extension."""

    body: bytes
    gzipped: bytes
    tag: str
    name: str = ""

    @classmethod
    def of(cls, body: bytes, tag: str, name: str = "") -> Document:
        """Takes a while: call it in a thread."""
        return cls(body, gzip.compress(body, 6, mtime=0), tag, name)


class Documents:
    """The newest documents, up to 64 MB. The key names everything that a document depends on. Used on one
    loop."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, tuple[float, Document]] = OrderedDict()
        self._bytes = 0
        self._making: dict[Hashable, asyncio.Task[Document]] = {}
        self._turn = asyncio.Lock()
        self.made = 0

    async def get(
        self, key: Hashable, make: Callable[[], Awaitable[Document]], *, max_age_s: float = float("inf")
    ) -> Document:
        """The document of ``key``. It is made once, however many ask. Raises the errors of ``make``, and Unavailable
        ``busy``."""
        found = self._kept.get(key)
        if found is not None and time.monotonic() - found[0] < max_age_s:
            self._kept.move_to_end(key)
            return found[1]
        task = self._making.get(key)
        if task is None:
            if len(self._making) >= MOST_WAITING:
                raise Unavailable("Too many exports at once.", code="busy", headers={"Retry-After": "5"})
            task = asyncio.create_task(self._make(key, make), name="export")
            self._making[key] = task
            task.add_done_callback(lambda done: self._made(key, done))
        # A client that hangs up must not stop it for the others.
        return await asyncio.shield(task)

    async def _make(self, key: Hashable, make: Callable[[], Awaitable[Document]]) -> Document:
        async with self._turn:
            began = time.monotonic()
            document = await make()
        self.made += 1
        if self._making.get(key) is asyncio.current_task():
            self._keep(key, began, document)
        return document

    def forget(self) -> None:
        """Drop all documents, because something in them was erased. Those that are being made go to the clients that
        wait for them."""
        self._kept.clear()
        self._making.clear()
        self._bytes = 0

    def _made(self, key: Hashable, task: asyncio.Task[Document]) -> None:
        if self._making.get(key) is task:
            del self._making[key]
        if not task.cancelled():
            # The clients that asked may be gone.
            task.exception()

    def _keep(self, key: Hashable, at_s: float, document: Document) -> None:
        known = self._kept.pop(key, None)
        if known is not None:
            self._bytes -= _size(known[1])
        self._kept[key] = (at_s, document)
        self._bytes += _size(document)
        while self._bytes > MOST_BYTES:
            _, (_, oldest) = self._kept.popitem(last=False)
            self._bytes -= _size(oldest)


def _size(document: Document) -> int:
    return len(document.body) + len(document.gzipped) + 1000


def matches(request: web.Request, tag: str) -> bool:
    """If-None-Match, compared weakly (RFC 9110, 13.1.2)."""
    own = tag.removeprefix("W/")
    sent = (part.strip().removeprefix("W/") for part in request.headers.get(hdrs.IF_NONE_MATCH, "").split(","))
    return any(part in ("*", own) for part in sent)
