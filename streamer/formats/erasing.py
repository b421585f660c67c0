"""Deletes stretches from a room's media files, whether or not they are still listed. Blocks: call it in a thread, or
before the loop."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import structlog

from streamer.broadcast.chunks import ChunkSet
from streamer.broadcast.media_events import PROGRAMME_OUTPUT, MediaEvent, Opened, PartMade, Snapshot
from streamer.broadcast.programme import TICKS_PER_MS, Broadcast, Chunk, Part
from streamer.formats.hole_punch import punch
from streamer.formats.index import INDEX_GLOB, read_index

log = structlog.get_logger(__name__)


def erase_stretches(room_dir: Path, stretches: Sequence[tuple[int, int]]) -> int:
    """Overwrite all bytes of the programme between the media times ``(from_ms, to_ms)`` with zeros, as the indexes name
    them, also if they are no longer listed. Returns the number of bytes.

    Bytes behind the last that an index names belong to parts that were never announced: they are erased, too, if a
    stretch reaches into the broadcast. Only while no process writes these files. Raises OSError.
    """
    erased = 0
    for folder in sorted(room_dir.iterdir()) if room_dir.is_dir() and stretches else []:
        indexes = sorted(folder.glob(INDEX_GLOB)) if folder.is_dir() else []
        broadcast, parts = _parts(indexes)
        if broadcast is None:
            continue
        spans = [tuple((ms - broadcast.epoch_ms) * TICKS_PER_MS for ms in stretch) for stretch in stretches]
        spans = [(begin, end) for begin, end in spans if end > 0]
        last = max((part.start + part.duration for part in parts), default=0)
        if not any(begin < last for begin, _ in spans):
            continue
        touched = [
            p.chunk for p in parts if any(p.start < end and p.start + p.duration > begin for begin, end in spans)
        ]
        ends: dict[str, int] = {}
        for part in parts:
            ends[part.chunk.file] = max(ends.get(part.chunk.file, 0), part.chunk.offset + part.chunk.size)
        erased += _punch(room_dir, touched, ends)
    return erased


def _inside(part: Part, spans: Sequence[tuple[int, int]]) -> bool:
    return any(part.start < end and part.start + part.duration > begin for begin, end in spans)


def _parts(indexes: Iterable[Path]) -> tuple[Broadcast | None, list[Part]]:
    """The programme's parts that have bytes on disk."""
    broadcast: Broadcast | None = None
    parts: dict[tuple[str, int], Part] = {}
    for path in indexes:
        try:
            events = read_index(path).events
        except (OSError, ValueError) as error:
            log.warning("index_unreadable", index=str(path), error=str(error))
            continue
        for event in events:
            if isinstance(event, Opened | Snapshot) and event.broadcast is not None:
                broadcast = event.broadcast
            parts.update({(p.chunk.file, p.chunk.offset): p for p in _parts_of(event)})
    return broadcast, list(parts.values())


def _parts_of(event: MediaEvent) -> Iterator[Part]:
    found: Iterable[Part] = ()
    if isinstance(event, PartMade) and event.output == PROGRAMME_OUTPUT:
        found = (event.part,)
    elif isinstance(event, Snapshot):
        tracks = event.outputs.get(PROGRAMME_OUTPUT, {}).values()
        found = (part for segments in tracks for segment in segments for part in segment.parts)
    return (part for part in found if part.chunk.file and part.chunk.offset >= 0)


def _punch(room_dir: Path, chunks: Sequence[Chunk], ends: dict[str, int]) -> int:
    erased = 0
    runs = ChunkSet(chunks).runs
    for file, end in ends.items():
        try:
            descriptor = os.open(room_dir / file, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            for begin, until in (*runs.get(file, ()), (end, os.fstat(descriptor).st_size)):
                punch(descriptor, begin, until - begin)
                erased += max(0, until - begin)
        finally:
            os.close(descriptor)
    return erased
