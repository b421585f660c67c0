"""Media files that lie in the bucket alone.

In the place of such a file a recording's folder has two small ones: ``{file}.away`` says which object it is, and
``{file}.heads`` has the heads of its fragments, so that a download is planned without the bucket. Samples are read by
ranges. Everything here blocks: call it in a thread.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from streamer import s3
from streamer.archive import files
from streamer.archive.files import AWAY, HEADS
from streamer.archive.material import Material, chunks_of
from streamer.broadcast.chunks import ChunkSet
from streamer.broadcast.programme import Chunk, Part
from streamer.data_folder import read_range
from streamer.formats.hole_punch import punch

_BOX = struct.Struct(">I4s")


class Away(msgspec.Struct, frozen=True):
    """An object in a bucket, as its file was: size in bytes, SHA-256 (empty: not known), time of its last change."""

    address: str
    key: str
    size: int
    digest: str
    changed_ns: int
    recordings: int
    """The number of those that had it. With fewer, it may hold bytes that none names any more."""


class Heads(msgspec.Struct, frozen=True):
    size: int
    runs: tuple[tuple[int, bytes], ...]
    """Offset and bytes."""
    chunks: tuple[tuple[int, int], ...]
    """Offset and size of all that the recording named when the file went. They outlast its coming back, so that a
    *forget* that was broken off still knows what it must erase."""


class Stays(Exception):
    """The file has sound: it is small, and what levels and measures it reads it here."""


class IsAway(Exception):
    """The file lies in the bucket alone."""


def mark_of(path: Path) -> Away:
    """The mark in the place of the media file ``path``. Raises FileNotFoundError without one, OSError."""
    try:
        return files.read(_beside(path, AWAY), Away)
    except ValueError as error:
        raise OSError(str(error)) from error


def put_mark(path: Path, mark: Away) -> None:
    files.write(_beside(path, AWAY), mark)


def take_marks(paths: Iterable[Path], *, heads: bool = True) -> None:
    for path in paths:
        _beside(path, AWAY).unlink(missing_ok=True)
        if heads:
            _beside(path, HEADS).unlink(missing_ok=True)


def unnamed(folder: Path, material: Material) -> list[Chunk]:
    """The bytes that a recording named in files when they went to the bucket, and that ``material`` does not name any
    more. Raises OSError, ValueError."""
    kept = ChunkSet(chunks_of(material.reels)).runs
    found = []
    for path in sorted((folder / files.MEDIA_FOLDER).glob(f"*{HEADS}")):
        file = f"{files.MEDIA_FOLDER}/{path.name.removesuffix(HEADS)}"
        for offset, size in files.read(path, Heads).chunks:
            at, end = offset, offset + size
            for begin, until in (*kept.get(file, ()), (end, end)):
                if at < min(begin, end):
                    found.append(Chunk(file, at, min(begin, end) - at))
                at = max(at, until)
    return found


def clear_unnamed(recordings: Path, sessions: Iterable[str]) -> None:
    """Overwrite the bytes that no recording names, in the files of these sessions that only recordings have: an attempt
    to erase them that failed is not known to the material, and no room erases them any more. A file of which a material
    cannot be read stays as it is. Raises OSError."""
    wanted = {
        path.name
        for session in sessions
        for path in (recordings / session / files.MEDIA_FOLDER).glob("*.m4s")
        if not path.name.startswith(files.LEVELLED)
    }
    places: dict[str, list[Path]] = {}
    for path in recordings.glob(f"*/{files.MEDIA_FOLDER}/*.m4s") if wanted else ():
        if path.name in wanted:
            places.setdefault(path.name, []).append(path)
    materials: dict[Path, Material | None] = {}
    for paths in places.values():
        folders = [path.parents[1] for path in paths]
        for folder in folders:
            if folder not in materials:
                materials[folder] = _material(folder)
        known = [material for folder in folders if (material := materials[folder]) is not None]
        name = f"{files.MEDIA_FOLDER}/{paths[0].name}"
        with contextlib.suppress(FileNotFoundError):
            seen = paths[0].stat()
            if seen.st_nlink == len(paths) == len(known) and seen.st_size:
                needed = [chunk for material in known for chunk in chunks_of(material.reels) if chunk.file == name]
                with paths[0].open("r+b") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as data:
                    _clear(file.fileno(), data, needed)


def _material(folder: Path) -> Material | None:
    try:
        return files.read_material(folder)
    except (OSError, ValueError):
        return None


def drop_heads(folder: Path) -> None:
    """Those of files that are here again, after all was erased in them that the recording does not name any more."""
    for path in (folder / files.MEDIA_FOLDER).glob(f"*{HEADS}"):
        if not path.with_name(f"{path.name.removesuffix(HEADS)}{AWAY}").exists():
            path.unlink()


def leave(paths: Sequence[Path], mark: Away) -> bool:
    """Delete a file whose names are ``paths``, one in each recording that has it; marks take its places. False, and it
    stays, if it has another name, was changed, or had bytes that no recording names: nobody could forget those later,
    and they are zeros now. Raises Stays, OSError, ValueError."""
    if not _is(paths, mark):
        return False
    name = f"{files.MEDIA_FOLDER}/{paths[0].name}"
    materials = [files.read_material(path.parents[1]) for path in paths]
    if any(_has_sound(material, name) for material in materials):
        raise Stays(name)
    needed = [[chunk for chunk in chunks_of(material.reels) if chunk.file == name] for material in materials]
    try:
        with paths[0].open("r+b") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as data:
            if _clear(file.fileno(), data, (chunk for chunks in needed for chunk in chunks)):
                return False
            for path, chunks in zip(paths, needed, strict=True):
                files.write(_beside(path, HEADS), _heads(data, chunks))
                put_mark(path, mark)
    except (OSError, ValueError):
        take_marks(paths)
        raise
    if not _is(paths, mark):
        take_marks(paths)
        return False
    for path in paths:
        path.unlink()
    return True


def read_here(path: Path, offset: int, size: int) -> bytes:
    """Raises IsAway, FileNotFoundError and other OSErrors, and EOFError if the file ends too early."""
    try:
        return read_range(path, offset, size)
    except FileNotFoundError:
        if _beside(path, AWAY).exists():
            raise IsAway(path.name) from None
        # It may have come back meanwhile.
        return read_range(path, offset, size)


def read_at(path: Path, offset: int, size: int) -> bytes:
    """As :func:`read_here`; a file that is away is read from the bucket. Raises no IsAway."""
    try:
        return read_here(path, offset, size)
    except IsAway:
        try:
            mark = mark_of(path)
        except FileNotFoundError:
            return read_here(path, offset, size)
        return s3.reader(mark.address).read(mark.key, offset, size)


def read_parts(folder: Path, parts: Iterable[Part]) -> bytes:
    """The bytes of parts, joined. Raises as :func:`read_at` does."""
    return b"".join(read_at(folder / part.chunk.file, part.chunk.offset, part.chunk.size) for part in parts)


def open_heads(path: Path) -> int:
    """A descriptor of the file; of one that is away, of a file without its samples. Raises OSError, ValueError."""
    with contextlib.suppress(FileNotFoundError):
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    heads = files.read(_beside(path, HEADS), Heads)
    with tempfile.TemporaryFile() as sparse:
        os.ftruncate(sparse.fileno(), heads.size)
        for offset, data in heads.runs:
            os.pwrite(sparse.fileno(), data, offset)
        return os.dup(sparse.fileno())


def _is(paths: Sequence[Path], mark: Away) -> bool:
    seen = paths[0].stat()
    return (seen.st_size, seen.st_mtime_ns, seen.st_nlink) == (mark.size, mark.changed_ns, len(paths))


def _has_sound(material: Material, name: str) -> bool:
    return any(
        part.chunk.file == name
        for reel in material.reels
        for rendition in reel.broadcast.renditions
        if rendition.kind == "audio"
        for segment in reel.tracks.get(rendition.name, ())
        for part in segment.parts
    )


def _clear(descriptor: int, data: mmap.mmap, needed: Iterable[Chunk]) -> bool:
    """Overwrite all bytes outside of the chunks with zeros. Whether there were others."""
    cleared, at = False, 0
    runs = sorted((chunk.offset, chunk.offset + chunk.size) for chunk in needed)
    for begin, end in (*runs, (len(data), len(data))):
        if begin > at and data[at:begin].strip(b"\0"):
            punch(descriptor, at, begin - at)
            cleared = True
        at = max(at, end)
    return cleared


def _heads(data: mmap.mmap, chunks: Sequence[Chunk]) -> Heads:
    """All boxes of the chunks, of ``mdat`` only the head. Raises ValueError for other data."""
    found = []
    for chunk in chunks:
        at, end = chunk.offset, chunk.offset + chunk.size
        if end > len(data):
            raise ValueError("a file ends too early")
        while at < end:
            size, kind = _BOX.unpack_from(data, at)
            if size < _BOX.size or at + size > end:
                raise ValueError("no box where one should begin")
            found.append((at, data[at : at + (_BOX.size if kind == b"mdat" else size)]))
            at += size
    return Heads(len(data), tuple(found), tuple((chunk.offset, chunk.size) for chunk in chunks))


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(f"{path.name}{suffix}")
