"""A process with a busy Socket.IO service: ``python -m tests.fakes.loud_hall``.

It prints its port. Each line that it reads, ``COUNT SIZE PER_S``, posts that many events of that size in room ``a``,
followed by a line with the number of readers that were cut off so far.
"""

from __future__ import annotations

import asyncio
import sys
import time

import structlog
import uvloop

from tests.fakes.talking import served


async def run() -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with served() as service:
        print(service.port, flush=True)
        number = 0
        while line := await reader.readline():
            count, size, per_s = (int(word) for word in line.split())
            at = loop.time()
            for _ in range(count):
                text = f"n{number} at {time.monotonic_ns()} "
                service.realtime.hub.post("/audience", "a", "test", text + "x" * (size - len(text)))
                number += 1
                at += 1 / per_s
                await asyncio.sleep(max(0.0, at - loop.time()))
            stats = service.realtime.stats
            print(stats.cut_behind_total + stats.cut_stalled_total, flush=True)


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    uvloop.run(run())
