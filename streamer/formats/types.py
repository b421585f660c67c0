"""Values that pass between the stages of the media path. No behaviour; every field has its unit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(slots=True, frozen=True)
class AccessUnit:
    """One encoded frame of a source, as it was received."""

    kind: Literal["video", "audio"]
    codec: str
    data: bytes
    """H.264: Annex B, start codes included, parameter sets as sent. VP8, Opus: the frame."""
    rtp_time: int
    """RTP timestamp without wrap, in units of 1/clock_rate; its origin is arbitrary per track."""
    clock_rate: int
    arrival_ns: int
    """time.monotonic_ns() when its last packet arrived."""
    sender_us: int | None = None
    """The sender's clock (NTP from its RTCP sender reports) in UTC microseconds; None before the first."""
    damaged: bool = False
    """A packet before it was lost; the next key frame repairs the stream."""


@dataclass(slots=True, frozen=True)
class Sample:
    """One encoded frame of a rendition on the broadcast's timeline, ready for a fragment."""

    data: bytes
    """H.264: NAL units with 4-byte lengths, no parameter sets (:mod:`.cmaf` adds them), no AUD. AAC: one raw frame."""
    start: int
    """Decode and presentation time (no B-frames) in ticks since the broadcast's epoch."""
    sync: bool


@dataclass(slots=True, frozen=True)
class TrackConfig:
    """The contents of an init section. Two equal configs give byte-identical init sections."""

    kind: Literal["video", "audio"]
    codecs: str
    timescale: int
    width: int = 0
    height: int = 0
    sps: tuple[bytes, ...] = ()
    pps: tuple[bytes, ...] = ()
    """NAL units without start code."""
    audio_specific_config: bytes = b""
    channels: int = 0
    sample_rate: int = 0


@dataclass(slots=True, frozen=True)
class Cut:
    """The order to end a segment in every rendition of a programme at ``start``."""

    number: int
    """Number of the grid segment that begins here; grows by one."""
    start: int
    discontinuity: bool
    """A take begins, or parameter sets have changed."""


@dataclass(slots=True)
class RungSpec:
    """One encoded video rendition."""

    name: str
    width: int
    height: int
    bitrate: int
    """Bits per second, average."""
    max_bitrate: int
    frame_rate: float
    """The highest frame rate that it is fed."""
    codecs: str = ""
    options: dict[str, str] = field(default_factory=dict)
