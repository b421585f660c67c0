"""Hand-written stand-ins around packagers and outputs: a store without a disk, feeds driven by a script."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache

import msgspec

from streamer.broadcast.media_events import PUBLIC, InitMade, MediaEvent, Opened, PartMade, SegmentOpened
from streamer.broadcast.programme import Broadcast, Chunk, Rendition
from streamer.broadcast.view import BroadcastView
from streamer.formats import cmaf, h264
from streamer.formats.types import Cut, Sample, TrackConfig
from streamer.media.packager import MadePart
from tests.fakes.encoded import h264_seconds

FRAME = 3000
AAC_FRAME = 1920
VIDEO = Rendition("v180", "video", "avc1.42c01e", 600_000, 500_000, 320, 180, 30.0)
LOW = Rendition("v90", "video", "avc1.42c01e", 200_000, 150_000, 160, 90, 30.0)
SOUND = Rendition("a128", "audio", "mp4a.40.2", 140_000, 130_000, channels=2)


def broadcast(**changes: object) -> Broadcast:
    values: dict[str, object] = {
        "id": "b-unguessable",
        "room": "paris-1",
        "epoch_ms": 1_790_000_000_000,
        "renditions": (VIDEO, LOW, SOUND),
        **changes,
    }
    return Broadcast(**values)  # type: ignore[arg-type]


@cache
def pictures(
    width: int = 320, height: int = 180, seconds: int = 5
) -> tuple[TrackConfig, tuple[tuple[bytes, bool], ...]]:
    """A track's config, and (sample data, sync) of each frame at 30 fps, with a sync sample each second."""
    units = [h264.parse_access_unit(data) for data, _ in h264_seconds(width, height, seconds)]
    first = units[0]
    return cmaf.video_config(first.sps, first.pps), tuple((unit.data, unit.idr) for unit in units)


def video_samples(start: int, seconds: int = 5, frame: int = FRAME) -> tuple[TrackConfig, list[Sample]]:
    config, frames = pictures(seconds=seconds)
    return config, [Sample(data, start + i * frame, sync) for i, (data, sync) in enumerate(frames)]


@dataclass
class MemoryStore:
    """A part store that gives places in files that are not there."""

    written: dict[tuple[str, int], bytes] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    in_memory: dict[int, bytes] = field(default_factory=dict)
    memory_offset: int = 0

    def write(self, stream: str, start: int, data: bytes, *, new_segment: bool, record: bool = True) -> Chunk:
        if not record:
            self.memory_offset -= 1
            self.in_memory[self.memory_offset] = data
            return Chunk("", self.memory_offset, len(data))
        file = f"b/{stream}-0000.m4s"
        offset = self.sizes.get(file, 0)
        self.sizes[file] = offset + len(data)
        self.written[(file, offset)] = data
        return Chunk(file, offset, len(data))

    def new_files(self, start: int) -> None: ...

    def forget(self, chunks: Iterable[Chunk]) -> None:
        for chunk in chunks:
            self.written.pop((chunk.file, chunk.offset), None)


@dataclass
class PartLog:
    """A packager's listener that keeps its events."""

    opened: list[tuple[Cut, int]] = field(default_factory=list)
    parts: list[MadePart] = field(default_factory=list)
    closed: list[int] = field(default_factory=list)

    def segment_opened(self, track: str, cut: Cut, start: int, config: TrackConfig) -> None:
        self.opened.append((cut, start))

    def part(self, made: MadePart) -> None:
        self.parts.append(made)

    def segment_closed(self, track: str, number: int) -> None:
        self.closed.append(number)


@dataclass
class Listed:
    """Everything that an output ever listed, by (rendition, msn)."""

    segments: dict[tuple[str, int], SegmentOpened] = field(default_factory=dict)
    parts: dict[tuple[str, int], list[PartMade]] = field(default_factory=dict)


class Mirror:
    """Takes the outputs' events as a web process would, and remembers everything that was ever listed."""

    def __init__(self, of: Broadcast) -> None:
        self.view = BroadcastView()
        self.view.apply(Opened(broadcast=of))
        self.events: list[MediaEvent] = []
        self.outputs: dict[str, Listed] = {}
        self.inits: dict[int, InitMade] = {}
        self.bytes: dict[tuple[str, int], bytes] = {}
        """By place: they are told once."""

    @property
    def segments(self) -> dict[tuple[str, int], SegmentOpened]:
        """Of the public output."""
        return self.of(PUBLIC).segments

    @property
    def parts(self) -> dict[tuple[str, int], list[PartMade]]:
        return self.of(PUBLIC).parts

    def of(self, output: str) -> Listed:
        return self.outputs.setdefault(output, Listed())

    def event(self, event: MediaEvent) -> None:
        self.view.apply(event)
        self.events.append(event)
        if isinstance(event, SegmentOpened):
            self.of(event.output).segments[(event.rendition, event.segment.msn)] = event
        elif isinstance(event, PartMade):
            place = (event.part.chunk.file, event.part.chunk.offset)
            if event.data:
                self.bytes[place] = event.data
            else:
                event = msgspec.structs.replace(event, data=self.bytes[place])
            self.of(event.output).parts.setdefault((event.rendition, event.msn), []).append(event)
        elif isinstance(event, InitMade):
            self.inits[event.init.id] = event

    def last_msn(self, rendition: str) -> int:
        return max((msn for name, msn in self.segments if name == rendition), default=-1)


@dataclass
class Scripted:
    """One track of a feed, given parts of a third of a second by a script instead of a packager."""

    feed: object
    track: str
    config: TrackConfig
    number: int = -1
    index: int = 0
    at: int = 0

    def open(self, cut: Cut) -> None:
        if self.number >= 0:
            self.close()
        self.number, self.index = cut.number, 0
        self.at = max(self.at, cut.start)
        self.feed.segment_opened(self.track, cut, self.at, self.config)  # type: ignore[attr-defined]

    def part(self, duration: int = 30_000) -> MadePart:
        made = MadePart(
            self.track, self.number, self.index, self.at, duration, self.index == 0, self.config, self._bytes()
        )
        self.index += 1
        self.at += duration
        self.feed.part(made)  # type: ignore[attr-defined]
        return made

    def close(self) -> None:
        if self.number >= 0:
            self.feed.segment_closed(self.track, self.number)  # type: ignore[attr-defined]
        self.number = -1

    def _bytes(self) -> bytes:
        return f"{self.track}:{self.number}.{self.index}@{self.at}".encode()
