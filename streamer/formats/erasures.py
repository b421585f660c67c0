"""The list of erasures in a file outside the database: ``DIR/erasures.log``.

A database that is restored from a backup knows nothing of later erasures. This file does, and is applied before anybody
is served (:mod:`streamer.store.erasing`). It is no personal data itself: ids of people and grants are in it as
HMAC-SHA256 under the key in ``DIR/erasures.key`` (32 random bytes, beside the file and never in the database).

The file is an 8-byte header (``SERA``, u32 version) and records of ``u32 length, u32 crc32, payload`` (big-endian, as
in :mod:`streamer.formats.index`), at most 1 kB each. The payload is one of the structs below in msgpack, an object
whose ``type`` names it. Records are added at the end, each with its checksum, and synced before an erasure is
acknowledged; a torn last record was never acknowledged and is dropped. A record may be applied any number of times, and
in any order. So the records of two copies of the file are joined by taking each payload once, as long as both have one
key.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from streamer.data_folder import sync_folder

HEADER = struct.pack(">4sI", b"SERA", 1)
MAX_RECORD_BYTES = 1024
LOG_FILE, KEY_FILE = "erasures.log", "erasures.key"
_HEAD = struct.Struct(">II")
_KEY_BYTES = 32


class _Record(msgspec.Struct, frozen=True, tag_field="type"):
    at_ms: int
    """The time of the request, UTC milliseconds. Younger data stays."""


class PersonErasure(_Record, frozen=True, tag="person"):
    """A participant's texts, names and votes."""

    who: bytes


class GrantErasure(_Record, frozen=True, tag="grant"):
    """A grant that was revoked."""

    who: bytes


class RecordingErasure(_Record, frozen=True, tag="recording"):
    """A session's recording: deleted by hand, by retention, or because it must not be recorded."""

    session: str
    room: str = ""
    """The room where it was recorded; empty if unknown."""


class StretchErasure(_Record, frozen=True, tag="stretch"):
    """A forgotten stretch of a room's media times, from ``from_ms`` to before ``to_ms``."""

    room: str
    from_ms: int
    to_ms: int


Erasure = PersonErasure | GrantErasure | RecordingErasure | StretchErasure

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Erasure)


@dataclass(frozen=True, slots=True)
class Noted:
    """A record and its place in the file: bytes from the beginning."""

    erasure: Erasure
    begin: int
    end: int


class ErasureLog:
    """The file of one data folder. All methods block, except :meth:`hashed` once the log is open."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / LOG_FILE
        self._key_path = folder / KEY_FILE
        self._key = b""

    def open(self) -> None:
        """Make the file and its key if they are missing. Raises OSError, and ValueError if one is damaged."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._key = _kept_key(self._key_path)
        descriptor = self._locked()
        try:
            if not os.fstat(descriptor).st_size:
                _write_all(descriptor, HEADER)
                os.fsync(descriptor)
                sync_folder(self.path.parent)
            elif os.pread(descriptor, len(HEADER), 0) != HEADER:
                raise ValueError(f"{self.path} is no list of erasures of this version")
        finally:
            os.close(descriptor)

    def hashed(self, kind: str, name: str) -> bytes:
        """An id as it stands in the file. ``kind`` separates the ids of people and grants."""
        assert self._key, "open it first"
        return hmac.digest(self._key, f"{kind}:{name}".encode(), hashlib.sha256)

    def add(self, erasure: Erasure) -> Noted:
        """The record is on the disk when this returns. Raises OSError; then the file does not have it."""
        payload = _encoder.encode(erasure)
        if len(payload) > MAX_RECORD_BYTES:
            raise ValueError("an erasure is too long")
        descriptor = self._locked()
        try:
            begin = decoded(_read_all(descriptor)).good_bytes
            os.ftruncate(descriptor, begin)
            try:
                _write_all(descriptor, _framed(payload))
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, begin)
                raise
        finally:
            os.close(descriptor)
        return Noted(erasure, begin, begin + _HEAD.size + len(payload))

    def read(self) -> Content:
        """All valid records. Raises OSError, and ValueError if the file is no list of erasures."""
        return decoded(self.path.read_bytes())

    def digest(self, end: int) -> str:
        """A digest of the file's bytes before ``end``: it shows whether this is the same file, which has only grown."""
        with self.path.open("rb") as file:
            return hashlib.sha256(file.read(end)).hexdigest()

    def _locked(self) -> int:
        """The file, opened at its end and locked against other processes."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor


@dataclass(frozen=True, slots=True)
class Content:
    records: tuple[Noted, ...]
    good_bytes: int
    """Length of the header and the valid records."""
    torn_bytes: int
    """Length of the rest."""


def decoded(data: bytes) -> Content:
    """Read the valid records. Raises ValueError if the data is no list of erasures of this version."""
    if data[: len(HEADER)] != HEADER:
        raise ValueError("not a list of erasures of this version")
    records = tuple(_records(data))
    good = records[-1].end if records else len(HEADER)
    return Content(records, good, len(data) - good)


def joined(one: bytes, other: bytes) -> bytes:
    """The records of two copies of a file, each once. Empty bytes have none. Raises ValueError as :func:`decoded`."""
    records: dict[Erasure, None] = {}
    for data in (one, other):
        if data:
            records.update(dict.fromkeys(noted.erasure for noted in decoded(data).records))
    return HEADER + b"".join(_framed(_encoder.encode(erasure)) for erasure in records)


def _framed(payload: bytes) -> bytes:
    return _HEAD.pack(len(payload), zlib.crc32(payload)) + payload


def read_stretches(folder: Path, room: str) -> list[StretchErasure]:
    """The forgotten stretches of a room, for its process, which has no database. Empty if the file cannot be read."""
    try:
        records = decoded((folder / LOG_FILE).read_bytes()).records
    except (OSError, ValueError):
        return []
    found = (noted.erasure for noted in records)
    return [one for one in found if isinstance(one, StretchErasure) and one.room == room]


def _records(data: bytes) -> Iterator[Noted]:
    at = len(HEADER)
    while at + _HEAD.size <= len(data):
        length, checksum = _HEAD.unpack_from(data, at)
        begin = at + _HEAD.size
        end = begin + length
        if length > MAX_RECORD_BYTES or end > len(data) or zlib.crc32(data[begin:end]) != checksum:
            return
        try:
            erasure = _decoder.decode(data[begin:end])
        except (msgspec.DecodeError, RecursionError):
            return
        yield Noted(erasure, at, end)
        at = end


def _kept_key(path: Path) -> bytes:
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        fresh = path.with_name(f"{path.name}.{os.getpid()}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            _write_all(descriptor, os.urandom(_KEY_BYTES))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        try:
            # A link, not a rename: of two processes that start at once the first one's key holds for both.
            os.link(fresh, path)
        except FileExistsError:
            pass
        except OSError:
            fresh.rename(path)
        fresh.unlink(missing_ok=True)
        sync_folder(path.parent)
        key = path.read_bytes()
    if len(key) != _KEY_BYTES:
        raise ValueError(f"{path} is damaged: it has {len(key)} bytes instead of {_KEY_BYTES}")
    return key


def _read_all(descriptor: int) -> bytes:
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
