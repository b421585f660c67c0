"""``streamer publish``: the publisher until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import signal

from streamer.publish.publisher import publish
from streamer.publish.understudy import Understudy


async def run_publisher(url: str, token: str, source: str | None, *, takeover: bool, give_way: bool = False) -> int:
    """Publishes until a signal. Returns the exit code. The publisher reconnects for ever; only the first attempt may be
    refused.

    Raises StreamerError for that refusal.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    understudy = Understudy(url) if give_way else None
    await publish(url, token, source, stop=stop, takeover=takeover, understudy=understudy)
    return 0
