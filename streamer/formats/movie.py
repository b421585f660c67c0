"""The head of a progressive MP4 file, made from fragments (ISO/IEC 14496-12; 14496-14). Pure.

The samples' bytes are not read: the file is this head, then ranges of the media files, one after the other. So a
download begins at once, needs no space on the disk, and can be resumed anywhere.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from streamer.broadcast.programme import TICKS_PER_S

_MATRIX = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x4000_0000)
_UTF8 = struct.pack(">II", 1, 0)
"""Type and locale of an iTunes data box with text."""
_TEXT_ENTRY = (
    bytes(6) + struct.pack(">H", 1) + struct.pack(">Ii", 0, 1) + bytes(6 + 8 + 8) + bytes(2 + 1 + 2 + 6) + b"\0"
)
_SUBTITLE_ENTRY = (
    struct.pack(">I4s6xH", 64, b"tx3g", 1)
    + struct.pack(">IbbBBBB", 0, 1, -1, 0, 0, 0, 0)
    + struct.pack(">4h", 0, 0, 0, 0)
    + struct.pack(">HHHBB4B", 0, 0, 1, 0, 18, 255, 255, 255, 255)
    + struct.pack(">I4sHHB", 18, b"ftab", 1, 1, 5)
    + b"Arial"
)
"""3GPP TS 26.245, 5.16: centred at the bottom, on nothing, white; one font."""
MDAT_HEAD_BYTES = 16


@dataclass(slots=True)
class Track:
    """One track's samples in the order of the file. Durations are in its own timescale."""

    kind: str
    """``video``, ``audio``, ``text`` (chapters), or ``subtitle``."""
    timescale: int
    width: int = 0
    height: int = 0
    entries: list[bytes] = field(default_factory=list)
    """Sample entries (stsd)."""
    durations: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    key_samples: list[int] = field(default_factory=list)
    """Numbers, from 1, of the samples that need no other; empty: all of them."""
    chunks: list[MovieChunk] = field(default_factory=list)
    language: str = "und"
    """ISO 639-2/T: three letters."""
    delay: int = 0
    """The time after the movie's beginning when the track begins, in its own timescale; negative: this much of the
    track is not shown."""

    @property
    def duration(self) -> int:
        return sum(self.durations)

    def entry(self, data: bytes) -> int:
        """The number, from 1, of a sample entry, which is added if it is new."""
        if data not in self.entries:
            self.entries.append(data)
        return self.entries.index(data) + 1


@dataclass(slots=True, frozen=True)
class MovieChunk:
    """Samples that lie side by side. ``at`` counts from the first byte of media."""

    at: int
    samples: int
    entry: int


@dataclass(slots=True, frozen=True)
class MovieChapter:
    at_ms: int
    """From the movie's beginning."""
    title: str


def sample_entry(init: bytes) -> bytes:
    """The sample entry in an init section of ours. Raises ValueError."""
    at = init.find(b"stsd")
    if at < 4:
        raise ValueError("no sample description")
    size = int.from_bytes(init[at - 4 : at], "big")
    return init[at + 12 : at - 4 + size]


def picture_size(init: bytes) -> tuple[int, int]:
    """The presentation's size in an init section's tkhd, pixels. Raises ValueError."""
    at = init.find(b"tkhd")
    if at < 4 or len(init) < at + 88:
        raise ValueError("no track header")
    width, height = struct.unpack_from(">II", init, at + 80)
    return width >> 16, height >> 16


def head(tracks: Sequence[Track], media_bytes: int, tags: Mapping[str, str], chapters: Sequence[MovieChapter]) -> bytes:
    """ftyp, moov and the head of the mdat, whose payload of ``media_bytes`` follows.

    ``tags``: iTunes names (``©nam``, ``©ART``, ``©day``, ``©alb``, ``desc``) and their texts. A ``text`` track holds
    the chapters for Apple's players; others read the list beside the tags.
    """
    ftyp = _box(b"ftyp", b"isom" + struct.pack(">I", 0x200) + b"isomiso6avc1mp41")
    size = len(_moov(tracks, 0, tags, chapters))
    moov = _moov(tracks, len(ftyp) + size + MDAT_HEAD_BYTES, tags, chapters)
    mdat = struct.pack(">I4sQ", 1, b"mdat", MDAT_HEAD_BYTES + media_bytes)
    return ftyp + moov + mdat


def chapter_sample(title: str) -> bytes:
    """A sample of a text track in QuickTime's form: the length, the text, and the mark of UTF-8."""
    text = title.encode()[:1000].decode("utf-8", "ignore").encode()
    return struct.pack(">H", len(text)) + text + struct.pack(">I4sI", 12, b"encd", 0x100)


def subtitle_sample(text: str) -> bytes:
    """A sample of timed text (3GPP TS 26.245, 5.17); empty: no text is shown."""
    data = text.encode()[:2000].decode("utf-8", "ignore").encode()
    return struct.pack(">H", len(data)) + data


def _moov(tracks: Sequence[Track], base: int, tags: Mapping[str, str], chapters: Sequence[MovieChapter]) -> bytes:
    shown = [track for track in tracks if track.kind in ("video", "audio")]
    duration = max((_movie_time(track) for track in shown), default=0)
    mvhd = struct.pack(">QQIQ", 0, 0, TICKS_PER_S, duration) + struct.pack(">IHH", 0x10000, 0x100, 0) + bytes(8)
    mvhd += _MATRIX + bytes(24) + struct.pack(">I", len(tracks) + 1)
    text = next((number for number, track in enumerate(tracks, 1) if track.kind == "text"), None)
    traks = b"".join(_trak(track, number, base, text) for number, track in enumerate(tracks, 1))
    return _box(b"moov", _full(b"mvhd", 1, 0, mvhd) + traks + _udta(tags, chapters))


def _movie_time(track: Track) -> int:
    return (track.duration + track.delay) * TICKS_PER_S // track.timescale


def _trak(track: Track, number: int, base: int, text: int | None) -> bytes:
    duration = _movie_time(track)
    # The chapters' track is not enabled: players would show it as subtitles. Subtitles are there to be chosen.
    flags = {"text": 0, "subtitle": 2}.get(track.kind, 3)
    group = {"audio": 1, "subtitle": 2}.get(track.kind, 0)  # of one group, one is played
    tkhd = struct.pack(">QQIIQ", 0, 0, number, 0, duration) + bytes(8)
    tkhd += struct.pack(">hhhH", 0, group, 0x100 if track.kind == "audio" else 0, 0)
    tkhd += _MATRIX + struct.pack(">II", track.width << 16, track.height << 16)
    mdhd = struct.pack(">QQIQHH", 0, 0, track.timescale, track.duration, _packed(track.language), 0)
    handler = {"video": b"vide", "audio": b"soun", "text": b"text", "subtitle": b"sbtl"}[track.kind]
    hdlr = struct.pack(">I", 0) + handler + bytes(12) + b"Streamer\0"
    dinf = _box(b"dinf", _full(b"dref", 0, 0, struct.pack(">I", 1) + _full(b"url ", 0, 1, b"")))
    minf = _media_header(track.kind) + dinf + _stbl(track, base)
    mdia = _box(b"mdia", _full(b"mdhd", 1, 0, mdhd) + _full(b"hdlr", 0, 0, hdlr) + _box(b"minf", minf))
    refers = _box(b"tref", _box(b"chap", struct.pack(">I", text))) if text and track.kind in ("video", "audio") else b""
    return _box(b"trak", _full(b"tkhd", 1, flags, tkhd) + _edits(track) + refers + mdia)


def _packed(language: str) -> int:
    """8.4.2.3: three letters of five bits."""
    first, second, third = (ord(letter) - 0x60 for letter in language)
    return first << 10 | second << 5 | third


def _media_header(kind: str) -> bytes:
    if kind == "subtitle":
        return _full(b"nmhd", 0, 0, b"")
    if kind == "video":
        return _full(b"vmhd", 0, 1, bytes(8))
    if kind == "audio":
        return _full(b"smhd", 0, 0, bytes(4))
    gmin = _full(b"gmin", 0, 0, struct.pack(">HHHHhH", 0x40, 0x8000, 0x8000, 0x8000, 0, 0))
    return _box(b"gmhd", gmin + _box(b"text", _MATRIX))


def _edits(track: Track) -> bytes:
    """An empty edit if the track begins later than the movie, or a later beginning inside the track (8.6.6)."""
    if not track.delay:
        return b""
    media = (track.duration + min(track.delay, 0)) * TICKS_PER_S // track.timescale
    rows = [] if track.delay < 0 else [(track.delay * TICKS_PER_S // track.timescale, -1)]
    rows.append((media, max(0, -track.delay)))
    body = struct.pack(">I", len(rows)) + b"".join(struct.pack(">Qqi", d, t, 0x10000) for d, t in rows)
    return _box(b"edts", _full(b"elst", 1, 0, body))


def _stbl(track: Track, base: int) -> bytes:
    entries = track.entries or [_SUBTITLE_ENTRY if track.kind == "subtitle" else _box(b"text", _TEXT_ENTRY)]
    stsd = _full(b"stsd", 0, 0, struct.pack(">I", len(entries)) + b"".join(entries))
    runs = [(sum(1 for _ in same), duration) for duration, same in groupby(track.durations)]
    stts = _full(b"stts", 0, 0, _table(">II", runs))
    stss = b""
    if track.key_samples:
        keys = struct.pack(f">{len(track.key_samples)}I", *track.key_samples)
        stss = _full(b"stss", 0, 0, struct.pack(">I", len(track.key_samples)) + keys)
    rows: list[tuple[int, int, int]] = []
    for number, chunk in enumerate(track.chunks, 1):
        if not rows or rows[-1][1:] != (chunk.samples, chunk.entry):
            rows.append((number, chunk.samples, chunk.entry))
    stsc = _full(b"stsc", 0, 0, _table(">III", rows))
    sizes = struct.pack(f">{len(track.sizes)}I", *track.sizes)
    stsz = _full(b"stsz", 0, 0, struct.pack(">II", 0, len(track.sizes)) + sizes)
    places = struct.pack(f">{len(track.chunks)}Q", *(base + chunk.at for chunk in track.chunks))
    co64 = _full(b"co64", 0, 0, struct.pack(">I", len(track.chunks)) + places)
    return _box(b"stbl", stsd + stts + stss + stsc + stsz + co64)


def _udta(tags: Mapping[str, str], chapters: Sequence[MovieChapter]) -> bytes:
    items = b"".join(
        _box(name.encode("latin-1"), _box(b"data", _UTF8 + text.encode())) for name, text in tags.items() if text
    )
    hdlr = _full(b"hdlr", 0, 0, struct.pack(">I", 0) + b"mdirappl" + bytes(9))
    meta = _full(b"meta", 0, 0, hdlr + _box(b"ilst", items)) if items else b""
    return _box(b"udta", meta + _chapter_list(chapters)) if meta or chapters else b""


def _chapter_list(chapters: Sequence[MovieChapter]) -> bytes:
    """Nero's chpl, which FFmpeg, VLC and mpv read. Times are in 100 ns; at most 255 chapters."""
    if not chapters:
        return b""
    out = struct.pack(">IB", 0, min(len(chapters), 255))
    for chapter in chapters[:255]:
        title = chapter.title.encode()[:255].decode("utf-8", "ignore").encode()
        out += struct.pack(">QB", chapter.at_ms * 10_000, len(title)) + title
    return _full(b"chpl", 1, 0, out)


def _table(form: str, rows: Iterable[tuple[int, ...]]) -> bytes:
    packed = [struct.pack(form, *row) for row in rows]
    return struct.pack(">I", len(packed)) + b"".join(packed)


def _box(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", 8 + len(payload)) + kind + payload


def _full(kind: bytes, version: int, flags: int, payload: bytes) -> bytes:
    return struct.pack(">I", 12 + len(payload)) + kind + struct.pack(">I", version << 24 | flags) + payload
