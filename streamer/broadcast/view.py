"""The mirror of a room's broadcast: the present lists of each output.

Pure: events in (:mod:`streamer.broadcast.media_events`), state out; no clock, no I/O, one owner, not thread-safe. The
room process mirrors its own events to make the snapshot for a new data socket; a web process mirrors the events that it
receives and renders playlists from them.

Memory is bounded by the output's window: segments leave at ``Trimmed``. A segment that left the live edge
:data:`YOUNG_TARGETS` target durations ago is kept as bytes, its parts as one if they lie side by side on disk.
"""

from __future__ import annotations

from bisect import bisect_left, insort

import msgspec

from streamer.broadcast.media_events import (
    PROGRAMME_OUTPUT,
    PUBLIC,
    Closed,
    Forgotten,
    InitMade,
    IntervalOpened,
    MediaEvent,
    Opened,
    OutputClosed,
    OutputGone,
    PartBytes,
    PartMade,
    SegmentDone,
    SegmentOpened,
    Snapshot,
    StillMade,
    Trimmed,
)
from streamer.broadcast.programme import TICKS_PER_S, Broadcast, Chunk, InitSection, Interval, Segment
from streamer.broadcast.segment_table import unpacked
from streamer.broadcast.track_view import OutOfStep, RenditionView

__all__ = ["BroadcastView", "OutOfStep", "OutputView", "RenditionView", "Still"]

YOUNG_TARGETS = 8
"""A playlist lists the parts of the last three target durations. A slow client may still ask for a part that it saw a
while ago, so parts stay separate for some time after that."""
PROGRAMME_MERGE_S = 2700
"""Replays are cut from the programme's parts, at marks that may be set half an hour late."""


class Still(msgspec.Struct, frozen=True):
    """A recent JPEG of an output, taken at ``at_ms`` (UTC milliseconds)."""

    at_ms: int
    jpeg: bytes


class OutputView:
    """One audience's view of the programme. Numbers, intervals and discontinuities are the same in all renditions."""

    __slots__ = (
        "_discontinuities",
        "closed",
        "discontinuity_sequence",
        "first_msn",
        "intervals",
        "name",
        "still",
        "tracks",
        "version",
    )

    def __init__(self, name: str, broadcast: Broadcast) -> None:
        self.name = name
        self.first_msn = 0
        self.discontinuity_sequence = 0
        """Discontinuities that left the window (EXT-X-DISCONTINUITY-SEQUENCE)."""
        self.intervals: dict[int, Interval] = {}
        """By index, oldest first. Intervals without a listed segment are dropped."""
        self.still: Still | None = None
        self.closed = False
        """The output, or the whole broadcast, has ended (EXT-X-ENDLIST)."""
        self.version = 0
        """Version of the newest change in any rendition."""
        young = YOUNG_TARGETS * broadcast.target_duration_s * TICKS_PER_S
        merge_after = PROGRAMME_MERGE_S * TICKS_PER_S if name == PROGRAMME_OUTPUT else young
        self.tracks = {
            r.name: RenditionView(r, pack_after_ticks=young, merge_after_ticks=merge_after)
            for r in broadcast.renditions
        }
        self._discontinuities: list[int] = []

    @property
    def interval(self) -> Interval | None:
        """The newest interval, which is the present content of the output."""
        return next(reversed(self.intervals.values()), None)

    @property
    def last_complete_msn(self) -> int:
        """Number of the newest segment that any rendition has as a whole; ``first_msn - 1`` before the first."""
        return max(self.first_msn - 1, *(track.last_complete_msn for track in self.tracks.values()), -1)

    @property
    def has_aired_segment(self) -> bool:
        """Whether the output shows the programme and every rendition lists a whole segment of this interval."""
        interval = self.interval
        if interval is None or not interval.aired or not self.tracks:
            return False
        for track in self.tracks.values():
            whole = track.newest_whole
            if whole is None or whole.interval != interval.index:
                return False
        return True

    def chunks(self, first_msn: int, last_msn: int) -> list[Chunk]:
        """The places of the bytes of these segments, in every rendition."""
        return [
            part.chunk
            for track in self.tracks.values()
            for msn in range(max(first_msn, self.first_msn), last_msn + 1)
            if (segment := track.get(msn)) is not None
            for part in segment.parts
        ]

    def discontinuities_before(self, msn: int) -> int:
        """Discontinuity sequence of a playlist whose first segment is ``msn`` (RFC 8216bis, 4.4.3.3)."""
        return self.discontinuity_sequence + bisect_left(self._discontinuities, msn)

    def interval_of(self, msn: int) -> Interval | None:
        """The interval of a segment, or its likely future interval: a rendition that lags reaches the segments that the
        others have begun; later segments belong to the newest interval."""
        for track in self.tracks.values():
            if (segment := track.get(msn)) is not None:
                return self.intervals.get(segment.interval)
        return self.interval

    def interval_by_key(self, key: str) -> Interval | None:
        for interval in reversed(self.intervals.values()):
            if interval.key == key:
                return interval
        return None

    # --- changes; BroadcastView calls them ---------------------------------------------------------

    def note_discontinuity(self, segment: Segment) -> None:
        if segment.discontinuity and segment.msn >= self.first_msn:
            at = bisect_left(self._discontinuities, segment.msn)
            if at == len(self._discontinuities) or self._discontinuities[at] != segment.msn:
                insort(self._discontinuities, segment.msn)

    def trim(self, first_msn: int, discontinuity_sequence: int, version: int) -> None:
        if first_msn < self.first_msn:
            raise OutOfStep(f"window of {self.name} moved back from {self.first_msn} to {first_msn}")
        self.first_msn = first_msn
        self.discontinuity_sequence = discontinuity_sequence
        del self._discontinuities[: bisect_left(self._discontinuities, first_msn)]
        for track in self.tracks.values():
            track.trim(first_msn, version)
        self.version = version
        # An interval that no rendition has begun is kept, however short the window becomes.
        oldest = [first.interval for track in self.tracks.values() if (first := track.first)]
        newest = self.interval
        if newest is not None:
            keep_from = min(oldest, default=newest.index)
            self.intervals = {i: interval for i, interval in self.intervals.items() if i >= keep_from}

    def close(self, version: int) -> None:
        self.closed = True
        self._touch(version)

    def open_interval(self, interval: Interval, version: int) -> None:
        newest = self.interval
        if newest is not None and interval.index <= newest.index:
            raise OutOfStep(f"interval {interval.index} opened after {newest.index}")
        self.intervals[interval.index] = interval
        if self.closed:
            self.closed = False
            self._touch(version)

    def forget(self, event: Forgotten, from_ms: int, to_ms: int, version: int) -> None:
        if self.name == PROGRAMME_OUTPUT:
            for track in self.tracks.values():
                track.forget(event.first_msn, event.last_msn, version)
            self.version = version
        if self.still is not None and from_ms <= self.still.at_ms < to_ms:
            self.still = None

    def _touch(self, version: int) -> None:
        self.version = version
        for track in self.tracks.values():
            track.version = version


class BroadcastView:
    """The present state of a room's broadcast.

    ``seq`` is that of the last event. An event without one (``seq`` 0) is not checked; the room process applies its own
    events before they are stamped.
    """

    def __init__(self) -> None:
        self.broadcast: Broadcast | None = None
        self.inits: dict[int, InitSection] = {}
        self.outputs: dict[str, OutputView] = {}
        self.closed = False
        self.seq = 0
        self.version = 0
        """Grows with every event that changed anything."""
        self.withdrawn = 0
        """Grows with every event after which the public output may list less before its time."""

    @property
    def public(self) -> OutputView | None:
        return self.outputs.get(PUBLIC)

    def apply(self, event: MediaEvent) -> None:
        """Take in one event.

        Raises :class:`OutOfStep` when ``event.seq`` or the event itself does not follow; the mirror is then
        unchanged by it (and ``seq`` as well) and the caller reconnects for a snapshot, which resets everything.
        """
        if isinstance(event, Snapshot):
            self._load(event)
            return
        if isinstance(event, PartBytes):
            return  # bytes for the part cache: the mirror holds no media
        if event.seq and event.seq != self.seq + 1:
            raise OutOfStep(f"event {event.seq} after {self.seq}")
        self._change(event)
        if event.seq:
            self.seq = event.seq

    def snapshot(self) -> Snapshot:
        """The whole state as one message; ``seq`` is that of the last event it contains."""
        packed = self.packed_snapshot()
        for tracks in packed.outputs.values():
            for name, segments in tracks.items():
                tracks[name] = list(unpacked(segments))
        return packed

    def packed_snapshot(self) -> Snapshot:
        """The same, for whoever encodes it: old segments are in it as bytes already. Quick, on the loop."""
        return Snapshot(
            seq=self.seq,
            broadcast=self.broadcast,
            inits=list(self.inits.values()),
            outputs={
                name: {rendition: track.copy_segments() for rendition, track in output.tracks.items()}
                for name, output in self.outputs.items()
            },
            intervals={name: list(output.intervals.values()) for name, output in self.outputs.items()},
            discontinuity_sequence={name: o.discontinuity_sequence for name, o in self.outputs.items()},
            window_start={name: output.first_msn for name, output in self.outputs.items()},
            dvr_window_s=self.broadcast.dvr_s if self.broadcast else 7200,
            stills={
                name: StillMade(output=name, at_ms=o.still.at_ms, jpeg=o.still.jpeg)
                for name, o in self.outputs.items()
                if o.still
            },
            closed=self.closed,
            closed_outputs=[name for name, output in self.outputs.items() if output.closed and not self.closed],
        )

    def _change(self, event: MediaEvent) -> None:
        version = self.version + 1
        match event:
            case PartMade():
                output, track = self._track(event.output, event.rendition)
                track.add_part(event.msn, event.index, event.part, version)
                output.version = version
            case SegmentOpened():
                output, track = self._track(event.output, event.rendition)
                if track.open(event.segment, version):
                    output.note_discontinuity(event.segment)
                output.version = version
            case SegmentDone():
                output, track = self._track(event.output, event.rendition)
                track.done(event.msn, version)
                output.version = version
            case Trimmed():
                self.withdrawn += event.withdrawn and event.output == PUBLIC
                self._output(event.output).trim(event.first_msn, event.discontinuity_sequence, version)
            case IntervalOpened():
                self._output(event.output).open_interval(event.interval, version)
            case InitMade():
                self.inits[event.init.id] = event.init
            case StillMade():
                self._output(event.output).still = Still(event.at_ms, event.jpeg)
            case Opened():
                self._reset(event.broadcast)
            case OutputClosed():
                self._output(event.output).close(version)
            case OutputGone():
                self.outputs.pop(event.output, None)
            case Forgotten():
                output = self._output(event.output)
                assert self.broadcast is not None
                from_ms, to_ms = (self.broadcast.media_time_ms(tick) for tick in (event.from_tick, event.to_tick))
                output.forget(event, from_ms, to_ms, version)
                self.withdrawn += event.output == PUBLIC
            case Closed():
                self.closed = True
                for output in self.outputs.values():
                    output.close(version)
            case _:
                raise OutOfStep(f"unexpected {type(event).__name__}")
        self.version = version

    def _reset(self, broadcast: Broadcast | None) -> None:
        self.broadcast = broadcast
        self.inits = {}
        self.outputs = {}
        self.closed = False

    def _load(self, snapshot: Snapshot) -> None:
        fresh: dict[str, OutputView] = {}
        version = self.version + 1
        broadcast = snapshot.broadcast
        if broadcast is not None:
            for name in {*snapshot.outputs, *snapshot.intervals, *snapshot.window_start}:
                output = fresh[name] = OutputView(name, broadcast)
                output.first_msn = snapshot.window_start.get(name, 0)
                output.discontinuity_sequence = snapshot.discontinuity_sequence.get(name, 0)
                output.intervals = {interval.index: interval for interval in snapshot.intervals.get(name, [])}
                output.version = version
                for rendition, segments in snapshot.outputs.get(name, {}).items():
                    track = output.tracks.get(rendition)
                    if track is None:
                        raise OutOfStep(f"snapshot has segments of {rendition}, which is no rendition")
                    for segment in track.load(segments, output.first_msn, version):
                        output.note_discontinuity(segment)
                output.closed = snapshot.closed or name in snapshot.closed_outputs
                if still := snapshot.stills.get(name):
                    output.still = Still(still.at_ms, still.jpeg)
        elif snapshot.outputs:
            raise OutOfStep("snapshot has outputs but no broadcast")
        self._reset(broadcast)
        self.inits = {init.id: init for init in snapshot.inits}
        self.outputs = fresh
        self.withdrawn += 1
        self.closed = snapshot.closed
        self.seq = snapshot.seq
        self.version = version

    def _output(self, name: str) -> OutputView:
        if self.broadcast is None:
            raise OutOfStep(f"output {name} before the broadcast was opened")
        output = self.outputs.get(name)
        if output is None:
            output = self.outputs[name] = OutputView(name, self.broadcast)
        return output

    def _track(self, output_name: str, rendition: str) -> tuple[OutputView, RenditionView]:
        output = self._output(output_name)
        track = output.tracks.get(rendition)
        if track is None:
            raise OutOfStep(f"{rendition} is no rendition of this broadcast")
        return output, track
