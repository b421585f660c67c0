"""The slate in place of a programme that goes on unseen: an output between going off and on air.

Runs on the loop. Nothing is encoded: clips with their times patched, and one frame of silence again and again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Protocol

import numpy as np

from streamer.broadcast.programme import TICKS_PER_S, Broadcast
from streamer.formats.types import Cut, Sample, TrackConfig
from streamer.media.audio import AAC_FRAME, AAC_TICKS, AacEncoder
from streamer.media.feeds import Feed
from streamer.media.grid import SegmentGrid
from streamer.media.packager import TrackPackager
from streamer.media.slate import SLATE_KIND, SlateClip

LAG_TICKS = TICKS_PER_S // 10
"""Written so far behind now: the programme comes back at a key frame, which was some time on its way."""


class SlateSource(Protocol):
    """What the line lends."""

    broadcast: Broadcast
    grid: SegmentGrid
    top: str

    def clips(self, kind: str) -> Mapping[str, SlateClip]: ...

    def relay_picture(self, sample: Sample, config: TrackConfig) -> None: ...

    def silence(self, to: int) -> None: ...


@lru_cache(maxsize=8)
def silent_frame(bitrate: int) -> bytes:
    """One AAC frame of silence, from an encoder that has been silent for a while, so that any number may follow."""
    encoder = AacEncoder(bitrate, 0)
    silence = np.zeros((2, AAC_FRAME), dtype=np.float32)
    frames = [sample for _ in range(8) for sample in encoder.encode(silence)]
    return frames[-1].data


class OffAir:
    """Writes slate segments from ``start`` on to the slate's feed.

    ``sounds`` and ``bitrates`` (bits per second) are those of the sound renditions, by name. ``number`` is that of the
    last segment of the times before: the output knows the feed's segments by their numbers. With ``relay`` the
    lowest-latency viewers get it, too.
    """

    def __init__(
        self,
        line: SlateSource,
        feed: Feed,
        sounds: Mapping[str, TrackConfig],
        bitrates: Mapping[str, int],
        start: int,
        *,
        number: int = 0,
        relay: bool = True,
    ) -> None:
        self._line = line
        self._relay = relay
        self._sounds = sounds
        self._silence = {name: silent_frame(bitrate) for name, bitrate in bitrates.items()}
        self._packagers = {
            r.name: TrackPackager(r.name, feed, part_target_ticks=line.broadcast.part_target_ticks)
            for r in line.broadcast.renditions
        }
        self.number = number
        self._segment = start
        self._next = start
        self._next_sound = -(-(start - AAC_TICKS // 2) // AAC_TICKS) * AAC_TICKS
        """The nearest frame, where the programme's sound was cut; the earlier one of two that are as near."""
        self._frames: dict[str, Iterator[Sample]] = {}
        self._configs: dict[str, TrackConfig] = {}
        self._frame_ticks = TICKS_PER_S // 15

    def write(self, to: int) -> None:
        """Write pictures and silence; ``to`` is now."""
        if self._relay:
            self._line.silence(to)
        to -= LAG_TICKS
        grid = self._line.grid
        # One that is about to end is not followed by another: of a few ms there would be no sound.
        longest = grid.longest if grid.demanded else grid.nominal
        while self._next <= to:
            if not self._frames or self._next - self._segment >= longest - self._frame_ticks // 2:
                self._open(self._next)
            self._picture()
        self._write_silence(to)

    def end(self, at: int) -> None:
        """The programme is back from ``at`` on."""
        # A picture that is held for long would be a part of its own, and the one before it too short.
        while self._frames and self._next + self._frame_ticks // 2 <= at:
            self._picture()
        self._write_silence(at + AAC_TICKS // 2)
        for packager in self._packagers.values():
            packager.end(at)

    def _picture(self) -> None:
        for rendition, frames in self._frames.items():
            sample = next(frames)
            self._packagers[rendition].push(sample)
            if self._relay and rendition == self._line.top:
                self._line.relay_picture(sample, self._configs[rendition])
        self._next += self._frame_ticks

    def _write_silence(self, to: int) -> None:
        while self._next_sound + AAC_TICKS <= to:
            for name, silence in self._silence.items():
                self._packagers[name].push(Sample(silence, self._next_sound, sync=True))
            self._next_sound += AAC_TICKS

    def _open(self, start: int) -> None:
        clips = self._line.clips(SLATE_KIND)
        configs = {name: clip.config for name, clip in clips.items()}
        self.number += 1
        cut = Cut(self.number, start, discontinuity=not self._frames or configs != self._configs)
        self._configs, self._segment = configs, start
        for name, clip in clips.items():
            self._frame_ticks = clip.frame_ticks
            self._packagers[name].begin(cut, clip.config)
        self._frames = {name: clip.samples(start, start + 2 * self._line.grid.nominal) for name, clip in clips.items()}
        for name, config in self._sounds.items():
            self._packagers[name].begin(cut, config)
