"""Finished media files of recordings are copied to a bucket, leave the disk after that if they may, and leave the
bucket with whatever is erased.

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
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import structlog

from streamer.archive import away
from streamer.archive.away import Away
from streamer.archive.bucket import Changed, MediaBucket
from streamer.archive.files import AWAY, LEVELLED, MEDIA_FOLDER
from streamer.conference.day import DAY_MS
from streamer.control.process_files import write_atomically
from streamer.data_folder import BUCKET_OWNER
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
_IS_AWAY = (-1, -1)


@dataclass(slots=True)
class UploadStats:
    """Plain counters. Exported by ``streamer.observe``."""

    waiting: int = 0
    """Finished files that are in no bucket yet (a gauge), as the last look found."""
    waiting_bytes: int = 0
    kept: int = 0
    kept_bytes: int = 0
    away: int = 0
    """Of them, those that lie in the bucket alone."""
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
        local_days: float = 0,
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
        self._local_days = local_days
        self._buckets: dict[str, MediaBucket] = {}
        self._objects: dict[str, BucketObject] | None = None
        """By key; None before the first look."""
        self._instance = ""
        self._hold_until = 0.0
        self._staying: set[str] = set()
        self._alone = asyncio.Lock()
        self._sending: _Sending | None = None
        self._broken: dict[str, float] = {}
        """Key of an upload that was broken off -> when, by the monotonic clock; in the process before: at the start."""

    async def run(self) -> None:
        """Runs until it is cancelled: copies what is finished, one file at a time."""
        while True:
            try:
                await self.send_all()
                await self.let_go()
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
        if waiting:
            await self._bucket(self._address).probe()
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

    async def let_go(self) -> None:
        """Delete files here whose copies were compared with them, when they are old enough and no room has them any
        more. Raises BucketFailed, OSError, StoreUnavailable."""
        async with self._alone:
            objects = {one.file: one for one in (await self._known_objects()).values() if one.state is ObjectState.KEPT}
            if not objects:
                return
            # A recording that had a share in them is gone: what it alone named must not stay.
            await self._bring_back(await asyncio.to_thread(self._shared_less))
            before_ns = (self._clock() - round(self._local_days * DAY_MS)) * 1_000_000
            old = {
                file for file, one in objects.items() if self._local_days and one.changed_ns <= before_ns
            } - self._staying
            for file, paths in (await asyncio.to_thread(self._paths, old)).items():
                one = objects[file]
                if self._erasing.going:
                    return
                if await self._bucket(one.address).size_of(one.key) != one.size_bytes:
                    raise BucketFailed(f"{one.address}/{one.key} is not what was sent.")
                mark = Away(one.address, one.key, one.size_bytes, one.digest, one.changed_ns, len(paths))
                try:
                    self.stats.away += await asyncio.to_thread(away.leave, paths, mark)
                except away.Stays:
                    self._staying.add(file)
                except (FileNotFoundError, ValueError) as error:
                    log.warning("file_stays", file=file, error=str(error))

    async def bring_back(self, names: Collection[str]) -> None:
        """Files that lie in the bucket alone come back to all recordings that have them. Raises BucketFailed, OSError,
        StoreUnavailable."""
        async with self._alone:
            await self._bring_back(names)

    async def _bring_back(self, names: Collection[str]) -> None:
        for name, paths in (await asyncio.to_thread(self._paths, names, AWAY)).items():
            mark = await asyncio.to_thread(away.mark_of, paths[0])
            await self._known_objects()
            fresh = paths[0].with_name(f".{name}")
            try:
                digest = await self._bucket(mark.address).fetch(mark.key, fresh)
            except FileNotFoundError:
                # It is nowhere: there is nothing to forget in it.
                log.error("object_missing", key=mark.key)
                fresh.unlink(missing_ok=True)
                continue
            if mark.digest not in ("", digest):
                raise BucketFailed(f"{mark.address}/{mark.key} is not what was sent: its checksum differs.")
            await asyncio.to_thread(_put_back, fresh, paths, mark)
            self.stats.away -= 1

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
            and (one.state is not ObjectState.KEPT or there.get(one.file) not in (_IS_AWAY, one.form))
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
        self.stats.away = sum(there.get(one.file) == _IS_AWAY for one in found)
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
            if not any(one.address == address for one in objects.values()):
                await bucket.probe()
            again = any(one.address == address and one.state is ObjectState.KEPT for one in objects.values())
            await bucket.own(await asyncio.to_thread(_owner, self._data / BUCKET_OWNER), again=again)
            there = await bucket.keys()
            unknown = there - objects.keys()
            if unknown:
                log.warning("bucket_objects_unknown", bucket=address, objects=len(unknown))
            objects |= {key: BucketObject(key, address, "", ObjectState.GOING, self._clock()) for key in unknown}
            for key, one in list(objects.items()):
                # A list that lacks something by mistake must not cost the only copy.
                missing = one.address == address and one.state is ObjectState.KEPT and key not in there
                if missing and await bucket.size_of(key) is None:
                    objects[key] = replace(one, state=ObjectState.GOING)
            adopted = await asyncio.to_thread(self._adopted, address, there, unknown)
            if adopted:
                async with self._database.write() as connection:
                    await BucketObjects(connection).add(*adopted.values())
                objects |= adopted
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
            # Levelled sound can be made again.
            ours = entry.name.endswith(".m4s") and not entry.name.startswith(LEVELLED)
            if ours and entry.name not in known and entry.name not in found:
                with contextlib.suppress(FileNotFoundError):
                    seen = entry.stat()
                    if seen.st_size and seen.st_mtime_ns <= before_ns:
                        found[entry.name] = _Finished(entry.name, seen.st_size, seen.st_mtime_ns, Path(entry.path))
        return sorted(found.values(), key=lambda one: one.changed_ns)

    def _paths(self, names: Collection[str], suffix: str = "") -> dict[str, list[Path]]:
        """Name -> the places of the media files with these names in recordings' folders; ``suffix``: of what stands
        there in their place."""
        wanted = {f"{name}{suffix}": name for name in names}
        found: dict[str, list[Path]] = {}
        for entry in self._entries() if wanted else ():
            if (name := wanted.get(entry.name)) is not None:
                found.setdefault(name, []).append(Path(entry.path).with_name(name))
        return found

    def _shared_less(self) -> list[str]:
        """Files in the bucket alone that fewer recordings have than before."""
        marks: dict[str, list[Path]] = {}
        for entry in self._entries():
            if entry.name.endswith(AWAY):
                path = Path(entry.path).with_name(entry.name.removesuffix(AWAY))
                marks.setdefault(path.name, []).append(path)
        return [name for name, paths in marks.items() if len(paths) < away.mark_of(paths[0]).recordings]

    def _adopted(self, address: str, there: Collection[str], unknown: Collection[str]) -> dict[str, BucketObject]:
        """Objects of files that lie in the bucket alone. After a database or a folder was restored, its marks may name
        another object than the newest, or one that the database does not know."""
        newest = {key.split("/")[1]: key for key in sorted(unknown) if key.count("/") == 2}
        found: dict[str, BucketObject] = {}
        for entry in list(self._entries()):
            name = entry.name.removesuffix(AWAY)
            if name == entry.name:
                continue
            path = Path(entry.path).with_name(name)
            mark = away.mark_of(path)
            if mark.address != address:
                continue
            if mark.key not in there and name in newest:
                mark = Away(address, newest[name], mark.size, "", mark.changed_ns, mark.recordings)
                away.put_mark(path, mark)
            if mark.key in unknown:
                now_ms = self._clock()
                kept = BucketObject(mark.key, address, name, ObjectState.KEPT, now_ms, mark.size, mark.changed_ns)
                found[mark.key] = replace(kept, digest=mark.digest)
        return found

    def _changes(self, wanted: Collection[str]) -> Mapping[str, tuple[int, int]]:
        """File -> size and time of its last change, of the wanted files that a recording has."""
        found: dict[str, tuple[int, int]] = {}
        for entry in self._entries():
            if entry.name.endswith(AWAY):
                found.setdefault(entry.name.removesuffix(AWAY), _IS_AWAY)
            elif entry.name in wanted and found.get(entry.name) in (None, _IS_AWAY):
                with contextlib.suppress(FileNotFoundError):
                    seen = entry.stat()
                    found[entry.name] = seen.st_size, seen.st_mtime_ns
        return found

    def _entries(self) -> Iterable[os.DirEntry[str]]:
        folders = self._data / "recordings"
        with contextlib.suppress(FileNotFoundError):
            for folder in list(os.scandir(folders)):
                with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                    entries = list(os.scandir(os.path.join(folder.path, MEDIA_FOLDER)))
                    yield from (entry for entry in entries if not entry.name.startswith("."))


def _put_back(fresh: Path, paths: Sequence[Path], mark: Away) -> None:
    os.utime(fresh, ns=(mark.changed_ns, mark.changed_ns))
    for path in paths:
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)
    fresh.unlink()
    away.take_marks(paths, heads=False)


def _owner(path: Path) -> str:
    """The name of this data folder, made if it has none. Raises OSError."""
    try:
        return path.read_text()
    except FileNotFoundError:
        write_atomically(path, secrets.token_hex(16).encode())
        return path.read_text()
