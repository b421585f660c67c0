"""The encoder of all sound that goes out: AAC-LC at 48 kHz in stereo."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.codec.context import Flags

from streamer.formats.types import Sample, TrackConfig
from streamer.media.pcm import SAMPLE_RATE, Pcm
from streamer.media.renditions import AAC_CODECS

AAC_FRAME, AAC_TICKS = 1024, 1920
"""The length of a frame, in samples and in ticks of 1/90000 s."""


class AacEncoder:
    """AAC-LC of a continuous run of sound that begins at tick ``start``, a multiple of 1920. Not thread-safe."""

    def __init__(self, bitrate: int, start: int) -> None:
        context = av.CodecContext.create("aac", "w")
        assert isinstance(context, AudioCodecContext)
        context.sample_rate, context.layout, context.format = SAMPLE_RATE, "stereo", "fltp"
        context.bit_rate = bitrate
        context.time_base = Fraction(1, SAMPLE_RATE)
        context.flags |= Flags.global_header
        # The fast search costs a third, and from 64 kbit/s on it is the better one (FFmpeg's documentation).
        context.options = {"aac_coder": "fast" if bitrate >= 64_000 else "twoloop"}
        context.open()
        self._context = context
        self._start = start
        self._samples = 0
        self.config = TrackConfig(
            "audio",
            AAC_CODECS,
            SAMPLE_RATE,
            audio_specific_config=bytes(context.extradata or b""),
            channels=2,
            sample_rate=SAMPLE_RATE,
        )

    def encode(self, pcm: Pcm) -> list[Sample]:
        """The next 2 x 1024 floats. A sample's start is the time when its sound is heard."""
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(pcm, np.float32), format="fltp", layout="stereo")
        frame.sample_rate, frame.time_base, frame.pts = SAMPLE_RATE, Fraction(1, SAMPLE_RATE), self._samples
        self._samples += AAC_FRAME
        samples = []
        for packet in self._context.encode(frame):
            # The encoder numbers its priming frame -1024. With that, a packet's time is that of the sound which a
            # decoder gives out for it. The priming itself has no place on the timeline (no edit lists).
            if packet.pts is not None and packet.pts >= 0:
                samples.append(Sample(bytes(packet), self._start + packet.pts // AAC_FRAME * AAC_TICKS, sync=True))
        return samples
