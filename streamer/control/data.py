"""The server side of a data socket: a snapshot, the ring's bytes, then every event in order. All on the loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import structlog

from streamer.broadcast.media_events import MediaEvent, PartBytes, Snapshot
from streamer.control.framing import encode_frame
from streamer.control.outbound import BACKLOG_BYTES, BEHIND_LIMIT_S, SNAPSHOT_LIMIT_S, Outbound
from streamer.control.serving import SocketServer

log = structlog.get_logger(__name__)

SnapshotSource = Callable[[], tuple[Snapshot, list[PartBytes]]]


class DataServer:
    """Sends a room's media events to each web process.

    ``snapshot`` is called on the loop for each new connection. It must give the state after the last published event:
    change the state and publish in the same turn of the loop. It also gives the parts whose bytes are still in memory.
    """

    def __init__(
        self,
        path: Path,
        snapshot: SnapshotSource,
        *,
        max_backlog_bytes: int = BACKLOG_BYTES,
        max_age_s: float = BEHIND_LIMIT_S,
        snapshot_limit_s: float = SNAPSHOT_LIMIT_S,
    ) -> None:
        self._snapshot = snapshot
        self._max_backlog_bytes = max_backlog_bytes
        self._max_age_s = max_age_s
        self._snapshot_limit_s = snapshot_limit_s
        self._readers: set[Outbound] = set()
        self._server = SocketServer(path, self._serve)
        self.seq = 0
        """The number of the last event."""
        self.cut_off = 0
        """The number of readers that were cut off because they were too slow."""

    async def start(self) -> None:
        """Raises OSError if the socket cannot be made."""
        await self._server.start()

    async def close(self, *, flush_s: float = 0.5) -> None:
        """Send the queue for at most ``flush_s`` seconds, then end every connection."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(flush_s):
                for reader in list(self._readers):
                    await reader.flushed()
        await self._server.close()

    def publish(self, event: MediaEvent) -> None:
        """Stamp the event with the next sequence number and send it to every reader, encoded once."""
        self.seq += 1
        event.seq = self.seq
        if not self._readers:
            return
        frame = encode_frame(event)
        for reader in self._readers:
            reader.send(frame)

    def _first(self) -> Iterator[bytes]:
        # Taken in the same turn of the loop in which the reader joins, so that it misses no event and gets none twice.
        # The frames are encoded one by one as they are sent, so that a new reader does not cost a second copy of the
        # ring.
        snapshot, ring = self._snapshot()
        snapshot.seq = self.seq
        head = encode_frame(snapshot)

        def frames() -> Iterator[bytes]:
            yield head
            for part in ring:
                part.seq = snapshot.seq
                yield encode_frame(part)

        return frames()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        out = Outbound(
            writer,
            max_bytes=self._max_backlog_bytes,
            max_age_s=self._max_age_s,
            first_limit_s=self._snapshot_limit_s,
        )
        first = self._first()
        self._readers.add(out)
        pump = asyncio.create_task(out.run(first), name="data pump")
        # Readers send nothing: this task only notices that a reader has gone.
        gone = asyncio.create_task(reader.read(1), name="data reader gone")
        try:
            await asyncio.wait((pump, gone), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._readers.discard(out)
            if out.cut_reason is not None:
                self.cut_off += 1
                log.warning("data_reader_cut", reason=out.cut_reason)
            pump.cancel()
            gone.cancel()
            outcomes = await asyncio.gather(pump, gone, return_exceptions=True)
            for outcome in outcomes:
                if isinstance(outcome, Exception) and not isinstance(outcome, ConnectionError):
                    log.error("data_connection_failed", exc_info=outcome)
