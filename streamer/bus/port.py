"""The port of the bus: what the core and its front processes need of whatever carries their messages.

Messages are msgspec structs, msgpack on the wire. A subject is words with dots between (``core.enter``, ``front.1``). A
front process asks the core and hears a subject of its own; the core answers, and publishes to each front. An adapter
has both sides, in one class or in two. All on the loop.

What an adapter promises: what one process publishes under one subject arrives in order and at most once. It may lose
messages; whoever cannot bear that counts them. It stores nothing and holds no lease: the truth is the core's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

import msgspec

from streamer.errors import Unavailable

M = TypeVar("M", bound=msgspec.Struct)
A = TypeVar("A")

Stop = Callable[[], object]
"""Ends what the call that returned it began. A second call does nothing."""

UNAVAILABLE = "bus_unavailable"


class Bus(Protocol):
    @property
    def up(self) -> bool:
        """Whether messages go out now, as far as this side knows."""

    async def start(self) -> None:
        """It connects by itself, now and after each loss: a bus that is not there yet is no error. Raises OSError or
        StreamerError where it can never work (no folder, unreadable credentials)."""

    async def close(self) -> None:
        """Published messages still go out, within a short time. Waiting requests end with Unavailable."""

    def listen(self, listener: Callable[[bool], None]) -> Stop:
        """``listener`` is called with the new :attr:`up` whenever that changes. It must not raise."""


class CoreBus(Bus, Protocol):
    def answer(self, subject: str, kind: type[M], handler: Callable[[M], Awaitable[Any]]) -> Stop:
        """Requests on ``subject`` are given to ``handler``, each in a task of its own, begun in the order of their
        arrival; what it returns (a struct, builtins or None) is the answer. Its StreamerError goes to who asked as it
        is; another error is logged and told as ``internal`` 500. What is no ``kind`` is answered ``bad_params`` 400.
        """

    def publish(self, subject: str, message: msgspec.Struct) -> None:
        """Never waits and never raises. What does not fit (a reader that is too slow, no connection) is lost."""

    def on_gone(self, listener: Callable[[str], None]) -> Stop:
        """``listener`` is called with a subject when the connection of the front that heard it has ended. Adapters that
        cannot know never call it: heartbeats tell it then, later."""


class FrontBus(Bus, Protocol):
    async def request(self, subject: str, message: msgspec.Struct, answer: type[A], timeout_s: float) -> A:
        """The core's answer, as ``answer`` (``type(None)`` for none).

        Raises the StreamerError of the core's handler; Unavailable ``bus_unavailable``, at once where the bus is not
        up, when it is lost, and after ``timeout_s``. The request may have been done then.
        """

    def subscribe(self, subject: str, kind: type[M], handler: Callable[[M], None]) -> Stop:
        """``handler`` is called with each message on ``subject``, in order, and must not raise. What is no ``kind`` is
        logged and dropped. Call it before :meth:`start`: it holds over reconnections, and counts before :attr:`up`
        is told."""


def unavailable() -> Unavailable:
    """The error of a bus that carries nothing now."""
    return Unavailable("The server starts again.", code=UNAVAILABLE, headers={"Retry-After": "1"})
