"""Feeds stand between packagers and outputs: a feed stores each part once and gives it to every output that lists it.

There is a feed for the programme and one for the slate that stands in for it. Runs on the room process's loop.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from streamer.broadcast.media_events import PRIVATE_PREFIX
from streamer.broadcast.programme import Chunk
from streamer.formats.types import Cut, TrackConfig
from streamer.media.packager import MadePart
from streamer.media.spans import Spans

PROGRAMME = "programme"
SLATE_FEED = "slate"


class PartStore(Protocol):
    """Stores the bytes of parts. ``media/recorder.py`` is the real one."""

    def write(self, stream: str, start: int, data: bytes, *, new_segment: bool, record: bool = True) -> Chunk:
        """Take the next part of a stream; never blocks. ``start`` in ticks; ``new_segment`` allows a new file; without
        ``record`` it stays in memory."""


class BroadcastStore(PartStore, Protocol):
    """The further methods that a broadcast needs."""

    def forget(self, chunks: Iterable[Chunk]) -> None:
        """Delete these bytes, which no output lists."""

    def new_files(self, start: int) -> None:
        """No file holds bytes of segments that begin at ``start`` or later together with earlier ones."""


class FeedOutput(Protocol):
    """An output as its feed sees it."""

    @property
    def name(self) -> str: ...

    def segment_opened(self, feed: str, track: str, cut: Cut) -> None: ...

    def wanted(self, feed: str, made: MadePart) -> MadePart | None: ...

    def part(self, feed: str, made: MadePart, chunk: Chunk) -> None: ...

    def segment_closed(self, feed: str, track: str, number: int) -> None: ...


@dataclass(slots=True, frozen=True)
class _StandIn:
    number: int
    track: str


def stream_name(output: str) -> str:
    """The output's name in file names. The key of a closed session must not be readable there."""
    return hashlib.sha256(output.encode()).hexdigest()[:8] if output.startswith(PRIVATE_PREFIX) else output


class TrackFeed:
    """A :class:`~streamer.media.packager.PackagerListener` for all tracks of one feed.

    ``name`` is :data:`PROGRAMME` or :data:`SLATE_FEED`. A part that no output lists is not stored. ``streams`` is the
    prefix of its streams' names; parts in ``unrecorded`` stretches are stored in memory only.
    """

    def __init__(
        self,
        name: str,
        store: PartStore,
        outputs: Sequence[FeedOutput] = (),
        *,
        streams: str | None = None,
        unrecorded: Spans | None = None,
    ) -> None:
        self.name = name
        self.outputs: list[FeedOutput] = list(outputs)
        self.unlisted_total = 0
        """Parts that no output listed."""
        self._store = store
        self._streams = ("" if name == PROGRAMME else f"{name}-") if streams is None else streams
        self._unrecorded = unrecorded or Spans()
        self._stand_ins: dict[str, deque[_StandIn]] = {}

    def stand_in(self, track: str, other: str, cut: Cut) -> None:
        """From segment ``cut.number`` on ``track`` lists the segments of ``other``, or its own again if ``other`` is
        ``track``.

        Call it before the first part of that segment comes in either track. If ``other`` is replaced itself, the
        segments of its replacement are listed.
        """
        # Tracks that lag may still be in a segment before it.
        self._stand_ins.setdefault(track, deque(maxlen=4)).append(_StandIn(cut.number, other))

    def segment_opened(self, track: str, cut: Cut, start: int, config: TrackConfig) -> None:
        for name in self._listed_as(track, cut.number):
            for output in self.outputs:
                output.segment_opened(self.name, name, cut)

    def part(self, made: MadePart) -> None:
        chunk: Chunk | None = None
        listed = False
        for name in self._listed_as(made.track, made.number):
            named = made if name == made.track else replace(made, track=name)
            for output in self.outputs:
                wanted = output.wanted(self.name, named)
                if wanted is None:
                    continue
                listed = True
                if wanted is not named:
                    output.part(self.name, wanted, self._write(wanted, f"{stream_name(output.name)}-"))
                    continue
                if chunk is None:
                    chunk = self._write(made)
                output.part(self.name, named, chunk)
        if not listed:
            self.unlisted_total += 1

    def segment_closed(self, track: str, number: int) -> None:
        for name in self._listed_as(track, number):
            for output in self.outputs:
                output.segment_closed(self.name, name, number)

    def _write(self, made: MadePart, altered_for: str = "") -> Chunk:
        # A separate file for each track of each feed, so that the parts of a segment lie side by side.
        stream = f"{altered_for}{self._streams}{made.track}"
        record = not self._unrecorded.overlap(made.start, made.end)
        return self._store.write(stream, made.start, made.data, new_segment=made.index == 0, record=record)

    def _listed_as(self, track: str, number: int) -> list[str]:
        """The tracks that list segment ``number`` of ``track``: itself, unless another replaces it, and the tracks that
        it replaces."""
        own = [track] if self._source_of(track, number) == track else []
        return own + [name for name in self._stand_ins if name != track and self._source_of(name, number) == track]

    def _source_of(self, track: str, number: int) -> str:
        """The track whose segment ``number`` is listed instead of the track's own; chains are followed to their end."""
        seen = {track}
        while (other := self._stand_in_of(track, number)) not in seen:
            seen.add(other)
            track = other
        return track

    def _stand_in_of(self, track: str, number: int) -> str:
        for entry in reversed(self._stand_ins.get(track, ())):
            if entry.number <= number:
                return entry.track
        return track
