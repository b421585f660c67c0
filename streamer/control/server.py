"""The server side of a control socket: requests, replies and events (control/messages.py). The media host and each room
process have one; the core has one for its front processes (bus/local.py). All on the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import structlog

from streamer.control.framing import (
    FrameError,
    builtins_to,
    decode_control,
    encode_frame,
    read_frame,
    to_protocol_error,
)
from streamer.control.messages import ControlEvent, ProtocolError, Reply, Request
from streamer.control.outbound import BACKLOG_BYTES, BEHIND_LIMIT_S, Outbound
from streamer.control.serving import SocketServer
from streamer.errors import BadRequest, Conflict, NotFound, StreamerError, TooMany

log = structlog.get_logger(__name__)

REQUEST_LIMIT_S = 15.0
MAX_PENDING = 256
"""Requests of one connection that may run at once."""
DRAIN_LIMIT_S = 1.0

Handler = Callable[[dict[str, Any]], Awaitable[Any]]
S = TypeVar("S", bound=msgspec.Struct)


def typed(kind: type[S], handler: Callable[[S], Awaitable[Any]]) -> Handler:
    """A handler whose params are the struct ``kind``; others are refused with ``bad_params`` 400."""

    async def handle(params: dict[str, Any]) -> Any:
        try:
            value = builtins_to(params, kind)
        except msgspec.ValidationError as error:
            raise BadRequest(f"Bad parameters: {error}", code="bad_params") from error
        return await handler(value)

    return handle


def plain(answer: Callable[[], Any]) -> Handler:
    """A handler of requests without params; ``answer`` does not wait."""

    async def handle(params: dict[str, Any]) -> Any:
        return answer()

    return handle


class ControlServer:
    """Answers requests by ``handlers`` and sends events to every connection.

    ``handlers`` maps a method to an async callable that takes the params (builtins; see :func:`typed`) and returns
    builtins or structs. A :class:`StreamerError` that it raises goes to the caller as it is; other errors are logged
    and sent as ``internal`` 500. A handler that takes longer than ``request_limit_s`` is cancelled and answered
    ``timed_out`` 504; one whose caller has gone is cancelled.

    ``epoch`` is the highest that was obeyed; requests of an older one are refused, and ``on_epoch`` is called with a
    newer one.
    """

    def __init__(
        self,
        path: Path,
        handlers: Mapping[str, Handler],
        *,
        latest: Collection[str] = ("status", "room"),
        droppable: Collection[str] = ("meters",),
        request_limit_s: float = REQUEST_LIMIT_S,
        max_pending: int = MAX_PENDING,
        max_backlog_bytes: int = BACKLOG_BYTES,
        max_age_s: float = BEHIND_LIMIT_S,
        epoch: int = 0,
        on_epoch: Callable[[int], None] = lambda epoch: None,
    ) -> None:
        self.epoch = epoch
        self._on_epoch = on_epoch
        self._handlers = handlers
        self._latest_kinds = frozenset(latest)
        self._droppable = frozenset(droppable)
        self._request_limit_s = request_limit_s
        self._max_pending = max_pending
        self._max_backlog_bytes = max_backlog_bytes
        self._max_age_s = max_age_s
        self._latest: dict[tuple[str, str], Any] = {}
        self._connections: set[Outbound] = set()
        self._running: set[asyncio.Task[None]] = set()
        self._server = SocketServer(path, self._serve)
        self.cut_off = 0
        """Readers that were cut off because they were too slow."""
        self.dropped = 0
        """Droppable events that were not sent to a slow reader."""
        self.refused = 0
        """Requests of web processes that do not direct any more."""

    async def start(self) -> None:
        """Raises OSError if the socket cannot be made."""
        await self._server.start()

    async def close(self) -> None:
        """Send the outstanding replies, then end every connection and remove the socket file."""
        current = asyncio.current_task()
        due = [task for task in self._running if task is not current]
        if due:
            await asyncio.wait(due, timeout=DRAIN_LIMIT_S)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_LIMIT_S):
                for connection in list(self._connections):
                    await connection.flushed()
        await self._server.close()

    @property
    def connections(self) -> int:
        return len(self._connections)

    def publish(self, kind: str, data: Any, *, key: str = "") -> None:
        """Send an event to every connection. The newest of each ``latest`` kind and ``key`` also goes to later
        connections."""
        frame = encode_frame(ControlEvent(kind=kind, data=data, epoch=self.epoch))
        if kind in self._latest_kinds:
            self._latest[kind, key] = data
        droppable = kind in self._droppable
        for connection in self._connections:
            if not connection.send(frame, droppable=droppable) and droppable:
                self.dropped += 1

    def forget(self, kind: str, *, key: str = "") -> None:
        """Send this to later connections no more."""
        self._latest.pop((kind, key), None)

    def _ended(self, out: Outbound) -> None:
        """Called when a connection has ended."""

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        out = Outbound(writer, max_bytes=self._max_backlog_bytes, max_age_s=self._max_age_s)
        for (kind, _), data in self._latest.items():
            out.send(encode_frame(ControlEvent(kind=kind, data=data, epoch=self.epoch)))
        self._connections.add(out)
        requests: set[asyncio.Task[None]] = set()
        pump = asyncio.create_task(out.run(), name="control pump")
        read = asyncio.create_task(self._read(reader, out, requests), name="control reader")
        try:
            await asyncio.wait((pump, read), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._connections.discard(out)
            self._ended(out)
            if out.cut_reason is not None:
                self.cut_off += 1
                log.warning("control_reader_cut", reason=out.cut_reason)
            tasks = [pump, read, *requests]
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            for outcome in outcomes:
                if isinstance(outcome, Exception) and not isinstance(outcome, (ConnectionError, FrameError)):
                    log.error("control_connection_failed", exc_info=outcome)

    async def _read(self, reader: asyncio.StreamReader, out: Outbound, requests: set[asyncio.Task[None]]) -> None:
        while (payload := await read_frame(reader)) is not None:
            message = decode_control(payload)
            if not isinstance(message, Request):
                raise FrameError("only requests are sent to a control server")
            if len(requests) >= self._max_pending:
                refusal = TooMany("Too many requests on one connection.", code="too_many_requests")
                out.send(encode_frame(Reply(id=message.id, error=to_protocol_error(refusal))))
                continue
            task = asyncio.create_task(self._answer(message, out), name=f"control {message.method}")
            requests.add(task)
            self._running.add(task)
            task.add_done_callback(requests.discard)
            task.add_done_callback(self._running.discard)

    async def _answer(self, request: Request, out: Outbound) -> None:
        try:
            frame = encode_frame(Reply(id=request.id, result=await self._call(request, out)))
        except StreamerError as error:
            frame = encode_frame(Reply(id=request.id, error=to_protocol_error(error)))
        except Exception:
            log.exception("control_request_failed", method=request.method)
            internal = ProtocolError(code="internal", message="Something went wrong on our side.", status=500)
            frame = encode_frame(Reply(id=request.id, error=internal))
        out.send(frame)

    def obey(self, epoch: int) -> None:
        """Refuse older epochs from now on. The state for later connections then carries this epoch."""
        if epoch <= self.epoch:
            return
        self.epoch = epoch
        self._on_epoch(epoch)
        for (kind, key), data in list(self._latest.items()):
            self.publish(kind, data, key=key)

    async def _call(self, request: Request, _out: Outbound) -> Any:
        if 0 < request.epoch < self.epoch:
            self.refused += 1
            log.error("older_epoch_refused", method=request.method, epoch=request.epoch, obeyed=self.epoch)
            raise Conflict("Another web process directs.", code="not_the_director", details={"epoch": self.epoch})
        self.obey(request.epoch)
        handler = self._handlers.get(request.method)
        if handler is None:
            raise NotFound(f"No method {request.method!r}.", code="unknown_method")
        limit = asyncio.timeout(self._request_limit_s)
        try:
            async with limit:
                return await handler(request.params)
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise StreamerError(f"{request.method} took too long.", code="timed_out", status=504) from error


async def wait_cancelled(task: asyncio.Task[Any]) -> None:
    """Cancel a task and wait for its end; its result is ignored."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError, Exception):
        await task
