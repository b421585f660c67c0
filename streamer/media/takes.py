"""Takes: an uninterrupted run of one source, or of the slate, in the programme.

Called on the loop, never blocks. A take writes to the programme's :class:`~streamer.media.pipeline.BroadcastPipeline`;
:mod:`streamer.media.programme` chooses the source and the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from streamer.broadcast.programme import SLATE, TICKS_PER_S
from streamer.formats import cmaf, h264
from streamer.formats.types import AccessUnit, Cut, Sample, TrackConfig
from streamer.media.fitness import Fitness
from streamer.media.grid import SHORTEST_TICKS
from streamer.media.incoming import IncomingUnit
from streamer.media.packager import LONGEST_PICTURE_TICKS
from streamer.media.pipeline import BroadcastPipeline
from streamer.media.slate import SlateClip
from streamer.media.slates import LEAST_OLD_TICKS
from streamer.media.timeline import SourceClock

FILL_AFTER_TICKS = TICKS_PER_S // 10
"""An encoded picture that is missing for this long is repeated."""
FILL_LAG_TICKS = 8 * TICKS_PER_S // 100
"""Repeats stay this long before now, so that a late frame still finds its place."""
MIN_FRAME_TICKS = TICKS_PER_S // 120
HOLE_TICKS = 3 * TICKS_PER_S // 10
"""A passed-through frame lasts for at most this long, because no part may be longer than PART-TARGET (1/3 s)."""
MEND_LIMIT_TICKS = TICKS_PER_S
"""After a loss, pictures are left out until the next IDR for at most this long."""
MAX_SOUND_DELAY_TICKS = 8 * TICKS_PER_S // 10
MIN_SOUND_DELAY_TICKS = TICKS_PER_S // 10
SOUND_BEFORE_TICKS = TICKS_PER_S // 100
"""Sound that begins more than this before the take's first picture belongs to the time before the take."""
SOUND_MARGIN_TICKS = TICKS_PER_S // 25


@dataclass(slots=True)
class SoundDelay:
    """The present delay of encoding sound: just more than the lateness of the latest packets."""

    ticks: int = MIN_SOUND_DELAY_TICKS
    late_total: int = 0

    def heard(self, start: int, now: int) -> None:
        needed = now - start + SOUND_MARGIN_TICKS
        if needed > self.ticks:
            self.ticks = min(needed, MAX_SOUND_DELAY_TICKS)
        else:
            # Decreases slowly (about 2 ms per second of packets), because a burst is seldom the last one.
            self.ticks = max(MIN_SOUND_DELAY_TICKS, self.ticks - 4)


@dataclass(slots=True)
class PictureTake:
    """A source with its picture: passed through as the top rendition, or encoded in all of them."""

    source: str
    pipeline: BroadcastPipeline
    clock: SourceClock
    fitness: Fitness
    passthrough: bool = False
    first: int = -1
    """The tick of the first frame."""
    last: int = -1
    """The tick of the newest frame in the programme."""
    frame_ticks: int = 3000
    _sps: tuple[bytes, ...] = ()
    _pps: tuple[bytes, ...] = ()
    _config: TrackConfig | None = None
    _mending_since: int | None = None
    _turned: bool = False
    _passed: TrackConfig | None = None
    """The parameter sets of the passed-through stream."""
    bridged: bool = False
    """Whether the top is encoded because of a hole, until the next IDR only."""

    @property
    def _sets(self) -> tuple[bytes, ...]:
        return self._sps + self._pps

    @property
    def edge(self) -> int:
        """The end of the pictures that were written so far; without one, the tick before which none may be."""
        return self.clock.not_before if self.last < 0 else self.last + self.frame_ticks

    @property
    def wants_keyframes(self) -> bool:
        """Whether key frames of the source are useful: it is passed through, or may be again."""
        return self.passthrough or (self._config is not None and (self.fitness.fits or self.fitness.wants_proof))

    def video(self, incoming: IncomingUnit) -> bool:
        """Take a frame in. The first one of a take is an IDR. False if the sender's clock jumped: the frame is dropped,
        and the take must end."""
        unit = incoming.unit
        start = self.clock.video_start(unit)
        if self.clock.jumped(start, unit):
            return False
        if self.last >= 0 and self.passthrough and start < self.last + MIN_FRAME_TICKS:
            self.pipeline.left_out_total += 1
            return True
        if incoming.avc is not None:
            self._h264(unit, incoming.avc, start)
        else:
            if self._config is not None:
                # The sender changed to another codec. Its next H.264 is judged anew.
                self._config = None
                self.fitness.restart()
            if self.passthrough:
                self._stop_passing(start)
            self._encoded(unit, start, data=unit.data)
        return True

    def sound(self, unit: AccessUnit) -> int | None:
        """Place a packet of sound on the timeline. Returns its tick; None if it has no place."""
        start = self.clock.sound_start(unit)
        if self.clock.sound_is_far(start, unit):
            self.pipeline.left_out_total += 1
            return None
        if start >= self.first - SOUND_BEFORE_TICKS:
            self.pipeline.sound(unit, start, self.source)
        return start

    def fill(self, now: int) -> None:
        """Repeat the picture while an encoded source sends none (a still slide, a poor camera)."""
        if self.passthrough or self.last < 0:
            return
        self._repeat(now - FILL_LAG_TICKS)

    def _repeat(self, to: int) -> None:
        while to - self.last > FILL_AFTER_TICKS:
            start = self.last + FILL_AFTER_TICKS
            cut = self.pipeline.cut(start) if self.pipeline.grid.due(start, frame_ticks=FILL_AFTER_TICKS) else None
            self.pipeline.ladder.show(start, cut=cut)
            self.last = start

    def _is_hole(self, start: int, longest: int = HOLE_TICKS) -> bool:
        return self.first >= 0 and start - self.last > longest

    def _stop_passing(self, start: int) -> None:
        if self._is_hole(start, LONGEST_PICTURE_TICKS):
            self._bridge(start)
        else:
            self._encode_top()

    def _bridge(self, start: int) -> None:
        """Fill a hole that ends at ``start`` with the last picture, encoded."""
        self.bridged = True
        self._encode_top()
        self._turned = False
        at = max(self.edge, self.pipeline.grid.start + SHORTEST_TICKS)
        self.pipeline.ladder.show(at, cut=self.pipeline.cut(at, discontinuity=True))
        self.last = at
        self._repeat(start - MIN_FRAME_TICKS)

    def _h264(self, unit: AccessUnit, avc: h264.AvcAccessUnit, start: int) -> None:
        if avc.has_b:
            self.fitness.b_frame()
        self._read_parameters(avc)
        if not avc.data:
            return
        self.fitness.frame(start, idr=avc.idr)
        if self._missing_reference(unit, start, idr=avc.idr):
            return
        # "take SPS and PPS from the stream, keep the latest, put them before each IDR": OBS and FFmpeg
        # send them once in a while only, and a decoder that begins here needs them.
        data = unit.data if avc.sps or not avc.idr else h264.to_annexb(self._sets) + unit.data
        overdue = not avc.idr and (self.fitness.late(start) or self.pipeline.grid.overdue(start))
        if self.passthrough and (overdue or not self.fitness.fits or self._is_hole(start)):
            # No IDR came although one was requested, or the source does not fit any more.
            self._stop_passing(start)
        if not self.passthrough and self.fitness.fits and avc.idr and self._may_pass(start):
            self.passthrough, self.bridged, self._passed = True, False, None
            self.pipeline.ladder.use_top(encoded=False)
        if self.passthrough:
            self._pass(avc.data, data, start, idr=avc.idr)
        else:
            self._encoded(unit, start, data=data)

    def _read_parameters(self, avc: h264.AvcAccessUnit) -> None:
        """Keep the latest parameter sets."""
        sps, pps = avc.sps or self._sps, avc.pps or self._pps
        if (sps, pps) == (self._sps, self._pps) and self._config is not None:
            return
        self._sps, self._pps = sps, pps
        try:
            self._config = cmaf.video_config(sps, pps)
            self.fitness.parameters(h264.parse_sps(sps[0]))
        except (ValueError, IndexError):
            return  # half of a set; the other half is on its way

    def _may_pass(self, start: int) -> bool:
        # At any key frame: a requested one comes a little after the segment was cut without it. Not at a late one in
        # whose place a repeat stands.
        return start - self.pipeline.grid.start >= SHORTEST_TICKS and start - self.last >= MIN_FRAME_TICKS

    def _pass(self, avcc: bytes, annexb: bytes, start: int, *, idr: bool) -> None:
        assert self._config is not None
        cut: Cut | None = None
        # A take begins, the top was encoded until now, or the sender has other parameter sets, which may have come
        # before their IDR.
        discontinuity = self._config != self._passed
        if idr and (discontinuity or self.pipeline.grid.may_cut(start, idr=True)):
            cut = self.pipeline.cut(start, discontinuity=discontinuity)
            self._passed = self._config
        self._written(start)
        self.pipeline.ladder.forward(self.pipeline.top, Sample(avcc, start, idr), cut, self._config)
        self.pipeline.ladder.decode("h264", annexb, start, show=True, cut=cut)

    def _encoded(self, unit: AccessUnit, start: int, *, data: bytes) -> None:
        # A repeat may stand in the place of this frame. The frame then comes right after it: a moment's lip error is
        # better than a lost frame.
        reordered = self.fitness.note == "encoded_b_frames"
        if self.last >= 0 and not reordered:
            start = max(start, self.last + MIN_FRAME_TICKS)
        if self._is_hole(start):
            # The link has become quicker: pictures stand before now, so that no repeat was due in the hole.
            self._repeat(start - MIN_FRAME_TICKS)
        cut: Cut | None = None
        if self.first < 0 or self._turned:
            cut = self.pipeline.cut(start, discontinuity=True)
            self._turned = False
        elif self.pipeline.grid.due(start, frame_ticks=self.frame_ticks):
            cut = self.pipeline.cut(start)
        self._written(max(start, self.last))
        self.pipeline.ladder.decode(unit.codec, data, start, show=True, cut=cut)

    def _encode_top(self) -> None:
        """From the next frame on the top is encoded like the others: it has other parameter sets, so there is a
        discontinuity."""
        self.passthrough = False
        self.pipeline.ladder.use_top(encoded=True)
        self._turned = True

    def _missing_reference(self, unit: AccessUnit, start: int, *, idr: bool) -> bool:
        """Drop frames that refer to lost pictures: some hardware decoders stop at them."""
        if idr:
            self._mending_since = None
        elif unit.damaged and self._mending_since is None:
            self._mending_since = start
        if self._mending_since is None or start - self._mending_since > MEND_LIMIT_TICKS:
            return False
        self.pipeline.left_out_total += 1
        return True

    def _written(self, start: int) -> None:
        if self.first < 0:
            self.first = start
        elif 0 < start - self.last < FILL_AFTER_TICKS:
            self.frame_ticks += (start - self.last - self.frame_ticks) // 8
        self.last = start


@dataclass(slots=True)
class SlateTake:
    """The slate, or a still with the sound of a source that has no picture."""

    source: str
    """``slate``, or the source whose sound goes on."""
    pipeline: BroadcastPipeline
    clips: Callable[[], Mapping[str, SlateClip]]
    """The clip of each picture rendition. Asked again at each segment, because its text may have changed."""
    start: int
    clock: SourceClock | None = None
    last: int = -1
    frame_ticks: int = 6000
    _frames: dict[str, Iterator[Sample]] = field(default_factory=dict)
    _next: dict[str, Sample] = field(default_factory=dict)
    _configs: dict[str, TrackConfig] = field(default_factory=dict)
    _segment: int = -1
    _titles: int = 0
    _cut: Cut | None = None

    @property
    def silent(self) -> bool:
        return self.source == SLATE

    @property
    def edge(self) -> int:
        return self.start if self.last < 0 else self.last + self.frame_ticks

    def sound(self, unit: AccessUnit) -> int | None:
        """Place a packet of sound on the timeline, if this take has sound. Returns its tick; None if it has no
        place."""
        if self.clock is None:
            return None
        start = self.clock.sound_start(unit)
        if self.clock.sound_is_far(start, unit):
            self.pipeline.left_out_total += 1
            return None
        self.pipeline.sound(unit, start, self.source)
        return start

    def write(self, to: int) -> None:
        """Write frames on the slate's grid up to ``to``."""
        while True:
            start = self.start if self.last < 0 else self.last + self.frame_ticks
            if start > to:
                return
            if self._segment >= 0 and self._titles != self.pipeline.slates.titles:
                # A message of the crew to viewers does not wait for the segment's end.
                self._titles = self.pipeline.slates.titles
                self.pipeline.grid.demand(max(start, self._segment + LEAST_OLD_TICKS))
            if self._segment < 0 or self.pipeline.grid.due(start, frame_ticks=self.frame_ticks):
                self._open(start)
            for rendition, frames in self._frames.items():
                sample = next(frames)
                self.pipeline.ladder.forward(
                    rendition, Sample(sample.data, start, sample.sync), self._cut, self._configs[rendition]
                )
            self._cut = None
            self.last = start

    def _open(self, start: int) -> None:
        clips = self.clips()
        self._titles = self.pipeline.slates.titles
        configs = {name: clip.config for name, clip in clips.items()}
        # New parameter sets mean a new init section and a discontinuity in every rendition at the same place.
        changed = self._segment >= 0 and configs != self._configs
        self._cut = self.pipeline.cut(start, discontinuity=self._segment < 0 or changed)
        self._configs = configs
        self._frames = {
            name: clip.samples(start, start + 2 * self.pipeline.grid.nominal) for name, clip in clips.items()
        }
        self.frame_ticks = next(iter(clips.values())).frame_ticks
        self._segment = start
