"""Joins media playlists from cached pieces. On the loop; no I/O.

A viewer's reload must not cost a rendering, and a rendering must not cost two hours of segments. So the lines of a
segment that cannot change any more are written once and kept in blocks of :data:`BLOCK` segments, each block compressed
once. A new version of a playlist joins its head, the blocks and its last few segments. Everybody who waits for a
playlist shares the finished one.
"""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from streamer.broadcast.programme import TICKS_PER_S, Broadcast, Segment
from streamer.broadcast.view import OutputView, RenditionView
from streamer.delivery import playlists
from streamer.delivery.playlists import CaptionText, TrackText

BLOCK = 32
_GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


@dataclass(slots=True)
class Playlist:
    """A finished playlist: ``text`` as it is, :meth:`packed` gzipped; made once, sent to many."""

    text: bytes
    crc: int
    _pieces: Sequence[bytes] = field(default=(), repr=False)
    """Raw deflate of all but the last piece of the text."""
    _tail: bytes = field(default=b"", repr=False)
    _packed: bytes | None = field(default=None, repr=False)

    @property
    def etag(self) -> str:
        """Weak, because it stands for both encodings; made from the text alone, so that web processes agree on it."""
        return f'W/"{self.crc:08x}-{len(self.text):x}"'

    def packed(self) -> bytes:
        """gzip (RFC 1952) of the text. Each piece ends with a full flush, so that pieces can be joined."""
        if self._packed is None:
            trailer = self.crc.to_bytes(4, "little") + (len(self.text) & 0xFFFFFFFF).to_bytes(4, "little")
            self._packed = b"".join((_GZIP_HEAD, *self._pieces, deflate(self._tail, last=True), trailer))
        return self._packed


def deflate(data: bytes, *, last: bool = False) -> bytes:
    """Raw deflate that refers to nothing before it; ``last`` closes the stream."""
    squeeze = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    return squeeze.compress(data) + squeeze.flush(zlib.Z_FINISH if last else zlib.Z_FULL_FLUSH)


@dataclass(slots=True)
class _Block:
    """The lines of :data:`BLOCK` segments at most, as far as they are settled."""

    first: int
    """The number of the first segment."""
    text: bytes = b""
    ends: array[int] = field(default_factory=partial(array, "I"))
    """The place in the text at which each segment's lines end."""
    packed: bytes = b""
    """Of a whole block."""

    def add(self, msn: int, lines: str) -> None:
        while self.first + len(self.ends) < msn:
            self.ends.append(len(self.text))  # it left the window before it was settled
        self.text += lines.encode()
        self.ends.append(len(self.text))

    def joined(self, first: int, end: int) -> bytes:
        """The lines of the segments from ``first`` to below ``end``."""
        return self.text[self._place(first) : self._place(end)]

    def _place(self, msn: int) -> int:
        number = min(msn - self.first, len(self.ends))
        return self.ends[number - 1] if number > 0 else 0


class TrackRenderer:
    """The playlists of one rendition of one output, or of captions beside it."""

    def __init__(
        self,
        broadcast: Broadcast,
        output: OutputView,
        track: RenditionView,
        live_window_ticks: int,
        captions: str | None = None,
    ) -> None:
        """``captions``: the name of the subtitle rendition that follows the track, instead of the track's own
        playlists."""
        self._broadcast = broadcast
        self._output = output
        self._track = track
        self._captions = captions
        self._live_window = live_window_ticks
        self._blocks: dict[int, _Block] = {}
        self._settled_to = 0
        """Segments below this number have their lines in a block."""
        self._settled_last: Segment | None = None
        """The last of these segments that has bytes."""
        self._live_start = (-1, -1, 0)
        self._finished: dict[tuple[bool, bool], tuple[int, Playlist]] = {}
        self.renders = 0

    def playlist(self, *, dvr: bool, skip: bool, closed: bool) -> Playlist:
        """The present playlist. There must be at least one part or gap (``track.edge``)."""
        version = self._output.version
        kept = self._finished.get((dvr, skip))
        if kept is not None and kept[0] == version:
            return kept[1]
        made = self._render(dvr=dvr, skip=skip, closed=closed)
        self._finished[(dvr, skip)] = (version, made)
        self.renders += 1
        return made

    def _render(self, *, dvr: bool, skip: bool, closed: bool) -> Playlist:
        output, track = self._output, self._track
        if self._captions is None:
            text = TrackText(self._broadcast, track.rendition.name, output.intervals)
        else:
            text = CaptionText(self._broadcast, self._captions, output.intervals)
        first = track.first
        start = first.msn if first else output.first_msn
        boundary, parts_from = self._boundaries(start)
        self._settle(text, start, boundary)
        if not dvr:
            start = max(start, self._window_start())

        head = text.head(start, output.discontinuities_before(start))
        tail = self._tail(text, max(boundary, start), parts_from)
        leave_out = skip and boundary > start
        head += playlists.skip(boundary - start) if leave_out else self._opening_map(text, start, tail)
        if closed:
            tail += "#EXT-X-ENDLIST\n"
        else:
            last = track.last
            following = output.interval_of(last.msn + 1) if last is not None else None
            if last is not None and following is not None:
                tail += text.hint(last, following)
            own = "" if self._captions is not None else track.rendition.name
            tail += playlists.reports(output.tracks.values(), own, dvr=dvr)

        texts, pieces = [head.encode()], [deflate(head.encode())]
        if not leave_out:
            for block_text, block_packed in self._settled(start, boundary):
                texts.append(block_text)
                pieces.append(block_packed)
        texts.append(tail.encode())
        whole = b"".join(texts)
        return Playlist(whole, zlib.crc32(whole), pieces, texts[-1])

    def _boundaries(self, first: int) -> tuple[int, int]:
        """``(skip boundary, parts from)``: the first segments of a delta update, and with parts.

        A segment lies before a boundary when it ends further from the playlist's end than that.
        """
        target = self._broadcast.target_duration_s * TICKS_PER_S
        last = self._track.last
        msn = last.msn if last is not None else first
        distance, parts_from = 0, first
        while msn >= first and (segment := self._track.get(msn)) is not None:
            if parts_from == first and distance >= playlists.PARTS_TARGETS * target:
                parts_from = msn + 1
            if distance >= playlists.SKIP_TARGETS * target:
                return msn + 1, parts_from
            distance += segment.duration
            msn -= 1
        return first, parts_from

    def _settle(self, text: TrackText, first: int, boundary: int) -> None:
        """Write the lines of segments that passed the boundary; drop those that left the window."""
        begin = max(self._settled_to, first)
        for msn in range(begin, boundary):
            segment = self._track.segments[msn]
            block = self._blocks.get(msn // BLOCK)
            if block is None:
                block = self._blocks[msn // BLOCK] = _Block(msn)
            block.add(msn, text.segment(segment, self._settled_last, parts=False))
            if not segment.gap:
                self._settled_last = segment
            if len(block.ends) == BLOCK:
                block.packed = deflate(block.text)
        self._settled_to = max(boundary, begin)
        for n in [n for n in self._blocks if (n + 1) * BLOCK <= first]:
            del self._blocks[n]

    def _settled(self, first: int, boundary: int) -> list[tuple[bytes, bytes]]:
        """Text and deflate of the settled segments from ``first`` to below ``boundary``."""
        out: list[tuple[bytes, bytes]] = []
        for n in range(first // BLOCK, -(-boundary // BLOCK)):
            block = self._blocks.get(n)
            if block is None:
                continue
            if block.packed and n * BLOCK >= first:
                out.append((block.text, block.packed))
            elif some := block.joined(first, boundary):
                out.append((some, deflate(some)))
        return out

    def _tail(self, text: TrackText, begin: int, parts_from: int) -> str:
        out: list[str] = []
        before = self._before(begin)
        last = self._track.last
        for msn in range(begin, last.msn + 1 if last else begin):
            segment = self._track.get(msn)
            # An open segment is not mentioned before its first part.
            if segment is None or not (segment.complete or segment.parts):
                continue
            out.append(text.segment(segment, before, parts=msn >= parts_from))
            if not segment.gap:
                before = segment
        return "".join(out)

    def _before(self, msn: int) -> Segment | None:
        """The newest segment with bytes below ``msn``."""
        msn -= 1
        while (segment := self._track.get(msn)) is not None:
            if not segment.gap:
                return segment
            msn -= 1
        return self._settled_last if self._settled_last is not None and self._settled_last.msn <= msn else None

    def _opening_map(self, text: TrackText, start: int, tail: str) -> str:
        """The init section of a playlist's first segment. The segment's own lines name it only if it changed."""
        block = self._blocks.get(start // BLOCK)
        line = block.joined(start, start + 1) if block is not None else b""
        own = line.decode() if line else tail
        if "#EXT-X-MAP" in own.partition("#EXT-X-PROGRAM-DATE-TIME")[0]:
            return ""
        msn = start
        while (segment := self._track.get(msn)) is not None and segment.gap:
            msn += 1
        return text.map(segment) if segment is not None and (segment.complete or segment.parts) else ""

    def _window_start(self) -> int:
        first = self._track.first
        key = (self._track.last_complete_msn, first.msn if first else -1)
        if self._live_start[:2] != key:
            start = playlists.live_window_start(self._output, self._track, self._live_window)
            self._live_start = (*key, start)
        return self._live_start[2]


class Renderers:
    """The renderers of a room's outputs; they begin anew when a snapshot has reset the mirror."""

    def __init__(self, live_window_s: int, *, extra: Sequence[str] = ()) -> None:
        """``extra``: more lines of multivariant playlists."""
        self._live_window = live_window_s * TICKS_PER_S
        self._extra = extra
        self._of: dict[tuple[str, str], tuple[OutputView, TrackRenderer]] = {}
        self._names: set[str] = set()
        """Outputs that have a renderer."""
        self._multivariant: dict[tuple[str, bool], Playlist] = {}

    def track(self, broadcast: Broadcast, output: OutputView, track: RenditionView) -> TrackRenderer:
        return self._renderer(broadcast, output, track, None)

    def captions(self, broadcast: Broadcast, output: OutputView, track: RenditionView, name: str) -> TrackRenderer:
        """For the subtitle rendition ``name``, whose segments are those of ``track``."""
        return self._renderer(broadcast, output, track, name)

    def _renderer(
        self, broadcast: Broadcast, output: OutputView, track: RenditionView, captions: str | None
    ) -> TrackRenderer:
        key = (output.name, captions or track.rendition.name)
        kept = self._of.get(key)
        if kept is None or kept[0] is not output:
            kept = (output, TrackRenderer(broadcast, output, track, self._live_window, captions))
            self._of[key] = kept
            self._names.add(output.name)
        return kept[1]

    def keep_only(self, outputs: Mapping[str, OutputView]) -> None:
        """Drop the renderers of outputs that are gone, such as a closed session's."""
        if self._names <= outputs.keys():
            return
        self._names.intersection_update(outputs)
        self._of = {key: kept for key, kept in self._of.items() if key[0] in self._names}

    def multivariant(self, broadcast: Broadcast, *, dvr: bool) -> Playlist:
        made = self._multivariant.get((broadcast.id, dvr))
        if made is None:
            if len(self._multivariant) >= 2:
                self._multivariant.clear()  # those of a broadcast that is over
            text = playlists.multivariant(broadcast, dvr=dvr, extra=self._extra).encode()
            made = self._multivariant[(broadcast.id, dvr)] = Playlist(text, zlib.crc32(text), (), text)
        return made
