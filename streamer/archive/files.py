"""A recording's folder: hard links to the room's media files, and ``material.bin`` with the places of the bytes.

``DIR/recordings/{session}/media/{broadcast}-{stream}-{number}.m4s`` are the room's own files under a second name. So
nothing is copied, and the room's own retention does not matter. Everything here blocks: call it in a thread.
"""

from __future__ import annotations

import os
import shutil
import struct
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from streamer.archive.material import Material, Reel, chunks_of, renamed
from streamer.broadcast.programme import Chunk, Part, Segment
from streamer.data_folder import sync_folder
from streamer.formats.hole_punch import punch

MATERIAL_FILE = "material.bin"
STATE_FILE = "recording.bin"
WAVEFORM_FILE = "waveform.bin"
"""Kept by ``waveforms.py``. It is made again where it is missing."""
MEDIA_FOLDER = "media"
LEVELLED = "levelled-"
"""``media/levelled-{sound}-{rendition}.m4s`` is an edition's sound that was encoded again, ``levelled-{sound}.bin`` has
the places of its bytes."""
AWAY, HEADS = ".away", ".heads"
"""Endings of the two files that stand in the place of a media file that lies in the bucket alone (``away.py``)."""
_HEAD = struct.Struct(">4sIII")
"""Magic, version, length and CRC-32 of the payload."""
VERSION = 1
_encoder = msgspec.msgpack.Encoder()
_T = TypeVar("_T")


class RecordingSidecar(msgspec.Struct, frozen=True):
    """A copy of the database's entry beside the media, for a database that is lost."""

    session: str
    room: str
    title: str = ""
    speakers: tuple[str, ...] = ()
    visibility: str = "public"
    generation: int = 1
    started_ms: int | None = None
    ended_ms: int | None = None
    start_ms: int = 0
    """The begin of the material; ``end_ms`` is its end."""
    end_ms: int | None = None
    published: bool = False
    reviewed: bool = False
    pinned: bool = False
    created_ms: int = 0
    editions: tuple[KeptEdition, ...] = ()


class KeptEdition(msgspec.Struct, frozen=True):
    id: str
    start_ms: int
    end_ms: int | None
    skips: tuple[tuple[int, int], ...]
    created_ms: int
    replaced_ms: int | None = None
    sound: str = ""
    loudness: float | None = None


class LevelledSound(msgspec.Struct, frozen=True):
    """Sound that stands for other sound: pairs of a chunk of the room's and the one that is heard instead."""

    chunks: tuple[tuple[Chunk, Chunk], ...]

    def within(self, material: Material) -> bool:
        """Whether the material has all the sound that it was made of."""
        left = set(chunks_of(material.reels))
        return all(chunk in left for chunk, _ in self.chunks)


def link_name(room_file: str) -> str:
    """``{broadcast}/{stream}-0001.m4s`` of a room as a recording's file."""
    return f"{MEDIA_FOLDER}/{room_file.replace('/', '-')}"


def keep(folder: Path, room_dir: Path, material: Material) -> Material:
    """Link the files of ``material`` (a room's, or already the recording's own), then write it. Returns it with the
    recording's names, without bytes that are on no disk.

    Raises OSError for errors of the disk.
    """
    media = folder / MEDIA_FOLDER
    media.mkdir(mode=0o700, parents=True, exist_ok=True)
    names: dict[str, str] = {}
    for file in material.files:
        if file.startswith(f"{MEDIA_FOLDER}/"):
            # In this order: a file that comes back meanwhile is there before its mark goes.
            if any((folder / name).exists() for name in (file, f"{file}{AWAY}", file)):
                names[file] = file
            continue
        name = link_name(file)
        if _link(room_dir / file, folder / name):
            names[file] = name
    kept = renamed(material, names)
    write(folder / MATERIAL_FILE, kept)
    return kept


def write(path: Path, value: msgspec.Struct) -> None:
    """Write a value. After a crash the file has the old value or the new one, complete."""
    payload = _encoder.encode(value)
    data = _HEAD.pack(b"SMAT", VERSION, len(payload), zlib.crc32(payload)) + payload
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    fresh.rename(path)
    sync_folder(path.parent)


def write_state(folder: Path, kept: RecordingSidecar) -> None:
    """Write the copy of the database's entry."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write(folder / STATE_FILE, kept)


def read(path: Path, kind: type[_T]) -> _T:
    """Raises OSError, and ValueError if the file is damaged or of another version."""
    data = path.read_bytes()
    if len(data) < _HEAD.size:
        raise ValueError(f"{path.name} is cut short")
    magic, version, length, checksum = _HEAD.unpack_from(data)
    payload = data[_HEAD.size :]
    if magic != b"SMAT" or version != VERSION or len(payload) != length or zlib.crc32(payload) != checksum:
        raise ValueError(f"{path.name} is damaged, or of another version")
    try:
        return msgspec.msgpack.decode(payload, type=kind)
    except msgspec.DecodeError as error:
        raise ValueError(f"{path.name} cannot be read") from error


def read_material(folder: Path, sound: str = "") -> Material:
    """``sound``: the levelled sound that is heard in it. Raises as :func:`read` does."""
    material = read(folder / MATERIAL_FILE, Material)
    if not sound:
        return material
    try:
        levelled = read(sound_file(folder, sound), LevelledSound)
    except (FileNotFoundError, ValueError):
        return material  # it was deleted with a part of it, or a crash damaged it
    heard = dict(levelled.chunks)
    return msgspec.structs.replace(material, reels=tuple(_with_sound(reel, heard) for reel in material.reels))


def _with_sound(reel: Reel, heard: Mapping[Chunk, Chunk]) -> Reel:
    files = {chunk.file for chunk in heard}

    def changed(part: Part) -> Part:
        return msgspec.structs.replace(part, chunk=heard.get(part.chunk, part.chunk))

    def replaced(segment: Segment) -> Segment:
        return msgspec.structs.replace(segment, parts=[changed(part) for part in segment.parts])

    tracks = {
        name: tuple(replaced(segment) for segment in segments)
        if any(part.chunk.file in files for segment in segments for part in segment.parts)
        else segments
        for name, segments in reel.tracks.items()
    }
    return msgspec.structs.replace(reel, tracks=tracks)


def sound_file(folder: Path, sound: str) -> Path:
    return folder / f"{LEVELLED}{sound}.bin"


def levelled_name(sound: str, rendition: str) -> str:
    return f"{MEDIA_FOLDER}/{LEVELLED}{sound}-{rendition}.m4s"


def drop_sounds(folder: Path, keep: str = "") -> None:
    """Overwrite and unlink all levelled sound but one, whether or not it was finished. Raises OSError."""
    for path in folder.glob(f"{LEVELLED}*"):
        if not keep or path != sound_file(folder, keep):
            path.unlink(missing_ok=True)
    for path in sorted((folder / MEDIA_FOLDER).glob(f"{LEVELLED}*")):
        if keep and path.name.startswith(f"{LEVELLED}{keep}-"):
            continue
        # Also what has it open reads nothing any more.
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            punch(descriptor, 0, os.fstat(descriptor).st_size)
        finally:
            os.close(descriptor)
        path.unlink(missing_ok=True)


def kept_sound(folder: Path, sound: str, material: Material) -> str:
    """``sound`` if the material has all that it was made of. Otherwise, and if it cannot be read, empty."""
    try:
        return sound if sound and read(sound_file(folder, sound), LevelledSound).within(material) else ""
    except (OSError, ValueError):
        return ""


def drop_unused(folder: Path, material: Material) -> list[str]:
    """Unlink the media files that the material does not need any more."""
    needed = set(material.files)
    gone = []
    for file in sorted((folder / MEDIA_FOLDER).glob("*")):
        name = f"{MEDIA_FOLDER}/{file.name.removesuffix(AWAY).removesuffix(HEADS)}"
        if name not in needed and not file.name.startswith(LEVELLED):
            file.unlink(missing_ok=True)
            gone.append(name)
    return gone


def remove(folder: Path) -> int:
    """Delete a recording. Returns the bytes that its own names held (other recordings may share them); 0 if there is
    none. Raises OSError if a part of it remains."""
    size = disk_bytes(folder)
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        if folder.exists():
            raise
        return 0
    sync_folder(folder.parent)
    return size


def disk_bytes(folder: Path) -> int:
    """Bytes of all files in the folder, whether or not they have other names elsewhere."""
    total = 0
    for file in folder.rglob("*"):
        try:
            if file.is_file():
                total += file.stat().st_size
        except FileNotFoundError:
            continue
    return total


def freed_bytes(folders: Iterable[Path]) -> int:
    """The space that the disk would get back if these folders were deleted: files that have no name elsewhere."""
    names: dict[tuple[int, int], int] = {}
    whole: dict[tuple[int, int], tuple[int, int]] = {}
    for folder in folders:
        for file in folder.rglob("*"):
            try:
                stat = file.stat()
            except FileNotFoundError:
                continue
            if file.is_file():
                place = (stat.st_dev, stat.st_ino)
                names[place] = names.get(place, 0) + 1
                whole[place] = (stat.st_nlink, stat.st_blocks * 512)
    return sum(whole[place][1] for place, count in names.items() if count >= whole[place][0])


def _link(source: Path, target: Path) -> bool:
    """False if the source is missing (deleted, or not written yet). A copy would soon differ, because the room goes on
    writing and may have to forget. So a file system without hard links is refused at the start
    (``data_folder.apart``)."""
    try:
        os.link(source, target)
    except FileExistsError:
        return True
    except FileNotFoundError:
        return False
    return True
