"""Synthetic broadcasts: the events of a room process, with bytes that name their own place.

The bytes are no media (each part is a line of text repeated to its size), so a test can see from a response which part
of which segment it got.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from streamer.broadcast.media_events import (
    PUBLIC,
    Closed,
    InitMade,
    IntervalOpened,
    MediaEvent,
    Opened,
    PartMade,
    SegmentDone,
    SegmentOpened,
    StillMade,
    Trimmed,
)
from streamer.broadcast.programme import Broadcast, Chunk, InitSection, Interval, Part, Rendition, Segment

EPOCH_MS = 1_795_000_000_000
AAC_FRAME = 1920
PART = 30_000

RENDITIONS = (
    Rendition("v720", "video", "avc1.4d401f", 3_000_000, 2_500_000, 1280, 720, 30.0),
    Rendition("v360", "video", "avc1.42c01e", 900_000, 700_000, 640, 360, 30.0),
    Rendition("a128", "audio", "mp4a.40.2", 140_000, 128_000, channels=2),
)


@dataclass
class FakeBroadcast:
    """Makes events, segment by segment. ``emit`` gets each one, stamped with its ``seq``."""

    emit: Callable[[MediaEvent], None]
    room: str = "salle"
    id: str = "b4f0c1"
    renditions: tuple[Rendition, ...] = RENDITIONS
    room_dir: Path | None = None
    """The folder for bytes; None: parts are in memory only."""
    output: str = PUBLIC
    part_bytes: int = 400
    dvr_s: int = 7200
    target_duration_s: int = 3
    caption_languages: tuple[str, ...] = ()

    seq: int = 0
    msn: int = 0
    at: int = 0
    """The begin of the next segment, ticks."""
    interval: Interval | None = None
    init: dict[str, int] = field(default_factory=dict)
    ends: dict[str, int] = field(default_factory=dict)
    discontinuities: list[int] = field(default_factory=list)
    first_msn: int = 0
    data: dict[tuple[str, int, int], bytes] = field(default_factory=dict)
    """(rendition, msn, part index) -> bytes."""
    _next_init: int = 1
    _negative: int = -1
    _sizes: dict[str, int] = field(default_factory=dict)
    _pending_discontinuity: bool = False

    def send(self, event: MediaEvent) -> None:
        self.seq += 1
        event.seq = self.seq
        self.emit(event)

    def open(self, *, aired: bool = True) -> FakeBroadcast:
        self.broadcast = Broadcast(
            self.id,
            self.room,
            EPOCH_MS,
            self.renditions,
            target_duration_s=self.target_duration_s,
            dvr_s=self.dvr_s,
            caption_languages=self.caption_languages,
        )
        self.ends = {r.name: self.at for r in self.renditions}
        self.send(Opened(broadcast=self.broadcast))
        self.new_inits()
        self._pending_discontinuity = False
        self.new_interval(aired=aired, discontinuity=False)
        return self

    def new_inits(self) -> None:
        """Every rendition gets a new init section, at a discontinuity."""
        for r in self.renditions:
            data = f"init {self._next_init} of {r.name};".encode()
            self.send(InitMade(init=InitSection(self._next_init, r.name, r.codecs, data)))
            self.init[r.name] = self._next_init
            self._next_init += 1
        self._pending_discontinuity = True

    def new_interval(self, *, aired: bool, discontinuity: bool = True) -> None:
        index = self.interval.index + 1 if self.interval else 0
        self.interval = Interval(index, f"k{index}-{self.id}", aired, self.at)
        self.send(IntervalOpened(output=self.output, interval=self.interval))
        self._pending_discontinuity |= discontinuity

    def jump(self, ticks: int) -> None:
        """The room process crashed: nothing for a while, then a discontinuity."""
        self.at = max(self.at, *self.ends.values()) + ticks
        self.ends = dict.fromkeys(self.ends, self.at)
        self._pending_discontinuity = True

    def begin(self) -> None:
        """Open the next segment in every rendition."""
        assert self.interval is not None
        self.discontinuous = self._pending_discontinuity
        self._pending_discontinuity = False
        if self.discontinuous:
            self.discontinuities.append(self.msn)
        for r in self.renditions:
            self.open_segment(r)

    def open_segment(self, r: Rendition, *, gap_duration: int = 0) -> None:
        assert self.interval is not None
        segment = Segment(
            msn=self.msn,
            start=self.ends[r.name],
            init=self.init[r.name],
            discontinuity=self.discontinuous,
            interval=self.interval.index,
            complete=gap_duration > 0,
            gap=gap_duration > 0,
            gap_duration=gap_duration,
        )
        self.send(SegmentOpened(output=self.output, rendition=r.name, segment=segment))

    def part(self, r: Rendition, index: int, duration: int) -> None:
        head = f"{r.name} {self.msn}.{index};".encode()
        data = (head * (self.part_bytes // len(head) + 1))[: self.part_bytes]
        self.data[(r.name, self.msn, index)] = data
        independent = r.kind == "audio" or index == 0
        part = Part(self.ends[r.name], duration, independent, self._store(r.name, data))
        self.ends[r.name] += duration
        self.send(
            PartMade(output=self.output, rendition=r.name, msn=self.msn, index=index, part=part, data=data),
        )

    def done(self, renditions: Iterable[Rendition] | None = None) -> None:
        for r in renditions or self.renditions:
            self.send(SegmentDone(output=self.output, rendition=r.name, msn=self.msn))
        self.msn += 1

    def segment(self, parts: int = 6, *, gap_in: Iterable[str] = (), last_part: int = PART) -> int:
        """A whole segment of ``parts`` parts in every rendition, in the order of time. Returns its number."""
        gaps = set(gap_in)
        assert self.interval is not None
        length = PART * (parts - 1) + last_part
        end = self.at + length
        self.discontinuous = self._pending_discontinuity
        self._pending_discontinuity = False
        if self.discontinuous:
            self.discontinuities.append(self.msn)
        plans: list[tuple[int, Rendition, int, int]] = []
        for r in self.renditions:
            if r.name in gaps:
                self.open_segment(r, gap_duration=end - self.ends[r.name])
                self.ends[r.name] = end
                continue
            self.open_segment(r)
            at = self.ends[r.name]
            for index, duration in enumerate(self.part_durations(r, end)):
                at += duration
                plans.append((at, r, index, duration))
        for _, r, index, duration in sorted(plans, key=lambda plan: plan[0]):
            self.part(r, index, duration)
        for r in self.renditions:
            if r.name not in gaps:
                self.send(SegmentDone(output=self.output, rendition=r.name, msn=self.msn))
        self.at = end
        self.msn += 1
        return self.msn - 1

    def part_durations(self, r: Rendition, end: int) -> list[int]:
        """Sound is cut at the AAC frame nearest to ``end``, a part holds 15 frames (0.32 s)."""
        left = end - self.ends[r.name]
        if r.kind == "audio":
            left = round(left / AAC_FRAME) * AAC_FRAME
        step = PART if r.kind == "video" else 15 * AAC_FRAME
        return [min(step, left - at) for at in range(0, left, step)]

    def segments(self, count: int) -> None:
        for _ in range(count):
            self.segment()

    def trim(self, first_msn: int, *, withdrawn: bool = False) -> None:
        self.first_msn = first_msn
        gone = sum(1 for msn in self.discontinuities if msn < first_msn)
        self.send(Trimmed(output=self.output, first_msn=first_msn, discontinuity_sequence=gone, withdrawn=withdrawn))

    def still(self, jpeg: bytes = b"\xff\xd8 a picture \xff\xd9") -> None:
        self.send(StillMade(output=self.output, at_ms=EPOCH_MS + self.at // 90, jpeg=jpeg))

    def close(self) -> None:
        self.send(Closed())

    def segment_bytes(self, rendition: str, msn: int) -> bytes:
        keys = sorted(k for k in self.data if k[:2] == (rendition, msn))
        return b"".join(self.data[k] for k in keys)

    def _store(self, rendition: str, data: bytes) -> Chunk:
        if self.room_dir is None:
            self._negative -= 1
            return Chunk("", self._negative, len(data))
        file = f"{self.id}/{rendition}-0000.m4s"
        path = self.room_dir / file
        path.parent.mkdir(parents=True, exist_ok=True)
        offset = self._sizes.get(file, 0)
        with path.open("ab") as out:
            out.write(data)
        self._sizes[file] = offset + len(data)
        return Chunk(file, offset, len(data))
