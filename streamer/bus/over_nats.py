"""The bus over a NATS server (nats-py). On the loop.

The server refuses whatever a role may not do (``configs/bus/nats.conf``): the core hears ``core.>`` and publishes
``front.>``, a front the other way round, and answers to it come on ``front.inbox.…``.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

import msgspec
import structlog

from streamer.bus.nats_connection import (
    Access,
    BusFailed,
    Error,
    NatsConnection,
    SlowConsumerError,
    connected,
    is_refusal,
    not_allowed,
)
from streamer.bus.port import M, Stop, unavailable
from streamer.control.framing import builtins_to, from_protocol_error, to_protocol_error
from streamer.control.messages import Reply
from streamer.control.server import wait_cancelled
from streamer.errors import BadRequest, NotFound, StreamerError, TooMany
from streamer.supervision import start_kept

RETRY_S = 0.25
LOOK_S, SILENT_S = 1.0, 4
"""The server is asked for a sign of life this often; the connection is given up without one for so long."""
FLUSH_S = 1.0
MAX_PENDING = 2000
"""Requests that the core works at, of all fronts."""
OUT_BYTES = 16 * 1024 * 1024
"""Bytes that wait for nats-py to take them."""
IN_BYTES = 16 * 1024 * 1024
"""Bytes that have come and wait for their handler; what comes on top nats-py drops."""
TOLD_S = 10.0
CORE_SUBJECTS = "core.>"

log = structlog.get_logger(__name__)
A = TypeVar("A")

_answers = msgspec.msgpack.Decoder(Reply)


class _Side:
    """One process's connection, made again after each loss, and what waits to be sent over it."""

    def __init__(self, access: Access, *, in_bytes: int = IN_BYTES) -> None:
        self.dropped = 0
        """Messages that were lost here: this process, or the server, was too slow."""
        self._access = access
        self._in_bytes = in_bytes
        self._heard: dict[str, Callable[[Any], None]] = {}
        """Subject of a subscription -> called with each message."""
        self._listeners: dict[Callable[[bool], None], None] = {}
        self._connection: NatsConnection | None = None
        self._task: asyncio.Task[None] | None = None
        self._out: deque[tuple[str, bytes, str]] = deque()
        """Subject, message, where its answer goes."""
        self._out_bytes = 0
        self._more, self._sent = asyncio.Event(), asyncio.Event()
        self._refused: set[str] = set()
        self._told_dropped = -TOLD_S

    @property
    def up(self) -> bool:
        return self._connection is not None

    async def start(self) -> None:
        self._task = start_kept("bus", self._run)

    async def close(self) -> None:
        if (connection := self._connection) is not None:
            try:
                async with asyncio.timeout(FLUSH_S):
                    await self._sent.wait()
                    await connection.settled()
            except (TimeoutError, Error, OSError) as error:
                log.debug("bus_not_flushed", error=str(error))
        if self._task is not None:
            await wait_cancelled(self._task)

    def listen(self, listener: Callable[[bool], None]) -> Stop:
        self._listeners[listener] = None
        return partial(self._listeners.pop, listener, None)

    def _tell(self, up: bool) -> None:
        for listener in list(self._listeners):
            listener(up)

    async def _run(self) -> None:
        said = ""
        while True:
            try:
                async with connected(self._access, self._complained) as connection:
                    await self._join(connection)
                    said = ""
                    log.info("bus_up", url=self._access.url)
                    await self._serve(connection)
                    log.warning("bus_lost", url=self._access.url, error=str(connection.last_error or "closed"))
            except BusFailed as error:
                if error.message != said:
                    log.error("bus_failed", error=error.message)
                said = error.message
            await asyncio.sleep(RETRY_S)

    async def _join(self, connection: NatsConnection) -> None:
        """Raises BusFailed."""
        self._refused.clear()
        try:
            for subject in self._heard:
                await connection.subscribe(subject, cb=self._to(subject), pending_bytes_limit=self._in_bytes)
            await connection.settled()
        except (Error, OSError, TimeoutError) as error:
            raise BusFailed(self._access.words(error)) from error
        if self._refused:
            raise not_allowed(self._access, self._refused)

    def _to(self, subject: str) -> Callable[[Any], Awaitable[None]]:
        async def hear(message: Any) -> None:
            if (handler := self._heard.get(subject)) is None:
                return
            try:
                handler(message)
            except Exception:
                log.exception("bus_handler_failed", subject=message.subject)

        return hear

    async def _serve(self, connection: NatsConnection) -> None:
        """Until the connection is lost."""
        pump = asyncio.create_task(self._pump(connection), name="bus pump")
        self._connection = connection
        self._tell(True)
        try:
            while not (connection.ended.is_set() or pump.done()):
                try:
                    async with asyncio.timeout(LOOK_S):
                        await connection.ended.wait()
                except TimeoutError:
                    # nats-py's own pings do not end a connection to a server that is frozen.
                    await connection.flush(SILENT_S)
        except (Error, OSError):
            pass
        finally:
            self._connection = None
            self._out.clear()
            self._out_bytes = 0
            await wait_cancelled(pump)
            self._lost()
            self._tell(False)

    def _lost(self) -> None:
        """Called when the connection is lost."""

    async def _pump(self, connection: NatsConnection) -> None:
        # nats-py keeps a cancellation for itself where it waits to send.
        while self._connection is connection:
            self._sent.set()
            self._more.clear()
            await self._more.wait()
            self._sent.clear()
            while self._out and self._connection is connection:
                subject, data, reply = self._out.popleft()
                self._out_bytes -= len(data)
                await connection.publish(subject, data, reply=reply)

    def _send(self, subject: str, data: bytes, reply: str = "") -> bool:
        """Whether it goes out. Never waits."""
        if (connection := self._connection) is None:
            return False
        if len(data) > connection.max_payload:
            log.error("bus_message_lost", subject=subject, error=f"{len(data)} bytes are more than NATS takes")
            return False
        if self._out_bytes + len(data) > OUT_BYTES:
            self._drop(subject)
            return False
        self._out.append((subject, data, reply))
        self._out_bytes += len(data)
        self._more.set()
        return True

    def _drop(self, subject: str) -> None:
        self.dropped += 1
        if (now := time.monotonic()) - self._told_dropped >= TOLD_S:
            self._told_dropped = now
            log.warning("bus_dropped", subject=subject, dropped=self.dropped)

    def _complained(self, error: Exception) -> None:
        if isinstance(error, SlowConsumerError):
            self._drop(str(error.subject))
        elif (what := is_refusal(error)) is not None:
            if what not in self._refused:
                self._refused.add(what)
                log.error("bus_not_allowed", url=self._access.url, role=self._access.role, what=what)
        else:
            log.debug("bus_complained", error=str(error))


class NatsCore(_Side):
    """The core's side."""

    def __init__(self, access: Access, *, in_bytes: int = IN_BYTES) -> None:
        super().__init__(access, in_bytes=in_bytes)
        # One for all subjects, so that requests begin in the order of their arrival.
        self._heard[CORE_SUBJECTS] = self._asked
        self._handlers: dict[str, tuple[type[Any], Callable[[Any], Awaitable[Any]]]] = {}
        self._running: dict[asyncio.Task[None], Any] = {}
        """With the request that each works at."""

    async def close(self) -> None:
        for task, message in list(self._running.items()):
            await wait_cancelled(task)
            # A front would wait: the server tells it of nobody who has left.
            self._refuse(message, unavailable())
        await super().close()

    def answer(self, subject: str, kind: type[M], handler: Callable[[M], Awaitable[Any]]) -> Stop:
        self._handlers[subject] = kind, handler
        return partial(self._handlers.pop, subject, None)

    def publish(self, subject: str, message: msgspec.Struct) -> None:
        self._send(subject, msgspec.msgpack.encode(message))

    def on_gone(self, listener: Callable[[str], None]) -> Stop:
        """A NATS server tells nobody who has left: fronts are missed by their heartbeats."""
        return lambda: None

    def _asked(self, message: Any) -> None:
        if not message.reply:
            return  # streamer check
        if len(self._running) >= MAX_PENDING:
            self._refuse(message, TooMany("Too many requests at once.", code="too_many_requests"))
        elif (known := self._handlers.get(message.subject)) is None:
            self._refuse(message, NotFound(f"Nobody answers {message.subject!r}.", code="unknown_method"))
        else:
            kind, handler = known
            try:
                request = msgspec.msgpack.decode(message.data, type=kind)
            except msgspec.MsgspecError as error:
                self._refuse(message, BadRequest(f"Bad parameters: {error}", code="bad_params"))
                return
            task = asyncio.create_task(self._answer(message, handler(request)), name=f"bus {message.subject}")
            self._running[task] = message
            task.add_done_callback(self._running.pop)

    async def _answer(self, message: Any, work: Awaitable[Any]) -> None:
        try:
            data = msgspec.msgpack.encode(Reply(0, await work))
        except StreamerError as error:
            self._refuse(message, error)
        except Exception:
            log.exception("bus_request_failed", subject=message.subject)
            self._refuse(message, StreamerError("Something went wrong in the core."))
        else:
            self._send(message.reply, data)

    def _refuse(self, message: Any, error: StreamerError) -> None:
        self._send(message.reply, msgspec.msgpack.encode(Reply(0, error=to_protocol_error(error))))


class NatsFront(_Side):
    """A front's side. Subscribe before :meth:`start`."""

    def __init__(self, access: Access, *, in_bytes: int = IN_BYTES) -> None:
        super().__init__(access, in_bytes=in_bytes)
        self._inbox = f"front.inbox.{secrets.token_hex(8)}"
        self._heard[f"{self._inbox}.*"] = self._answered
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[bytes]] = {}

    async def request(self, subject: str, message: msgspec.Struct, answer: type[A], timeout_s: float) -> A:
        number = next(self._numbers)
        if not self._send(subject, msgspec.msgpack.encode(message), f"{self._inbox}.{number}"):
            raise unavailable()
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout_s):
                data = await waiting
        except TimeoutError as error:
            raise unavailable() from error
        finally:
            del self._waiting[number]
        if not data:
            raise unavailable()  # lost, or nobody hears the subject
        told = _answers.decode(data)
        if told.error is not None:
            raise from_protocol_error(told.error)
        return builtins_to(told.result, answer)

    def subscribe(self, subject: str, kind: type[M], handler: Callable[[M], None]) -> Stop:
        decoder = msgspec.msgpack.Decoder(kind)

        def hear(message: Any) -> None:
            try:
                told = decoder.decode(message.data)
            except msgspec.MsgspecError as error:
                log.error("bus_message_unreadable", subject=subject, error=str(error))
                return
            handler(told)

        self._heard[subject] = hear
        return partial(self._heard.pop, subject, None)

    def _answered(self, message: Any) -> None:
        waiting = self._waiting.get(int(message.subject.rpartition(".")[2]))
        if waiting is not None and not waiting.done():
            # The server itself answers without a word where nobody hears a request's subject.
            waiting.set_result(message.data)

    def _lost(self) -> None:
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_result(b"")
