"""A broadcast that is packaged for real and recorded on a real disk, without a room process around it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from streamer.broadcast.media_events import MediaEvent, Opened
from streamer.broadcast.programme import Broadcast
from streamer.broadcast.view import BroadcastView
from streamer.formats import cmaf
from streamer.formats.types import Cut, Sample
from streamer.media.feeds import PROGRAMME, TrackFeed
from streamer.media.inits import Inits
from streamer.media.outputs import Output
from streamer.media.packager import TrackPackager
from streamer.media.recorder import Recorder
from streamer.media.recovery import Recovered
from streamer.media.spans import Spans
from tests.fakes.packaging import AAC_FRAME, FRAME, SOUND, VIDEO, broadcast, pictures

SEGMENT = 60
"""Frames of a segment."""


class RecordedBroadcast:
    """Two renditions, real pictures and placeholder sound, written segment by segment."""

    def __init__(self, folder: Path, recovered: Recovered | None = None, *, start: int = 0, **options: int) -> None:
        self.of: Broadcast = recovered.broadcast if recovered else broadcast(renditions=(VIDEO, SOUND), **options)
        self.view = BroadcastView()
        self.view.apply(recovered.snapshot if recovered else Opened(broadcast=self.of))
        self.recorder = Recorder(
            folder,
            self.of,
            self.view.snapshot,
            next_files=recovered.next_files if recovered else None,
            next_index=recovered.next_index if recovered else 0,
        )
        self.recorder.start()
        self.output = Output(
            self.of,
            Inits(recovered.inits if recovered else ()),
            self._event,
            state=recovered.outputs.get("public") if recovered else None,
        )
        self.unrecorded = Spans()
        """Stretches whose parts are kept in memory only."""
        feed = TrackFeed(PROGRAMME, self.recorder, [self.output], unrecorded=self.unrecorded)
        self.picture = TrackPackager("v180", feed)
        self.sound = TrackPackager("a128", feed)
        self.number = 0
        self.start = start // AAC_FRAME * AAC_FRAME
        self._sound_at = self.start

    def _event(self, event: MediaEvent) -> None:
        self.view.apply(event)
        self.recorder.journal(event)

    def write(self, segments: int, frames: int = SEGMENT) -> None:
        """Write whole segments; the last one of ``frames`` pictures."""
        config, encoded = pictures()
        for count in range(segments):
            cut = Cut(self.number, self.start, discontinuity=self.number == 0)
            self.number += 1
            self.picture.begin(cut, config)
            self.sound.begin(cut, cmaf.aac_config())
            length = SEGMENT if count < segments - 1 else frames
            for index in range(length):
                data, sync = encoded[index % 150]
                at = self.start + index * FRAME
                self.picture.push(Sample(data, at, sync))
                while self._sound_at + AAC_FRAME <= at:
                    self.sound.push(Sample(bytes(200), self._sound_at, True))
                    self._sound_at += AAC_FRAME
            self.start += length * FRAME

    async def finish(self) -> None:
        assert await self.recorder.close()


def joined(folder: Path, segment_parts: Iterable[object]) -> bytes:
    """The bytes of parts, from the files."""
    out = []
    for part in segment_parts:
        chunk = part.chunk  # type: ignore[attr-defined]
        data = (folder / chunk.file).read_bytes()[chunk.offset : chunk.offset + chunk.size]
        assert len(data) == chunk.size
        out.append(data)
    return b"".join(out)
