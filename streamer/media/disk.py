"""The writer thread of a room's files: media bytes first, then the index records that name them.

The loop puts jobs into a bounded :class:`JobQueue`; :meth:`DiskWriter.run` is the thread. Nothing is written twice and
no file is written by two writers.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import structlog

from streamer.broadcast.media_events import PartMade, Snapshot
from streamer.broadcast.programme import Chunk
from streamer.formats.hole_punch import punch
from streamer.formats.index import HEADER, INDEX_GLOB, encode_event, index_name

log = structlog.get_logger(__name__)

QUEUE_BYTES = 32 * 1024 * 1024
INDEX_QUEUE_BYTES = 8 * 1024 * 1024
SYNC_S = 3.0
"""The time between two syncs of the files against a power failure. A killed process loses no written data."""
MAX_LOST = 4096
MAX_UNERASED = 1024
"""Files and stretches that could not be deleted, and that are tried again at each sync."""


@dataclass(slots=True, frozen=True)
class PutPart:
    """Bytes for the writer thread."""

    stream: str
    chunk: Chunk
    data: bytes


@dataclass(slots=True, frozen=True)
class PutRecord:
    """One record of the index; ``part`` is the event if it names bytes on disk."""

    record: bytes
    part: PartMade | None = None


@dataclass(slots=True, frozen=True)
class NewIndex:
    """Begin the index anew; ``record`` goes to the old one if that fails."""

    number: int
    snapshot: Snapshot
    record: bytes = b""


@dataclass(slots=True, frozen=True)
class Remove:
    file: str


@dataclass(slots=True, frozen=True)
class Punch:
    """Overwrite these bytes of a file with zeros. ``done`` is called on the thread with the number of bytes; -1: it
    failed."""

    file: str
    runs: tuple[tuple[int, int], ...]
    """``(offset, end)`` each."""
    done: Callable[[int], None]


Job = PutPart | PutRecord | NewIndex | Remove | Punch


@dataclass(slots=True)
class JobQueue:
    """The queue between the loop and the writer thread. The loop never waits; the lock is held for one append."""

    max_part_bytes: int = QUEUE_BYTES
    max_index_bytes: int = INDEX_QUEUE_BYTES
    part_bytes: int = 0
    index_bytes: int = 0
    _snapshots: int = 0
    """At most one waits: it is the largest of all jobs."""
    _jobs: deque[Job] = field(default_factory=deque)
    _ready: threading.Condition = field(default_factory=threading.Condition)
    _closed: bool = False

    def put(self, job: Job) -> bool:
        """Add a job. False if there is no room, or if the queue is closed."""
        with self._ready:
            if self._closed:
                return False
            if isinstance(job, PutPart):
                if self.part_bytes + len(job.data) > self.max_part_bytes:
                    return False
                self.part_bytes += len(job.data)
            elif isinstance(job, PutRecord):
                if self.index_bytes + len(job.record) > self.max_index_bytes:
                    return False
                self.index_bytes += len(job.record)
            elif isinstance(job, NewIndex):
                if self._snapshots:
                    return False
                self._snapshots += 1
            self._jobs.append(job)
            self._ready.notify()
            return True

    def take(self, timeout_s: float) -> tuple[list[Job], bool]:
        """All jobs that wait, after at most ``timeout_s``, and whether they are the last."""
        with self._ready:
            if not self._jobs and not self._closed:
                self._ready.wait(timeout_s)
            jobs = list(self._jobs)
            self._jobs.clear()
            return jobs, self._closed

    def done(self, job: Job) -> None:
        """The job's bytes are no longer in memory."""
        with self._ready:
            if isinstance(job, PutPart):
                self.part_bytes -= len(job.data)
            elif isinstance(job, PutRecord):
                self.index_bytes -= len(job.record)
            elif isinstance(job, NewIndex):
                self._snapshots -= 1

    def close(self) -> None:
        with self._ready:
            self._closed = True
            self._ready.notify()


class DiskWriter:
    """Takes the jobs of one broadcast. The public attributes may be read on the loop; they are single values."""

    def __init__(self, room_dir: Path, folder: str, queue: JobQueue) -> None:
        self.trouble = ""
        """``disk_full``, ``disk_error`` or empty: the result of the latest write."""
        self.index_broken = False
        """A record could not be written, so the index must begin anew."""
        self.lost_total = 0
        """Parts that were queued and could not be written."""
        self.written_bytes = 0
        self.unerased = 0
        """Files and stretches that should be deleted and are not yet."""
        self._unerased: dict[Punch | Remove, None] = {}
        self._room_dir = room_dir
        self._folder = room_dir / folder
        self._queue = queue
        self._media: dict[str, tuple[str, int]] = {}
        """Stream -> (file, descriptor)."""
        self._failed: set[str] = set()
        self._lost: dict[tuple[str, int], None] = {}
        self._index = -1
        self._index_size = 0
        self._next_memory_offset = -1
        self._unsynced: set[int] = set()
        self._synced_at = time.monotonic()

    def has_failed(self, file: str) -> bool:
        """Whether no more data will be written to this file."""
        return file in self._failed

    def run(self) -> None:
        """The thread. Ends when the queue is closed and empty."""
        try:
            while True:
                jobs, last = self._queue.take(SYNC_S)
                for job in jobs:
                    try:
                        self._do(job)
                    except OSError as error:
                        self._note_trouble(error)
                        if isinstance(job, Punch | Remove):
                            self._keep_unerased(job)
                    finally:
                        self._queue.done(job)
                if last or time.monotonic() - self._synced_at >= SYNC_S:
                    self._erase_again()
                    self._sync()
                if last and not jobs:
                    return
        finally:
            self._queue.close()
            for _, descriptor in self._media.values():
                os.close(descriptor)
            if self._index >= 0:
                os.close(self._index)

    def _do(self, job: Job) -> None:
        match job:
            case PutPart():
                self._put_part(job)
            case PutRecord():
                self._put_record(job.record if job.part is None else self._checked(job.record, job.part))
            case NewIndex():
                self._begin_index(job)
            case Punch():
                self._punch(job)
            case Remove():
                self._failed.discard(job.file)
                (self._room_dir / job.file).unlink(missing_ok=True)

    # --- media -------------------------------------------------------------------------------------

    def _put_part(self, job: PutPart) -> None:
        file, offset = job.chunk.file, job.chunk.offset
        if file in self._failed:
            self._lose(job.chunk)
            return
        descriptor = -1
        try:
            descriptor = self._open(job.stream, file)
            _write_all(descriptor, job.data, offset)
        except OSError as error:
            # Later parts have places behind this one, so this file cannot be continued. The good parts stay; readers
            # find that the file ends before the rest.
            self._failed.add(file)
            self._lose(job.chunk)
            self._note_trouble(error)
            if descriptor >= 0:
                os.ftruncate(descriptor, offset)
            return
        self.written_bytes += len(job.data)
        self.trouble = ""
        self._unsynced.add(descriptor)

    def _punch(self, job: Punch) -> None:
        punched = -1
        try:
            descriptor = os.open(self._room_dir / job.file, os.O_RDWR | os.O_CLOEXEC)
            try:
                for offset, end in job.runs:
                    punch(descriptor, offset, end - offset)
            finally:
                os.close(descriptor)
            punched = sum(end - offset for offset, end in job.runs)
        except FileNotFoundError:
            punched = 0
        finally:
            job.done(punched)

    def _keep_unerased(self, job: Punch | Remove) -> None:
        self._unerased[job] = None
        if len(self._unerased) > MAX_UNERASED:
            del self._unerased[next(iter(self._unerased))]
        self.unerased = len(self._unerased)

    def _erase_again(self) -> None:
        for job in list(self._unerased):
            try:
                self._do(job)
            except OSError:
                continue
            del self._unerased[job]
            self.unerased = len(self._unerased)

    def _open(self, stream: str, file: str) -> int:
        known = self._media.get(stream)
        if known is not None:
            if known[0] == file:
                return known[1]
            del self._media[stream]
            self._unsynced.discard(known[1])
            try:
                os.fdatasync(known[1])
            finally:
                os.close(known[1])
        path = self._room_dir / file
        self._make_folder()
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._media[stream] = (file, descriptor)
        return descriptor

    def _make_folder(self) -> None:
        # mkdir takes the mode of ``parents`` from the umask, so the room's folder is made separately.
        self._room_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.mkdir(mode=0o700, exist_ok=True)

    def _lose(self, chunk: Chunk) -> None:
        self.lost_total += 1
        self._lost[(chunk.file, chunk.offset)] = None
        if len(self._lost) > MAX_LOST:
            del self._lost[next(iter(self._lost))]

    # --- index -------------------------------------------------------------------------------------

    def _checked(self, record: bytes, event: PartMade) -> bytes:
        """The record of a part, without its place on disk if its bytes did not get there."""
        chunk = event.part.chunk
        if (chunk.file, chunk.offset) not in self._lost:
            return record
        self._next_memory_offset -= 1
        nowhere = Chunk("", self._next_memory_offset, chunk.size)
        part = msgspec.structs.replace(event.part, chunk=nowhere)
        return encode_event(msgspec.structs.replace(event, part=part)) or record

    def _put_record(self, record: bytes) -> None:
        if self._index < 0 or self.index_broken:
            self.index_broken = True  # the snapshot that begins the new index has it
            return
        try:
            _write_all(self._index, record, self._index_size)
        except OSError as error:
            self.index_broken = True
            self._note_trouble(error)
            os.ftruncate(self._index, self._index_size)
            return
        self._index_size += len(record)
        self._unsynced.add(self._index)

    def _begin_index(self, job: NewIndex) -> None:
        """Write the new index beside the old one; the old one goes when the new one is safe on disk."""
        content = HEADER + (encode_event(job.snapshot) or b"")
        path = self._folder / index_name(job.number)
        fresh = path.with_suffix(".new")
        descriptor = -1
        try:
            self._make_folder()
            descriptor = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            _write_all(descriptor, content, 0)
            os.fsync(descriptor)
            fresh.rename(path)
        except OSError as error:
            self._note_trouble(error)
            if descriptor >= 0:
                os.close(descriptor)
            fresh.unlink(missing_ok=True)
            if job.record:
                self._put_record(job.record)
            self.index_broken = True
            return
        if self._index >= 0:
            self._unsynced.discard(self._index)
            os.close(self._index)
        self._index, self._index_size, self.index_broken = descriptor, len(content), False
        for old in self._folder.glob(INDEX_GLOB):
            if old.name < path.name:
                old.unlink(missing_ok=True)

    # --- both --------------------------------------------------------------------------------------

    def _sync(self) -> None:
        # Media before the index: a record never outlives the bytes that it names.
        descriptors = sorted(self._unsynced, key=lambda descriptor: descriptor == self._index)
        self._unsynced.clear()
        for descriptor in descriptors:
            try:
                os.fdatasync(descriptor)
            except OSError as error:
                self._note_trouble(error)
        self._synced_at = time.monotonic()

    def _note_trouble(self, error: OSError) -> None:
        trouble = "disk_full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "disk_error"
        if self.trouble != trouble:
            log.warning("disk", trouble=trouble, folder=str(self._folder), error=error.strerror)
        self.trouble = trouble


def _write_all(descriptor: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        offset += written
        view = view[written:]
