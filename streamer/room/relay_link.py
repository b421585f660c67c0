"""A relay process on the room's side: the child, the socket to it, requests. All on the loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import Callable
from typing import Any

from streamer.control import process_files
from streamer.control.channel import READ_LIMIT_BYTES, Channel
from streamer.control.messages import ControlEvent
from streamer.errors import StreamerError, Unavailable
from streamer.settings import Settings

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
        self._channel = Channel(reader, writer, on_event)
        self._on_end = on_end
        self._watch = asyncio.create_task(self._watch_end(), name="relay link")

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
        return self._channel.up

    @property
    def behind(self) -> bool:
        return self._writer.transport.get_write_buffer_size() > BEHIND_BYTES

    def write(self, frame: bytes) -> None:
        if self.ready:
            self._writer.write(frame)

    async def request(self, method: str, params: Any) -> Any:
        """Raises the relay's StreamerError, ``relay_unavailable`` 503 if it died or does not answer."""
        try:
            return await self._channel.request(method, params, limit_s=REQUEST_LIMIT_S)
        except StreamerError as error:
            if error.code == "timed_out":
                # A relay that does not answer serves nobody: the next offer starts another.
                with contextlib.suppress(ProcessLookupError):
                    self._child.kill()
            elif error.code != "connection_lost":
                raise
            raise relay_unavailable() from error

    async def stop(self) -> None:
        self._watch.cancel()
        await self._channel.close()
        try:
            async with asyncio.timeout(STOP_LIMIT_S):
                await self._child.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._child.kill()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_LIMIT_S):
                    await self._child.wait()

    async def _watch_end(self) -> None:
        await self._channel.wait_closed()
        self._on_end(self)


def relay_unavailable() -> Unavailable:
    return Unavailable(
        "Lowest latency is not available right now.", code="relay_unavailable", headers={"Retry-After": "5"}
    )
