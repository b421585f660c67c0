"""Waits for a condition, with a limit: never a fixed sleep.

Limits are generous. They end a test that hangs, and promise no speed. :func:`in_time` checks a promise of speed that
this process keeps alone, :class:`Pace` one that several keep, each with an allowance for a busy machine.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

POLL_S = 0.01
ASK_AGAIN_S = 0.05
ASK_SELDOM_S = 0.25
"""Each question costs both processes some milliseconds: who has waited for a second asks less often."""
LIMIT_S = 60.0
SLOW_ANSWERS = 6
"""A promise has about this many steps, each of which may have to wait for its turn like an answer."""


async def until(condition: Callable[[], object], *, limit_s: float = LIMIT_S) -> None:
    """Raises AssertionError with the condition's name if it does not come true in time."""
    try:
        async with asyncio.timeout(limit_s):
            while not condition():
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        raise AssertionError(f"not within {limit_s} s: {condition}") from None


async def until_ended(*threads: threading.Thread) -> None:
    await until(lambda: not any(thread.is_alive() for thread in threads))


async def until_answered(
    ask: Callable[[], Awaitable[object]],
    *,
    limit_s: float = LIMIT_S,
    seldom_s: float = ASK_SELDOM_S,
    what: Callable[[], str] = lambda: "",
) -> None:
    """The same for a condition that must be asked for, at last every ``seldom_s``. ``what`` describes the state in the
    error."""
    pause_s = ASK_AGAIN_S
    try:
        async with asyncio.timeout(limit_s):
            while not await ask():
                await asyncio.sleep(pause_s)
                pause_s = min(seldom_s, pause_s * 1.2)
    except TimeoutError:
        raise AssertionError(f"not within {limit_s} s: {what() or ask}") from None


@contextmanager
def in_time(promised_s: float) -> Iterator[None]:
    """Hold a promise of time that the threads of this process keep. While one of them waits for a core, time does not
    count."""
    began, before_s = time.monotonic(), waited_s()
    yield
    took_s, without_s = time.monotonic() - began, waited_s() - before_s
    assert took_s - without_s < promised_s, f"took {took_s:.2f} s, {without_s:.2f} s without a core, not {promised_s} s"


def waited_s(process: int | str = "self") -> float:
    """Seconds that the threads of a process were ready and had no core."""
    found = 0
    for file in Path(f"/proc/{process}/task").glob("*/schedstat"):
        with suppress(OSError):  # The thread has ended.
            found += int(file.read_text().split()[1])
    return found / 1e9


@dataclass
class Pace:
    """A measure of a busy machine: the slowest of some answers, from question to question, beyond the pause between."""

    slowest_s: float = 0.0

    async def until_answered(
        self, ask: Callable[[], Awaitable[object]], *, what: Callable[[], str] = lambda: ""
    ) -> float:
        """As :func:`until_answered`. Returns the seconds that it took."""
        began = asked = time.monotonic()

        async def watched() -> object:
            nonlocal asked
            answer = await ask()
            now = time.monotonic()
            self.slowest_s, asked = max(self.slowest_s, now - asked - ASK_AGAIN_S), now
            return answer

        await until_answered(watched, seldom_s=ASK_AGAIN_S, what=what)
        return time.monotonic() - began

    def allowed_s(self, promised_s: float) -> float:
        """A promised time plus this machine's present delay: next to nothing if it is idle."""
        return promised_s + SLOW_ANSWERS * self.slowest_s


async def until_answered_within(
    promised_s: float, ask: Callable[[], Awaitable[object]], *, what: Callable[[], str] = lambda: ""
) -> float:
    """Hold a promise of time, by the pace of this machine. Returns the seconds that it took."""
    pace = Pace()
    took_s = await pace.until_answered(ask, what=what)
    assert took_s <= pace.allowed_s(promised_s), f"took {took_s:.2f} s, promised are {promised_s} s, {pace}"
    return took_s
