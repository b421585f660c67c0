"""One rendition of one output, as a mirror keeps it. Part of :mod:`streamer.broadcast.view`; pure."""

from __future__ import annotations

from collections import Counter

import msgspec

from streamer.broadcast.programme import Chunk, Part, Rendition, Segment
from streamer.broadcast.segment_table import SegmentTable


class OutOfStep(ValueError):
    """An event does not fit the mirror's state: events were lost. The caller asks for a snapshot."""


class RenditionView:
    """One rendition of one output: its segments by media sequence number, the newest last.

    ``version`` grows with every change of the rendition's playlist and never repeats within the life of a
    :class:`.view.BroadcastView`, snapshots included. So it can be used in cache keys.
    """

    __slots__ = (
        "_dropped_below",
        "_init_refs",
        "_last",
        "_merge_after",
        "_merge_from",
        "_newest_whole",
        "_pack_after",
        "rendition",
        "segments",
        "version",
    )

    def __init__(self, rendition: Rendition, *, pack_after_ticks: int, merge_after_ticks: int) -> None:
        self.rendition = rendition
        self.segments = SegmentTable()
        self.version = 0
        self._pack_after = pack_after_ticks
        self._merge_after = merge_after_ticks
        self._merge_from = 0
        self._last: Segment | None = None
        self._dropped_below = 0
        self._init_refs: Counter[tuple[int, int]] = Counter()
        self._newest_whole: Segment | None = None

    @property
    def first(self) -> Segment | None:
        """The oldest segment that is still listed."""
        msn = self.segments.first_msn
        return None if msn is None else self.segments.get(msn)

    @property
    def last(self) -> Segment | None:
        """The newest segment, perhaps without parts yet."""
        return self._last

    @property
    def last_complete_msn(self) -> int:
        """Number of the newest complete segment (a gap counts); -1 when there is none in the window."""
        last = self._last
        if last is None:
            return -1
        msn = last.msn if last.complete else last.msn - 1
        return msn if msn in self.segments else -1

    @property
    def edge(self) -> tuple[int, int] | None:
        """``(msn, part index)`` of the newest part, the index -1 for a gap; None before the first part."""
        last = self._last
        if last is None:
            return None
        if last.msn in self.segments:
            if last.parts:
                return last.msn, len(last.parts) - 1
            if last.gap:
                return last.msn, -1
        before = self.segments.get(last.msn - 1)
        return None if before is None else (before.msn, len(before.parts) - 1)

    @property
    def end(self) -> int:
        """The tick where the newest part (or gap) ends; 0 before the first."""
        last = self._last
        if last is None:
            return 0
        return last.start + last.duration

    @property
    def newest_whole(self) -> Segment | None:
        """The newest complete segment that has bytes, if it is still in the window."""
        whole = self._newest_whole
        return whole if whole is not None and whole.msn in self.segments else None

    def get(self, msn: int) -> Segment | None:
        """The segment of that number. It must not be changed."""
        return self.segments.get(msn)

    def lists_init(self, interval: int, init: int) -> bool:
        """Whether a listed segment of the interval needs that init section."""
        return self._init_refs[(interval, init)] > 0

    def keeps_parts(self, segment: Segment) -> bool:
        """Whether the segment is so young that its parts are not merged yet (see ``YOUNG_TARGETS``)."""
        return segment.start + segment.duration > self.end - self._merge_after

    def reached(self, msn: int, part: int | None = None) -> bool:
        """Whether the playlist has reached the complete segment ``msn``, or its part ``part`` or a later one.

        RFC 8216bis, 6.2.5.2: a part number past the last part of a complete segment stands for the first part
        of the next segment.
        """
        last = self._last
        if last is None:
            return False
        if part is None:
            return msn < last.msn or (msn == last.msn and last.complete)
        if msn > last.msn:
            return False
        if msn == last.msn:
            return part < len(last.parts)
        segment = self.segments.get(msn)
        if segment is None or part < len(segment.parts) or msn + 1 < last.msn:
            return True
        return bool(last.parts) or last.complete

    # --- changes; BroadcastView calls them ---------------------------------------------------------

    def open(self, segment: Segment, version: int) -> bool:
        """A segment begins. Returns False if it lies before the window and is not kept."""
        last = self._last
        if last is not None:
            if not last.complete:
                raise OutOfStep(f"segment {segment.msn} opened before {last.msn} was done")
            if segment.msn != last.msn + 1 and not (segment.msn > last.msn and not self.segments):
                raise OutOfStep(f"segment {segment.msn} opened after {last.msn}")
        kept = msgspec.structs.replace(segment, parts=list(segment.parts), complete=segment.complete or segment.gap)
        self._last = kept
        if kept.msn < self._dropped_below:
            return False
        self._keep(kept)
        self.version = version
        return True

    def add_part(self, msn: int, index: int, part: Part, version: int) -> None:
        last = self._last
        if last is None or last.msn != msn or last.complete or index != len(last.parts):
            raise OutOfStep(f"part {msn}.{index} does not follow")
        last.parts.append(part)
        if msn in self.segments:
            self.version = version

    def done(self, msn: int, version: int) -> None:
        last = self._last
        if last is None or last.msn != msn or last.complete:
            raise OutOfStep(f"segment {msn} done but not open")
        # A complete segment never changes in place: snapshots share it.
        last.complete = True
        if msn in self.segments:
            if last.parts:
                self._newest_whole = last
            self.version = version
        self._merge_old()

    def trim(self, first_msn: int, version: int) -> None:
        self._dropped_below = first_msn
        for gone in self.segments.drop_before(first_msn):
            if not gone.gap:
                self._drop_init(gone)
        self.version = version

    def forget(self, first_msn: int, last_msn: int, version: int) -> None:
        """The segments from ``first_msn`` to ``last_msn`` are gaps from now on. The newest may still be open."""
        for msn in range(first_msn, last_msn + 1):
            segment = self.segments.get(msn)
            if segment is None or segment.gap:
                continue
            # More parts of an open segment may be announced by number; none is kept.
            gap = msgspec.structs.replace(segment, parts=[], gap=True, gap_duration=max(1, segment.duration))
            self.segments.replace(gap)
            self._drop_init(segment)
            if self._last is not None and self._last.msn == msn:
                self._last = gap
            if self._newest_whole is not None and self._newest_whole.msn == msn:
                self._newest_whole = None
        self.version = version

    def _drop_init(self, segment: Segment) -> None:
        key = (segment.interval, segment.init)
        self._init_refs[key] -= 1
        if not self._init_refs[key]:
            del self._init_refs[key]

    def _keep(self, segment: Segment) -> None:
        self.segments.add(segment)
        if segment.gap:
            return
        self._init_refs[(segment.interval, segment.init)] += 1
        if segment.complete and segment.parts:
            self._newest_whole = segment

    def _merge_old(self) -> None:
        first = self.segments.first_msn
        if first is None:
            return
        msn = max(self._merge_from, first)
        while (segment := self.segments.get(msn)) is not None and segment.complete:
            if self.keeps_parts(segment):
                break
            merged = _merge(segment.parts)
            if merged is not None:
                whole = msgspec.structs.replace(segment, parts=[merged])
                self.segments.replace(whole)
                if self._newest_whole is not None and self._newest_whole.msn == msn:
                    self._newest_whole = whole
            msn += 1
        self._merge_from = msn
        self._pack_old()

    def _pack_old(self) -> None:
        oldest_end = self.end - self._pack_after
        for segment in list(self.segments.young):
            if not segment.complete or segment.start + segment.duration > oldest_end:
                break
            self.segments.pack()

    def load(self, segments: list[Segment], first_msn: int, version: int) -> list[Segment]:
        """Take over a snapshot's segments, oldest first. Returns those at a discontinuity."""
        self._dropped_below = first_msn
        cuts: list[Segment] = []
        for segment in segments:
            kept = msgspec.structs.replace(segment, parts=list(segment.parts), complete=segment.complete or segment.gap)
            if self._last is not None and kept.msn != self._last.msn + 1:
                raise OutOfStep(f"snapshot lists {kept.msn} after {self._last.msn}")
            self._last = kept
            if kept.msn >= first_msn:
                self._keep(kept)
            if kept.discontinuity:
                cuts.append(kept)
        self._pack_old()
        self.version = version
        return cuts

    def copy_segments(self) -> list[Segment]:
        """For a snapshot, as :meth:`SegmentTable.copied` gives them."""
        out = self.segments.copied()
        last = self._last
        if last is not None and last.msn not in self.segments:
            # An open segment before the window: the reader needs it to follow the next event.
            out.append(last if last.complete else msgspec.structs.replace(last, parts=list(last.parts)))
        return out


def _merge(parts: list[Part]) -> Part | None:
    """One part instead of several; None if there is nothing to merge or the bytes do not lie side by side."""
    if len(parts) < 2:
        return None
    first, end = parts[0].chunk, parts[0].chunk.offset
    for part in parts:
        chunk = part.chunk
        if not chunk.file or chunk.file != first.file or chunk.offset != end:
            return None
        end += chunk.size
    last = parts[-1]
    return Part(
        start=parts[0].start,
        duration=last.start + last.duration - parts[0].start,
        independent=parts[0].independent,
        chunk=Chunk(file=first.file, offset=first.offset, size=end - first.offset),
    )
