"""The objects of one data folder in a bucket of an S3 store. Waits without blocking.

A file is sent in one request out of its memory map: it takes no memory, and whatever breaks off leaves nothing, while
the parts of a broken multipart upload would stay in the bucket unseen.
"""

from __future__ import annotations

import asyncio
import hashlib
import mmap
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from io import FileIO
from pathlib import Path

from streamer import s3
from streamer.s3 import BucketFailed

TRIES, TRY_FOR = 1, timedelta(seconds=5)
"""More would keep somebody waiting who deletes something. Uploads and erasures are tried again by those who ask."""
CONNECT, SILENT = timedelta(seconds=3), timedelta(seconds=60)
LEAST_BYTES_PER_S = 50_000
_PIECE = 4 << 20
_PROBE, _OWNER = "probe", "owner"


class Changed(Exception):
    """The file was changed while it was sent. Nothing of it is kept."""


@dataclass(frozen=True, slots=True)
class Sent:
    size: int
    digest: str
    """SHA-256 of the bytes, in hexadecimal."""
    changed_ns: int
    """The time of the file's last change."""


class MediaBucket:
    """``address``: ``s3://bucket/prefix``. ``instance``: a folder in it, whose objects are all ours. Each method raises
    BucketFailed."""

    def __init__(self, address: str, instance: str) -> None:
        self.address = address.rstrip("/")
        self._instance = instance
        client = {"connect_timeout": CONNECT, "read_timeout": SILENT, "timeout": timedelta(days=1)}
        self._store = s3.opened(self.address, tries=TRIES, try_for=TRY_FOR, client=client)

    async def probe(self) -> None:
        """Write a small object. Raises BucketFailed also if the bucket keeps what is deleted."""
        import obstore

        with self._telling():
            made = await obstore.put_async(self._store, f"{self._instance}/{_PROBE}", b"1")
        if s3.keeps_versions(made):
            raise BucketFailed(
                f"{self.address} keeps versions of what is deleted (versioning or Object Lock): an erased minute would "
                "stay there. Suspend versioning, or take another bucket."
            )

    async def try_out(self) -> None:
        """As :meth:`probe`; nothing is left."""
        import obstore

        await self.probe()
        with self._telling():
            await obstore.delete_async(self._store, f"{self._instance}/{_PROBE}")

    async def own(self, owner: str, *, again: bool) -> None:
        """Raises BucketFailed if another copy of this data folder keeps its files here; with ``again`` also if there is
        nothing of ours: it is another bucket of the same name."""
        import obstore

        place = f"{self._instance}/{_OWNER}"
        # Looked at first: a full bucket takes no object, and what is erased here must go from it all the same.
        found = await self._owner(place)
        if found is None and again:
            raise BucketFailed(f"{self.address} is not the bucket that files were copied to: {place} is missing.")
        if found is None:
            try:
                with self._telling():
                    await obstore.put_async(self._store, place, owner.encode(), mode="create")
            except FileExistsError:
                found = await self._owner(place)
        if found not in (None, owner):
            raise BucketFailed(
                f"Another copy of this data folder keeps its files in {self.address}. If it is gone for good, "
                f"delete {self.address}/{place}."
            )

    async def _owner(self, place: str) -> str | None:
        import obstore

        with self._telling(missing=True):
            try:
                return bytes(await (await obstore.get_async(self._store, place)).bytes_async()).decode()
            except FileNotFoundError:
                return None

    async def keys(self) -> set[str]:
        """The keys of all our objects."""
        import obstore

        found: set[str] = set()
        with self._telling():
            async for some in obstore.list(self._store, self._instance):
                found |= {one["path"] for one in some}
        return found - {f"{self._instance}/{_PROBE}", f"{self._instance}/{_OWNER}"}

    async def send(self, key: str, source: Path) -> Sent:
        """Send a file, read the object back and compare. Raises Changed, OSError, and ValueError for an empty file."""
        import obstore

        with source.open("rb") as file:
            before = os.fstat(file.fileno())
            mapped = mmap.mmap(file.fileno(), before.st_size, access=mmap.ACCESS_READ)
            digest = (await asyncio.to_thread(hashlib.sha256, mapped)).hexdigest()
            async with asyncio.timeout(60 + before.st_size / LEAST_BYTES_PER_S):
                with self._telling():
                    # Not closed: the request may hold the map a moment longer.
                    made = await obstore.put_async(self._store, key, memoryview(mapped), use_multipart=False)
                if s3.keeps_versions(made):
                    await self.probe()
                there = await self._digest(key)
            if os.fstat(file.fileno()).st_mtime_ns != before.st_mtime_ns:
                raise Changed(source.name)
        if there != digest:
            raise BucketFailed(f"{self.address}/{key} is not what was sent: its checksum differs.")
        return Sent(before.st_size, digest, before.st_mtime_ns)

    async def size_of(self, key: str) -> int | None:
        """None: there is no such object."""
        import obstore

        with self._telling(missing=True):
            try:
                return int((await obstore.head_async(self._store, key))["size"])
            except FileNotFoundError:
                return None

    async def fetch(self, key: str, place: Path) -> str:
        """Write an object to a new file. Returns its SHA-256. Raises FileNotFoundError, OSError."""
        import obstore

        digest = hashlib.sha256()
        with await asyncio.to_thread(_new_file, place) as file, self._telling(missing=True):
            async for piece in (await obstore.get_async(self._store, key)).stream(_PIECE):
                await asyncio.to_thread(digest.update, piece)
                await asyncio.to_thread(file.write, piece)
            await asyncio.to_thread(os.fsync, file.fileno())
        return digest.hexdigest()

    async def remove(self, keys: Collection[str]) -> None:
        """Delete objects; those that are not there are no error."""
        import obstore

        with self._telling():
            await obstore.delete_async(self._store, sorted(keys))
        # Afterwards: a full bucket takes no object, and may take this one now.
        await self.probe()

    async def _digest(self, key: str) -> str:
        import obstore

        digest = hashlib.sha256()
        with self._telling():
            async for piece in (await obstore.get_async(self._store, key)).stream(_PIECE):
                await asyncio.to_thread(digest.update, piece)
        return digest.hexdigest()

    @contextmanager
    def _telling(self, missing: bool = False) -> Iterator[None]:
        """The store's errors become a BucketFailed in words; FileExistsError stays, with ``missing`` also
        FileNotFoundError."""
        from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError

        try:
            yield
        except AlreadyExistsError as error:
            raise FileExistsError(str(error)) from error
        except NotFoundError as error:
            if missing and "NoSuchBucket" not in str(error):
                raise FileNotFoundError(str(error)) from error
            raise BucketFailed(f"{self.address}: {s3.words_of(error)}.") from error
        except BaseError as error:
            raise BucketFailed(f"{self.address}: {s3.words_of(error)}.") from error


def _new_file(place: Path) -> FileIO:
    return FileIO(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w")
