"""An output and what it shows: the programme, its pictures with silence, or the slate. On the loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from streamer.broadcast.media_events import PUBLIC, MediaEvent, OutputClosed, StillMade
from streamer.broadcast.orders import Shows
from streamer.broadcast.programme import TICKS_PER_S, Broadcast, Chunk
from streamer.formats.types import Cut, TrackConfig
from streamer.media.feeds import SLATE_FEED, Feed, PartStore, stream_name
from streamer.media.grid import SegmentGrid
from streamer.media.muting import muted
from streamer.media.off_air import OffAir, SlateSource
from streamer.media.outputs import ON_AIR_SLACK_TICKS, Output
from streamer.media.packager import MadePart
from streamer.media.slate import SLATE_KIND
from streamer.media.spans import Spans

SETTLE_TICKS = 4 * TICKS_PER_S
"""What slower renditions owe an output that is over has to come within this."""
LINGER_TICKS = 60 * TICKS_PER_S
"""A closed output is listed for this long, so that its viewers see its end."""


class OutletLine(SlateSource, Protocol):
    """What the line lends."""

    broadcast: Broadcast
    grid: SegmentGrid

    @property
    def sound_configs(self) -> Mapping[str, TrackConfig]: ...

    @property
    def sound_bitrates(self) -> Mapping[str, int]: ...

    @property
    def silent_frames(self) -> Mapping[str, bytes]: ...

    def slate_picture(self, kind: str) -> bytes | None:
        """A JPEG of the slate; None before the first is ready."""


@dataclass(slots=True)
class OutletPorts:
    """Where an outlet's slate and events go."""

    store: PartStore
    emit: Callable[[MediaEvent], None]
    unrecorded: Spans


class Outlet:
    """A :class:`~streamer.media.feeds.FeedOutput` of the programme's feed, with a slate of its own.

    It shows what ``shows`` says from tick ``start`` on; one whose output does not show the programme yet begins with it
    at its next cut.
    """

    def __init__(self, line: OutletLine, ports: OutletPorts, output: Output, shows: Shows, start: int) -> None:
        self.output = output
        self.shows: Shows = shows
        """What was ordered."""
        self.shown_from: int | None = start if output.shows_programme else None
        """Tick from which the programme is seen; None: it is not."""
        self._line = line
        self._ports = ports
        self._closing: int | None = None
        """Tick at which it was closed."""
        self._over = False
        self._silent = Spans()
        self._off_air: OffAir | None = None
        self._slates_made = 0
        self._still_at: int | None = None
        self._slate_end: int | None = None
        """Where the slate ended, for a programme of which nothing has been listed yet."""
        self._set(shows, start)
        if not output.shows_programme:
            if shows == "slate":
                self._to_slate(start)
            else:
                self._to_programme(start)

    @property
    def name(self) -> str:
        return self.output.name

    @property
    def showing(self) -> Shows:
        """What it shows now, or with the next part."""
        return self.shows if self.output.shows_programme else "slate"

    # --- what the director orders ----------------------------------------------------------------------

    def order(self, shows: Shows, now: int) -> None:
        """From tick ``now`` on. The same again does nothing."""
        reopens = self._closing is not None
        if shows == self.shows and not reopens:
            return
        was = self.shows
        self._closing, self._over = None, False
        self._set(shows, now)
        if shows == "slate":
            self._to_slate(now)
        elif was == "slate" or reopens:
            self._to_programme(now)

    def forget(self, start: int, end: int, *, keep: bool = False) -> list[Chunk]:
        """Take what was shown between two ticks out of the output; ``end`` is now at the latest. Returns where bytes
        are that were not listed yet. With ``keep`` all bytes stay, for others."""
        begins_there = self.shown_from is not None and not self.output.shows_programme and self.shown_from < end
        anew = begins_there or self.output.touches(start, end)
        if anew:
            # A moment of slate, until the next cut.
            self._to_slate(end)
        unlisted = self.output.forget(start, end, gaps=False, keep=keep)
        if self._still_at is not None and start <= self._still_at < end:
            self.slate_still(SLATE_KIND)
        if anew:
            self._to_programme(end)
        return unlisted

    def close(self, now: int) -> None:
        """The output is over; :meth:`tick` tells so once every rendition has what it shows."""
        if self._closing is not None:
            return
        self._closing = now
        self._end_slate(now)
        self.output.stop()
        self.shown_from = self._slate_end = None
        self._silent.end(now)

    def gone(self, now: int) -> bool:
        """Whether it has been closed for so long that it need not be listed any more."""
        return self._over and self._closing is not None and now - self._closing > LINGER_TICKS

    @property
    def closing(self) -> bool:
        return self._closing is not None

    # --- what the line tells ---------------------------------------------------------------------------

    def cut(self, start: int) -> None:
        """A segment of the programme begins at ``start``."""
        if self.output.airs_at(start):
            # From here on the programme is seen: the slate must not be listed past it.
            self._end_slate(start)
            self.shown_from = start
        elif self.shown_from is None and self.output.aired:
            self._line.grid.demand(start)  # this cut lies in what the slate has covered: the next one then

    def tick(self, now: int) -> None:
        if self._off_air is not None:
            self._off_air.write(now)
        if self._closing is not None and not self._over:
            if not self.output.settled and now - self._closing < SETTLE_TICKS:
                return
            self.output.close()
            self._over = True
            self._ports.emit(OutputClosed(output=self.name))

    def still(self, jpeg: bytes, start: int) -> None:
        """A picture of the programme, of tick ``start``."""
        if self.shown_from is not None and start >= self.shown_from:
            self._tell_still(jpeg, start)

    def slate_ready(self, kind: str) -> None:
        """The slate is another: where it is what is seen, the still is of it."""
        if self._off_air is not None and kind == SLATE_KIND:
            self.slate_still(kind)

    def slate_still(self, kind: str) -> None:
        jpeg = self._line.slate_picture(kind)
        if jpeg is not None:
            self._tell_still(jpeg, self._line.grid.start)

    # --- what feeds bring ------------------------------------------------------------------------------

    def segment_opened(self, feed: str, track: str, cut: Cut) -> None:
        self.output.segment_opened(feed, track, cut)

    def wanted(self, feed: str, made: MadePart) -> MadePart | None:
        wanted = self.output.wanted(feed, made)
        if wanted is None or feed == SLATE_FEED:
            return wanted
        return muted(wanted, self._silent, self._line.silent_frames)

    def part(self, feed: str, made: MadePart, chunk: Chunk) -> None:
        self.output.part(feed, made, chunk)

    def segment_closed(self, feed: str, track: str, number: int) -> None:
        self.output.segment_closed(feed, track, number)

    # --- inside ------------------------------------------------------------------------------------------

    def _set(self, shows: Shows, now: int) -> None:
        self.shows = shows
        if shows == "picture_muted":
            self._silent.begin(now)
        else:
            self._silent.end(now)

    def _to_programme(self, now: int) -> None:
        self.output.air(True, at=now, after=self._line.grid.number)
        if not self.output.shows_programme:
            self._line.grid.demand(now + ON_AIR_SLACK_TICKS)

    def _to_slate(self, now: int) -> None:
        self.shown_from = None
        ended = self.output.air(False)
        if self._off_air is not None:
            return
        if ended is None:
            # Of the programme nothing was listed since the slate: it goes on where it ended.
            goes_on = self._slate_end is not None and self.output.listing == SLATE_FEED
            ended = self._slate_end if goes_on and self._slate_end is not None else now
        feed = Feed(
            SLATE_FEED,
            self._ports.store,
            [self],
            streams="slate-" if self.name == PUBLIC else f"slate-{stream_name(self.name)}-",
            unrecorded=self._ports.unrecorded,
        )
        line = self._line
        self._off_air = OffAir(
            line,
            feed,
            line.sound_configs,
            line.sound_bitrates,
            ended,
            number=self._slates_made,
            relay=self.name == PUBLIC,
        )
        self.slate_still(SLATE_KIND)

    def _end_slate(self, at: int) -> None:
        if self._off_air is not None:
            self._off_air.end(at)
            self._slates_made, self._slate_end = self._off_air.number, at
            self._off_air = None

    def _tell_still(self, jpeg: bytes, at: int) -> None:
        self._still_at = at
        self._ports.emit(StillMade(output=self.name, at_ms=self._line.broadcast.media_time_ms(at), jpeg=jpeg))
