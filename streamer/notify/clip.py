"""Some seconds of a room's public output as one MP4 file in memory: what was to be seen and heard before a trouble."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from streamer.broadcast.media_events import PUBLIC
from streamer.broadcast.programme import TICKS_PER_MS, Chunk, Segment
from streamer.broadcast.view import OutputView, RenditionView
from streamer.control.media_plane import RoomLink
from streamer.data_folder import read_range
from streamer.formats.fragments import cut, frames_of, timescale_of, to_ticks
from streamer.formats.movie import MovieChunk, Track, head, picture_size, sample_entry

BEST_HEIGHT = 480
"""Of the renditions the nearest to this: a phone on a poor link shows it."""
MOST_BYTES = 8_000_000


@dataclass(frozen=True, slots=True)
class Stretch:
    """A rendition's segments around a time: one init section, and places of bytes."""

    kind: str
    init: bytes
    chunks: tuple[Chunk, ...]


async def clip_of(link: RoomLink, room_dir: Path, from_ms: int, to_ms: int) -> bytes | None:
    """The public seconds between two media times; None where nothing is left of them."""
    output, broadcast = link.view.outputs.get(PUBLIC), link.view.broadcast
    if output is None or broadcast is None:
        return None
    begin, end = ((ms - broadcast.epoch_ms) * TICKS_PER_MS for ms in (from_ms, to_ms))
    tracks = [track for track in output.tracks.values() if track.rendition.kind == "video"]
    chosen = sorted(tracks, key=lambda track: abs(track.rendition.height - BEST_HEIGHT))[:1]
    chosen += [track for track in output.tracks.values() if track.rendition.kind == "audio"][:1]
    found = [stretch for track in chosen if (stretch := _stretch(link, output, track, begin, end)) is not None]
    if not found or sum(chunk.size for one in found for chunk in one.chunks) > MOST_BYTES:
        return None
    data = [[link.bytes.get((chunk.file, chunk.offset)) for chunk in one.chunks] for one in found]
    try:
        return await asyncio.to_thread(_movie, found, data, room_dir, begin, end)
    except (OSError, EOFError, ValueError):
        return None


def _stretch(link: RoomLink, output: OutputView, track: RenditionView, begin: int, end: int) -> Stretch | None:
    segments: list[Segment] = []
    for msn in range(output.last_complete_msn, output.first_msn - 1, -1):
        segment = track.get(msn)
        if segment is None or segment.start >= end:
            continue
        interval = output.intervals.get(segment.interval)
        shown = not segment.gap and interval is not None and interval.public
        if segment.start + segment.duration <= begin or not shown or (segments and segment.init != segments[0].init):
            break
        segments.insert(0, segment)
    init = link.view.inits.get(segments[0].init) if segments else None
    if init is None:
        return None
    return Stretch(track.rendition.kind, init.data, tuple(part.chunk for segment in segments for part in segment.parts))


def _movie(
    found: Sequence[Stretch], recent: Sequence[Sequence[bytes | None]], room_dir: Path, begin: int, end: int
) -> bytes | None:
    """In a thread. Raises OSError, EOFError, ValueError."""
    tracks: list[Track] = []
    media = bytearray()
    first_ticks: int | None = None
    for stretch, known in zip(found, recent, strict=True):
        data = b"".join(
            there if there is not None and len(there) == chunk.size else _read(room_dir, chunk)
            for chunk, there in zip(stretch.chunks, known, strict=True)
        )
        scale = timescale_of(stretch.init)
        frames, lead = cut(frames_of(data), _scaled(begin, scale), _scaled(end, scale))
        if not frames:
            continue
        track = Track(stretch.kind, scale)
        if stretch.kind == "video":
            track.width, track.height = picture_size(stretch.init)
            track.key_samples = [number for number, frame in enumerate(frames, 1) if frame.sync]
        # Pictures that only lead in are decoded, and have no time to be shown.
        track.durations = [1 if number < lead else frame.duration for number, frame in enumerate(frames)]
        track.sizes = [frame.size for frame in frames]
        track.chunks = [MovieChunk(len(media), len(frames), track.entry(sample_entry(stretch.init)))]
        start_ticks = to_ticks(frames[lead].start, scale)
        first_ticks = start_ticks if first_ticks is None else first_ticks
        track.delay = _scaled(start_ticks - first_ticks, scale) - lead
        for frame in frames:
            media += data[frame.at : frame.at + frame.size]
        tracks.append(track)
    return head(tracks, len(media), {}, ()) + bytes(media) if tracks else None


def _scaled(ticks: int, timescale: int) -> int:
    return ticks * timescale // (1000 * TICKS_PER_MS)


def _read(room_dir: Path, chunk: Chunk) -> bytes:
    if not chunk.file:
        raise EOFError("only in memory")
    return read_range(room_dir / chunk.file, chunk.offset, chunk.size)
