"""Opus of a source's changed sound, for WHEP viewers, who else get the source's own packets.

A change to ours and back makes no click and no gap in time. Ours begins where a packet of the source ends, with sound
aligned to the sample, from an encoder that has heard the sound before; each of its packets stands for itself, since the
listener's decoder knows another encoder's past. Back to the source's packets it goes in a quiet moment, because those
refer to ones that the listener never had. Belongs to the sound's thread.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext

from streamer.media.pcm import SAMPLE_RATE, Pcm, to_samples, to_ticks

OpusPackets = list[tuple[bytes, int]]
"""With the tick of each."""

BITRATE = 96_000
FRAME = 960
DELAY = 120
"""The encoder's own look-ahead, samples: it is given sound that much ahead."""
PRIMING = 3
"""Frames that the encoder hears before the first that is sent."""
GAP = SAMPLE_RATE // 10
"""Sound that lies this far from its expected place begins anew."""
QUIET_DBFS = -50.0
QUIETER_PER_S = 3.0
"""A moment counts as quiet at first below this level; the longer none comes, the louder it may be."""


class RelayEncoder:
    """Opus in stereo, 20 ms a packet. Not thread-safe."""

    def __init__(self) -> None:
        context = av.CodecContext.create("libopus", "w")
        assert isinstance(context, AudioCodecContext)
        context.sample_rate, context.layout, context.format = SAMPLE_RATE, "stereo", "flt"
        context.bit_rate, context.time_base = BITRATE, Fraction(1, SAMPLE_RATE)
        # If every packet is expected to be lost, each is coded without the one before ("intra", RFC 6716, 4.3.2.1).
        context.options = {"application": "lowdelay", "frame_duration": "20", "packet_loss": "100"}
        context.open()
        self._context = context
        self._samples = 0

    def encode(self, pcm: Pcm) -> bytes:
        """The next 2 x 960 floats."""
        packed = np.ascontiguousarray(pcm.T.reshape(1, -1), np.float32)
        frame = av.AudioFrame.from_ndarray(packed, format="flt", layout="stereo")
        frame.sample_rate, frame.pts = SAMPLE_RATE, self._samples
        self._samples += FRAME
        return b"".join(bytes(packet) for packet in self._context.encode(frame))


class ChangedSound:
    """``read(at, size)`` gives the timeline's sound, positions in samples."""

    def __init__(self, read: Callable[[int, int], Pcm]) -> None:
        self._read = read
        self._encoder: RelayEncoder | None = None
        self._next = 0
        """The first sample of the next packet of ours."""
        self._unchanged_for = 0
        """Samples since the source's own packets would do."""

    def follow(self, packet: bytes, start: int, end: int, *, own: bool) -> tuple[OpusPackets, bool]:
        """A packet of the source for tick ``start``, after its sound was laid on the timeline, which reaches to sample
        ``end`` now. ``own``: the packet itself would do.

        Returns the packets to send, and whether the source's next ones may go without asking.
        """
        at = to_samples(start)
        if self._encoder is None:
            if own:
                return [(packet, start)], True
            self._begin(at)
        elif abs(at - self._next) > GAP:
            self._begin(at)
        self._unchanged_for = self._unchanged_for + FRAME if own else 0
        if own and self._quiet(at):
            sent = self._packets(end, before=at - FRAME // 2)
            self._encoder = None
            return [*sent, (packet, start)], True
        return self._packets(end), False

    def stop(self) -> None:
        """Another source's sound comes next."""
        self._encoder = None

    def _begin(self, at: int) -> None:
        self._encoder, self._next, self._unchanged_for = RelayEncoder(), at, 0
        for back in range(PRIMING, 0, -1):
            self._encoder.encode(self._read(at + DELAY - back * FRAME, FRAME))

    def _packets(self, end: int, before: int | None = None) -> OpusPackets:
        sent: OpusPackets = []
        assert self._encoder is not None
        while self._next + FRAME + DELAY <= end and (before is None or self._next < before):
            sent.append((self._encoder.encode(self._read(self._next + DELAY, FRAME)), to_ticks(self._next)))
            self._next += FRAME
        return sent

    def _quiet(self, at: int) -> bool:
        # Half a packet before the seam, and the one after it.
        peak = float(np.abs(self._read(at - FRAME // 2, 3 * FRAME // 2)).max())
        allowed = QUIET_DBFS + QUIETER_PER_S * self._unchanged_for / SAMPLE_RATE
        return bool(20 * np.log10(max(peak, 1e-6)) <= allowed)
