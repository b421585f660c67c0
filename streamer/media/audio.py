"""The programme's sound: one AAC-LC track at 48 kHz in stereo, from one encoder through all takes, whatever the source
sends.

A thread of its own decodes, lays the sound on the timeline and encodes. All public methods are called on the loop and
return at once; the callback runs on it. Inside, positions are samples at 48 kHz since the broadcast's epoch:
a tick of 1/90000 s is 8/15 of one, an AAC frame of 1024 samples exactly 1920 ticks.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext

from streamer.broadcast.orders import SourceOrder
from streamer.formats.types import Sample, TrackConfig
from streamer.media.aac import AAC_FRAME, AAC_TICKS, AacEncoder
from streamer.media.changed_sound import ChangedSound, OpusPackets
from streamer.media.leveller import Leveller
from streamer.media.meters import LoudnessMeter, SoundReading
from streamer.media.ordered_worker import OrderedWorker
from streamer.media.pcm import (
    FADE,
    SAMPLE_RATE,
    Pcm,
    PcmWindow,
    conceal,
    crossfade,
    fade_in,
    fade_out,
    slew,
    to_samples,
)
from streamer.media.sound_chain import SoundChain

BATCH_TICKS = 2 * AAC_TICKS
"""Frames are encoded together: to wake the thread for one costs more than the frame."""
GLUE = SAMPLE_RATE * 15 // 1000
"""A packet this near to the end of the one before follows it without a seam: the distance is jitter, not a gap. It is
less than a packet of 20 ms, so that a lost one is noticed."""
CONCEAL = SAMPLE_RATE * 65 // 1000
"""The longest hole that is filled with a copy of the sound before; a longer one is silence."""
MAX_AHEAD = 8 * SAMPLE_RATE
MAX_JOBS = 1000
OPUS_SILENCE = b"\xfc\xff\xfe"
"""20 ms of silence, stereo, for a peer that expects Opus (RFC 6716, 3.1: CELT, full band, 20 ms, one frame)."""
OPUS_SILENCE_TICKS = 1800

UNCHANGED = SourceOrder("")

_DECODERS = {
    "opus": ("libopus", 48_000, "stereo"),
    "pcma": ("pcm_alaw", 8000, "mono"),
    "pcmu": ("pcm_mulaw", 8000, "mono"),
    "g722": ("g722", 16_000, "mono"),
}
"""FFmpeg's decoder, its sample rate and layout."""


class SoundDecoder:
    """Decodes one source's packets to 2 x n floats at 48 kHz. Not thread-safe.

    Opus that changes between mono and stereo comes out as stereo throughout.
    """

    def __init__(self, codec: str) -> None:
        """``codec``: opus, pcma, pcmu or g722. Raises ValueError for another."""
        if codec not in _DECODERS:
            raise ValueError(f"no sound decoder for {codec}")
        self.codec = codec
        name, rate, layout = _DECODERS[codec]
        context = av.CodecContext.create(name, "r")
        assert isinstance(context, AudioCodecContext)
        context.sample_rate, context.layout = rate, layout
        self._context = context
        # Mono is doubled below: swresample would take 3 dB off each side.
        self._resampler = av.AudioResampler(format="fltp", layout=layout, rate=SAMPLE_RATE)
        self.behind = 0
        """Samples that went in and have not come out yet: the resampler's delay."""

    def decode(self, data: bytes) -> Pcm:
        """Raises av.FFmpegError or ValueError on a broken packet."""
        if not data:
            # FFmpeg takes an empty packet for the end of the stream, and no other after it.
            raise ValueError("an empty packet")
        blocks: list[Pcm] = []
        for frame in self._context.decode(av.Packet(data)):
            self.behind += frame.samples * SAMPLE_RATE // frame.sample_rate
            frame.pts = None
            blocks += [np.asarray(out.to_ndarray(), np.float32) for out in self._resampler.resample(frame)]
        if not blocks:
            return np.zeros((2, 0), np.float32)
        joined = np.concatenate(blocks, axis=1) if len(blocks) > 1 else blocks[0]
        self.behind -= joined.shape[1]
        return np.repeat(joined, 2, axis=0) if joined.shape[0] == 1 else joined


class SoundTrack:
    """Places decoded sound on the timeline and encodes it, with silence in the gaps.

    ``bitrates``: rendition -> bits per second; all have the same sound. ``start``: the earliest tick of the first
    frame; frames stand at multiples of 1920 ticks. ``on_answer`` is called once for each packet that asks what goes out
    to WHEP viewers for it. ``meter`` gets the encoded sound, on the sound's thread.
    """

    def __init__(
        self,
        bitrates: Mapping[str, int],
        *,
        loop: asyncio.AbstractEventLoop,
        start: int,
        on_frame: Callable[[str, Sample], None],
        on_answer: Callable[[OpusPackets, bool], None] = lambda packets, own: None,
        meter: LoudnessMeter | None = None,
    ) -> None:
        origin = -(-start // AAC_TICKS) * AAC_TICKS
        self._loop = loop
        self._on_frame = on_frame
        self._on_answer = on_answer
        self._meter = meter
        self._encoders = {name: AacEncoder(bitrate, origin) for name, bitrate in bitrates.items()}
        self._counters: Counter[str] = Counter()
        self._worker = OrderedWorker("sound")
        self.incoming: SoundReading | None = None
        """Measures of the source on the programme before it is changed; None where it is not to be changed."""
        self._closed = False
        self._asked = origin
        """The tick to which the thread was asked to encode."""
        # Used on the sound's thread only.
        self._window = PcmWindow(to_samples(origin))
        self._next = to_samples(origin)
        """Next sample to encode."""
        self._end: int | None = None
        """The end of the last packet's sound; None after silence."""
        self._drift = self._lately = 0.0
        """The distance of packets from their place, smoothed over 16 and over 4 of them."""
        self._hush = self._next, self._next
        """Silent in what is encoded, while WHEP viewers have heard it: from the next frame when a mute began, to where
        the muted sound lies."""
        self._decoder: SoundDecoder | None = None
        self._chain: SoundChain | None = None
        self._incoming: LoudnessMeter | None = None
        self._levellers: dict[str, Leveller] = {}
        """By source: the gain that was found stays from take to take."""
        self._changed = ChangedSound(self._window.read)

    @property
    def configs(self) -> dict[str, TrackConfig]:
        """Rendition -> config; available at once."""
        return {name: encoder.config for name, encoder in self._encoders.items()}

    @property
    def counters(self) -> dict[str, float]:
        names = ("sound_late_total", "sound_refused_total", "sound_concealed_total", "sound_errors_total")
        return {name: float(self._counters[name]) for name in names}

    @property
    def idle(self) -> bool:
        """Whether all work is done; its results may still be on their way to the loop."""
        return self._worker.idle

    def push(self, codec: str, data: bytes, start: int, order: SourceOrder = UNCHANGED, *, asks: bool = False) -> bool:
        """One encoded packet of the source that ``order`` names, whose sound begins at tick ``start``. False: refused.
        ``asks``: what goes out to WHEP viewers for it?"""
        if self._worker.depth >= MAX_JOBS:
            self._counters["sound_refused_total"] += 1
            return False
        self._worker.put(partial(self._push, codec, data, start, order, asks))
        return True

    def advance(self, to: int) -> None:
        """Encode the sound before tick ``to``, or most of it; later packets for that time are dropped."""
        if to - self._asked < BATCH_TICKS:
            return
        self._asked = to
        if self._worker.depth < MAX_JOBS:
            self._worker.put(partial(self._advance, to))

    def reset(self, at: int) -> None:
        """A take ends: sound that is not encoded yet is heard until tick ``at`` only; another source comes next."""
        self._worker.put(partial(self._reset, at))

    def close(self) -> None:
        """Stop the thread without waiting."""
        self._closed = True
        self._worker.close()

    # --- on the sound's thread -----------------------------------------------------------------------

    def _push(self, codec: str, data: bytes, start: int, order: SourceOrder, asks: bool) -> None:
        chain = self._chain
        if chain is None or chain.source != order.name:
            leveller = self._levellers.setdefault(order.name, Leveller())
            chain = self._chain = SoundChain(order, leveller)
            self._changed.stop()
        try:
            if self._decoder is None or self._decoder.codec != codec:
                self._decoder = SoundDecoder(codec)
            behind = self._decoder.behind
            block = self._decoder.decode(data)
        except (av.FFmpegError, ValueError):
            self._counters["sound_errors_total"] += 1
            if asks:
                self._post(self._on_answer, [], False)
            return
        self._measure_incoming(block, start, order)
        if block.shape[1]:
            at = to_samples(start) - behind
            if self._end is None or abs(at - chain.behind - self._end) > GLUE:
                chain.interrupt()
            at -= chain.behind
            begins = order.mute and not chain.muted
            block = chain.process(block, order)
            if begins:
                # It is meant for what is not encoded yet, too: that was said a moment ago.
                self._hush = self._next, at + block.shape[1] + chain.behind
        if block.shape[1]:
            self._lay(block, at)
        if asks:
            own = codec == "opus" and not chain.changes
            end = self._next if self._end is None else max(self._end, self._next)
            self._post(self._on_answer, *self._changed.follow(data, start, end, own=own))

    def _measure_incoming(self, block: Pcm, start: int, order: SourceOrder) -> None:
        if not order.may_change_sound:
            self._incoming = self.incoming = None
            return
        self._incoming = self._incoming or LoudnessMeter()
        self._incoming.push(block, start)
        self.incoming = self._incoming.reading

    def _lay(self, block: Pcm, at: int) -> None:
        size = block.shape[1]
        if at + size <= self._next:
            self._counters["sound_late_total"] += 1
            return
        if at > self._next + MAX_AHEAD:
            self._counters["sound_refused_total"] += 1
            return
        end = self._end
        if end is None or end <= self._next:
            block = fade_in(block)
        elif abs(at - end) <= GLUE:
            self._drift += (at - end - self._drift) / 16
            self._lately += (at - end - self._lately) / 4
            block, at = slew(block, self._drift, self._lately), end
        elif at < end:
            # The source's clock was set back, or a packet came twice: the sound that was placed first stays.
            self._drift = self._lately = 0.0
            if at + size <= end:
                self._counters["sound_refused_total"] += 1
                return
            block, at = fade_in(block[:, end - at :]), end
            self._soften_end(end)
        else:
            self._drift = 0.0
            block = self._bridge(end, at, block)
        if at < self._next:
            block, at = fade_in(block[:, self._next - at :]), self._next
        self._window.write(at, block)
        self._end = at + block.shape[1]

    def _bridge(self, end: int, at: int, block: Pcm) -> Pcm:
        """Fill the hole from ``end`` to ``at`` if it is one lost packet or two; silence otherwise."""
        if at - end > CONCEAL:
            self._soften_end(end)
            return fade_in(block)
        self._counters["sound_concealed_total"] += 1
        filled = conceal(self._window.read(end - SAMPLE_RATE // 20, SAMPLE_RATE // 20), at - end + FADE)
        self._window.write(end, filled[:, :-FADE])
        return crossfade(filled[:, -FADE:], block)

    def _soften_end(self, end: int) -> None:
        """Fade out the sound that ends at ``end``, so that it does not click."""
        begin = max(end - FADE, self._next)
        if begin < end:
            self._window.write(begin, fade_out(self._window.read(begin, end - begin)))

    def _advance(self, to: int) -> None:
        target = to_samples(to)
        while self._next + AAC_FRAME <= target:
            if self._end is not None and self._end < self._next + AAC_FRAME:
                self._soften_end(self._end)
                self._end = None
            self._encode(self._hushed(self._window.take(self._next, AAC_FRAME)))
            self._next += AAC_FRAME

    def _hushed(self, pcm: Pcm) -> Pcm:
        begin, end = self._hush
        if self._next >= end:
            return pcm
        last = fade_out(pcm[:, :FADE]) if self._next == begin else 0
        pcm[:, : end - self._next] = 0
        pcm[:, :FADE] += last
        return pcm

    def _encode(self, pcm: Pcm) -> None:
        if self._meter is not None:
            self._meter.push(pcm, self._next * 15 // 8)
        for name, encoder in self._encoders.items():
            for sample in encoder.encode(pcm):
                self._post(self._on_frame, name, sample)

    def _reset(self, at: int) -> None:
        position = max(to_samples(at), self._next)
        if self._end is not None and self._end > position:
            self._window.clear(position)
            self._soften_end(position)
        # The next source's sound begins with a fade, whatever its clock says.
        self._end = None
        self._drift = self._lately = 0.0
        self._decoder = self._chain = None
        self._incoming = self.incoming = None
        self._changed.stop()

    def _post(self, callback: Callable[..., None], *values: Any) -> None:
        if not self._closed:
            try:
                self._loop.call_soon_threadsafe(self._give, callback, *values)
            except RuntimeError:
                # The loop is closed because the room process is about to end.
                self._closed = True

    def _give(self, callback: Callable[..., None], *values: Any) -> None:
        if not self._closed:
            callback(*values)
