"""Reads our own fragments and cuts inside them (ISO/IEC 14496-12, 8.8). Pure; callable from any thread.

Only the output of :mod:`.cmaf` is understood: alternating moof and mdat, one track, one run of samples each.

People seldom cut a recording at a key frame, but decoding must begin at one, and nothing is encoded again. So
:func:`cut` keeps the pictures between the key frame and the cut, with a duration of one tick each: a player decodes
them and has no time to show them. Where nobody may get them, :func:`held` begins with the key frame after the cut
instead, and shows it from the cut on.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from streamer.broadcast.programme import TICKS_PER_S
from streamer.formats import cmaf

Buffer = bytes | memoryview

_NON_SYNC = 0x0001_0000
_TFHD_DEFAULTS = ((0x01, 8), (0x02, 4), (0x08, 4), (0x10, 4), (0x20, 4))
"""Optional fields of a tfhd, in their order: flag, bytes."""
MAX_BOX_BYTES = 64 * 1024 * 1024


@dataclass(slots=True, frozen=True)
class Fragment:
    """One moof and its mdat. Times are in the track's own timescale."""

    start: int
    durations: Sequence[int]
    sizes: Sequence[int]
    syncs: Sequence[bool]
    data_at: int
    """The place of its first sample's bytes in the data."""

    @property
    def end(self) -> int:
        return self.start + sum(self.durations)


@dataclass(slots=True, frozen=True)
class Frame:
    """One sample in a run of fragments. Times are in the track's own timescale."""

    start: int
    duration: int
    sync: bool
    at: int
    size: int
    """The place of its bytes in the data."""


def timescale_of(init: bytes) -> int:
    """The timescale in an init section's mdhd. Raises ValueError."""
    at = init.find(b"mdhd")
    if at < 4 or len(init) < at + 20 or init[at + 4] != 0:
        raise ValueError("no media header")
    scale = int.from_bytes(init[at + 16 : at + 20], "big")
    if not scale:
        raise ValueError("no timescale")
    return scale


def to_ticks(time: int, timescale: int) -> int:
    """A track's own units as ticks of 1/90000 s, rounded to the nearest; exact for AAC frames at 48 kHz."""
    return time if timescale == TICKS_PER_S else (time * TICKS_PER_S + timescale // 2) // timescale


def read_fragments(data: Buffer, begin: int = 0, end: int | None = None) -> Iterator[Fragment]:
    """The fragments between two offsets. Reads no sample's bytes. Raises ValueError for other data."""
    at, end = begin, len(data) if end is None else end
    while at < end:
        kind, size = _box(data, at, end)
        if kind in (b"styp", b"sidx", b"free", b"skip"):
            at += size
            continue
        if kind != b"moof":
            raise ValueError(f"{kind!r} where a fragment should begin")
        yield _fragment(data, at, at + size)
        at += size
        kind, size = _box(data, at, end)
        if kind != b"mdat":
            raise ValueError("a fragment without media data")
        at += size


def frames_of(data: Buffer) -> list[Frame]:
    """The samples of consecutive fragments. Raises ValueError."""
    out: list[Frame] = []
    for fragment in read_fragments(data):
        starts = accumulate(fragment.durations, initial=fragment.start)
        places = accumulate(fragment.sizes, initial=fragment.data_at)
        out += map(Frame, starts, fragment.durations, fragment.syncs, places, fragment.sizes)
    return out


def cut(frames: Sequence[Frame], start: int | None, end: int | None) -> tuple[list[Frame], int]:
    """The samples to keep between two times of the track's timescale, and the number of them that only lead in.

    A sample belongs to the side where most of it is. Lead-in samples are needed to decode the first shown one; sound
    has none.
    """
    last = len(frames)
    if end is not None:
        last = next((i for i, f in enumerate(frames) if f.start + f.duration // 2 >= end), last)
    first = 0
    if start is not None:
        first = next((i for i, f in enumerate(frames) if f.start + f.duration // 2 >= start), len(frames))
    if first >= last:
        return [], 0
    lead = first
    while lead > 0 and not frames[lead].sync:
        lead -= 1
    return list(frames[lead:last]), first - lead


def held(frames: Sequence[Frame], start: int, end: int) -> list[Frame]:
    """The samples from the first key frame at ``start`` or later on, which is shown from ``start`` on. They end before
    ``end``, except that key frame: alone, it is shown until ``end``. Empty without one."""
    first = next((i for i, f in enumerate(frames) if f.sync and f.start + f.duration // 2 >= start), None)
    if first is None:
        return []
    rest = [frame for frame in frames[first + 1 :] if frame.start + frame.duration // 2 < end]
    return [replace(frames[first], start=start, duration=(rest[0].start if rest else end) - start), *rest]


def trimmed(data: bytes, start: int | None, end: int | None) -> bytes:
    """The fragments' samples between two times of the track's timescale, as one fragment.

    Raises ValueError if no sample is left.
    """
    frames, lead = cut(frames_of(data), start, end)
    if not frames:
        raise ValueError("nothing is left between these times")
    shown = frames[lead].start
    durations = [1] * lead + [frame.duration for frame in frames[lead:]]
    return joined(data, frames, shown - lead, durations)


def stilled(data: bytes, start: int, end: int) -> bytes:
    """As :func:`trimmed`, of :func:`held`. Raises ValueError if there is no key frame."""
    frames = held(frames_of(data), start, end)
    if not frames:
        raise ValueError("there is no key frame between these times")
    return joined(data, frames, start, [frame.duration for frame in frames])


def joined(data: bytes, frames: Sequence[Frame], start: int, durations: Sequence[int]) -> bytes:
    """One fragment of samples that begins at ``start``, each with its given duration."""
    flags = [cmaf.SYNC_SAMPLE if frame.sync else cmaf.OTHER_SAMPLE for frame in frames]
    table = [v for row in zip(durations, (f.size for f in frames), flags, strict=True) for v in row]
    trun_tail = struct.pack(f">{len(table)}I", *table)
    sequence = cmaf.sequence_number(max(0, start))
    mfhd = _full(b"mfhd", 0, struct.pack(">I", sequence))
    head = _full(b"tfhd", 0x02_0000, struct.pack(">I", 1))
    head += struct.pack(">I", 20) + b"tfdt" + struct.pack(">IQ", 1 << 24, max(0, start))
    trun_size = 20 + len(trun_tail)
    moof_size = 8 + len(mfhd) + 8 + len(head) + trun_size
    trun = _full(b"trun", 0x701, struct.pack(">Ii", len(frames), moof_size + 8) + trun_tail)
    traf = head + trun
    moof = mfhd + struct.pack(">I", 8 + len(traf)) + b"traf" + traf
    body = b"".join(data[frame.at : frame.at + frame.size] for frame in frames)
    return b"".join((struct.pack(">I", 8 + len(moof)), b"moof", moof, struct.pack(">I", 8 + len(body)), b"mdat", body))


def _fragment(data: Buffer, begin: int, end: int) -> Fragment:
    traf = _find(data, begin + 8, end, b"traf")
    tfhd = _find(data, *traf, b"tfhd")
    flags = _u32(data, tfhd[0]) & 0xFF_FFFF
    at = tfhd[0] + 8
    defaults = dict.fromkeys((flag for flag, _ in _TFHD_DEFAULTS), 0)
    for flag, size in _TFHD_DEFAULTS:
        if flags & flag:
            defaults[flag] = int.from_bytes(data[at : at + size], "big")
            at += size
    tfdt = _find(data, *traf, b"tfdt")
    start = int.from_bytes(data[tfdt[0] + 4 : tfdt[0] + (12 if data[tfdt[0]] else 8)], "big")
    trun = _find(data, *traf, b"trun")
    flags, count = _u32(data, trun[0]) & 0xFF_FFFF, _u32(data, trun[0] + 4)
    at = trun[0] + 8
    data_at = end + 8
    if flags & 0x001:
        (offset,) = struct.unpack_from(">i", data, at)
        data_at, at = begin + offset, at + 4
    first_flags = None
    if flags & 0x004:
        first_flags, at = _u32(data, at), at + 4
    columns = [column for column in (0x100, 0x200, 0x400, 0x800) if flags & column]
    width = len(columns)
    if at + 4 * width * count > trun[1]:
        raise ValueError("a run of samples is cut short")
    values = struct.unpack_from(f">{width * count}I", data, at)
    column = {flag: values[index::width] for index, flag in enumerate(columns)}
    durations = column.get(0x100) or (defaults[0x08],) * count
    sizes = column.get(0x200) or (defaults[0x10],) * count
    sample_flags = list(column.get(0x400) or (defaults[0x20],) * count)
    if first_flags is not None and sample_flags:
        sample_flags[0] = first_flags
    return Fragment(start, durations, sizes, [not flag & _NON_SYNC for flag in sample_flags], data_at)


def _find(data: Buffer, begin: int, end: int, wanted: bytes) -> tuple[int, int]:
    """The begin and end of a box's payload."""
    at = begin
    while at < end:
        kind, size = _box(data, at, end)
        if kind == wanted:
            return at + 8, at + size
        at += size
    raise ValueError(f"no {wanted!r}")


def _box(data: Buffer, at: int, end: int) -> tuple[bytes, int]:
    if at + 8 > end:
        raise ValueError("a box is cut short")
    size = _u32(data, at)
    if not 8 <= size <= MAX_BOX_BYTES or at + size > end:
        raise ValueError("a box is longer than what it is in")
    return bytes(data[at + 4 : at + 8]), size


def _u32(data: Buffer, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "big")


def _full(kind: bytes, flags: int, payload: bytes) -> bytes:
    return struct.pack(">I", 12 + len(payload)) + kind + struct.pack(">I", flags) + payload
