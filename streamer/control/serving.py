"""A Unix socket server whose connections each run in a task that the server owns."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from streamer.control import run_folder
from streamer.control.framing import FrameError

log = structlog.get_logger(__name__)

CLOSE_LIMIT_S = 2.0
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class SocketServer:
    """Listens at ``path`` and calls ``serve`` for each connection. All on the loop."""

    def __init__(self, path: Path, serve: Serve, *, max_connections: int = 64) -> None:
        self._path = path
        self._serve = serve
        self._max_connections = max_connections
        self._server: asyncio.Server | None = None
        self._inode = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.refused = 0

    async def start(self) -> None:
        """Raises OSError if the folder cannot be written."""
        sock = run_folder.listen(self._path.parent, self._path.name)
        self._inode = self._path.stat().st_ino
        self._server = await asyncio.start_unix_server(self._accept, sock=sock)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._tasks) >= self._max_connections:
            self.refused += 1
            writer.transport.abort()
            return
        task = asyncio.create_task(self._run(reader, writer), name=f"{self._path.name} connection")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # A task that is cancelled before its first step never reaches its own clean-up.
        task.add_done_callback(lambda _: writer.close())

    async def _run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._serve(reader, writer)
        except (ConnectionError, FrameError) as error:
            log.debug("socket_connection_ended", socket=self._path.name, error=str(error))
        except Exception:
            # The error concerns this connection only: the room goes on for all others.
            log.exception("socket_connection_failed", socket=self._path.name)
        finally:
            await close_writer(writer)

    async def close(self) -> None:
        """End every connection and remove the socket file, unless a successor's stands there already."""
        if self._server is not None:
            self._server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CLOSE_LIMIT_S)
        with contextlib.suppress(FileNotFoundError):
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()


async def close_writer(writer: asyncio.StreamWriter) -> None:
    """Close a stream without waiting for a reader that does not read."""
    writer.close()
    try:
        async with asyncio.timeout(CLOSE_LIMIT_S):
            await writer.wait_closed()
    except TimeoutError:
        writer.transport.abort()
    except ConnectionError:
        pass
