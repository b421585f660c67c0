"""Finished media files of recordings are copied to a bucket, and leave it with whatever is erased.

One object for each file, however many recordings have it. A look (:meth:`Uploads.settle`) compares the objects with the
files in recordings' folders: an object whose file is in no recording any more, or was changed since (which only erasing
does), is deleted. Each erasure ends with such a look, and is acknowledged only after it.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import secrets
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import structlog

from streamer.archive.bucket import Changed, MediaBucket
from streamer.archive.files import MEDIA_FOLDER
from streamer.control.process_files import write_atomically
from streamer.errors import StreamerError
from streamer.s3 import BucketFailed
from streamer.store.bucket_objects import BucketObject, BucketObjects, ObjectState
from streamer.store.database import Database
from streamer.store.erasing import Erasing
from streamer.store.recordings import Recordings, RecordingState

log = structlog.get_logger(__name__)

EVERY_S = 300.0
RETRY_S = (15.0, 60.0, 300.0)
"""The waits after failures in a row."""
CLOSED_S = 900.0
"""A file that has not changed for this time is finished: a room writes to none for longer than ten minutes."""
QUIET_S = 30.0
"""The store may have all of an upload that was broken off, and make the object later. Nothing is called erased until it
was deleted this long after, and it is deleted again for an hour."""
LINGER_S = 3600.0
HOLD_S = 5.0
OWNER_FILE = "bucket-owner"
"""In the data folder, and in no backup: a second data folder that is made of a backup deletes nothing of the first."""


@dataclass(slots=True)
class UploadStats:
    """Plain counters. Exported by ``streamer.observe``."""

    waiting: int = 0
    """Finished files that are in no bucket yet (a gauge), as the last look found."""
    waiting_bytes: int = 0
    kept: int = 0
    kept_bytes: int = 0
    failing: int = 0
    """Failures in a row."""
    sent_total: int = 0
    sent_bytes_total: int = 0
    deleted_total: int = 0
    failures_total: int = 0


class _Finished(NamedTuple):
    """A file that no room writes to any more, and one of its paths."""

    name: str
    size: int
    changed_ns: int
    path: Path


@dataclass(slots=True)
class _Sending:
    file: _Finished
    task: asyncio.Task[None]
    key: str = ""
    """Empty until there is a row of it."""


class Uploads:
    """``address``: ``s3://bucket/prefix``; empty: nothing is sent, and what was sent before still follows erasures.
    ``clock``: UTC milliseconds. ``busy``: whether uploads must wait. On the loop only, in the process that directs."""

    def __init__(
        self,
        data: Path,
        address: str,
        database: Database,
        erasing: Erasing,
        *,
        clock: Callable[[], int],
        busy: Callable[[], bool] = lambda: False,
        closed_s: float = CLOSED_S,
    ) -> None:
        self.stats = UploadStats()
        self.trouble = ""
        """The last failure in words; empty after a success."""
        self._data = data
        self._address = address.rstrip("/")
        self._database = database
        self._erasing = erasing
        self._clock = clock
        self._busy = busy
        self._closed_s = closed_s
        self._buckets: dict[str, MediaBucket] = {}
        self._objects: dict[str, BucketObject] | None = None
        """By key; None before the first look."""
        self._instance = ""
        self._hold_until = 0.0
        self._alone = asyncio.Lock()
        self._sending: _Sending | None = None
        self._broken: dict[str, float] = {}
        """Key of an upload that was broken off -> when, by the monotonic clock; in the process before: at the start."""

    async def run(self) -> None:
        """Runs until it is cancelled: copies what is finished, one file at a time."""
        while True:
            try:
                await self.send_all()
            except (StreamerError, OSError) as error:
                self._failed(error)
            else:
                self.trouble, self.stats.failing = "", 0
            failing = self.stats.failing
            await asyncio.sleep(RETRY_S[min(failing, len(RETRY_S)) - 1] if failing else EVERY_S)

    async def send_all(self) -> None:
        """Copy all files that are finished and not in a bucket. Raises BucketFailed, OSError, StoreUnavailable."""
        await self.settle()
        if not self._address:
            return
        assert self._objects is not None
        known = {one.file for one in self._objects.values() if one.state is ObjectState.KEPT}
        waiting = await asyncio.to_thread(self._finished_files, known)
        self.stats.waiting, self.stats.waiting_bytes = len(waiting), sum(one.size for one in waiting)
        for one in waiting:
            if self._erasing.going or self._busy():
                return  # the next look sees what is left
            task = asyncio.create_task(self._send(one), name="upload")
            self._sending = _Sending(one, task)
            try:
                await asyncio.wait({task})
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                self._sending = None
            if task.cancelled():
                return  # it is being erased
            task.result()
            self.stats.waiting -= 1
            self.stats.waiting_bytes -= one.size

    async def settle(self) -> None:
        """Delete the objects that no recording has any more, and those whose files were changed since; the upload of
        such a file is broken off. Raises BucketFailed, OSError, StoreUnavailable if one of them may still be there."""
        async with self._alone:
            if time.monotonic() < self._hold_until:
                raise BucketFailed(self.trouble)
            try:
                await self._settle()
            except BucketFailed as error:
                # Several erasures that are repeated, at the start too, wait for an outage once.
                self.trouble, self._hold_until = str(error), time.monotonic() + HOLD_S
                raise

    # --- objects --------------------------------------------------------------------------------------

    async def _settle(self) -> None:
        objects = await self._known_objects()
        if not objects:
            return
        names = {one.file for one in objects.values()}
        there = await asyncio.to_thread(self._changes, names)
        spared = await self._unless_changed(there)
        gone = [
            one
            for one in objects.values()
            if one.key != spared
            and (one.state is not ObjectState.KEPT or there.get(one.file) != (one.size_bytes, one.changed_ns))
        ]
        # A disk that is not mounted must not empty the bucket.
        lost = await self._lost_recordings() if any(one.file not in there for one in gone) else []
        await self._delete([one for one in gone if one.file in there] if lost else gone)
        if lost:
            raise BucketFailed(
                f"The folders of {len(lost)} recordings are missing, such as recordings/{lost[0]}: nothing is deleted "
                "from the bucket for that. Mount their disk, or delete these recordings."
            )
        if any(time.monotonic() - self._broken.get(one.key, -math.inf) < QUIET_S for one in gone):
            raise BucketFailed("An upload was broken off a moment ago, and may still arrive.")
        found = [one for one in objects.values() if one.state is ObjectState.KEPT]
        self.stats.kept, self.stats.kept_bytes = len(found), sum(one.size_bytes for one in found)

    async def _lost_recordings(self) -> list[str]:
        """Sessions whose recording has a row and no folder."""
        async with self._database.read() as connection:
            ready = [one.session for one in await Recordings(connection).in_state(RecordingState.READY)]
        folders = self._data / "recordings"
        return await asyncio.to_thread(lambda: [session for session in ready if not (folders / session).is_dir()])

    async def _known_objects(self) -> dict[str, BucketObject]:
        """All objects; the first call of a process also finds those of which a restored database has no row."""
        if self._objects is not None:
            return self._objects
        self._instance = (await self._erasing.hashed("bucket", "instance")).hex()[:24]
        async with self._database.read() as connection:
            objects = {one.key: one for one in await BucketObjects(connection).all()}
        for address in sorted({self._address, *(one.address for one in objects.values())} - {""}):
            bucket = self._bucket(address)
            await bucket.probe()
            await bucket.own(await asyncio.to_thread(_owner, self._data / OWNER_FILE))
            unknown = await bucket.keys() - objects.keys()
            if unknown:
                log.warning("bucket_objects_unknown", bucket=address, objects=len(unknown))
            objects |= {key: BucketObject(key, address, "", ObjectState.GOING, self._clock()) for key in unknown}
        self._broken |= dict.fromkeys(
            (one.key for one in objects.values() if one.state is ObjectState.SENDING), time.monotonic()
        )
        self._objects = objects
        return objects

    async def _send(self, file: _Finished) -> None:
        objects = await self._known_objects()
        key = f"{self._instance}/{file.name}/{secrets.token_urlsafe(12)}"
        begun = BucketObject(key, self._address, file.name, ObjectState.SENDING, self._clock())
        async with self._alone, self._database.write() as connection:
            await BucketObjects(connection).add(begun)
        objects[key] = begun
        assert self._sending is not None
        self._sending.key = key
        try:
            sent = await self._bucket(self._address).send(key, file.path)
            kept = replace(
                begun,
                state=ObjectState.KEPT,
                size_bytes=sent.size,
                changed_ns=sent.changed_ns,
                digest=sent.digest,
            )
            async with self._alone:
                async with self._database.write() as connection:
                    await BucketObjects(connection).save(kept)
                objects[key] = kept
        except (FileNotFoundError, Changed):
            return  # erased meanwhile: the next look deletes the object
        except TimeoutError as error:
            raise BucketFailed(f"{self._address} is too slow.") from error
        finally:
            if objects[key] is begun:
                self._broken[key] = time.monotonic()
        self.stats.sent_total += 1
        self.stats.sent_bytes_total += sent.size
        self.stats.kept += 1
        self.stats.kept_bytes += sent.size

    async def _unless_changed(self, there: Mapping[str, tuple[int, int]]) -> str:
        """The key of the upload that goes on. One whose file was changed is broken off."""
        if self._sending is None:
            return ""
        file, task = self._sending.file, self._sending.task
        if there.get(file.name) == (file.size, file.changed_ns):
            return self._sending.key
        task.cancel()
        await asyncio.wait({task})
        return ""

    async def _delete(self, gone: Iterable[BucketObject]) -> None:
        """The rows go after their objects: what cannot be deleted now is tried again, by a later process too."""
        assert self._objects is not None
        by_address: dict[str, list[BucketObject]] = {}
        for one in gone:
            going = one if one.state is ObjectState.SENDING else replace(one, state=ObjectState.GOING)
            by_address.setdefault(one.address, []).append(going)
        failed: BucketFailed | None = None
        for address, some in by_address.items():
            async with self._database.write() as connection:
                for one in some:
                    await BucketObjects(connection).save(one)
            self._objects |= {one.key: one for one in some}
            try:
                await self._bucket(address).remove([one.key for one in some])
            except BucketFailed as error:
                failed = error
                continue
            over = [one.key for one in some if not self._lingers(one)]
            async with self._database.write() as connection:
                await BucketObjects(connection).remove(over)
            for key in over:
                del self._objects[key]
                self._broken.pop(key, None)
            self.stats.deleted_total += len(over)
        if failed is not None:
            raise failed

    def _lingers(self, one: BucketObject) -> bool:
        return one.state is ObjectState.SENDING and time.monotonic() - self._broken.get(one.key, -math.inf) < LINGER_S

    def _bucket(self, address: str) -> MediaBucket:
        found = self._buckets.get(address)
        if found is None:
            found = self._buckets[address] = MediaBucket(address, self._instance)
        return found

    def _failed(self, error: Exception) -> None:
        self.stats.failing += 1
        self.stats.failures_total += 1
        if str(error) != self.trouble:
            log.error("upload_failed", error=str(error))
        self.trouble = str(error)

    # --- files, in threads ----------------------------------------------------------------------------

    def _finished_files(self, known: Collection[str]) -> list[_Finished]:
        """The finished files that are not ``known``, oldest first."""
        before_ns = (self._clock() - round(self._closed_s * 1000)) * 1_000_000
        found: dict[str, _Finished] = {}
        for entry in self._entries():
            if entry.name not in known and entry.name not in found:
                with contextlib.suppress(FileNotFoundError):
                    seen = entry.stat()
                    if seen.st_size and seen.st_mtime_ns <= before_ns:
                        found[entry.name] = _Finished(entry.name, seen.st_size, seen.st_mtime_ns, Path(entry.path))
        return sorted(found.values(), key=lambda one: one.changed_ns)

    def _changes(self, wanted: Collection[str]) -> Mapping[str, tuple[int, int]]:
        """File -> size and time of its last change, of the wanted files that a recording has."""
        found: dict[str, tuple[int, int]] = {}
        for entry in self._entries():
            if entry.name in wanted and entry.name not in found:
                with contextlib.suppress(FileNotFoundError):
                    seen = entry.stat()
                    found[entry.name] = seen.st_size, seen.st_mtime_ns
        return found

    def _entries(self) -> Iterable[os.DirEntry[str]]:
        folders = self._data / "recordings"
        with contextlib.suppress(FileNotFoundError):
            for folder in list(os.scandir(folders)):
                with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                    yield from list(os.scandir(os.path.join(folder.path, MEDIA_FOLDER)))


def _owner(path: Path) -> str:
    """The name of this data folder, made if it has none. Raises OSError."""
    try:
        return path.read_text()
    except FileNotFoundError:
        write_atomically(path, secrets.token_hex(16).encode())
        return path.read_text()
