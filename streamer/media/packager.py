"""From samples to CMAF parts: one rendition of the programme or of the slate.

Called on the room process's loop; nothing blocks, nothing is kept longer than one part. Times are ticks of
1/90000 s since the broadcast's epoch.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import Protocol

from streamer.broadcast.programme import TICKS_PER_S
from streamer.formats import cmaf
from streamer.formats.types import Cut, Sample, TrackConfig

MIN_PART_PERCENT = 85
"""RFC 8216bis, 4.4.3.7: each part lasts at least 85 % of the Part Target Duration, except independent ones and the last
of a segment."""
EARLY_TICKS = 8 * TICKS_PER_S // 100
"""A picture may be shown this much before its time where a part would be too short otherwise: a frame of a slow camera.
Sound is noticed as late from 125 ms on (ITU-R BT.1359)."""
LONGEST_PICTURE_TICKS = TICKS_PER_S // 3 - EARLY_TICKS
"""A picture that lasts longer may make a part longer than PART-TARGET."""
MAX_PENDING_CUTS = 32
"""Sound is encoded some hundred ms behind the picture that decides the cuts; more waiting cuts than this are a
fault."""
MAX_PENDING_SAMPLES = 1024


@dataclass(slots=True, frozen=True)
class MadePart:
    """One moof and mdat, finished."""

    track: str
    number: int
    """The number of its grid segment, :attr:`Cut.number`."""
    index: int
    """Its place in the segment, from 0."""
    start: int
    duration: int
    independent: bool
    """Whether it begins with a sync sample; always true for sound."""
    config: TrackConfig
    data: bytes
    samples: tuple[Sample, ...] = ()

    @property
    def end(self) -> int:
        return self.start + self.duration

    def before(self, end: int) -> MadePart | None:
        """The sound of the part up to ``end``; None if it has none. A picture part is not divided."""
        if self.config.kind != "audio" or not self.samples:
            return None
        frame = self.duration // len(self.samples)
        samples = tuple(sample for sample in self.samples if sample.start + frame <= end)
        if not samples:
            return None
        until = samples[-1].start + frame
        data = cmaf.fragment(self.config, cmaf.sequence_number(self.start), samples, until)
        return replace(self, duration=until - self.start, data=data, samples=samples)


class PackagerListener(Protocol):
    """Receives the parts of a packager. Called on the loop, in order, from within the packager's methods."""

    def segment_opened(self, track: str, cut: Cut, start: int, config: TrackConfig) -> None:
        """Grid segment ``cut.number`` begins in this track, with the sample at ``start``."""

    def part(self, made: MadePart) -> None: ...

    def segment_closed(self, track: str, number: int) -> None:
        """No more parts come for this segment in this track. There may have been none."""


class TrackPackager:
    """Cuts one track into segments and parts.

    A cut may be announced before the samples that precede it are in (``begin`` at once in every track, while the sound
    encoder is still behind): it takes effect with the first sample at or after it. Sound is cut at the nearest frame.
    """

    def __init__(self, track: str, listener: PackagerListener, *, part_target_ticks: int = TICKS_PER_S // 3) -> None:
        self.track = track
        self.dropped_total = 0
        """Samples that were refused: not after the one before, outside of any segment, or not decodable at a take's
        begin."""
        self.overlong_total = 0
        """Parts longer than the target, made of a single long frame."""
        self._listener = listener
        self._target = part_target_ticks
        self._least = part_target_ticks * MIN_PART_PERCENT // 100
        self._cuts: deque[tuple[Cut, TrackConfig]] = deque()
        self._cut: Cut | None = None
        self._config: TrackConfig | None = None
        self._index = 0
        self._opened = False
        self._needs_sync = False
        self._pending: list[Sample] = []
        self._last = -1
        self._frame = 0
        """The duration of a sound frame; 0 for pictures."""

    def begin(self, cut: Cut, config: TrackConfig) -> None:
        """A new segment begins at ``cut.start``, from the first sample at or after it (sound: nearest to it).

        The samples before the cut may still be pushed after this call.
        """
        if len(self._cuts) == MAX_PENDING_CUTS:
            self._cuts.popleft()
        self._cuts.append((cut, config))

    def push(self, sample: Sample) -> None:
        """Take the next sample. An unusable sample is dropped and counted; nothing is raised."""
        if sample.start <= self._last or sample.start < 0 or not sample.data:
            self.dropped_total += 1
            return
        self._apply_cuts(sample.start)
        if self._cut is None or (self._needs_sync and not sample.sync):
            self.dropped_total += 1
            return
        self._needs_sync = False
        self._tell_opened(sample.start)
        sample = self._in_time(sample)
        self._close_full_parts(sample.start)
        self._pending.append(sample)
        self._last = sample.start
        if self._frame and sample.start + 2 * self._frame - self._pending[0].start > self._target:
            # The duration of a sound frame is known without the next one.
            self._close_part(sample.start + self._frame)

    def end(self, at: int) -> None:
        """The take ends: the newest sample lasts until ``at`` (sound: its own length) and its segment is closed.

        Samples at or after ``at`` (sound: nearer to its other side) are dropped if no part has them yet.

        Later samples belong to no segment until a cut begins one.
        """
        if self._cut is None:
            return
        # A cut without a sample so far stays: its samples are on their way.
        while self._pending and self._pending[-1].start + self._frame // 2 >= at:
            self._pending.pop()
            self.dropped_total += 1
        self._end_segment(at)

    # --- inside ------------------------------------------------------------------------------------

    def _apply_cuts(self, start: int) -> None:
        """Begin the segments whose cut the sample at ``start`` has reached."""
        while self._cuts:
            cut, config = self._cuts[0]
            frame = 1024 * TICKS_PER_S // config.sample_rate if config.kind == "audio" and config.sample_rate else 0
            if start + frame // 2 < cut.start:
                return
            self._cuts.popleft()
            if self._cut is not None:
                self._tell_opened(self._cut.start)  # its segment had no sample, but existed
                self._end_segment(cut.start if self._last < cut.start <= start else start)
            self._needs_sync = config.kind == "video" and (cut.discontinuity or config != self._config)
            self._cut, self._config, self._index, self._frame = cut, config, 0, frame
            self._opened = False

    def _tell_opened(self, start: int) -> None:
        if not self._opened:
            self._opened = True
            assert self._cut is not None
            assert self._config is not None
            self._listener.segment_opened(self.track, self._cut, start, self._config)

    def _in_time(self, sample: Sample) -> Sample:
        """The picture; a little earlier, at the running part's latest end, if the part would be too long with the
        picture before it and too short without: a frame is missing there."""
        if not self._pending or self._frame:
            return sample
        end = self._pending[0].start + self._target
        short = self._pending[-1].start - self._pending[0].start < self._least
        return replace(sample, start=end) if short and end < sample.start <= end + EARLY_TICKS else sample

    def _close_full_parts(self, start: int) -> None:
        """Finish the part before the sample at ``start`` if the sample would make it longer than the target."""
        pending = self._pending
        if not pending:
            return
        if start - pending[0].start > self._target and len(pending) > 1:
            # RFC 8216bis, 4.4.3.7: "The duration of each Partial Segment MUST be less than or equal to" the target. The
            # newest frame is longer than expected, so it goes into the next part.
            newest = pending.pop()
            self._close_part(newest.start)
            self._pending = pending = [newest]
        length = start - pending[0].start
        full = length >= self._least and length + start - pending[-1].start > self._target
        if full or length >= self._target or len(pending) >= MAX_PENDING_SAMPLES:
            self._close_part(start)

    def _close_part(self, end: int) -> None:
        samples, self._pending = self._pending, []
        if self._frame:
            end = min(end, samples[-1].start + self._frame)  # a hole in the sound is no longer frame
        assert self._cut is not None
        assert self._config is not None
        start = samples[0].start
        if end - start > self._target:
            self.overlong_total += 1
        try:
            data = cmaf.fragment(self._config, cmaf.sequence_number(start), samples, end)
        except ValueError:
            # Two samples lie within one unit of the track's timescale. Such a stream is only counted.
            self.dropped_total += len(samples)
            return
        independent = samples[0].sync or self._config.kind == "audio"
        made = MadePart(
            self.track,
            self._cut.number,
            self._index,
            start,
            end - start,
            independent,
            self._config,
            data,
            tuple(samples),
        )
        self._index += 1
        self._listener.part(made)

    def _end_segment(self, at: int) -> None:
        if self._pending:
            last = self._pending[-1].start
            at = last + self._frame if self._frame else max(at, last + 1)
            self._close_full_parts(at)  # a last picture that is held for long has a part of its own
        if self._pending:
            self._close_part(at)
        if self._cut is not None:
            self._listener.segment_closed(self.track, self._cut.number)
        self._cut = None
