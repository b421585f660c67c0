"""``streamer publish``: the publisher until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import signal

from streamer.room.publisher import publish


async def run_publisher(url: str, token: str, source: str | None) -> int:
    """Returns the exit code. The publisher reconnects by itself for ever, so only a signal ends it."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await publish(url, token, source, stop=stop)
    return 0
