"""Wait for a condition, with a limit: never a fixed sleep."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

POLL_S = 0.01
ASK_AGAIN_S = 0.05


async def until(condition: Callable[[], object], *, limit_s: float = 30.0) -> None:
    """Raises AssertionError with the condition's name if it does not come true in time."""
    try:
        async with asyncio.timeout(limit_s):
            while not condition():
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        raise AssertionError(f"not within {limit_s} s: {condition}") from None


async def until_answered(
    ask: Callable[[], Awaitable[object]], *, limit_s: float = 30.0, what: Callable[[], str] = lambda: ""
) -> None:
    """The same for a condition that has to be asked for. ``what`` tells in the error how things stood."""
    try:
        async with asyncio.timeout(limit_s):
            while not await ask():
                await asyncio.sleep(ASK_AGAIN_S)
    except TimeoutError:
        raise AssertionError(f"not within {limit_s} s: {what() or ask}") from None
