"""Backups in a bucket of an S3 store, by ``obstore``.

The keys are the names that a folder of backups has. A bucket that keeps versions is refused: an erased minute would
stay in it. Everything here blocks.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from streamer import s3
from streamer.backup.target import (
    DATABASES,
    MANIFEST,
    OBJECTS,
    BackupFailed,
    BackupFolder,
    BackupTarget,
    Erasures,
    Manifest,
    digest_of,
    locked,
    manifest_bytes,
    read_erasures,
    read_manifest,
)
from streamer.formats import erasures
from streamer.s3 import SCHEME

_LOCK = "lock"
_OURS = frozenset({MANIFEST, OBJECTS, DATABASES, _LOCK, erasures.KEY_FILE, erasures.LOG_FILE})
_PIECE = 1 << 20
_MOST_AT_ONCE = 5 << 30
"""S3 takes no more bytes in one request."""
_CONNECT, _SILENT = timedelta(seconds=10), timedelta(seconds=60)
_TRIES = 8
_TRY_FOR = timedelta(minutes=3)


def target_of(address: str, scratch: Path | None = None) -> BackupTarget:
    """The bucket of ``s3://bucket/prefix``, else a folder. ``scratch``: a folder for a database on its way. Raises
    BackupFailed."""
    if address.startswith(SCHEME):
        return BackupBucket(address, scratch)
    if "://" in address:
        raise BackupFailed(f"{address} is neither a folder nor {SCHEME}bucket/prefix.")
    return BackupFolder(Path(address))


class BackupHolder(msgspec.Struct, frozen=True):
    """A backup that is being written: its machine and data folder, and since when."""

    owner: str
    at_ms: int


class BackupBucket:
    def __init__(self, address: str, scratch: Path | None) -> None:
        self.name = address.rstrip("/")
        self._scratch = scratch
        client = {"connect_timeout": _CONNECT, "read_timeout": _SILENT, "timeout": timedelta(days=1)}
        try:
            self._store = s3.opened(self.name, tries=_TRIES, try_for=_TRY_FOR, client=client)
        except s3.BucketFailed as error:
            raise BackupFailed(str(error)) from error
        self._sizes: dict[str, int] | None = None

    def prepare(self, data: Path) -> None:
        import obstore

        with self._telling():
            found = obstore.list_with_delimiter(self._store)
        names = {one["path"] for one in found["objects"]} | set(found["common_prefixes"])
        if strangers := sorted(names - _OURS):
            raise BackupFailed(
                f"{self.name} holds other things ({strangers[0]}): a backup has a bucket or a prefix of its own."
            )

    @contextmanager
    def alone(self, data: Path) -> Iterator[None]:
        import obstore

        own = BackupHolder(f"{_machine()}:{data.absolute()}", time.time_ns() // 1_000_000)
        with locked(data / ".backup.lock", self.name):
            try:
                with self._telling():
                    made = obstore.put(self._store, _LOCK, msgspec.json.encode(own), mode="create")
            except FileExistsError:
                other = msgspec.json.decode(self._bytes(_LOCK), type=BackupHolder)
                # One of this data folder was killed, or it would hold the lock on this machine.
                if other.owner != own.owner:
                    since = datetime.fromtimestamp(other.at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
                    raise BackupFailed(
                        f"{other.owner} writes a backup to {self.name} since {since}. If it does not any more, delete "
                        f"{self.name}/{_LOCK}."
                    ) from None
                with self._telling():
                    made = obstore.put(self._store, _LOCK, msgspec.json.encode(own))
            try:
                if s3.keeps_versions(made):
                    raise BackupFailed(
                        f"{self.name} keeps versions of what is deleted: an erased minute would stay there. Switch "
                        "versioning off, or take another bucket."
                    )
                yield
            finally:
                with self._telling():
                    obstore.delete(self._store, _LOCK)

    def manifest(self) -> Manifest | None:
        try:
            return read_manifest(self._bytes(MANIFEST), f"{self.name}/{MANIFEST}")
        except FileNotFoundError:
            return None

    def write_manifest(self, manifest: Manifest) -> None:
        self._put(MANIFEST, manifest_bytes(manifest))

    def has(self, digest: str, size: int) -> bool:
        if self._sizes is None:
            self._sizes = self._listed(OBJECTS)
        return self._sizes.get(_object(digest)) == size

    def add(self, source: Path) -> tuple[str, int]:
        digest, size = _digest_now(source)
        if not self.has(digest, size):
            self._put_file(_object(digest), source, size, digest)
            assert self._sizes is not None
            self._sizes[_object(digest)] = size
        return digest, size

    def get(self, digest: str, place: Path) -> tuple[str, int]:
        return self._get_file(_object(digest), place)

    @contextmanager
    def new_database(self, name: str) -> Iterator[Path]:
        with self._folder() as folder:
            yield folder / name
            digest, size = _digest_now(folder / name)
            self._put_file(f"{DATABASES}/{name}", folder / name, size, digest)

    @contextmanager
    def database(self, name: str) -> Iterator[Path]:
        with self._folder() as folder:
            try:
                self._get_file(f"{DATABASES}/{name}", folder / name)
            except FileNotFoundError as error:
                raise BackupFailed(f"{self.name}/{DATABASES}/{name} is missing.") from error
            yield folder / name

    def erasures(self) -> Erasures:
        try:
            return Erasures(self._bytes(erasures.KEY_FILE), self._bytes(erasures.LOG_FILE))
        except FileNotFoundError:
            return Erasures()

    def join_erasures(self, data: Path) -> None:
        before = self.erasures()
        wanted = before.joined(read_erasures(data), self.name)
        if wanted.key != before.key:
            self._put(erasures.KEY_FILE, wanted.key)
        if wanted.log != before.log:
            self._put(erasures.LOG_FILE, wanted.log)

    def forget_all_but(self, manifest: Manifest) -> int:
        import obstore

        needed = {_object(file.digest) for file in manifest.files}
        needed |= {f"{DATABASES}/{one.name}" for one in manifest.databases}
        there = self._listed(OBJECTS) | self._listed(DATABASES)
        gone = sorted(there.keys() - needed)
        with self._telling():
            obstore.delete(self._store, gone)
        self._sizes = None
        return sum(there[key] for key in gone)

    def _listed(self, prefix: str) -> dict[str, int]:
        import obstore

        with self._telling():
            return {one["path"]: one["size"] for some in obstore.list(self._store, prefix) for one in some}

    def _bytes(self, key: str) -> bytes:
        import obstore

        with self._telling():
            return bytes(obstore.get(self._store, key).bytes())

    def _put(self, key: str, data: bytes) -> None:
        import obstore

        with self._telling():
            obstore.put(self._store, key, data)

    def _put_file(self, key: str, source: Path, size: int, digest: str) -> None:
        """The first ``size`` bytes. If they are not those of ``digest`` any more, they were erased meanwhile, and
        nothing of them is kept; raises FileNotFoundError then."""
        import obstore

        with source.open("rb") as file:
            # In one request, as the archive sends its files: parts of one that broke off would stay there unseen. Not
            # closed: the request may hold the map a moment longer.
            mapped = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) if size else b""
        with self._telling():
            obstore.put(self._store, key, memoryview(mapped), use_multipart=size > _MOST_AT_ONCE)
            if hashlib.sha256(mapped).hexdigest() != digest:
                obstore.delete(self._store, key)
                raise FileNotFoundError(f"{source} was erased meanwhile")

    def _get_file(self, key: str, place: Path) -> tuple[str, int]:
        import obstore

        with self._telling():
            descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(descriptor, "wb") as writing:
                for piece in obstore.get(self._store, key).stream(_PIECE):
                    writing.write(piece)
                writing.flush()
                os.fsync(writing.fileno())
        return digest_of(place), place.stat().st_size

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix=".backup-", dir=self._scratch) as folder:
            yield Path(folder)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """The store's errors become a BackupFailed in words; FileNotFoundError and FileExistsError stay."""
        from obstore.exceptions import AlreadyExistsError, BaseError

        try:
            yield
        except AlreadyExistsError as error:
            raise FileExistsError(str(error)) from error
        except BaseError as error:
            raise BackupFailed(f"{self.name}: {s3.words_of(error)}.") from error


def _object(digest: str) -> str:
    return f"{OBJECTS}/{digest[:2]}/{digest}"


def _digest_now(source: Path) -> tuple[str, int]:
    """Of the bytes that a file has now: it may grow meanwhile."""
    digest = hashlib.sha256()
    with source.open("rb") as reading:
        left = size = os.fstat(reading.fileno()).st_size
        while left and (piece := reading.read(min(_PIECE, left))):
            digest.update(piece)
            left -= len(piece)
    return digest.hexdigest(), size - left


def _machine() -> str:
    return os.uname().nodename
