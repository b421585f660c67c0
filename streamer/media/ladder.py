r"""The ladder decodes a source once, scales it in cascade and encodes it in every rung, with cuts at the same tick.

Threads: one decodes and scales (the *feed*), one for each rendition encodes (its *worker*), both in the order of the
calls. A passed-through top needs neither. Public methods return at once. They and the callbacks run on the loop.

    loop -- decode, show, forward, end_take --> feed --> worker v720 --> on_sample ...
                                                    \-> worker v480 --> on_sample ...
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from typing import Any

import av
import structlog
from av.video.frame import VideoFrame

from streamer.formats.types import Cut, RungSpec, Sample, TrackConfig
from streamer.media.decode import PictureDecoder, Scaler, black_picture
from streamer.media.encoders import EncoderUnavailable, RungEncoder
from streamer.media.meters import PictureMeter
from streamer.media.ordered_worker import Job, OrderedWorker
from streamer.media.overload import FrameGate, ShedPolicy
from streamer.media.stills import MAX_WIDTH, StillMaker
from streamer.settings import MediaSettings

log = structlog.get_logger(__name__)

DROP_AT = 2
"""A worker that is this many times later than the shedding limit takes only frames with a cut: no delay can grow."""
MAX_FEED_JOBS = 240
MAX_FEED_BYTES = 32 * 1024 * 1024
"""Of encoded frames that wait for the decoder."""
FEED_GIVES_UP_S = 1.0
"""A decoder that is later than this drops everything until the next key frame."""
MAX_EMPTY = 4
"""A decoder without a picture for more frames than this in a row is not reordering: it lacks a key frame."""
METER_TICKS = 22_500
"""The picture is measured four times a second."""


@dataclass(slots=True)
class LadderCallbacks:
    """Run on the loop. ``on_sample`` and the callbacks of rungs and takes keep a rendition's order."""

    on_sample: Callable[[str, Sample, Cut | None, TrackConfig], None]
    on_decode_error: Callable[[], None] = lambda *_: None
    """A key frame is needed. At most one for each call of ``decode``; the caller limits the rate."""
    on_end: Callable[[str, int], None] = lambda *_: None
    """All samples of a rendition before ``at`` have been given out."""
    on_rung_off: Callable[[str, Cut], None] = lambda *_: None
    """The rung has no samples from this cut on."""
    on_rung_on: Callable[[str, Cut], None] = lambda *_: None
    """It has samples again, from this cut on, which its next sample carries."""
    on_shedding: Callable[[list[str]], None] = lambda *_: None
    """``Ladder.shedding`` has changed."""
    on_still: Callable[[bytes, int], None] = lambda *_: None


@dataclass(slots=True)
class _Rung:
    spec: RungSpec
    worker: OrderedWorker
    scaler: Scaler
    gate: FrameGate
    encoder: RungEncoder | None = None
    """Opened by the worker with its first frame; used on the worker only."""
    owed: Cut | None = None
    """A cut whose IDR has not come out yet. Used on the worker only."""
    scaled: tuple[int, VideoFrame] | None = None
    """The picture's number and the picture in this size. Used on the feed only."""
    odd: bool = False


@dataclass(slots=True)
class _Picture:
    """The newest picture of the take."""

    number: int
    frame: VideoFrame
    sample_aspect: Fraction = field(default_factory=lambda: Fraction(1))


class Ladder:
    """``rungs``: best first, the first is the top (:meth:`use_top`). ``watch`` gets the source's own pictures."""

    def __init__(
        self,
        rungs: Sequence[RungSpec],
        settings: MediaSettings,
        *,
        loop: asyncio.AbstractEventLoop,
        callbacks: LadderCallbacks,
        meter: PictureMeter | None = None,
        watch: Callable[[VideoFrame], None] = lambda frame: None,
        policy: ShedPolicy | None = None,
        encoder_factory: Callable[[RungSpec, MediaSettings], RungEncoder] = RungEncoder,
    ) -> None:
        # Two rungs of one size would share picture objects, which belong to one worker, and would be useless.
        if len({(r.width, r.height) for r in rungs}) != len(rungs) or not rungs:
            raise ValueError("a ladder needs rungs of different sizes")
        self._loop, self._settings, self._call = loop, settings, callbacks
        self._meter, self._watch = meter, watch
        self._make_encoder = encoder_factory
        self._counters: Counter[str] = Counter()
        self._rungs = {
            spec.name: _Rung(
                spec, OrderedWorker(f"worker-{spec.name}"), Scaler(spec.width, spec.height), FrameGate(spec.frame_rate)
            )
            for spec in rungs
        }
        self.top = rungs[0].name
        self.failing: set[str] = set()
        """Renditions whose encoder does not open, or refuses pictures."""
        self._feed = OrderedWorker("feed")
        self._closed = False
        # Loop only.
        self._bytes_in = 0  # of all frames that were given to the decoder
        self._top_direct = True
        self._held: deque[Job] | None = None
        self._barrier = 0
        self._top_off = False
        """The encoded top was shed when it became a passed-through one: it returns with the next cut."""
        # Feed only.
        self._policy = policy or ShedPolicy()
        self._bytes_out = 0
        """The part of these bytes that it has taken."""
        self._top_encoded = False
        self._decoder: PictureDecoder | None = None
        self._picture = _Picture(0, black_picture(rungs[0].width, rungs[0].height))
        self._pending_cut: Cut | None = None
        self._last_start = -1
        self._empty = 0
        """Frames since the last picture."""
        self._skipping = self._overflowed = False
        """The second is set on the loop, reset on the feed: frames were dropped before its queue."""
        self._stills = StillMaker(settings.still_interval_s)
        self._metered = -METER_TICKS
        self._shedding: list[str] = []
        self._feed.put(self._choose_encoded)

    # --- for the loop --------------------------------------------------------------------------------

    @property
    def shedding(self) -> list[str]:
        """Renditions that are shed in part or as a whole now: ``v720:half``, ``v480:off``."""
        return self._shedding

    @property
    def counters(self) -> dict[str, float]:
        """Monotonic: ``frames_dropped_total``, ``decode_errors_total``, ``encode_errors_total``."""
        failures = self._feed.failures + sum(r.worker.failures for r in self._rungs.values())
        return {
            "frames_dropped_total": float(self._counters["dropped"]),
            "decode_errors_total": float(self._counters["decode_errors"]),
            "encode_errors_total": float(self._counters["encode_errors"]),
            "media_job_failures_total": float(failures),
        }

    @property
    def idle(self) -> bool:
        """Whether all work is done; its results may still be on their way to the loop."""
        # In this order, because the next work of the feed is then in a worker.
        return self._feed.idle and all(rung.worker.idle for rung in self._rungs.values())

    def decode(self, codec: str, data: bytes, start: int, *, show: bool, cut: Cut | None = None) -> None:
        """Decode one frame of the take's source, at tick ``start``; with ``show`` encode it in every rung.

        ``cut``: the first picture at or after ``cut.start`` is an IDR in every rung and begins the segment.
        """
        if self._feed.depth >= MAX_FEED_JOBS or self._bytes_in - self._bytes_out + len(data) > MAX_FEED_BYTES:
            self._counters["dropped"] += 1
            self._overflowed = True
            if cut is not None:
                self._feed.put(lambda: self._leave_out(cut))
            return
        arrived = time.monotonic()
        self._bytes_in += len(data)
        self._feed.put(lambda: self._decode(codec, data, start, show, cut, arrived))

    def show(self, start: int, *, cut: Cut | None = None) -> None:
        """Encode the newest picture again, at ``start``."""
        if self._feed.depth >= MAX_FEED_JOBS and cut is None:
            self._counters["dropped"] += 1
            return
        self._feed.put(lambda: self._show(start, cut))

    def forward(self, rendition: str, sample: Sample, cut: Cut | None, config: TrackConfig) -> None:
        """Pass an encoded sample on, after all earlier work of this rendition."""
        if rendition == self.top and self._top_direct:
            self._direct(self._forward_top, sample, cut, config)
            return
        rung = self._rungs[rendition]
        self._feed.put(lambda: self._forward(rung, sample, cut, config))

    def use_top(self, *, encoded: bool) -> None:
        """Whether the top rendition is encoded like the others, or comes by :meth:`forward` only (as at first)."""
        if encoded == (not self._top_direct):
            return
        self._barrier += 1
        if encoded:
            self._top_direct = False
            held, self._held = self._held, None
            self._feed.put(lambda: self._choose_encoded(top=True))
            for job in held or ():
                self._feed.put(partial(self._rungs[self.top].worker.put, partial(self._post, job)))
            return
        # Samples that are still being encoded come first; samples that are passed through wait for them.
        self._top_direct = True
        self._held = deque() if self._held is None else self._held
        number = self._barrier
        self._feed.put(lambda: self._release_top(number))

    def end_take(self, at: int) -> None:
        """The take of this source ends at tick ``at``: every rendition's ``on_end`` follows its last sample.

        The next :meth:`decode` begins with a fresh decoder.
        """
        if self._top_direct:
            self._direct(self._call.on_end, self.top, at)
        top_direct = self._top_direct
        self._feed.put(lambda: self._end_take(at, skip=self.top if top_direct else ""))

    def look(self, use: Callable[[Sequence[VideoFrame]], object]) -> None:
        """Call ``use`` on the feed's thread with the newest picture, in the sizes that it was scaled to and its own."""
        self._feed.put(lambda: use([r.scaled[1] for r in self._rungs.values() if r.scaled] + [self._picture.frame]))

    def close(self) -> None:
        """Stop the threads without waiting. No callback is called any more."""
        self._closed = True
        self._feed.close()
        for rung in self._rungs.values():
            rung.worker.close()

    def _direct(self, callback: Callable[..., None], *arguments: Any) -> None:
        job: Job = partial(callback, *arguments)
        if self._held is not None:
            self._held.append(job)
        else:
            # Not inside the caller's call, because the caller may not be ready for it.
            self._loop.call_soon(self._run, job)

    def _run(self, job: Job) -> None:
        if not self._closed:
            job()

    def _forward_top(self, sample: Sample, cut: Cut | None, config: TrackConfig) -> None:
        if self._top_off and cut is not None:
            self._top_off = False
            self._call.on_rung_on(self.top, cut)
        if not self._top_off:
            self._call.on_sample(self.top, sample, cut, config)

    def _top_released(self, number: int, was_off: bool) -> None:
        self._top_off = self._top_off or was_off
        if number != self._barrier or self._held is None:
            return
        held, self._held = self._held, None
        for job in held:
            job()

    # --- on the feed's thread ------------------------------------------------------------------------

    def _post(self, callback: Callable[..., None], *arguments: Any) -> None:
        """Call back on the loop, from any thread."""
        if not self._closed:
            try:
                self._loop.call_soon_threadsafe(self._run, partial(callback, *arguments))
            except RuntimeError:
                # The loop is closed because the room process is about to end.
                self._closed = True

    def _choose_encoded(self, *, top: bool = False) -> None:
        self._top_encoded = top
        names = [name for name in self._rungs if top or name != self.top]
        self._policy.begin(names, time.monotonic())

    def _release_top(self, number: int) -> None:
        was_off = self._policy.level(self.top) == "off"
        self._choose_encoded(top=False)
        rung = self._rungs[self.top]
        rung.worker.put(lambda: self._drain(rung))
        rung.worker.put(lambda: self._post(self._top_released, number, was_off))

    def _encoded_rungs(self) -> list[_Rung]:
        return [r for name, r in self._rungs.items() if self._top_encoded or name != self.top]

    def _decode(self, codec: str, data: bytes, start: int, show: bool, cut: Cut | None, arrived: float) -> None:
        self._bytes_out += len(data)
        if time.monotonic() - arrived > FEED_GIVES_UP_S:
            self._counters["dropped"] += 1
            self._leave_out(cut)
            return
        if self._overflowed:
            self._overflowed = False
            self._leave_out(None)
        if self._decoder is None or self._decoder.codec != codec:
            self._decoder = PictureDecoder(codec, int(self._settings.max_source_megapixels * 1_000_000))
        decoded = self._decoder.decode(data, start)
        self._empty = 0 if decoded.pictures else self._empty + 1
        lost = decoded.damaged or self._empty > MAX_EMPTY
        if self._skipping and lost:
            # Pictures were dropped; pictures that refer to them are useless.
            decoded.pictures.clear()
        if lost:
            self._counters["decode_errors"] += 1
            self._post(self._call.on_decode_error)
        elif decoded.pictures:
            self._skipping = False
        self._owe(cut)
        for at, frame in decoded.pictures:
            self._set_picture(frame, self._decoder.sample_aspect)
            if show:
                self._emit(at)
        if show and not decoded.pictures and (lost or self._skipping):
            # The rungs go on with the last good picture.
            self._emit(start)

    def _leave_out(self, cut: Cut | None) -> None:
        """Skip a frame without decoding. The beginning of a segment is kept, with the present picture."""
        if not self._skipping:
            self._skipping = True
            self._decoder = None
            self._post(self._call.on_decode_error)
        if cut is not None:
            self._owe(cut)
            self._emit(cut.start)

    def _show(self, start: int, cut: Cut | None) -> None:
        self._owe(cut)
        self._emit(start)

    def _owe(self, cut: Cut | None) -> None:
        if cut is None:
            return
        if self._pending_cut is not None:
            # No picture came for the cut before: its segment exists all the same.
            self._emit(self._pending_cut.start)
        self._pending_cut = cut

    def _set_picture(self, frame: VideoFrame, sample_aspect: Fraction) -> None:
        self._picture = _Picture(self._picture.number + 1, frame, sample_aspect)

    def _emit(self, start: int) -> None:
        """Encode the newest picture at ``start`` in every rung that takes it."""
        cut = self._pending_cut
        if cut is not None and start < cut.start:
            cut = None
        if start <= self._last_start:
            # Out of order (B-frames), or late. A cut is kept for the next picture.
            self._counters["dropped"] += 1
            return
        self._last_start = start
        if cut is not None:
            self._pending_cut = None
        now = time.monotonic()
        rungs = self._encoded_rungs()
        lags = {r.spec.name: r.worker.lag for r in rungs}
        self._policy.observe(lags, self._feed.lag, now)
        if cut is not None:
            self._change_rungs(cut, now)
        taking = [r for r in rungs if self._takes(r, start, cut, lags[r.spec.name])]
        try:
            pictures = self._cascade(taking)
        except (av.FFmpegError, ValueError) as error:
            # swscale does not accept this form of picture. The segment needs a frame all the same.
            self._counters["decode_errors"] += 1
            log.warning("picture_refused", error=str(error))
            self._set_picture(black_picture(taking[0].spec.width, taking[0].spec.height), Fraction(1))
            pictures = self._cascade(taking)
        for rung, picture in zip(taking, pictures, strict=True):
            rung.worker.put(partial(self._encode, rung, picture, start, cut), sheddable=cut is None)
        self._observe_picture(pictures, start)
        self._tell_shedding()

    def _cascade(self, rungs: Sequence[_Rung]) -> list[VideoFrame]:
        """The newest picture in the sizes of ``rungs``, best first, each made from the one above."""
        source, aspect = self._picture.frame, self._picture.sample_aspect
        pictures = []
        for rung in rungs:
            if rung.scaled is None or rung.scaled[0] != self._picture.number:
                rung.scaled = (self._picture.number, rung.scaler.scale(source, aspect))
            source, aspect = rung.scaled[1], Fraction(1)
            pictures.append(source)
        return pictures

    def _takes(self, rung: _Rung, start: int, cut: Cut | None, lag: float) -> bool:
        level = self._policy.level(rung.spec.name)
        if level == "off":
            return False
        if not rung.gate.admits(start, always=cut is not None):
            return False
        if cut is not None:
            rung.odd = False
            return True
        rung.odd = not rung.odd
        if level == "closing" or lag > DROP_AT * self._policy.behind_s or (level == "half" and rung.odd):
            self._counters["dropped"] += 1
            if level == "closing":
                self._counters["dropped"] += rung.worker.shed()
            return False
        return True

    def _change_rungs(self, cut: Cut, now: float) -> None:
        for name, on in self._policy.at_cut(now).items():
            rung = self._rungs[name]
            log.warning("rung_returns" if on else "rung_shed", rung=name, segment=cut.number)
            if not on:
                self._counters["dropped"] += rung.worker.shed()
            callback = self._call.on_rung_on if on else self._call.on_rung_off
            rung.worker.put(partial(self._post, callback, name, cut))

    def _forward(self, rung: _Rung, sample: Sample, cut: Cut | None, config: TrackConfig) -> None:
        name = rung.spec.name
        if self._policy.level(name) in ("off", "closing"):
            if cut is None and self._policy.level(name) == "off":
                return
            if cut is not None and self._policy.restore(name, time.monotonic()):
                rung.worker.put(lambda: self._post(self._call.on_rung_on, name, cut))
        rung.worker.put(lambda: self._forwarded(rung, sample, cut, config))
        self._last_start = max(self._last_start, sample.start)

    def _end_take(self, at: int, *, skip: str) -> None:
        if self._decoder is not None:
            for start, frame in self._decoder.flush().pictures:
                if start < at:
                    self._set_picture(frame, self._decoder.sample_aspect)
                    self._emit(start)
        if self._pending_cut is not None and self._pending_cut.start < at:
            self._emit(self._pending_cut.start)
        self._pending_cut = self._decoder = None
        self._empty, self._skipping = 0, False
        for name, rung in self._rungs.items():
            if name != skip:
                rung.worker.put(partial(self._drain, rung))
                rung.worker.put(partial(self._post, self._call.on_end, name, at))

    def _observe_picture(self, pictures: Sequence[VideoFrame], start: int) -> None:
        wide = [p for p in pictures if p.width >= MAX_WIDTH]
        frame = (wide or pictures or [self._picture.frame])[-1 if wide else 0]
        if self._stills.due(start):
            self._post(self._call.on_still, self._stills.make(frame, start), start)
        if self._meter is not None and abs(start - self._metered) >= METER_TICKS:
            self._metered = start
            self._meter.push(frame, start)
            self._watch(self._picture.frame)

    def _tell_shedding(self) -> None:
        shedding = self._policy.shedding
        if shedding != self._shedding:
            self._shedding = shedding
            self._post(self._call.on_shedding, shedding)

    # --- on a worker's thread --------------------------------------------------------------------------

    def _encode(self, rung: _Rung, frame: VideoFrame, start: int, cut: Cut | None) -> None:
        rung.owed = cut or rung.owed
        try:
            if rung.encoder is None:
                rung.encoder = self._make_encoder(rung.spec, self._settings)
            samples = rung.encoder.encode(frame, start, idr=cut is not None)
        except (av.FFmpegError, EncoderUnavailable) as error:
            self._counters["encode_errors"] += 1
            self.failing.add(rung.spec.name)
            log.warning("encode_failed", rung=rung.spec.name, error=str(error))
            if rung.encoder is not None:
                rung.encoder.reopen()
            return
        self.failing.discard(rung.spec.name)
        self._give(rung, samples)

    def _drain(self, rung: _Rung) -> None:
        self.failing.discard(rung.spec.name)
        if rung.encoder is not None:
            self._give(rung, rung.encoder.drain())

    def _give(self, rung: _Rung, samples: list[Sample]) -> None:
        """Give out the encoder's samples, in order. A cut goes with the first IDR at or after it."""
        config = rung.encoder.config if rung.encoder else None
        if config is None:
            return
        for sample in samples:
            cut = rung.owed if rung.owed is not None and sample.sync and sample.start >= rung.owed.start else None
            if cut is not None:
                rung.owed = None
            self._post(self._call.on_sample, rung.spec.name, sample, cut, config)

    def _forwarded(self, rung: _Rung, sample: Sample, cut: Cut | None, config: TrackConfig) -> None:
        rung.owed = None
        if rung.encoder is not None:
            # The next encoded picture must not refer to one before this sample.
            rung.encoder.expect_idr()
        self._post(self._call.on_sample, rung.spec.name, sample, cut, config)
