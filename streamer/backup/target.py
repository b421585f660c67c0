"""The place of backups, and the folder that is one.

``manifest.json`` lists the files; it is written last, so that a backup that was broken off changes nothing. Contents
stand under their SHA-256 in ``objects/``, so that the next backup copies only new contents. ``databases/`` has the
newest copies of the database, ``erasures.log`` each erasure that any of the backups knew. A bucket
(:mod:`streamer.backup.bucket`) has the same names. Everything here blocks.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

from streamer.data_folder import sync_folder
from streamer.errors import StreamerError
from streamer.formats import erasures

VERSION = 1
MANIFEST, OBJECTS, DATABASES = "manifest.json", "objects", "databases"
_PIECE = 1 << 20


class BackupFailed(StreamerError):
    code, status = "backup_failed", 500


class KeptFile(msgspec.Struct, frozen=True):
    """A file of the data folder: ``path`` in it, size in bytes, time of its last change, SHA-256 of its bytes."""

    path: str
    size: int
    changed_ns: int
    digest: str
    inode: int = 0
    """Files with one number were names of one file, and become so again. 0: it had no other name."""


class KeptDatabase(msgspec.Struct, frozen=True):
    """``kind``: ``sqlite`` or ``postgresql``. ``schema``: the revision of its tables."""

    name: str
    made_ms: int
    kind: str
    size: int
    digest: str
    schema: str


class Manifest(msgspec.Struct, frozen=True):
    version: int
    made_ms: int
    program: str
    databases: tuple[KeptDatabase, ...]
    """The newest stands first."""
    files: tuple[KeptFile, ...]


class Erasures(NamedTuple):
    """A list of erasures as it is kept, and its key; both are empty where there is none."""

    key: bytes = b""
    log: bytes = b""

    def joined(self, more: Erasures, name: str) -> Erasures:
        """Raises BackupFailed, which names ``name``, if their keys differ, or one is damaged."""
        if not more.key:
            return self
        if self.key not in (b"", more.key):
            raise BackupFailed(f"{name} belongs to another instance: the keys of erasures differ.")
        try:
            return Erasures(more.key, erasures.joined(self.log, more.log))
        except ValueError as error:
            raise BackupFailed(f"The list of erasures cannot be read: {error}.") from error


class BackupTarget(Protocol):
    """A place of backups. Each method raises OSError, or BackupFailed."""

    @property
    def name(self) -> str:
        """As the operator types it."""

    def prepare(self, data: Path) -> None:
        """Make the place, or look whether it is a backup of ours. ``data``: the data folder."""

    def alone(self, data: Path) -> AbstractContextManager[None]:
        """Raises BackupFailed while another backup writes here."""

    def manifest(self) -> Manifest | None:
        """None: there is no whole backup yet. Raises BackupFailed for one that cannot be read."""

    def write_manifest(self, manifest: Manifest) -> None: ...

    def has(self, digest: str, size: int) -> bool: ...

    def add(self, source: Path) -> tuple[str, int]:
        """Copy a file as long as it is now. Returns its digest and size. Raises FileNotFoundError if it is gone."""

    def get(self, digest: str, place: Path) -> tuple[str, int]:
        """Copy contents to a new file. Returns digest and size of the bytes. Raises FileNotFoundError."""

    def new_database(self, name: str) -> AbstractContextManager[Path]:
        """A file that is not there yet, to be written in the block; it is kept if the block raises nothing."""

    def database(self, name: str) -> AbstractContextManager[Path]:
        """The file of a kept database, for the block."""

    def erasures(self) -> Erasures: ...

    def join_erasures(self, data: Path) -> None:
        """Add the erasures of a data folder to those that are known here. Raises BackupFailed for another
        instance's."""

    def forget_all_but(self, manifest: Manifest) -> int:
        """Delete what the manifest does not name: what was erased since must not stay here. Returns bytes."""


class BackupFolder:
    """A folder. Raises BackupFailed where it holds other things."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def name(self) -> str:
        return str(self.folder.absolute())

    def prepare(self, data: Path) -> None:
        place, data = self.folder.absolute(), data.absolute()
        if place.is_relative_to(data) or data.is_relative_to(place):
            raise BackupFailed("A backup does not lie in the data folder, nor the data folder in it.")
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            strangers = {entry.name for entry in os.scandir(self.folder)} - {"lost+found"}
        except OSError as error:
            raise BackupFailed(f"{self.folder} cannot be used: {error.strerror}.") from error
        if strangers and not (self.folder / OBJECTS).is_dir():
            raise BackupFailed(f"{self.folder} holds other things: a backup has a folder of its own.")
        for name in (OBJECTS, DATABASES):
            (self.folder / name).mkdir(mode=0o700, exist_ok=True)

    def alone(self, data: Path) -> AbstractContextManager[None]:
        return locked(self.folder / "lock", self.name)

    def manifest(self) -> Manifest | None:
        try:
            return read_manifest((self.folder / MANIFEST).read_bytes(), str(self.folder / MANIFEST))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise BackupFailed(f"{self.folder / MANIFEST} cannot be read: {error}") from error

    def write_manifest(self, manifest: Manifest) -> None:
        _write(self.folder / MANIFEST, manifest_bytes(manifest))

    def object(self, digest: str) -> Path:
        return self.folder / OBJECTS / digest[:2] / digest

    def has(self, digest: str, size: int) -> bool:
        try:
            return self.object(digest).stat().st_size == size
        except OSError:
            return False

    def add(self, source: Path) -> tuple[str, int]:
        fresh = self.folder / OBJECTS / f"new-{secrets.token_hex(8)}"
        try:
            digest, size = copied(source, fresh)
            if self.has(digest, size):
                return digest, size
            place = self.object(digest)
            place.parent.mkdir(mode=0o700, exist_ok=True)
            fresh.rename(place)
            sync_folder(place.parent)
            return digest, size
        finally:
            fresh.unlink(missing_ok=True)

    def get(self, digest: str, place: Path) -> tuple[str, int]:
        return copied(self.object(digest), place)

    @contextmanager
    def new_database(self, name: str) -> Iterator[Path]:
        place = self.folder / DATABASES / name
        try:
            yield place
        except BaseException:
            place.unlink(missing_ok=True)
            raise

    @contextmanager
    def database(self, name: str) -> Iterator[Path]:
        yield self.folder / DATABASES / name

    def erasures(self) -> Erasures:
        return read_erasures(self.folder)

    def join_erasures(self, data: Path) -> None:
        write_erasures(self.folder, self.erasures().joined(read_erasures(data), str(self.folder)))

    def forget_all_but(self, manifest: Manifest) -> int:
        needed = {file.digest for file in manifest.files}
        gone = _delete((self.folder / OBJECTS).glob("??/*"), needed)
        gone += _delete((self.folder / OBJECTS).glob("new-*"), ())
        return gone + _delete((self.folder / DATABASES).iterdir(), {one.name for one in manifest.databases})


def read_manifest(data: bytes, name: str) -> Manifest:
    """Raises BackupFailed; ``name`` is for its words."""
    try:
        found = msgspec.json.decode(data, type=Manifest)
    except msgspec.DecodeError as error:
        raise BackupFailed(f"{name} cannot be read: {error}") from error
    if found.version != VERSION:
        raise BackupFailed(f"The backup has version {found.version}; this program reads version {VERSION}.")
    return found


def manifest_bytes(manifest: Manifest) -> bytes:
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1)


def read_erasures(folder: Path) -> Erasures:
    try:
        return Erasures((folder / erasures.KEY_FILE).read_bytes(), (folder / erasures.LOG_FILE).read_bytes())
    except FileNotFoundError:
        return Erasures()


def write_erasures(folder: Path, wanted: Erasures) -> None:
    """The key first: a list without its key says nothing."""
    before = read_erasures(folder)
    if wanted.key != before.key:
        _write(folder / erasures.KEY_FILE, wanted.key)
    if wanted.log != before.log:
        _write(folder / erasures.LOG_FILE, wanted.log)


@contextmanager
def locked(file: Path, name: str) -> Iterator[None]:
    """Raises BackupFailed while another process is in such a block."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise BackupFailed(f"Another backup is being written to {name}.") from error
    finally:
        os.close(descriptor)


def copied(source: Path, target: Path) -> tuple[str, int]:
    """Copy the bytes that a file has now; ``target`` is new, and on the disk when this returns. Returns digest and
    size."""
    digest, left = hashlib.sha256(), 0
    with source.open("rb") as reading:
        left = size = os.fstat(reading.fileno()).st_size
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as writing:
            while left and (piece := reading.read(min(_PIECE, left))):
                digest.update(piece)
                writing.write(piece)
                left -= len(piece)
            writing.flush()
            os.fsync(writing.fileno())
    return digest.hexdigest(), size - left


def digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, data: bytes) -> None:
    """After a crash the file has the old bytes or the new ones."""
    fresh = path.with_name(f"{path.name}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)
    sync_folder(path.parent)


def _delete(files: Iterator[Path], but: Collection[str]) -> int:
    gone = 0
    for file in list(files):
        if file.name not in but:
            with suppress(FileNotFoundError):
                gone += file.stat().st_size
                file.unlink()
    return gone
