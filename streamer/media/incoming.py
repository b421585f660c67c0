"""An encoded frame of a source, read as far as the programme needs it. Pure."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Literal

from streamer.formats import h264, vp8
from streamer.formats.types import AccessUnit


@dataclass(slots=True, frozen=True)
class IncomingUnit:
    """``avc`` is set for H.264 pictures; ``idr`` tells that decoding can begin here."""

    unit: AccessUnit
    idr: bool = False
    avc: h264.AvcAccessUnit | None = None

    @property
    def is_video(self) -> bool:
        return self.unit.kind == "video"


def read_unit(unit: AccessUnit) -> IncomingUnit | None:
    """Parse a unit, once. None if it is malformed, or holds neither a picture nor parameter sets."""
    if unit.kind == "audio":
        return IncomingUnit(unit) if unit.data else None
    if unit.codec != "h264":
        return IncomingUnit(unit, vp8.is_keyframe(unit.data)) if unit.data else None
    try:
        avc = h264.parse_access_unit(unit.data)
    except ValueError:
        return None
    return IncomingUnit(unit, avc.idr, avc) if avc.data or avc.sps or avc.pps else None


def frame_size(incoming: IncomingUnit) -> tuple[int, int, str] | None:
    """Width, height and RFC 6381 codecs ("" for VP8) from a key frame; None if it does not tell them."""
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


MAX_SIDE = 8192
"""Pixels. A picture with one long row has few pixels in all, but suits nobody."""
MAX_HELD_MACROBLOCKS = 368_640
"""Frame size times reference frames, which is the decoder's memory: twice MaxDpbMbs of level 5.2 (H.264, table A-1),
140 MB in 4:2:0."""
MAX_SETS = 32
"""Sequence parameter sets of one unit: their ids go up to 31."""

Refusal = Literal["picture_too_large", "picture_unreadable"]


@dataclass(slots=True)
class PictureGuard:
    """Keeps pictures from the decoder that would take more memory than a source may cost, judged by key frames and
    parameter sets. After a refused picture all are dropped until an acceptable key frame."""

    max_pixels: int
    refusal: Refusal | None = None
    """The reason why pictures are refused now."""
    refused_total: int = 0
    _sound: bool = True
    """Whether the last parameter sets may be used."""
    _known: OrderedDict[bytes, None] = field(default_factory=OrderedDict)
    """Sets that were found acceptable."""

    def admits(self, incoming: IncomingUnit) -> bool:
        """Whether a unit may go on to the programme. Sound always may."""
        if not incoming.is_video:
            return True
        refusal = self._sets(incoming.avc.sps) if incoming.avc is not None else self._vp8(incoming)
        if refusal is not None:
            self.refusal = refusal
        elif self.refusal is not None and incoming.idr and self._sound:
            self.refusal = None
        if self.refusal is None:
            return True
        self.refused_total += 1
        return False

    def _vp8(self, incoming: IncomingUnit) -> Refusal | None:
        size = vp8.frame_size(incoming.unit.data) if incoming.idr else None
        refusal = None if size is None else self._size(*size)
        if incoming.idr:
            self._sound = refusal is None
        return refusal

    def _sets(self, sets: tuple[bytes, ...]) -> Refusal | None:
        if not sets:
            return None
        refusals = [refusal for nal in sets[:MAX_SETS] if (refusal := self._set(nal)) is not None]
        if len(sets) > MAX_SETS:
            refusals.append("picture_unreadable")
        refusal = refusals[0] if refusals else None
        self._sound = refusal is None
        return refusal

    def _set(self, nal: bytes) -> Refusal | None:
        if nal in self._known:
            return None
        try:
            sps = h264.parse_sps(nal)
        except ValueError:
            return "picture_unreadable"
        if sps.macroblocks * max(1, sps.max_ref_frames) > MAX_HELD_MACROBLOCKS:
            return "picture_too_large"
        if (refusal := self._size(sps.width, sps.height, sps.macroblocks * 256)) is None:
            self._known[nal] = None
            if len(self._known) > MAX_SETS:
                self._known.popitem(last=False)
        return refusal

    def _size(self, width: int, height: int, pixels: int = 0) -> Refusal | None:
        large = max(width, height) > MAX_SIDE or max(width * height, pixels) > self.max_pixels
        return "picture_too_large" if large else None
