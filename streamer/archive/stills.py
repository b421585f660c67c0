"""Stills of a recording's material: for moving a cut by frames, and as pictures of a replay. A short-lived process
decodes them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from streamer.archive import away
from streamer.archive.material import Material, Reel, Span
from streamer.broadcast.programme import Segment
from streamer.control.decoders import NotDecoded, decode
from streamer.control.runs import joined
from streamer.formats import fragments

DECODER = "streamer.media.frames"
HEIGHT = 480
"""The rendition nearest to this height is decoded: people must see whose mouth is open."""
SHEET_HEIGHT = 90
"""The same for the small pictures of a sheet."""


@dataclass(frozen=True, slots=True)
class MaterialStill:
    """``at_ms``: the time when the picture appears; ``before_ms`` and ``after_ms``: the times of the frames beside it;
    None at the material's edges."""

    jpeg: bytes
    at_ms: int
    before_ms: int | None
    after_ms: int | None


class NoPicture(Exception):
    """The material has no picture at that time."""


async def still_at(folder: Path, material: Material, at_ms: int) -> MaterialStill:
    """The picture that is shown at a media time. Raises NoPicture."""
    for reel in material.reels:
        segment = _segment_at(reel, at_ms)
        init = reel.init(segment.init) if segment is not None else None
        if segment is None or init is None:
            continue
        try:
            data = await asyncio.to_thread(away.read_parts, folder, segment.parts)
            frames = fragments.frames_of(data)
            jpeg, tick = await _decode(init.data + data, reel.ticks(at_ms))
        except (OSError, EOFError, ValueError, NotDecoded) as error:
            raise NoPicture from error
        scale = fragments.timescale_of(init.data)
        ticks = [fragments.to_ticks(frame.start, scale) for frame in frames]
        end = fragments.to_ticks(frames[-1].start + frames[-1].duration, scale)
        index = ticks.index(tick) if tick in ticks else 0
        before = ticks[index - 1] if index else 2 * tick - (ticks[1] if len(ticks) > 1 else end)
        after = ticks[index + 1] if index + 1 < len(ticks) else end
        return MaterialStill(
            jpeg, _ms(reel, tick), _inside(material, _ms(reel, before)), _inside(material, _ms(reel, after))
        )
    raise NoPicture


async def sheet_of(folder: Path, material: Material, times_ms: Sequence[int], spans: Sequence[Span]) -> bytes:
    """A JPEG with the key frames before these media times, in rows (``streamer.media.frames.sheet``). Where the one
    before is in none of ``spans`` it is the one after: nobody may see pictures that are left out.

    Raises NoPicture.
    """
    try:
        data = await asyncio.to_thread(_beginnings, folder, material, times_ms, spans)
        return await decode(DECODER, "sheet", data=data)
    except (OSError, EOFError, ValueError, NotDecoded) as error:
        raise NoPicture from error


def _beginnings(folder: Path, material: Material, times_ms: Sequence[int], spans: Sequence[Span]) -> bytes:
    out = []
    for at_ms in times_ms:
        found = b""
        for reel in material.reels:
            segment = _segment_at(reel, at_ms, SHEET_HEIGHT)
            if segment is not None and not _shown(reel, segment, spans):
                segment = _segment_at(reel, reel.ms(segment.start + segment.duration), SHEET_HEIGHT)
            if segment is None or not _shown(reel, segment, spans):
                continue
            init = reel.init(segment.init)
            if init is not None:
                found = init.data + away.read_parts(folder, segment.parts[:1])
                break
        out.append(found)
    return joined(out)


def _shown(reel: Reel, segment: Segment, spans: Sequence[Span]) -> bool:
    """Whether the segment's first picture is in one of the spans."""
    at_ms = _ms(reel, segment.start)
    return any(span.from_ms <= at_ms < span.to_ms for span in spans)


async def _decode(data: bytes, at: int) -> tuple[bytes, int]:
    """The JPEG that is shown at tick ``at`` and its own tick. Raises NotDecoded."""
    told = await decode(DECODER, str(at), data=data)
    return told[8:], int.from_bytes(told[:8], "big", signed=True)


def _segment_at(reel: Reel, at_ms: int, height: int = HEIGHT) -> Segment | None:
    videos = [r for r in reel.broadcast.renditions if r.kind == "video" and reel.tracks.get(r.name)]
    tick = reel.ticks(at_ms)
    for rendition in sorted(videos, key=lambda r: abs(r.height - height)):
        for segment in reel.tracks[rendition.name]:
            if segment.start <= tick < segment.start + segment.duration and segment.parts:
                return segment
    return None


def _ms(reel: Reel, tick: int) -> int:
    """Rounded up, so that a request for this time gives this picture and not the one before."""
    return reel.broadcast.epoch_ms - (-tick // 90)


def _inside(material: Material, at_ms: int) -> int | None:
    whole = material.span
    return at_ms if whole is not None and whole.from_ms <= at_ms < whole.to_ms else None
