"""Values of the programme and its outputs, shared by the room process and the web plane.

Pure. Times on a broadcast's timeline are integer ticks of 1/90000 s since the broadcast's epoch;
an AAC frame of 1024 samples at 48 kHz is exactly 1920 ticks, so sound and picture share the unit.
Media time (UTC milliseconds) is ``epoch_ms + ticks / 90``.
"""

from __future__ import annotations

from typing import Literal

import msgspec

TICKS_PER_S = 90_000
TICKS_PER_MS = 90

MediaKind = Literal["video", "audio"]
SOURCE_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,31}$"
MAIN, SPARE = "main", "spare"
"""Names of the source that a room has by itself, and of the one that replaces it by itself."""
SLATE = "slate"
"""The name of the slate where a source's name stands."""


class Rendition(msgspec.Struct, frozen=True):
    """One quality of the programme, as in HLS. Fixed when the room opens."""

    name: str
    """Stable within a broadcast and used in addresses: ``v720``, ``v480``, ``a128``."""
    kind: MediaKind
    codecs: str
    """RFC 6381, e.g. ``avc1.42e01f`` or ``mp4a.40.2``."""
    bandwidth: int
    """Peak bits per second."""
    average_bandwidth: int
    width: int = 0
    height: int = 0
    frame_rate: float = 0.0
    channels: int = 0


class Chunk(msgspec.Struct, frozen=True, array_like=True):
    """A place of bytes on disk: ``file`` is relative to the room's folder, empty for memory only.

    ``(file, offset)`` names the bytes for ever; memory-only chunks have a unique negative offset.
    """

    file: str
    offset: int
    size: int


class Part(msgspec.Struct, frozen=True, array_like=True):
    """A partial segment (RFC 8216bis, section 4.4.4.9): one moof and mdat."""

    start: int
    duration: int
    independent: bool
    chunk: Chunk


class Segment(msgspec.Struct, array_like=True):
    """One media segment of one rendition in one output. Its bytes are its parts' bytes, joined."""

    msn: int
    """Media sequence number: the same for all renditions of an output."""
    start: int
    init: int
    """Id of the init section that its bytes need (EXT-X-MAP)."""
    discontinuity: bool
    interval: int
    """Index of the aired interval it belongs to; the interval's key is part of its address."""
    parts: list[Part] = []
    complete: bool = False
    gap: bool = False
    """This number has nothing of the rendition (EXT-X-GAP); only after a crash."""
    gap_duration: int = 0

    @property
    def duration(self) -> int:
        """In ticks, so far."""
        if self.gap:
            return self.gap_duration
        if not self.parts:
            return 0
        last = self.parts[-1]
        return last.start + last.duration - self.parts[0].start


class Interval(msgspec.Struct, frozen=True, array_like=True):
    """A run of an output that shows one thing: the programme (aired) or the slate."""

    index: int
    key: str
    """It cannot be guessed, is part of every address in the interval, and is never reused."""
    aired: bool
    start: int
    public: bool = True


class InitSection(msgspec.Struct, frozen=True):
    """ftyp and moov of one rendition. ``id`` is unique in the broadcast."""

    id: int
    rendition: str
    codecs: str
    data: bytes


class Broadcast(msgspec.Struct, frozen=True):
    """The values that stay the same from opening to closing a room."""

    id: str
    """It cannot be guessed, and is part of every media address."""
    room: str
    epoch_ms: int
    """UTC milliseconds of tick 0."""
    renditions: tuple[Rendition, ...]
    target_duration_s: int = 3
    part_target_ticks: int = 30_000
    dvr_s: int = 7200
    caption_languages: tuple[str, ...] = ()
    """BCP 47 tags of the subtitle renditions that its outputs declare."""

    @property
    def lead(self) -> Rendition:
        """The rendition whose segments the captions follow."""
        return max(self.renditions, key=lambda r: (r.kind == "video", r.bandwidth))

    def media_time_ms(self, ticks: int) -> int:
        return self.epoch_ms + ticks // TICKS_PER_MS
