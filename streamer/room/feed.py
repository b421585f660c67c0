"""One stream of picture and sound for the relay's viewers, with the frames that a new viewer needs at first.

Pure except the sinks that it calls; on the loop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from streamer.formats.h264 import NAL_AUD, NAL_PPS, NAL_SPS, split_annexb, to_annexb

GOP_MAX_US = 3_000_000
"""If the last IDR is younger than this media time, a new viewer starts from the kept pictures."""
GOP_MAX_BYTES = 6 * 1024 * 1024
CATCH_UP_STEP_US = 1_000
"""The kept pictures are sent a millisecond apart and end at the newest one. With their own times the player would take
its clock from the first of them and stay behind live by the age of the IDR."""
WANT_INTERVAL_NS = 500_000_000
"""Key frames are not requested more often than this, however many viewers ask."""


class FrameSink(Protocol):
    """Takes frames: a viewer's connection. Never blocks."""

    def video(self, data: bytes, media_us: int, *, idr: bool) -> None: ...

    def audio(self, data: bytes, media_us: int) -> None: ...


class ViewerFeed:
    """``on_keyframe_wanted`` is called when viewers need an IDR and none is kept; limited in rate."""

    def __init__(self, name: str, on_keyframe_wanted: Callable[[], None]) -> None:
        self.name = name
        self._on_keyframe_wanted = on_keyframe_wanted
        self._sinks: dict[FrameSink, bool] = {}
        """Sink -> whether it has had an IDR."""
        self._gop: list[tuple[bytes, int]] = []
        self._gop_bytes = 0
        self._sps = b""
        self._pps: dict[bytes, bytes] = {}
        self._wanted_ns = -WANT_INTERVAL_NS

    @property
    def profile(self) -> str:
        """profile_idc and constraint flags of the newest sequence parameter set, as in ``profile-level-id``; or ''."""
        return self._sps[1:3].hex() if len(self._sps) > 3 else ""

    def push_video(self, data: bytes, media_us: int, idr: bool, now_ns: int) -> None:
        """One access unit, Annex B. ``now_ns`` is time.monotonic_ns()."""
        data = self._with_parameter_sets(data, idr)
        if idr:
            self._gop, self._gop_bytes = [(data, media_us)], len(data)
        elif self._gop:
            self._gop.append((data, media_us))
            self._gop_bytes += len(data)
            if self._gop_bytes > GOP_MAX_BYTES or media_us - self._gop[0][1] > GOP_MAX_US:
                self._gop, self._gop_bytes = [], 0
        waiting = False
        for sink, started in self._sinks.items():
            if idr or started:
                sink.video(data, media_us, idr=idr)
                self._sinks[sink] = True
            else:
                waiting = True
        if waiting:
            self.want_keyframe(now_ns)

    def push_audio(self, data: bytes, media_us: int) -> None:
        for sink in self._sinks:
            sink.audio(data, media_us)

    def join(self, sink: FrameSink, now_ns: int) -> None:
        """Begin at once with the pictures since the last IDR, or request an IDR and begin there."""
        self._sinks[sink] = bool(self._gop)
        if not self._gop:
            self.want_keyframe(now_ns)
            return
        newest = self._gop[-1][1]
        behind = len(self._gop) - 1
        for index, (data, _) in enumerate(self._gop):
            sink.video(data, newest - (behind - index) * CATCH_UP_STEP_US, idr=index == 0)

    def leave(self, sink: FrameSink) -> None:
        self._sinks.pop(sink, None)

    def want_keyframe(self, now_ns: int) -> None:
        """A viewer lost pictures (PLI), or waits for its first."""
        if now_ns - self._wanted_ns >= WANT_INTERVAL_NS:
            self._wanted_ns = now_ns
            self._on_keyframe_wanted()

    def _with_parameter_sets(self, data: bytes, idr: bool) -> bytes:
        # Senders may send parameter sets once, before the IDR or in an access unit of their own; a new viewer needs
        # them with each IDR.
        if not idr and not _begins_with_parameters(data):
            return data
        nals = list(split_annexb(data))
        sps = [nal for nal in nals if nal[0] & 0x1F == NAL_SPS]
        pps = [nal for nal in nals if nal[0] & 0x1F == NAL_PPS]
        if sps and sps[-1] != self._sps:
            self._sps = sps[-1]
            self._pps.clear()
        for nal in pps:
            self._pps[nal[1:2]] = nal  # the id stands in the first bits
        if not idr or (sps and pps) or not self._sps:
            return data
        others = [nal for nal in nals if nal[0] & 0x1F not in (NAL_SPS, NAL_PPS)]
        return to_annexb([self._sps, *self._pps.values(), *others])


def _begins_with_parameters(data: bytes) -> bool:
    start = data.find(b"\x00\x00\x01", 0, 8)
    if start < 0 or start + 3 >= len(data):
        return False
    # SPS, PPS, or a delimiter that they may follow.
    return data[start + 3] & 0x1F in (NAL_SPS, NAL_PPS, NAL_AUD)
