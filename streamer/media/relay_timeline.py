"""The public output's frames for WHEP viewers, in times that never go back. On the loop."""

from __future__ import annotations

from typing import Protocol

from streamer.formats import h264
from streamer.formats.types import Sample, TrackConfig
from streamer.media.audio import OPUS_SILENCE, OPUS_SILENCE_TICKS


class FrameRelay(Protocol):
    """Takes the frames. ``start`` in ticks of the broadcast."""

    def push_video(self, data: bytes, start: int, idr: bool) -> None:
        """One access unit of H.264, Annex B, with parameter sets before an IDR."""

    def push_audio(self, data: bytes, start: int) -> None:
        """One Opus packet."""


class RelayTimeline:
    """Passes a broadcast's pictures and sound to the relay in order of time, with silence for missing sound. ``start``:
    the tick from which sound is missing."""

    def __init__(self, relay: FrameRelay, start: int) -> None:
        self._relay = relay
        self._next_sound = start
        self._last_sound = self._last_picture = -1

    def picture(self, sample: Sample, config: TrackConfig) -> None:
        sets = (config.sps, config.pps) if sample.sync else ((), ())
        # Slate and programme may overlap at an action. Every picture is needed for the ones after it, and time never
        # goes back.
        start = self._last_picture = max(sample.start, self._last_picture + 1)
        self._relay.push_video(h264.avcc_to_annexb(sample.data, *sets), start, sample.sync)

    def sound(self, packet: bytes, start: int) -> None:
        if start <= self._last_sound:
            return  # silence was heard instead of it
        self._last_sound = start
        self._next_sound = start + OPUS_SILENCE_TICKS
        self._relay.push_audio(packet, start)

    def silence(self, to: int) -> None:
        """Viewers hear silence up to ``to``: a stream of packets that stops is a fault for them."""
        while self._next_sound + OPUS_SILENCE_TICKS <= to:
            self.sound(OPUS_SILENCE, self._next_sound)
