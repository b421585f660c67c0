"""Editions: cuts through a session's material, as numbered pieces. Pure.

The first and last segment of each stretch are cut to the frame (:mod:`streamer.formats.fragments`): a piece says from
which frame to which. Pieces have the same numbers, and discontinuities at the same numbers, in all renditions.

Nothing from before a stretch's beginning is in an edition's bytes, although pictures can be decoded from a key frame on
only: where a stretch begins between two, the next one stands still until its time, while the sound begins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from streamer.archive.material import Material, Reel, Span, minus
from streamer.broadcast.programme import TICKS_PER_MS, TICKS_PER_S, Chunk, Rendition, Segment
from streamer.formats.fragments import Frame, cut, to_ticks

LEAST_TICKS = 50 * TICKS_PER_MS
"""No piece at a stretch's edge has pictures for less than this."""
EDGE_TICKS = 1920
"""Sound is cut at its own frames, up to half a frame beside the picture. A smaller difference needs no cut inside a
segment."""
LAG_MS = 2500
"""A rendition that is further behind than this at the end is left out there. The others do not wait for it."""

Frames = tuple[Sequence[Frame], int]
"""The frames of a segment with their timescale. No frames: its bytes are missing, and it becomes a gap."""
Place = tuple[str, str, int]
"""(broadcast id, rendition in it, msn)"""


class FramesUnknown(Exception):
    """The cut needs the frames of this segment: give them to :meth:`Cutter.know` and go on."""

    def __init__(self, place: Place, segment: Segment, init: int) -> None:
        super().__init__(f"frames of {place}")
        self.place = place
        self.chunks = tuple(part.chunk for part in segment.parts)
        self.init = init


@dataclass(frozen=True, slots=True)
class Trim:
    """Times in the track's own timescale; None: from the first frame, or to the last."""

    start: int | None
    end: int | None
    held: bool = False
    """The first key frame of the chunks is shown from ``start`` on (:func:`streamer.formats.fragments.held`)."""


@dataclass(frozen=True, slots=True)
class EditionSegment:
    """One numbered segment of one rendition of an edition."""

    number: int
    reel: int
    """Index in ``Material.reels``."""
    track: str
    """The rendition in that reel."""
    msn: int
    start: int
    """Ticks of the reel's broadcast."""
    duration: int
    init: int
    discontinuity: bool
    chunks: tuple[Chunk, ...] = ()
    trim: Trim | None = None

    @property
    def gap(self) -> bool:
        return not self.chunks

    @property
    def end(self) -> int:
        return self.start + self.duration


@dataclass(frozen=True, slots=True)
class Edition:
    """A finished cut. ``tracks``: rendition -> pieces, with the same numbers in all."""

    renditions: tuple[Rendition, ...]
    tracks: Mapping[str, tuple[EditionSegment, ...]]
    epochs_ms: tuple[int, ...]
    """Reel -> UTC milliseconds of its tick 0."""
    target_duration_s: int
    spans: tuple[Span, ...]
    caption_languages: tuple[str, ...] = ()
    """The caption languages that any of the reels' broadcasts declared."""

    def pdt_ms(self, piece: EditionSegment) -> int:
        """The time when the piece begins, UTC milliseconds."""
        return self.epochs_ms[piece.reel] + (piece.start + TICKS_PER_MS // 2) // TICKS_PER_MS

    @property
    def duration_ms(self) -> int:
        """The duration of the longest rendition."""
        return max((sum(p.duration for p in pieces) for pieces in self.tracks.values()), default=0) // TICKS_PER_MS


def spans_of(material: Material, start_ms: int, end_ms: int, skips: Sequence[Span]) -> tuple[Span, ...]:
    """The stretches that an edition shows."""
    return minus(Span(start_ms, end_ms), (*skips, *material.gone))


def common_end(material: Material, end_ms: int) -> int:
    """The latest possible end of the edition. The others wait for a rendition that is a little behind the end mark, but
    not for one that is far behind."""
    if not material.reels:
        return end_ms
    reel = material.reels[-1]
    ends = [reel.ms(s[-1].start + s[-1].duration) for s in reel.tracks.values() if s and not s[-1].gap]
    if not ends or max(ends) < end_ms - LAG_MS:
        return end_ms  # the media stopped before the mark
    return min([end_ms, *(end for end in ends if end >= max(ends) - LAG_MS)])


def can_begin(material: Material, spans: Sequence[Span]) -> bool:
    """Whether pictures can begin in one of the spans."""
    found = [
        reel.ms(part.start)
        for reel in material.reels
        for rendition in reel.broadcast.renditions
        if rendition.kind == "video"
        for segment in reel.tracks.get(rendition.name, ())
        for part in segment.parts
        if part.independent
    ]
    return not found or any(span.from_ms <= at_ms < span.to_ms for span in spans for at_ms in found)


def make(material: Material, spans: Sequence[Span], frames_of: Callable[[FramesUnknown], Frames]) -> Edition:
    """Cut ``spans`` out of the material. An edition without pieces has empty tracks."""
    cutter = Cutter(material)
    while True:
        try:
            cutter.advance(material, spans)
        except FramesUnknown as wanted:
            cutter.know(wanted.place, frames_of(wanted))
        else:
            return cutter.edition


class Cutter:
    """Makes an edition piece by piece. A finished piece never changes, so the edition can grow during the session."""

    def __init__(self, material: Material) -> None:
        """The renditions are those of the longest reel."""
        self._renditions: tuple[Rendition, ...] = ()
        if material.reels:
            longest = max(material.reels, key=lambda reel: max((len(s) for s in reel.tracks.values()), default=0))
            self._renditions = longest.broadcast.renditions
        self._tracks: dict[str, list[EditionSegment]] = {r.name: [] for r in self._renditions}
        self._frames: dict[Place, Frames] = {}
        self._number = 0
        self._at: tuple[int, int, int] = (-1, -1, -1)
        """(begin of the span, reel, msn) of the newest piece."""
        self._epochs: tuple[int, ...] = ()
        self._target = 3
        self._spans: tuple[Span, ...] = ()
        self._languages: tuple[str, ...] = ()

    @property
    def pieces(self) -> int:
        """The number of pieces so far."""
        return self._number

    @property
    def newest(self) -> tuple[int, int]:
        """(reel, msn) of the newest piece; (-1, -1) before the first."""
        return self._at[1:]

    @property
    def edition(self) -> Edition:
        """The edition so far."""
        tracks = {name: tuple(pieces) for name, pieces in self._tracks.items()}
        return Edition(self._renditions, tracks, self._epochs, self._target, self._spans, self._languages)

    def know(self, place: Place, frames: Frames) -> None:
        self._frames[place] = frames

    def relabel(self, names: Callable[[str], str]) -> None:
        """Rename the files of the pieces."""
        for pieces in self._tracks.values():
            for index, piece in enumerate(pieces):
                chunks = tuple(Chunk(names(chunk.file), chunk.offset, chunk.size) for chunk in piece.chunks)
                pieces[index] = replace(piece, chunks=chunks)

    def advance(self, material: Material, spans: Sequence[Span]) -> None:
        """Add the pieces that the material has of ``spans`` after the newest one.

        Spans and reels are those of the call before, with more at the end. Raises :class:`FramesUnknown`: call again
        then.
        """
        self._epochs = tuple(reel.broadcast.epoch_ms for reel in material.reels)
        self._target = max((reel.broadcast.target_duration_s for reel in material.reels), default=self._target)
        self._spans = tuple(spans)
        declared = (language for reel in material.reels for language in reel.broadcast.caption_languages)
        self._languages = tuple(dict.fromkeys((*self._languages, *declared)))
        for span in spans:
            if span.from_ms < self._at[0]:
                continue
            for number, reel in enumerate(material.reels):
                self._stretch(number, reel, span)
        self._frames.clear()

    def _stretch(self, number: int, reel: Reel, span: Span) -> None:
        begin, end = reel.ticks(span.from_ms), reel.ticks(span.to_ms)
        names = {r.name: _track_like(r, reel) for r in self._renditions}
        by_track = {r.name: {s.msn: s for s in reel.tracks.get(names[r.name], ())} for r in self._renditions}
        alive = {name for name, segments in by_track.items() if any(not s.gap for s in segments.values())}
        pictures = [r.name for r in self._renditions if r.kind == "video"] or [r.name for r in self._renditions]
        for msn in sorted({n for segments in by_track.values() for n in segments}):
            if (span.from_ms, number, msn) <= self._at:
                continue
            row = {name: segments[msn] for name, segments in by_track.items() if msn in segments}
            shown = [row[name] for name in pictures if name in row and not row[name].gap] or list(row.values())
            if (
                max(s.start + s.duration for s in shown) < begin + LEAST_TICKS
                or min(s.start for s in shown) > end - LEAST_TICKS
            ):
                continue
            follows = self._at == (span.from_ms, number, msn - 1)
            if not follows and any(not _begins(row.get(name), name in pictures) for name in alive):
                # A stretch begins where every rendition has something playable. After minutes that were not recorded
                # one rendition may have its first parts earlier than another, and the rest of a segment is no
                # beginning.
                continue
            first = begin if follows else max(begin, self._common_start(row))
            discontinuity = self._number > 0 and (
                not follows or any(s.discontinuity for s in row.values()) or self._hole(row)
            )
            pieces: dict[str, EditionSegment] = {}
            for rendition in self._renditions:
                name = rendition.name
                source = row.get(name, shown[0])
                start, stop = max(source.start, first), min(source.start + source.duration, end)
                if follows and not discontinuity:
                    # The times of a gap are another rendition's, which may be cut a frame beside this one.
                    start = self._tracks[name][-1].end
                empty = EditionSegment(
                    self._number, number, names[name], msn, start, max(1, stop - start), source.init, discontinuity
                )
                segment = row.get(name)
                piece: EditionSegment | None = empty
                if segment is not None:
                    piece = self._piece(empty, reel, segment, first, end)
                    if not follows and rendition.kind == "video" and segment.start < begin - EDGE_TICKS:
                        piece = self._held(piece, reel, by_track[name].get(msn + 1), end)
                if piece is not None:
                    pieces[name] = piece
            if len(pieces) < len(self._renditions) or all(piece.gap for piece in pieces.values()):
                # No key frame of the stretch is here, or none yet.
                continue
            for name, piece in pieces.items():
                self._tracks[name].append(piece)
            self._number += 1
            self._at = (span.from_ms, number, msn)

    def _common_start(self, row: Mapping[str, Segment]) -> int:
        """The media time by which all renditions of a stretch's first segment have begun. Sound may be a frame off."""
        starts = {r.name: row[r.name].start for r in self._renditions if r.name in row and not row[r.name].gap}
        pictures = [starts[r.name] for r in self._renditions if r.kind == "video" and r.name in starts]
        latest = max(starts.values(), default=0)
        return latest if not pictures or latest > max(pictures) + EDGE_TICKS else max(pictures)

    def _hole(self, row: Mapping[str, Segment]) -> bool:
        """Whether something before these segments was left out that the numbers do not show."""
        for name, segment in row.items():
            before = self._tracks[name][-1]
            most = TICKS_PER_MS if before.gap else 2 * EDGE_TICKS
            if not segment.gap and abs(segment.start - before.end) > most:
                return True
        return False

    def _piece(self, empty: EditionSegment, reel: Reel, segment: Segment, begin: int, end: int) -> EditionSegment:
        if segment.gap or not segment.parts:
            return empty
        chunks = tuple(part.chunk for part in segment.parts)
        cuts_start = segment.start < begin - EDGE_TICKS
        cuts_end = segment.start + segment.duration > end + EDGE_TICKS
        if not cuts_start and not cuts_end:
            return replace(empty, start=segment.start, duration=segment.duration, chunks=chunks)
        place = (reel.broadcast.id, empty.track, segment.msn)
        if place not in self._frames:
            raise FramesUnknown(place, segment, segment.init)
        frames, scale = self._frames[place]
        trim = Trim(
            begin * scale // TICKS_PER_S if cuts_start else None, end * scale // TICKS_PER_S if cuts_end else None
        )
        kept, lead = cut(frames, trim.start, trim.end)
        if not kept:
            return empty
        start = to_ticks(kept[lead].start, scale)
        duration = to_ticks(kept[-1].start + kept[-1].duration, scale) - start
        return replace(empty, start=start, duration=duration, chunks=chunks, trim=trim)

    def _held(self, piece: EditionSegment, reel: Reel, following: Segment | None, end: int) -> EditionSegment | None:
        """The piece without pictures from before the cut at its beginning. None: no key frame stands after it."""
        if piece.trim is None or piece.trim.start is None:
            return piece
        frames, _ = self._frames[reel.broadcast.id, piece.track, piece.msn]
        kept, lead = cut(frames, piece.trim.start, piece.trim.end)
        if not lead:
            return piece
        trim = Trim(kept[lead].start, kept[-1].start + kept[-1].duration, held=True)
        if any(frame.sync for frame in kept[lead:]):
            return replace(piece, trim=trim)
        if following is None or not _begins(following, True) or following.start > end - LEAST_TICKS:
            return None
        return replace(piece, init=following.init, chunks=(following.parts[0].chunk,), trim=trim)


def _begins(segment: Segment | None, picture: bool) -> bool:
    """Whether playing may begin with it."""
    if segment is None or segment.gap or not segment.parts:
        return False
    return segment.parts[0].independent or not picture


def _track_like(rendition: Rendition, reel: Reel) -> str:
    """The rendition of a reel that replaces one of the edition: the one with the same name, else the nearest of its
    kind."""
    same = [r for r in reel.broadcast.renditions if r.kind == rendition.kind]
    if any(r.name == rendition.name for r in same) or not same:
        return rendition.name
    return min(same, key=lambda r: (abs(r.height - rendition.height), abs(r.bandwidth - rendition.bandwidth))).name
