"""Sends frames to one reader of a socket, bounded in bytes and in time.

A slow reader costs only itself: a reader that is behind for longer than the limit is cut off, and comes back by
snapshot and sequence number. All on the loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable

BEHIND_LIMIT_S = 2.0
"""The age that the oldest unsent message may reach."""
SNAPSHOT_LIMIT_S = 10.0
"""The time for the first data of a reader (the ring's bytes, tens of megabytes)."""
BACKLOG_BYTES = 32 * 1024 * 1024


class Outbound:
    """A queue of frames in front of a stream writer."""

    def __init__(
        self,
        writer: asyncio.StreamWriter,
        *,
        max_bytes: int = BACKLOG_BYTES,
        max_age_s: float = BEHIND_LIMIT_S,
        first_limit_s: float = SNAPSHOT_LIMIT_S,
    ) -> None:
        self._writer = writer
        self._max_bytes = max_bytes
        self._max_age_s = max_age_s
        self._first_limit_s = first_limit_s
        self._queue: deque[tuple[float, bytes]] = deque()
        self._queued_bytes = 0
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._ready_since: float | None = None
        """The time when the first frames were sent; before that, age does not count."""
        self.cut_reason: str | None = None
        self.dropped = 0
        # Then a drain waits for the last byte: everything unsent is in our queue, not in the transport's.
        writer.transport.set_write_buffer_limits(high=0)

    def send(self, frame: bytes, *, droppable: bool = False) -> bool:
        """Queue a frame. False if it was dropped (only ``droppable`` ones are) or the reader is cut off."""
        if self.cut_reason is not None:
            return False
        if droppable and self._queue:
            self.dropped += 1
            return False
        now = asyncio.get_running_loop().time()
        if self._queued_bytes + len(frame) > self._max_bytes:
            self.cut("backlog too large")
            return False
        if self._queue and self._ready_since is not None:
            oldest = max(self._queue[0][0], self._ready_since)
            if now - oldest > self._max_age_s:
                self.cut("reader too slow")
                return False
        self._queue.append((now, frame))
        self._queued_bytes += len(frame)
        self._idle.clear()
        self._wake.set()
        return True

    async def flushed(self) -> None:
        """Wait until nothing is left to send; the caller sets the limit."""
        await self._idle.wait()

    def cut(self, reason: str) -> None:
        """Give the reader up: send nothing more and drop the connection."""
        if self.cut_reason is None:
            self.cut_reason = reason
            self._queue.clear()
            self._queued_bytes = 0
            self._writer.transport.abort()
            self._idle.set()
            self._wake.set()

    async def run(self, first: Iterable[bytes] = ()) -> None:
        """Write ``first``, then the queue, until cut off or cancelled. Raises ConnectionError."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._first_limit_s):
                for frame in first:
                    await self._write(frame)
        except TimeoutError:
            self.cut("reader too slow for the snapshot")
        self._ready_since = loop.time()
        while self.cut_reason is None:
            if not self._queue:
                self._idle.set()
                self._wake.clear()
                await self._wake.wait()
                continue
            # The frame stays at the head of the queue while it is written: its age is the reader's lag.
            _, frame = self._queue[0]
            try:
                async with asyncio.timeout(self._max_age_s):
                    await self._write(frame)
            except TimeoutError:
                self.cut("reader too slow")
            if self._queue:
                self._queue.popleft()
                self._queued_bytes -= len(frame)

    async def _write(self, frame: bytes) -> None:
        if self._writer.is_closing():
            raise ConnectionResetError("the reader is gone")
        self._writer.write(frame)
        await self._writer.drain()
