"""An encoded frame of a source, read as far as the programme needs it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from streamer.media import h264, vp8
from streamer.media.types import AccessUnit


@dataclass(slots=True, frozen=True)
class Incoming:
    """``avc`` is there for H.264 pictures; ``idr`` says that a decoder can begin here."""

    unit: AccessUnit
    idr: bool = False
    avc: h264.AvcAccessUnit | None = None

    @property
    def is_video(self) -> bool:
        return self.unit.kind == "video"


def read_unit(unit: AccessUnit) -> Incoming | None:
    """Take a unit apart, once. None where it is malformed, or holds no picture and no parameter sets."""
    if unit.kind == "audio":
        return Incoming(unit) if unit.data else None
    if unit.codec != "h264":
        return Incoming(unit, vp8.is_keyframe(unit.data)) if unit.data else None
    try:
        avc = h264.parse_access_unit(unit.data)
    except ValueError:
        return None
    return Incoming(unit, avc.idr, avc) if avc.data or avc.sps or avc.pps else None


def frame_size(incoming: Incoming) -> tuple[int, int, str] | None:
    """Width, height and RFC 6381 codecs ("" for VP8) as a key frame tells them; None where it does not."""
    if incoming.avc is None:
        size = vp8.frame_size(incoming.unit.data)
        return (*size, "") if size else None
    if not incoming.avc.sps:
        return None
    try:
        sps = h264.parse_sps(incoming.avc.sps[0])
    except ValueError:
        return None
    return sps.width, sps.height, sps.codecs
