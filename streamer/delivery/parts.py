"""Bytes of media: new ones from memory, older ones from the room's files.

On the loop, except the reads, which run in a few threads of their own. Viewers who ask for the same bytes share one
read, and the longest segments of a seek share one copy.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from streamer.archive import away
from streamer.broadcast.programme import Chunk
from streamer.control.part_cache import Place
from streamer.delivery.stats import DeliveryStats
from streamer.errors import NotFound, Unavailable

READERS = 4
MAX_READS = 256
"""Different reads that run or wait for a thread."""
MAX_BUCKET_READS = 32
"""Of these, reads from the bucket."""
READ_LIMIT_S = 5.0
RECENT_BYTES = 48 * 1024 * 1024
"""Joined segments and recent reads from the disk, of all rooms."""

_Key = tuple[str, str, int, int]

RecentParts = Callable[[Place], bytes | None]
"""The bytes of a part, while they are in memory: :meth:`streamer.control.part_cache.PartCache.get`."""


class MediaBytes:
    """Reads chunks. ``room`` names the room; the chunks' files are relative to the folder ``room_dir``."""

    def __init__(self, stats: DeliveryStats, *, recent_bytes: int = RECENT_BYTES, limit_s: float = READ_LIMIT_S):
        self._stats = stats
        self._limit_s = limit_s
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="delivery-read")
        self._bucket_threads = ThreadPoolExecutor(READERS, thread_name_prefix="bucket-read")
        self._bucket_now = 0
        self._reads: dict[_Key, asyncio.Task[bytes]] = {}
        self._recent: OrderedDict[_Key, bytes] = OrderedDict()
        self._recent_size = 0
        self._recent_max = recent_bytes

    async def close(self) -> None:
        for read in list(self._reads.values()):
            read.cancel()
        await asyncio.gather(*self._reads.values(), return_exceptions=True)
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._bucket_threads.shutdown(wait=False, cancel_futures=True)

    async def get(self, room: str, room_dir: Path, recent: RecentParts, chunks: Sequence[Chunk]) -> bytes:
        """The chunks' bytes, joined.

        Raises NotFound ``gone`` if the bytes are neither in memory nor on disk any more, Unavailable ``disk_busy``
        (with Retry-After) if the disk is too slow.
        """
        first = chunks[0]
        if len(chunks) == 1 and (data := recent((first.file, first.offset))) and len(data) == first.size:
            self._stats.memory_reads_total += 1
            return data
        key = (room, first.file, first.offset, sum(chunk.size for chunk in chunks))
        kept = self._recent.get(key)
        if kept is not None:
            self._recent.move_to_end(key)
            self._stats.memory_reads_total += 1
            return kept
        pieces: list[bytes | Chunk] = []
        for chunk in chunks:
            pieces += _from_memory(recent, chunk)
        if all(isinstance(piece, bytes) for piece in pieces):
            self._stats.memory_reads_total += 1
            data = b"".join(piece for piece in pieces if isinstance(piece, bytes))
            self._remember(key, data)
            return data
        if any(isinstance(piece, Chunk) and not piece.file for piece in pieces):
            raise _gone()
        return await self._read_shared(key, room_dir, pieces)

    async def _read_shared(self, key: _Key, room_dir: Path, pieces: list[bytes | Chunk]) -> bytes:
        task = self._reads.get(key)
        if task is None:
            if len(self._reads) >= MAX_READS:
                raise self._busy()
            task = asyncio.create_task(self._read(key, room_dir, pieces), name="delivery read")
            task.add_done_callback(_retrieve)
            self._reads[key] = task
        try:
            # Shielded: the client that asked first may go, and the others still wait for the same bytes.
            return await asyncio.wait_for(asyncio.shield(task), self._limit_s)
        except TimeoutError:
            raise self._busy() from None

    async def _read(self, key: _Key, room_dir: Path, pieces: list[bytes | Chunk]) -> bytes:
        try:
            loop = asyncio.get_running_loop()
            try:
                data = await loop.run_in_executor(self._threads, _read_pieces, room_dir, pieces, away.read_here)
            except away.IsAway:
                data = await self._read_bucket(room_dir, pieces)
        except (FileNotFoundError, EOFError):
            # The file was deleted with the end of its window after the lookup, or a slow disk has not written it yet.
            # In both cases there is nothing to send.
            raise _gone() from None
        except OSError as error:
            raise Unavailable("The media could not be read.", code="disk_failed") from error
        finally:
            del self._reads[key]
        self._stats.disk_reads_total += 1
        self._stats.disk_read_bytes_total += len(data)
        self._remember(key, data)
        return data

    async def _read_bucket(self, room_dir: Path, pieces: list[bytes | Chunk]) -> bytes:
        """In threads of its own: a bucket that hangs delays nothing that lies here."""
        if self._bucket_now >= MAX_BUCKET_READS:
            raise self._busy()
        self._bucket_now += 1
        try:
            loop = asyncio.get_running_loop()
            data = await loop.run_in_executor(self._bucket_threads, _read_pieces, room_dir, pieces, away.read_at)
        finally:
            self._bucket_now -= 1
        self._stats.bucket_reads_total += 1
        return data

    def _remember(self, key: _Key, data: bytes) -> None:
        if len(data) > self._recent_max or key in self._recent:
            return
        self._recent[key] = data
        self._recent_size += len(data)
        while self._recent_size > self._recent_max:
            _, gone = self._recent.popitem(last=False)
            self._recent_size -= len(gone)

    def _busy(self) -> Unavailable:
        self._stats.disk_refused_total += 1
        return Unavailable("The disk is busy.", code="disk_busy", headers={"Retry-After": "1"})


def _from_memory(recent: RecentParts, chunk: Chunk) -> list[bytes | Chunk]:
    """The chunk's bytes as far as they are in memory; the chunk itself if any are missing.

    A chunk may stand for several parts that lie side by side, each in memory under its own offset.
    """
    out: list[bytes | Chunk] = []
    offset, end = chunk.offset, chunk.offset + chunk.size
    while offset < end:
        data = recent((chunk.file, offset))
        if not data or len(data) > end - offset:
            return [chunk]
        out.append(data)
        offset += len(data)
    return out


def _read_pieces(room_dir: Path, pieces: list[bytes | Chunk], read: Callable[[Path, int, int], bytes]) -> bytes:
    """Runs in a thread. Chunks that lie side by side in a file are one read. Raises as ``read`` does."""
    out: list[bytes] = []
    runs: list[bytes | Chunk] = []
    for piece in pieces:
        last = runs[-1] if runs else None
        if (
            isinstance(piece, Chunk)
            and isinstance(last, Chunk)
            and last.file == piece.file
            and last.offset + last.size == piece.offset
        ):
            runs[-1] = Chunk(last.file, last.offset, last.size + piece.size)
        else:
            runs.append(piece)
    for run in runs:
        if isinstance(run, bytes):
            out.append(run)
            continue
        out.append(read(room_dir / run.file, run.offset, run.size))
    return b"".join(out)


def _retrieve(task: asyncio.Task[bytes]) -> None:
    """Read the task's exception, because perhaps no client waits for it any more."""
    if not task.cancelled():
        task.exception()


def _gone() -> NotFound:
    return NotFound("This piece of media is no longer there.", code="gone")
