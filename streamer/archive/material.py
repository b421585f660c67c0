"""The material of a session: the places of its programme's bytes, from five minutes before to five after. Pure.

Material names bytes and copies none. It is collected from the mirror of the room's ``programme`` output, again and
again during the session. Parts that nobody may see (other closed or unrecorded sessions, forgotten minutes) are left
out. A cut through it is an edition (:mod:`.editions`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from streamer.broadcast.programme import TICKS_PER_MS, Broadcast, Chunk, InitSection, Part, Segment
from streamer.broadcast.segment_table import unpacked
from streamer.broadcast.view import BroadcastView

HANDLE_MS = 5 * 60 * 1000
"""The time that is kept before the start and after the end, so that a cut can be moved."""


class Span(msgspec.Struct, frozen=True, array_like=True, order=True):
    """From ``from_ms`` to before ``to_ms``, media times."""

    from_ms: int
    to_ms: int


class Reel(msgspec.Struct, frozen=True):
    """The part of a session in one broadcast of the room. A session that goes on after its room closed has several."""

    broadcast: Broadcast
    inits: tuple[InitSection, ...]
    tracks: dict[str, tuple[Segment, ...]]
    """Rendition -> segments, oldest first, with the same numbers in all; ``chunk.file`` as in :class:`Material`."""

    @property
    def begin_ms(self) -> int:
        """Media time of its first segment."""
        return min((self.ms(s[0].start) for s in self.tracks.values() if s), default=self.broadcast.epoch_ms)

    def init(self, number: int) -> InitSection | None:
        return next((init for init in self.inits if init.id == number), None)

    def ms(self, ticks: int) -> int:
        return self.broadcast.media_time_ms(ticks)

    def ticks(self, ms: int) -> int:
        return (ms - self.broadcast.epoch_ms) * TICKS_PER_MS


class Material(msgspec.Struct, frozen=True):
    """All reels of a session, oldest first. Files are relative to the room's folder, or to the recording's after
    :func:`streamer.archive.files.keep`."""

    session: str
    room: str
    reels: tuple[Reel, ...] = ()
    gone: tuple[Span, ...] = ()
    """Stretches that were left out for ever."""

    @property
    def files(self) -> dict[str, int]:
        """File -> the number of bytes that are needed, from its beginning."""
        found: dict[str, int] = {}
        for chunk in chunks_of(self.reels):
            found[chunk.file] = max(found.get(chunk.file, 0), chunk.offset + chunk.size)
        return found

    @property
    def bytes(self) -> int:
        return sum(chunk.size for chunk in chunks_of(self.reels))

    @property
    def span(self) -> Span | None:
        """From the first part to the end of the last."""
        ends = [
            (reel.ms(s.parts[0].start), reel.ms(s.start + s.duration))
            for reel in self.reels
            for segments in reel.tracks.values()
            for s in segments
            if s.parts
        ]
        return Span(min(a for a, _ in ends), max(b for _, b in ends)) if ends else None


def chunks_of(reels: Iterable[Reel]) -> Iterable[Chunk]:
    for reel in reels:
        for segments in reel.tracks.values():
            for segment in segments:
                for part in segment.parts:
                    yield part.chunk


def glance(view: BroadcastView, output: str, span: Span, *, numbers: range | None = None) -> Callable[[], Reel | None]:
    """Look at the segments that ``output`` lists in ``span`` now. Quick: it runs on the loop that owns the mirror. The
    function that it returns makes the copy, in a thread where there may be hours of it; None if nothing is listed.

    ``numbers``: only these segments.
    """
    broadcast, found = view.broadcast, view.outputs.get(output)
    if broadcast is None or found is None:
        return lambda: None
    begin, end = ((ms - broadcast.epoch_ms) * TICKS_PER_MS for ms in (span.from_ms, span.to_ms))
    listed = {name: track.segments.copied(numbers) for name, track in found.tracks.items()}
    inits = dict(view.inits)

    def read() -> Reel | None:
        tracks = {
            name: tuple(
                segment
                for segment in unpacked(segments)
                if segment.start < end and segment.start + segment.duration > begin and (segment.parts or segment.gap)
            )
            for name, segments in listed.items()
        }
        if not any(tracks.values()):
            return None
        needed = {segment.init for segments in tracks.values() for segment in segments}
        return Reel(broadcast, tuple(init for number, init in inits.items() if number in needed), tracks)

    return read


def collect(
    view: BroadcastView, output: str, span: Span, gone: Sequence[Span] = (), *, numbers: range | None = None
) -> Reel | None:
    """As :func:`glance`, without the stretches ``gone`` and without bytes that are on no disk; None if nothing is
    left."""
    reel = glance(view, output, span, numbers=numbers)()
    return without(reel, gone) if reel is not None else None


def without(reel: Reel, gone: Sequence[Span]) -> Reel | None:
    """The reel without the parts that touch ``gone``; None if nothing is left."""
    spans = [(reel.ticks(span.from_ms), reel.ticks(span.to_ms)) for span in gone]
    kinds = {rendition.name: rendition.kind for rendition in reel.broadcast.renditions}
    kept = {
        name: {s.msn: left for s in segments if (left := _left(s, spans, kinds.get(name) == "video"))}
        for name, segments in reel.tracks.items()
    }
    numbers = sorted({n for by_msn in kept.values() for n, segment in by_msn.items() if segment.parts})
    if not numbers:
        return None
    tracks = {name: tuple(_or_gap(n, by_msn, kept) for n in numbers) for name, by_msn in kept.items()}
    return msgspec.structs.replace(reel, tracks=tracks)


def _left(segment: Segment, spans: Sequence[tuple[int, int]], video: bool) -> Segment | None:
    """One run of parts that can be played by itself: a picture run begins with a part that needs no other."""
    if segment.gap:
        return None if any(segment.start < b and segment.start + segment.duration > a for a, b in spans) else segment

    def allowed(part: Part) -> bool:
        if not part.chunk.file or part.chunk.offset < 0:
            return False
        return not any(part.start < b and part.start + part.duration > a for a, b in spans)

    run: list[Part] = []
    for part in segment.parts:
        if allowed(part):
            if run or part.independent or not video:
                run.append(part)
        elif run:
            break
    if len(run) == len(segment.parts):
        return segment
    return msgspec.structs.replace(segment, parts=run, start=run[0].start, complete=True) if run else None


def _or_gap(number: int, own: Mapping[int, Segment], all_tracks: Mapping[str, Mapping[int, Segment]]) -> Segment:
    segment = own.get(number)
    if segment is not None:
        return segment
    like = max((t[number] for t in all_tracks.values() if number in t), key=lambda s: s.duration)
    return msgspec.structs.replace(like, parts=[], complete=True, gap=True, gap_duration=max(1, like.duration))


def joined(old: Sequence[Reel], new: Reel) -> tuple[Reel, ...]:
    """The reels with newer segments of one broadcast. A new segment replaces the old one of the same number if it holds
    at least as much (its parts may have been merged meanwhile)."""
    same = next((reel for reel in old if reel.broadcast.id == new.broadcast.id), None)
    if same is None:
        return tuple(sorted((*old, new), key=lambda reel: reel.begin_ms))
    tracks: dict[str, dict[int, Segment]] = {}
    for name in {*same.tracks, *new.tracks}:
        merged = {segment.msn: segment for segment in same.tracks.get(name, ())}
        for segment in new.tracks.get(name, ()):
            before = merged.get(segment.msn)
            if before is None or before.gap or (not segment.gap and segment.duration > before.duration):
                merged[segment.msn] = segment
        tracks[name] = merged
    numbers = sorted({n for by_msn in tracks.values() for n in by_msn})
    inits = {init.id: init for init in (*same.inits, *new.inits)}
    whole = Reel(
        new.broadcast,
        tuple(inits.values()),
        {name: tuple(_or_gap(n, by_msn, tracks) for n in numbers) for name, by_msn in tracks.items()},
    )
    return tuple(whole if reel is same else reel for reel in old)


# --- spans ----------------------------------------------------------------------------------------------


def union(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Sorted, without overlaps, without empty ones."""
    out: list[Span] = []
    for span in sorted(spans):
        if span.to_ms <= span.from_ms:
            continue
        if out and span.from_ms <= out[-1].to_ms:
            out[-1] = Span(out[-1].from_ms, max(out[-1].to_ms, span.to_ms))
        else:
            out.append(span)
    return tuple(out)


def minus(whole: Span, holes: Iterable[Span]) -> tuple[Span, ...]:
    """The parts of ``whole`` outside of ``holes``."""
    out: list[Span] = []
    at = whole.from_ms
    for hole in union(holes):
        if hole.to_ms <= at:
            continue
        if hole.from_ms >= whole.to_ms:
            break
        if hole.from_ms > at:
            out.append(Span(at, hole.from_ms))
        at = hole.to_ms
    if at < whole.to_ms:
        out.append(Span(at, whole.to_ms))
    return tuple(out)


def renamed(material: Material, names: Mapping[str, str]) -> Material:
    """The material with other file names; parts of files without a new name are left out."""
    reels = []
    for reel in material.reels:
        tracks = {
            name: tuple(_renamed(segment, names) for segment in segments) for name, segments in reel.tracks.items()
        }
        left = without(msgspec.structs.replace(reel, tracks=tracks), ())
        if left is not None:
            reels.append(left)
    return msgspec.structs.replace(material, reels=tuple(reels))


def _renamed(segment: Segment, names: Mapping[str, str]) -> Segment:
    parts = [
        msgspec.structs.replace(p, chunk=Chunk(names.get(p.chunk.file, ""), p.chunk.offset, p.chunk.size))
        for p in segment.parts
    ]
    return msgspec.structs.replace(segment, parts=parts)
