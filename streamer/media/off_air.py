"""The slate of an output that is off air while the programme goes on unseen.

Runs on the loop. It encodes nothing: it uses clips with their times patched, and one frame of silence again and again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from streamer.broadcast.programme import TICKS_PER_S, Broadcast
from streamer.formats.types import Cut, Sample, TrackConfig
from streamer.media.aac import AAC_TICKS
from streamer.media.feeds import TrackFeed
from streamer.media.grid import SegmentGrid
from streamer.media.muting import silent_frame
from streamer.media.packager import TrackPackager
from streamer.media.relay_timeline import RelayTimeline
from streamer.media.slate import SLATE_KIND
from streamer.media.slates import LEAST_OLD_TICKS, SlateShelf

LAG_TICKS = TICKS_PER_S // 10
"""The slate is written up to this long before now. The programme comes back at a key frame, which needed time to
arrive."""


@dataclass(slots=True, frozen=True)
class SlateParts:
    """The parts of a broadcast that every slate of its outputs needs."""

    broadcast: Broadcast
    grid: SegmentGrid
    top: str
    slates: SlateShelf
    relay: RelayTimeline
    sound_configs: Mapping[str, TrackConfig]
    sound_bitrates: Mapping[str, int]
    """Rendition -> bits per second."""


class OffAir:
    """Writes slate segments from ``start`` on to the slate's feed.

    ``number`` is that of the last segment of the times before: the output knows the feed's segments by their numbers.
    With ``relayed`` the WHEP viewers get it, too.
    """

    def __init__(
        self, parts: SlateParts, feed: TrackFeed, start: int, *, number: int = 0, relayed: bool = True
    ) -> None:
        self._parts = parts
        self._relayed = relayed
        self._silence = {name: silent_frame(bitrate) for name, bitrate in parts.sound_bitrates.items()}
        self._packagers = {
            r.name: TrackPackager(r.name, feed, part_target_ticks=parts.broadcast.part_target_ticks)
            for r in parts.broadcast.renditions
        }
        self.number = number
        self._segment = start
        self._titles = parts.slates.titles
        self._next = start
        self._next_sound = -(-(start - AAC_TICKS // 2) // AAC_TICKS) * AAC_TICKS
        """The nearest frame to the cut of the programme's sound; of two equally near ones the earlier."""
        self._frames: dict[str, Iterator[Sample]] = {}
        self._configs: dict[str, TrackConfig] = {}
        self._frame_ticks = TICKS_PER_S // 15

    def write(self, to: int) -> None:
        """Write pictures and silence up to ``to``, which is now."""
        if self._relayed:
            self._parts.relay.silence(to)
        to -= LAG_TICKS
        grid = self._parts.grid
        # A segment that is about to end is not followed by another: a few ms would have no sound.
        longest = grid.longest if grid.demanded else grid.nominal
        while self._next <= to:
            age = self._next - self._segment
            new_title = self._titles != self._parts.slates.titles and age >= LEAST_OLD_TICKS
            if not self._frames or new_title or age >= longest - self._frame_ticks // 2:
                self._open(self._next)
            self._picture()
        self._write_silence(to)

    def end(self, at: int) -> None:
        """The programme is back from ``at`` on."""
        # A picture that is held for long would be a part of its own, and the part before it too short.
        while self._frames and self._next + self._frame_ticks // 2 <= at:
            self._picture()
        self._write_silence(at + AAC_TICKS // 2)
        for packager in self._packagers.values():
            packager.end(at)

    def _picture(self) -> None:
        for rendition, frames in self._frames.items():
            sample = next(frames)
            self._packagers[rendition].push(sample)
            if self._relayed and rendition == self._parts.top:
                self._parts.relay.picture(sample, self._configs[rendition])
        self._next += self._frame_ticks

    def _write_silence(self, to: int) -> None:
        while self._next_sound + AAC_TICKS <= to:
            for name, silence in self._silence.items():
                self._packagers[name].push(Sample(silence, self._next_sound, sync=True))
            self._next_sound += AAC_TICKS

    def _open(self, start: int) -> None:
        clips = self._parts.slates.clips(SLATE_KIND)
        self._titles = self._parts.slates.titles
        configs = {name: clip.config for name, clip in clips.items()}
        self.number += 1
        cut = Cut(self.number, start, discontinuity=not self._frames or configs != self._configs)
        self._configs, self._segment = configs, start
        for name, clip in clips.items():
            self._frame_ticks = clip.frame_ticks
            self._packagers[name].begin(cut, clip.config)
        self._frames = {name: clip.samples(start, start + 2 * self._parts.grid.nominal) for name, clip in clips.items()}
        for name, config in self._parts.sound_configs.items():
            self._packagers[name].begin(cut, config)
