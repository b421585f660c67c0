"""An event loop whose clock moves only when nothing is left to do: minutes of a room in a blink, always the same."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

BEGIN_S = 1000.0


class _Selector(selectors.SelectSelector):
    """Never waits: the time that it was to wait is over at once."""

    def __init__(self, passes: Callable[[float], None]) -> None:
        super().__init__()
        self._passes = passes

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise AssertionError("the simulation waits for something that nobody will do")
        if timeout > 0:
            self._passes(timeout)
        # The loop's own socket is there for other threads, and there are none.
        return super().select(0) if len(self.get_map()) > 1 else []


class VirtualLoop(asyncio.SelectorEventLoop):
    """One thread only. An error of a callback ends the simulation."""

    def __init__(self) -> None:
        self._now = BEGIN_S
        self.failures: list[BaseException] = []
        super().__init__(_Selector(self.stall))
        self.set_exception_handler(self._failed)

    def time(self) -> float:
        return self._now

    def time_ns(self) -> int:
        return round(self._now * 1e9)

    def stall(self, seconds: float) -> None:
        """Time passes inside a callback, as if the loop was blocked in it for that long."""
        self._now += seconds

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        return self.call_soon(callback, *args, context=context)

    def _failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.failures.append(context.get("exception") or AssertionError(context["message"]))


def run(main: Callable[[VirtualLoop], Coroutine[Any, Any, T]]) -> T:
    """Run ``main`` in virtual time. Raises its error, or the first error of a callback."""
    loop = VirtualLoop()
    try:
        result = loop.run_until_complete(main(loop))
        if loop.failures:
            raise loop.failures[0]
        return result
    finally:
        loop.close()
