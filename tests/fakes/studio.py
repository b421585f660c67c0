"""A programme on disk: real pictures and sound by real packagers into an output, its files in a room's folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np

from streamer.broadcast.media_events import PROGRAMME_OUTPUT, MediaEvent, Opened
from streamer.broadcast.programme import Broadcast, Chunk
from streamer.broadcast.view import BroadcastView
from streamer.formats import cmaf
from streamer.formats.index import HEADER, encode_event
from streamer.formats.types import Cut, Sample, TrackConfig
from streamer.media.feeds import PROGRAMME, TrackFeed
from streamer.media.outputs import Inits, Output
from streamer.media.packager import TrackPackager
from tests.fakes.packaging import AAC_FRAME, FRAME, LOW, SOUND, VIDEO, broadcast, pictures

SIZES = {VIDEO.name: (320, 180), LOW.name: (160, 90)}


@cache
def aac_second() -> tuple[bytes, ...]:
    """47 frames of a tone of 440 Hz."""
    encoder = av.CodecContext.create("aac", "w")
    encoder.sample_rate, encoder.format, encoder.layout = 48_000, "fltp", "stereo"
    encoder.time_base = Fraction(1, 48_000)
    wave = (np.sin(np.arange(48_000 * 2) * 2 * np.pi * 440 / 48_000) * 0.3).astype(np.float32)
    out: list[bytes] = []
    for at in range(0, len(wave) - 1024, 1024):
        frame = av.AudioFrame.from_ndarray(np.stack([wave[at : at + 1024]] * 2), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, at, Fraction(1, 48_000)
        out += [bytes(packet) for packet in encoder.encode(frame)]
    return tuple(out[4:51])


@cache
def aac_silence() -> bytes:
    """One frame of silence."""
    encoder = av.CodecContext.create("aac", "w")
    encoder.sample_rate, encoder.format, encoder.layout = 48_000, "fltp", "stereo"
    encoder.time_base = Fraction(1, 48_000)
    out: list[bytes] = []
    for at in range(0, 8 * 1024, 1024):
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, at, Fraction(1, 48_000)
        out += [bytes(packet) for packet in encoder.encode(frame)]
    return out[-1]


@dataclass
class DiskStore:
    """Appends parts to files, as the recorder does; begins a new file on request. ``written`` False: nothing reaches
    the disk."""

    room_dir: Path
    folder: str
    number: int = 0
    on_disk: bool = True
    sizes: dict[str, int] = field(default_factory=dict)

    def new_files(self, start: int) -> None:
        self.number += 1

    def write(self, stream: str, start: int, data: bytes, *, new_segment: bool, record: bool = True) -> Chunk:
        file = f"{self.folder}/{stream}-{self.number:04d}.m4s"
        offset = self.sizes.get(file, 0)
        if self.on_disk:
            path = self.room_dir / file
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("r+b" if path.exists() else "w+b") as out:
                out.seek(offset)
                out.write(data)
        self.sizes[file] = offset + len(data)
        return Chunk(file, offset, len(data))


class Studio:
    """Two pictures of 30 fps with a key frame each second, and a sound, in segments of two seconds.

    The grey of the picture is that of ``GREYS[second % 5]``. ``emit`` gets all events, ``Opened`` first.
    """

    def __init__(
        self,
        room_dir: Path,
        emit: Callable[[MediaEvent], None],
        *,
        of: Broadcast | None = None,
        outputs: Sequence[str] = (PROGRAMME_OUTPUT,),
    ) -> None:
        self.broadcast = of or broadcast(room="salle")
        self.store = DiskStore(room_dir, self.broadcast.id)
        emit(Opened(broadcast=self.broadcast))
        inits = Inits()
        self.outputs = [Output(self.broadcast, inits, emit, name=name) for name in outputs]
        self.feed = TrackFeed(PROGRAMME, self.store, self.outputs)
        self.packagers = {r.name: TrackPackager(r.name, self.feed) for r in self.broadcast.renditions}
        self.configs: dict[str, TrackConfig] = {
            **{name: pictures(*size)[0] for name, size in SIZES.items()},
            SOUND.name: cmaf.aac_config(),
        }
        self.cuts = 0
        self.frame = 0
        self.sound = 0
        self.discontinuity = False
        self.silences: list[tuple[float, float]] = []
        """Stretches without sound, in seconds of the broadcast."""
        self.frames: Sequence[bytes] = ()
        """The sound, again and again; empty: a tone."""

    @property
    def now_ms(self) -> int:
        return self.broadcast.media_time_ms(self.frame * FRAME)

    def at(self, seconds: float) -> int:
        """Media time of a moment of the broadcast, UTC milliseconds."""
        return self.broadcast.epoch_ms + round(seconds * 1000)

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds * 30)):
            self.picture()

    def picture(self) -> None:
        at = self.frame * FRAME
        if self.frame % 60 == 0:
            self.cut(at)
        for name, size in SIZES.items():
            samples = pictures(*size)[1]
            data, sync = samples[self.frame % len(samples)]
            self.packagers[name].push(Sample(data, at, sync))
        self.frame += 1
        while (self.sound + 1) * AAC_FRAME <= self.frame * FRAME:
            frames = self.frames or aac_second()
            frame = frames[self.sound % len(frames)]
            if any(begin <= self.sound * 1024 / 48_000 < end for begin, end in self.silences):
                frame = aac_silence()
            self.packagers[SOUND.name].push(Sample(frame, self.sound * AAC_FRAME, True))
            self.sound += 1

    def cut(self, at: int) -> None:
        cut = Cut(self.cuts, at, discontinuity=self.cuts == 0 or self.discontinuity)
        self.discontinuity = False
        self.cuts += 1
        for name, packager in self.packagers.items():
            packager.begin(cut, self.configs[name])


def write_programme(room_dir: Path, room: str, *, epoch_ms: int, seconds: float) -> Studio:
    """A room's folder as a broadcast leaves it that was on air from ``epoch_ms`` on: media and their index."""
    view = BroadcastView()
    studio = Studio(room_dir, view.apply, of=broadcast(room=room, epoch_ms=epoch_ms))
    studio.run(seconds)
    record = encode_event(view.snapshot())
    assert record is not None
    (room_dir / studio.broadcast.id / "index-000001.sx").write_bytes(HEADER + record)
    return studio
