"""The web process is killed again and again while somebody taps: its standby acts."""

from __future__ import annotations

import asyncio
import time

from tests.fakes.outages import Taps
from tests.fakes.running import Running
from tests.fakes.waiting import Pace, until_answered, waited_s

ACTS_S = 3.0


async def die_and_be_replaced(server: Running, room: str, times: int) -> list[float]:
    """kill -9 of the process that acts. Returns the seconds from each to the first tap that was acknowledged. Nothing
    that was acknowledged is lost, and nothing was done twice. Raises AssertionError."""
    taps, over = Taps(server, room), asyncio.Event()
    tapping = asyncio.create_task(taps.run(over))
    took_s = []
    try:
        for _ in range(times):
            acknowledged = len(taps.made)
            await until_answered(lambda acknowledged=acknowledged: _told(len(taps.made) > acknowledged + 1))
            await until_answered(lambda: _told(server.standby()), what=server.logged)
            standby = server.standby()
            await server.kill("web")
            assert standby is not None
            killed, pace, before_s = time.monotonic(), Pace(), waited_s(standby)

            async def replaced(standby: int = standby, killed: float = killed) -> bool:
                # A front process answers by itself: its delay is that of any process here.
                async with server.session.get(f"{server.url}/livez") as answer:
                    assert answer.status == 200
                return server.pid("web") == standby and taps.begun > killed

            await pace.until_answered(replaced, what=server.logged)
            took_s.append(time.monotonic() - killed)
            without_s = waited_s(standby) - before_s
            assert took_s[-1] - without_s <= pace.allowed_s(ACTS_S), (
                f"a standby acted after {took_s[-1]:.2f} s, {without_s:.2f} s of it without a core"
            )
    finally:
        over.set()
        await tapping
    await taps.all_kept_once()
    print(f"{len(taps.made)} acknowledged, {dict(taps.refused)}; back after {[round(one, 2) for one in took_s]} s")
    return took_s


async def _told(found: object) -> bool:
    return bool(found)
