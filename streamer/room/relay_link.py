"""A relay process on the room's side: the child, the socket to it, requests. All on the loop."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import sys
from collections.abc import Callable
from typing import Any

import structlog

from streamer.control import process_files
from streamer.control.channel import READ_LIMIT_BYTES
from streamer.control.framing import FrameError, encode_frame, from_protocol_error, read_frame
from streamer.control.messages import ControlEvent, Reply
from streamer.control.serving import close_writer
from streamer.errors import Unavailable
from streamer.room.relay_wire import decode_relay
from streamer.settings import Settings

log = structlog.get_logger(__name__)

START_LIMIT_S = 10.0
REQUEST_LIMIT_S = 12.0
STOP_LIMIT_S = 3.0
BEHIND_BYTES = 2 * 1024 * 1024
"""With more unsent bytes, pictures are dropped up to the next IDR, and sound too."""


class RelayProcess:
    """``on_event`` is called for each event; ``on_end`` if the process ends without :meth:`stop`."""

    def __init__(
        self,
        child: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        on_event: Callable[[ControlEvent], None],
        on_end: Callable[[RelayProcess], None],
    ) -> None:
        self._child = child
        self._writer = writer
        self._on_event = on_event
        self._on_end = on_end
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._ended = False
        self._task = asyncio.create_task(self._read(reader), name="relay link")

    @classmethod
    async def start(
        cls,
        room: str,
        settings: Settings,
        on_event: Callable[[ControlEvent], None],
        on_end: Callable[[RelayProcess], None],
    ) -> RelayProcess:
        """Raises OSError or TimeoutError."""
        settings_file = settings.run_dir / process_files.SETTINGS_FILE
        if not settings_file.exists():
            settings_file = await asyncio.to_thread(process_files.write_settings, settings)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            async with asyncio.timeout(START_LIMIT_S):
                child = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "streamer.room.relay_process",
                    "--fd",
                    str(theirs.fileno()),
                    "--room",
                    room,
                    "--settings",
                    str(settings_file),
                    stdin=asyncio.subprocess.DEVNULL,
                    pass_fds=(theirs.fileno(),),
                    env=process_files.child_environment(),
                )
                reader, writer = await asyncio.open_connection(sock=ours, limit=READ_LIMIT_BYTES)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        return cls(child, reader, writer, on_event, on_end)

    @property
    def ready(self) -> bool:
        return not self._ended

    @property
    def behind(self) -> bool:
        return self._writer.transport.get_write_buffer_size() > BEHIND_BYTES

    def write(self, frame: bytes) -> None:
        if not self._ended:
            self._writer.write(frame)

    async def request(self, method: str, params: Any) -> Any:
        """Raises the relay's StreamerError, ``relay_unavailable`` 503 if it died or does not answer."""
        if self._ended:
            raise relay_unavailable()
        number = next(self._numbers)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            self.write(encode_frame({"type": "request", "id": number, "method": method, "params": params}))
            async with asyncio.timeout(REQUEST_LIMIT_S):
                return await answer
        except TimeoutError as error:
            # A relay that does not answer serves nobody: the next offer starts another.
            with contextlib.suppress(ProcessLookupError):
                self._child.kill()
            raise relay_unavailable() from error
        finally:
            del self._waiting[number]

    async def stop(self) -> None:
        self._ended = True
        self._task.cancel()
        await asyncio.wait((self._task,))
        await close_writer(self._writer)
        try:
            async with asyncio.timeout(STOP_LIMIT_S):
                await self._child.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._child.kill()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_LIMIT_S):
                    await self._child.wait()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while (payload := await read_frame(reader)) is not None:
                message = decode_relay(payload)
                if isinstance(message, ControlEvent):
                    self._on_event(message)
                elif isinstance(message, Reply):
                    self._settle(message)
        except (ConnectionError, FrameError) as error:
            log.warning("relay_connection_lost", error=str(error))
        finally:
            ended_by_itself = not self._ended
            self._ended = True
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(relay_unavailable())
            if ended_by_itself:
                self._on_end(self)

    def _settle(self, reply: Reply) -> None:
        answer = self._waiting.get(reply.id)
        if answer is None or answer.done():
            return
        if reply.error is not None:
            answer.set_exception(from_protocol_error(reply.error))
        else:
            answer.set_result(reply.result)


def relay_unavailable() -> Unavailable:
    return Unavailable(
        "Lowest latency is not available right now.", code="relay_unavailable", headers={"Retry-After": "5"}
    )
