"""Watches what comes in and what goes out, and says what is wrong with it (``RoomStatus.troubles``).

Runs on the loop; decoding and measuring are the :class:`~streamer.media.source_meters.SourceMeters`'. Sound is listened
to for the source on the programme and one other: ``spare``, else whichever came first. The programme (source "") is
judged by what its sources do not tell: its level after gain, and this server's encoders.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from av.video.frame import VideoFrame

from streamer.broadcast.measures import SILENT_DB, PictureMeasure, SoundMeasure, WayMeasure
from streamer.broadcast.programme import SLATE, SPARE
from streamer.broadcast.troubles import SourceJudge
from streamer.control.messages import MediaMeasure, MediaTrouble, RoomConfig
from streamer.formats import h264
from streamer.formats.types import AccessUnit
from streamer.media.incoming import IncomingUnit
from streamer.media.pipeline import BroadcastPipeline
from streamer.media.source_meters import SourceMeters
from streamer.room.publication import WayCounts

WAY_MS = 500
WAY_WINDOW_MS = 2000
LEAST_LOST = 3
"""Fewer lost packets in the window are chance."""
PICTURE_FRESH_MS = 1000
"""The programme measured a picture so lately: key frames tell nothing more."""
LOOK_MS, LOOK_AGAIN_MS = 5000, 2500
"""A source that sends no key frame for so long is asked for one; sooner where the last picture was no picture."""


@dataclass(slots=True)
class _Source:
    judge: SourceJudge
    sound_ms: int | None = None
    """The last packet of its sound; None: it never sent any."""
    video_ms: int | None = None
    sps: tuple[bytes, ...] = ()
    pps: tuple[bytes, ...] = ()
    """H.264 parameter sets: they may come in a unit of their own."""
    key_ms: int | None = None
    key_s: float | None = None
    """Between the last two key frames."""
    natural_s: float | None = None
    """The same, if nobody asked for the second one."""
    asked: int = 0
    picture_ms: int = 0
    suspect: bool = False
    looked_ms: int = 0
    measure: SoundMeasure | None = None
    counts: deque[tuple[int, WayCounts]] = field(default_factory=deque)
    usual_kbps: float = 0.0


class MediaWatch:
    """``ways`` tells the counts of a source's publication; ``look`` asks a source for a key frame."""

    def __init__(
        self,
        config: RoomConfig,
        max_pixels: int,
        video_min_kbps: int,
        *,
        ways: Callable[[str], WayCounts | None],
        look: Callable[[str], None],
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.meters = SourceMeters(max_pixels)
        self._config = config
        self._video_min_kbps = video_min_kbps
        self._ways, self._look, self._now_ms = ways, look, now_ms
        self._sources: dict[str, _Source] = {}
        self._programme = SourceJudge(config.media_rules)
        self._on_programme = SLATE
        self._challenger = ""
        self._ticked_ms = self._way_ms = self._errors = 0
        self._told: list[tuple[str, str]] = []

    def configure(self, config: RoomConfig) -> None:
        self._config = config
        self._programme.follow(config.media_rules, kind="", suppressed=False)
        for name, source in self._sources.items():
            source.judge.follow(config.media_rules, kind=self._kind(name), suppressed=self._suppressed(name))

    def source_up(self, name: str) -> None:
        """Another sender feeds the source: what was learnt of the one before is forgotten."""
        self.meters.forget(name)
        judge = SourceJudge(self._config.media_rules, kind=self._kind(name), suppressed=self._suppressed(name))
        self._sources[name] = _Source(judge)

    def source_down(self, name: str) -> None:
        self.meters.forget(name)
        self._sources.pop(name, None)

    def take_in(self, name: str, incoming: IncomingUnit) -> None:
        source = self._sources.get(name)
        if source is None:
            return
        unit = incoming.unit
        at_ms = self._now_ms() - max(0, time.monotonic_ns() - unit.arrival_ns) // 1_000_000
        if not incoming.is_video:
            source.sound_ms = at_ms
            if name in (self._on_programme, self._challenger):
                self.meters.sound(name, unit, at_ms)
            return
        source.video_ms = at_ms
        if incoming.avc is not None:
            source.sps, source.pps = incoming.avc.sps or source.sps, incoming.avc.pps or source.pps
        if incoming.idr:
            self._note_key_frame(name, source, at_ms)
            if unit.damaged:
                return
            if at_ms - source.picture_ms >= PICTURE_FRESH_MS or name != self._on_programme:
                self.meters.key_frame(name, _with_sets(source, incoming), at_ms)

    def picture(self, frame: VideoFrame) -> None:
        """A decoded picture of the source on the programme, on the thread that has decoded it."""
        name = self._on_programme
        if name != SLATE:
            self.meters.picture(name, frame, self._now_ms())

    def tick(self, on_programme: str, pipeline: BroadcastPipeline | None) -> bool:
        """Call ten times a second. Whether what is told has changed."""
        now_ms = self._now_ms()
        step_ms = min(max(0, now_ms - self._ticked_ms), 1000) if self._ticked_ms else 0
        self._ticked_ms = now_ms
        self._choose(on_programme)
        for name, measure in self.meters.collect():
            self._judge(name, measure)
        for source in self._sources.values():
            source.judge.no_packets(now_ms, sound_ms=source.sound_ms, picture_ms=source.video_ms)
        if now_ms - self._way_ms >= WAY_MS:
            self._way_ms = now_ms
            errors = 0 if pipeline is None else int(pipeline.ladder.counters["decode_errors_total"])
            broken, self._errors = errors - self._errors, errors
            for name, source in self._sources.items():
                self._judge_way(name, source, now_ms, broken if name == on_programme else 0)
                self._look_again(name, source, now_ms)
        if pipeline is not None:
            self._judge_programme(pipeline, now_ms, step_ms)
        told = [(trouble.source, trouble.code) for trouble in self.troubles]
        changed, self._told = told != self._told, told
        return changed

    # --- told --------------------------------------------------------------------------------------

    @property
    def troubles(self) -> list[MediaTrouble]:
        judges = {"": self._programme, **{name: source.judge for name, source in self._sources.items()}}
        return [
            MediaTrouble(found.code, name, found.since_ms, dict(found.details))
            for name, judge in judges.items()
            for found in judge.troubles()
        ]

    @property
    def measures(self) -> dict[str, MediaMeasure]:
        found = {name: _measure_of(source.judge, source.natural_s) for name, source in self._sources.items()}
        on = self._sources.get(self._on_programme)
        programme = _measure_of(on.judge, None) if on is not None else MediaMeasure()
        programme.loudness = self._programme.loudness
        return {"": programme, **found}

    def close(self) -> None:
        self.meters.close()

    # --- inside ------------------------------------------------------------------------------------

    def _kind(self, name: str) -> str:
        return self._config.source_kinds.get(name, "")

    def _suppressed(self, name: str) -> bool:
        return name in self._config.suppressed_sources

    def _choose(self, on_programme: str) -> None:
        others = [name for name, source in self._sources.items() if name != on_programme and source.sound_ms]
        kept = self._challenger if self._challenger in others else ""
        challenger = SPARE if SPARE in others else kept or (others[0] if others else "")
        if on_programme != self._on_programme:
            # The programme's level is another source's now.
            self._programme.gone()
            taken = self._sources.get(on_programme)
            if taken is not None:
                taken.key_ms = taken.key_s = None
        before = {self._on_programme, self._challenger}
        self._on_programme, self._challenger = on_programme, challenger
        for name in before - {on_programme, challenger, "", SLATE}:
            self.meters.forget_sound(name)
            if name in self._sources:
                self._sources[name].judge.unheard()
                self._sources[name].measure = None

    def _judge(self, name: str, measure: SoundMeasure | PictureMeasure) -> None:
        source = self._sources.get(name)
        if source is None:
            return
        if isinstance(measure, SoundMeasure):
            source.measure = measure
            # On the programme the level is judged after gain.
            source.judge.sound(measure, level_judged=name != self._on_programme)
            return
        source.picture_ms = measure.at_ms
        source.suspect = source.judge.picture(measure)

    def _note_key_frame(self, name: str, source: _Source, at_ms: int) -> None:
        counts = self._ways(name)
        asked = counts.keyframes_wanted if counts is not None else source.asked
        if source.key_ms is not None:
            source.key_s = (at_ms - source.key_ms) / 1000
            if asked == source.asked:
                source.natural_s = source.key_s
        source.key_ms, source.asked = at_ms, asked

    def _look_again(self, name: str, source: _Source, now_ms: int) -> None:
        """A sender that makes key frames only when it is asked is asked now and then."""
        if source.video_ms is None or name == self._on_programme:
            return
        wait_ms = LOOK_AGAIN_MS if source.suspect else LOOK_MS
        if now_ms - max(source.picture_ms, source.looked_ms) >= wait_ms:
            source.looked_ms = now_ms
            self._look(name)

    def _judge_way(self, name: str, source: _Source, now_ms: int, broken: int) -> None:
        counts = self._ways(name)
        if counts is None:
            return
        source.counts.append((now_ms, counts))
        while len(source.counts) > 2 and source.counts[0][0] < now_ms - WAY_WINDOW_MS:
            source.counts.popleft()
        first = source.counts[0][1]
        expected, lost = counts.expected - first.expected, counts.lost - first.lost
        camera = self._kind(name) == "camera"
        kbps = counts.video_kbps
        if kbps is not None:
            source.usual_kbps = max(kbps, source.usual_kbps * 0.999)
        keys = None
        if name == self._on_programme and source.key_ms is not None:
            keys = max((now_ms - source.key_ms) / 1000, source.key_s or 0.0)
        source.judge.way(
            WayMeasure(
                at_ms=now_ms,
                lost=lost / expected if expected > 0 and lost >= LEAST_LOST else 0.0,
                jitter_ms=counts.jitter_ms,
                queued_ms=counts.queued_ms,
                round_trip_ms=counts.round_trip_ms,
                video_kbps=kbps,
                # A still picture needs little of what was asked for: only a camera that had more is starved.
                asked_kbps=min(self._video_min_kbps, source.usual_kbps) if camera else None,
                frame_rate=counts.frame_rate,
                broken=broken,
                keyframe_s=keys,
            )
        )

    def _judge_programme(self, pipeline: BroadcastPipeline, now_ms: int, step_ms: int) -> None:
        ladder = pipeline.ladder
        self._programme.encoder(now_ms, step_ms, ", ".join([*ladder.shedding, *sorted(ladder.failing)]))
        source = self._sources.get(self._on_programme)
        measure = source.measure if source is not None else None
        muted = self._config.orders.of_source(self._on_programme).mute
        if measure is None or muted or now_ms - measure.at_ms > 1000:
            # A source that the crew has muted is silent on purpose.
            return
        reading = pipeline.loudness.reading
        # A silence that the source has itself is told of the source.
        peak = reading.peak if measure.peak > -50 else SILENT_DB + 120
        self._programme.level(now_ms, reading.momentary, peak, voice=bool(measure.voice))


def _with_sets(source: _Source, incoming: IncomingUnit) -> AccessUnit:
    """A key frame that can be decoded by itself."""
    unit, avc = incoming.unit, incoming.avc
    if avc is None or (avc.sps and avc.pps):
        return unit
    return replace(unit, data=h264.to_annexb([*source.sps, *source.pps]) + unit.data)


def _measure_of(judge: SourceJudge, natural_s: float | None) -> MediaMeasure:
    loudness = None if judge.loudness is None else round(judge.loudness, 1)
    return MediaMeasure(loudness, judge.heard_ms, judge.voice_ms, judge.moved_ms, natural_s)
