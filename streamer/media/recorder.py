"""The ring in memory, the media files and the index of one broadcast. Memory comes first, the disk behind.

All public methods are called on the room process's loop and never block. A part's place on disk is known before its
bytes are there, because files are append-only and have one writer: a thread behind a queue that is bounded in bytes. If
the disk stalls or is full, parts stay in memory only; live never waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from streamer.broadcast.chunks import ChunkSet
from streamer.broadcast.media_events import MediaEvent, OutputGone, PartMade, Snapshot, Trimmed
from streamer.broadcast.programme import TICKS_PER_S, Broadcast, Chunk
from streamer.broadcast.segment_table import unpacked
from streamer.formats.index import encode_event
from streamer.media.disk import QUEUE_BYTES, DiskWriter, JobQueue, NewIndex, Punch, PutPart, PutRecord, Remove
from streamer.media.ring import Ring

FILE_TICKS = 600 * TICKS_PER_S
"""A media file holds ten minutes and ends with a segment."""
SOUND_SLACK_TICKS = 960
INDEX_FILE_BYTES = 4 * 1024 * 1024
"""After this growth a new index begins with a snapshot, which bounds the time of a recovery."""
RETRY_S = 2.0
"""After an error of the disk parts stay in memory for this long before the disk is tried again."""
BEHIND_FOR_S = 10.0
"""The alarm goes on for this long after the last part that found the queue full."""


@dataclass(slots=True)
class _File:
    name: str
    first: int
    """The tick of its first part."""
    size: int = 0


class _Forgetting:
    """Bytes that the writer must overwrite with zeros. Used on the loop, except by the writer."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._jobs: dict[asyncio.Future[int], None] = {}
        self._asked: set[tuple[str, tuple[tuple[int, int], ...]]] = set()
        self._refused = False

    def add(self, file: str, runs: tuple[tuple[int, int], ...], queue: JobQueue) -> None:
        if (file, runs) in self._asked:
            return  # another output listed the same bytes
        self._asked.add((file, runs))
        job: asyncio.Future[int] = self._loop.create_future()
        self._jobs[job] = None

        def done(size: int) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed because the process is about to end
                self._loop.call_soon_threadsafe(_resolve, job, size)

        self._refused |= not queue.put(Punch(file, runs, done))

    async def wait(self, timeout_s: float) -> tuple[int, bool]:
        if not self._jobs:
            return 0, not self._refused
        done, late = await asyncio.wait(self._jobs, timeout=timeout_s)
        sizes = [job.result() for job in done]
        return sum(size for size in sizes if size > 0), not (self._refused or late or min(sizes, default=0) < 0)


def _resolve(job: asyncio.Future[int], size: int) -> None:
    if not job.done():
        job.set_result(size)


class Recorder:
    """Keeps the parts of one broadcast: the newest in ``ring``, all of them in ``room_dir``.

    ``snapshot`` gives the first state of the index, usually ``BroadcastView.packed_snapshot``. ``next_files`` (by
    stream) and ``next_index`` come from a recovery.
    """

    def __init__(
        self,
        room_dir: Path,
        broadcast: Broadcast,
        snapshot: Callable[[], Snapshot],
        *,
        ring_s: float = 30.0,
        next_files: Mapping[str, int] | None = None,
        next_index: int = 0,
        queue_bytes: int = QUEUE_BYTES,
    ) -> None:
        self.ring = Ring(ring_s)
        self.memory_only_total = 0
        """Parts that were not written, on purpose or not."""
        self.refused_total = 0
        """Parts that found the queue full."""
        self._folder = broadcast.id
        self._snapshot = snapshot
        self._numbers = dict(next_files or {})
        self._next_index = next_index
        self._files: dict[str, _File] = {}
        self._uses: dict[str, dict[str, int]] = {}
        """File -> output -> the newest segment that has bytes in it."""
        self._first_msn: dict[str, int] = {}
        self._files_from = 0
        self._forgetting: _Forgetting | None = None
        self._memory_offset = -time.time_ns()
        """Unique even after a restart: the next process begins lower."""
        self._behind_until = 0.0
        self._retry_at = 0.0
        self._index_retry_at = 0.0
        self._index_bytes = 0
        self._index_wanted = True
        self._queue = JobQueue(max_part_bytes=queue_bytes)
        self._writer = DiskWriter(room_dir, self._folder, self._queue)
        self._thread = threading.Thread(target=self._writer.run, name=f"recorder-{broadcast.room}", daemon=True)

    def start(self) -> None:
        """Start the writer and begin the index: the broadcast is open and ``snapshot`` shows it.

        Files of segments in the snapshot are not removed.
        """
        first = self._snapshot()
        for output, tracks in first.outputs.items():
            self._first_msn[output] = first.window_start.get(output, 0)
            for segments in tracks.values():
                for segment in unpacked(segments):
                    for part in segment.parts:
                        self._note_use(part.chunk.file, output, segment.msn)
        self._thread.start()
        self._begin_index(first)

    def write(self, stream: str, start: int, data: bytes, *, new_segment: bool, record: bool = True) -> Chunk:
        """Keep a part that begins at ``start`` ticks. Returns at once the future place of its bytes. Without ``record``
        (minutes that must not be recorded) that is in memory only."""
        chunk = self._place(stream, start, data, new_segment) if record else None
        if chunk is None:
            self.memory_only_total += 1
            self._memory_offset -= 1
            chunk = Chunk("", self._memory_offset, len(data))
        self.ring.put(chunk, start, data)
        return chunk

    def new_files(self, start: int) -> None:
        """No file holds bytes of segments that begin at ``start`` ticks or later together with earlier ones."""
        self._files_from = start

    def forget(self, chunks: Iterable[Chunk]) -> None:
        """Delete these bytes, from memory at once and from the disk by the writer; see :meth:`forgotten`."""
        found = ChunkSet(chunks)
        self.ring.drop(found)
        if self._forgetting is None:
            self._forgetting = _Forgetting(asyncio.get_running_loop())
        for file, runs in found.runs.items():
            if file:
                self._forgetting.add(file, tuple(runs), self._queue)

    async def forgotten(self, timeout_s: float) -> tuple[int, bool]:
        """Wait until the disk has done the requests of :meth:`forget` since the last call. Returns the number of bytes,
        and whether all are gone."""
        forgetting, self._forgetting = self._forgetting, None
        return await forgetting.wait(timeout_s) if forgetting is not None else (0, True)

    def journal(self, event: MediaEvent) -> None:
        """Keep an event in the index. Call it after the view that ``snapshot`` shows has applied the event."""
        record = encode_event(event)
        if record is None:
            return
        part = event if isinstance(event, PartMade) and event.part.chunk.file else None
        if part is not None:
            self._note_use(part.part.chunk.file, part.output, part.msn)
        if self._index_wanted or self._writer.index_broken or self._index_bytes > INDEX_FILE_BYTES:
            # While the index waits for its new beginning, events become part of the snapshot.
            self._index_wanted = True
            if time.monotonic() >= self._index_retry_at:
                self._begin_index(self._snapshot(), record)
        elif self._queue.put(PutRecord(record, part)):
            self._index_bytes += len(record)
        else:
            self._index_wanted = True
        if isinstance(event, Trimmed):
            self._first_msn[event.output] = event.first_msn
            self._expire()
        elif isinstance(event, OutputGone):
            for uses in self._uses.values():
                uses.pop(event.output, None)
            self._first_msn.pop(event.output, None)
            self._expire()

    @property
    def alarms(self) -> list[str]:
        """Stable codes of present problems: ``disk_behind``, ``disk_full``, ``disk_error``, ``not_erased``."""
        found = ["disk_behind"] if time.monotonic() < self._behind_until else []
        if self._writer.trouble:
            found.append(self._writer.trouble)
        if self._writer.unerased:
            found.append("not_erased")
        return found

    @property
    def counters(self) -> dict[str, float]:
        """Monotonic counters, and the queue's length in bytes."""
        return {
            "parts_memory_only_total": self.memory_only_total,
            "disk_refused_parts_total": self.refused_total,
            "disk_lost_parts_total": self._writer.lost_total,
            "disk_unerased": self._writer.unerased,
            "disk_bytes_written_total": self._writer.written_bytes,
            "disk_queue_bytes": self._queue.part_bytes + self._queue.index_bytes,
        }

    async def close(self, timeout_s: float = 5.0) -> bool:
        """Write the queue and stop; False if the disk did not take it in time."""
        return await asyncio.to_thread(self.stop, timeout_s)

    def stop(self, timeout_s: float = 5.0) -> bool:
        """Do as :meth:`close` does, for callers that may block."""
        self._queue.close()
        if self._thread.ident is None:
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    # --- inside ------------------------------------------------------------------------------------

    def _place(self, stream: str, start: int, data: bytes, new_segment: bool) -> Chunk | None:
        now = time.monotonic()
        file = self._files.get(stream)
        if file is not None and self._writer.has_failed(file.name):
            # The next parts would have no place in this file, so the stream goes on in another file, when the disk
            # works again.
            del self._files[stream]
            file = None
            self._retry_at = now + RETRY_S
        if now < self._retry_at:
            return None
        if file is None or (new_segment and self._is_full(file, start)):
            number = self._numbers.get(stream, 0)
            self._numbers[stream] = number + 1
            file = _File(f"{self._folder}/{stream}-{number:04d}.m4s", start)
            self._files[stream] = file
            self._uses.setdefault(file.name, {})
        chunk = Chunk(file.name, file.size, len(data))
        if not self._queue.put(PutPart(stream, chunk, data)):
            self.refused_total += 1
            self._behind_until = now + BEHIND_FOR_S
            return None
        file.size += len(data)
        return chunk

    def _is_full(self, file: _File, start: int) -> bool:
        # Sound is cut at the nearest frame: a segment of it may begin a little before the picture's.
        boundary = self._files_from - SOUND_SLACK_TICKS
        return start - file.first >= FILE_TICKS or file.first < boundary <= start

    def _begin_index(self, snapshot: Snapshot, record: bytes = b"") -> None:
        self._index_retry_at = time.monotonic() + RETRY_S
        self._writer.index_broken = False
        self._index_wanted = not self._queue.put(NewIndex(self._next_index, snapshot, record))
        self._next_index += not self._index_wanted
        self._index_bytes = 0

    def _note_use(self, file: str, output: str, msn: int) -> None:
        if file:
            uses = self._uses.setdefault(file, {})
            uses[output] = max(msn, uses.get(output, msn))

    def _expire(self) -> None:
        """Delete the files that no output's window refers to any more."""
        current = {file.name for file in self._files.values()}
        for name, uses in list(self._uses.items()):
            if name in current or any(msn >= self._first_msn.get(output, 0) for output, msn in uses.items()):
                continue
            if self._queue.put(Remove(name)):
                del self._uses[name]
