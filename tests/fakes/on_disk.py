"""Finds a camera's pictures and sound anywhere in a data folder, whatever indexes and databases say."""

from __future__ import annotations

import contextlib
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np

from streamer.broadcast.media_events import InitMade, Opened, Snapshot
from streamer.broadcast.programme import TICKS_PER_MS
from streamer.formats.fragments import read_fragments
from streamer.formats.index import read_index
from tests.fakes import decoding

LOUD = 0.02
_STEP = 480
_NAME = re.compile(r"(?P<rendition>[va][0-9]+)-[0-9]+\.m4s$")


@dataclass
class OnDisk:
    """``strips``: UTC milliseconds of all pictures of the camera. ``loud``: media times of its sound."""

    strips: list[int] = field(default_factory=list)
    loud: list[int] = field(default_factory=list)
    files: int = 0

    def between(self, from_ms: float, to_ms: float) -> tuple[list[int], list[int]]:
        """Pictures and sound of that time; two empty lists where there is nothing."""
        return [ms for ms in self.strips if from_ms < ms < to_ms], [ms for ms in self.loud if from_ms < ms < to_ms]


def search(data: Path, room: str) -> OnDisk:
    """Decodes every fragment of a room's media files and of all recordings, once for each file whatever its names."""
    found, seen = OnDisk(), set()
    rooms = sorted((data / "rooms" / room).rglob("*.m4s"))
    # Another name of a room's file was searched where it has its index.
    others = {_inode(path) for path in (data / "rooms").rglob("*.m4s")}
    for path in [*rooms, *sorted((data / "recordings").rglob("*.m4s"))]:
        inode = _inode(path)
        if inode is None or inode in seen or (path not in rooms and inode in others):
            continue
        seen.add(inode)
        found.files += 1
        rendition = _rendition(path)
        inits, epoch_ms = _index(data / "rooms" / room, path)
        for run in _runs(path.read_bytes()):
            for init in inits.get(rendition, ()):
                before = len(found.strips) + len(found.loud)
                if rendition.startswith("v"):
                    with contextlib.suppress(av.error.FFmpegError, AssertionError):
                        found.strips += [p.strip for p in decoding.pictures(init + run) if p.strip is not None]
                else:
                    found.loud += _loud(init + run, epoch_ms)
                if len(found.strips) + len(found.loud) > before:
                    break
    return found


def _inode(path: Path) -> int | None:
    """None: the window has passed it meanwhile."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


def _rendition(path: Path) -> str:
    """Files of one rendition bear its name behind what else tells them apart. Raises where one is no rendition's."""
    match = _NAME.search(path.name)
    assert match is not None, f"{path} is of no rendition"
    return match["rendition"]


def _index(room: Path, path: Path) -> tuple[dict[str, list[bytes]], int]:
    """Init sections of the broadcast that the file belongs to, or of all, newest first; and its first media time."""
    inits: dict[str, dict[bytes, None]] = {}
    epoch_ms = 0
    for index in sorted(path.parent.glob("index-*.sx")) or sorted(room.rglob("index-*.sx")):
        for event in read_index(index).events:
            if isinstance(event, (Snapshot, Opened)) and event.broadcast is not None:
                epoch_ms = event.broadcast.epoch_ms
            made = [event.init] if isinstance(event, InitMade) else event.inits if isinstance(event, Snapshot) else []
            for init in made:
                inits.setdefault(init.rendition, {})[init.data] = None
    return {name: list(reversed(known)) for name, known in inits.items()}, epoch_ms


def _runs(content: bytes) -> Iterator[bytes]:
    """Fragments one behind the other from one that begins with a key frame; what is no box is passed over."""
    run = b""
    for fragment in _fragments(content):
        if next(iter(read_fragments(fragment))).syncs[0] and run:
            yield run
            run = b""
        run += fragment
    if run:
        yield run


def _fragments(content: bytes) -> Iterator[bytes]:
    at = content.find(b"moof")
    while at >= 4:
        begin = at - 4
        (size,) = struct.unpack_from(">I", content, begin)
        body = begin + size
        if content[body + 4 : body + 8] == b"mdat":
            (length,) = struct.unpack_from(">I", content, body)
            if body + length <= len(content):
                yield content[begin : body + length]
                at = body + length - 4
        at = content.find(b"moof", at + 4)


def _loud(data: bytes, epoch_ms: int) -> list[int]:
    try:
        heard = decoding.sound(data)
    except (av.error.FFmpegError, AssertionError, IndexError):
        return []
    mono = heard.mono[: len(heard.mono) // _STEP * _STEP].reshape(-1, _STEP)
    begin_ms = epoch_ms + heard.at // TICKS_PER_MS
    return [begin_ms + index * 10 for index, peak in enumerate(np.abs(mono).max(axis=1)) if peak > LOUD]
