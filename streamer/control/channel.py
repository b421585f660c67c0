"""One connection to a control socket, on the client's side. All on the loop."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from streamer.control import run_folder
from streamer.control.framing import FrameError, decode_control, encode_frame, from_protocol_error, read_frame
from streamer.control.messages import ControlEvent, Reply
from streamer.control.serving import close_writer
from streamer.errors import StreamerError, Unavailable

log = structlog.get_logger(__name__)

READ_LIMIT_BYTES = 4 * 1024 * 1024
"""The stream's buffer before reading pauses. Frames of some hundred kB arrive at once."""
REQUEST_LIMIT_S = 15.0


class Channel:
    """Requests and their replies, with events in between.

    ``on_event`` is called on the loop for each event, in order, and must not raise.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, on_event: Callable[[ControlEvent], None]
    ) -> None:
        self._writer = writer
        self._on_event = on_event
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._closed = asyncio.Event()
        self._task = asyncio.create_task(self._read(reader), name="control channel")

    @classmethod
    async def open(
        cls, run_dir: Path, name: str, on_event: Callable[[ControlEvent], None] = lambda event: None
    ) -> Channel:
        """Raises OSError if nobody listens."""
        sock = run_folder.connect(run_dir, name)
        reader, writer = await asyncio.open_unix_connection(sock=sock, limit=READ_LIMIT_BYTES)
        return cls(reader, writer, on_event)

    @property
    def up(self) -> bool:
        return not self._closed.is_set()

    async def request(
        self, method: str, params: Any = None, *, limit_s: float = REQUEST_LIMIT_S, epoch: int = 0
    ) -> Any:
        """The result, as builtins. ``params`` is a struct or a dict; ``epoch`` is the caller's.

        Raises the other side's StreamerError; ``connection_lost`` 503 if it went away before it answered;
        ``timed_out`` 504 after ``limit_s``.
        """
        if not self.up:
            raise _lost()
        number = next(self._numbers)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            async with asyncio.timeout(limit_s):
                message = {
                    "type": "request",
                    "id": number,
                    "method": method,
                    "params": {} if params is None else params,
                    "epoch": epoch,
                }
                self._writer.write(encode_frame(message))
                await self._writer.drain()
                return await answer
        except TimeoutError as error:
            raise StreamerError(f"{method}: no answer in {limit_s:g} s.", code="timed_out", status=504) from error
        except ConnectionError as error:
            raise _lost() from error
        finally:
            del self._waiting[number]
            if answer.done() and not answer.cancelled():
                answer.exception()  # Read here: a reply that came together with the time limit is no error of the loop.

    async def wait_closed(self) -> None:
        """Returns when the connection is closed, by either side."""
        await self._closed.wait()

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.wait((self._task,))
        # A task that is cancelled before its first step never reaches its own clean-up.
        self._closed.set()
        await close_writer(self._writer)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while (payload := await read_frame(reader)) is not None:
                message = decode_control(payload)
                if isinstance(message, ControlEvent):
                    self._on_event(message)
                elif isinstance(message, Reply):
                    self._settle(message)
        except (ConnectionError, FrameError) as error:
            log.warning("control_connection_lost", error=str(error))
        finally:
            self._closed.set()
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(_lost())
            self._writer.close()

    def _settle(self, reply: Reply) -> None:
        answer = self._waiting.get(reply.id)
        if answer is None or answer.done():
            return  # The reply came after the caller's limit.
        if reply.error is not None:
            answer.set_exception(from_protocol_error(reply.error))
        else:
            answer.set_result(reply.result)


def _lost() -> Unavailable:
    return Unavailable("The media plane is restarting.", code="connection_lost", headers={"Retry-After": "1"})
