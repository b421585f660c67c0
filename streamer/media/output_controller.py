"""Controls the content of an output: the programme, its pictures with silence, or the slate. On the loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from streamer.broadcast.media_events import PUBLIC, MediaEvent, OutputClosed, StillMade
from streamer.broadcast.orders import Shows
from streamer.broadcast.programme import TICKS_PER_S, Chunk
from streamer.media.feeds import SLATE_FEED, PartStore, TrackFeed, stream_name
from streamer.media.muting import muted
from streamer.media.off_air import OffAir, SlateParts
from streamer.media.outputs import ON_AIR_SLACK_TICKS, Output
from streamer.media.packager import MadePart
from streamer.media.slate import SLATE_KIND
from streamer.media.spans import Spans

SETTLE_TICKS = 4 * TICKS_PER_S
"""Slower renditions have this long to bring their last parts of an output that has ended."""
LINGER_TICKS = 60 * TICKS_PER_S
"""A closed output stays listed for this long, so that its viewers see its end."""


@dataclass(slots=True, frozen=True)
class ControllerPorts:
    """The parts of a broadcast that every output of its programme needs."""

    slate: SlateParts
    store: PartStore
    emit: Callable[[MediaEvent], None]
    unrecorded: Spans


class OutputController:
    """Makes an output of the programme's feed show the ordered content, with a slate of its own.

    It shows what ``shows`` says from tick ``start`` on; one whose output does not show the programme yet begins with it
    at its next cut.
    """

    def __init__(self, ports: ControllerPorts, output: Output, shows: Shows, start: int) -> None:
        self.output = output
        self.shows: Shows = shows
        """The order."""
        self.shown_from: int | None = start if output.shows_programme else None
        """The tick since which the programme is seen; None: it is not seen."""
        self.closed_at: int | None = None
        """The tick at which the output was ordered to end."""
        self._ports = ports
        self._grid = ports.slate.grid
        self._over = False
        self._silent = Spans()
        output.altered = self._muted
        self._off_air: OffAir | None = None
        self._slates_made = 0
        self._still_at: int | None = None
        self._slate_end: int | None = None
        """The end of the slate, if nothing of the programme has been listed since."""
        self._set(shows, start)
        if not output.shows_programme:
            if shows == "slate":
                self._to_slate(start)
            else:
                self._to_programme(start)

    @property
    def showing(self) -> Shows:
        """The content now, or with the next part."""
        return self.shows if self.output.shows_programme else "slate"

    # --- the director's orders -------------------------------------------------------------------------

    def order(self, shows: Shows, now: int) -> None:
        """The content from tick ``now`` on. The same order again changes nothing."""
        reopens = self.closed_at is not None
        if shows == self.shows and not reopens:
            return
        was = self.shows
        self.closed_at, self._over = None, False
        self._set(shows, now)
        if shows == "slate":
            self._to_slate(now)
        elif was == "slate" or reopens:
            self._to_programme(now)

    def forget(self, start: int, end: int, *, keep: bool = False) -> list[Chunk]:
        """Remove the content between two ticks from the output; ``end`` is now at the latest. Returns the places of
        bytes that were not listed yet. With ``keep`` all bytes stay, for other outputs."""
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
        """The output ends; :meth:`tick` announces it when every rendition has its last parts."""
        if self.closed_at is not None:
            return
        self.closed_at = now
        self._end_slate(now)
        self.output.stop()
        self.shown_from = self._slate_end = None
        self._silent.end(now)

    def gone(self, now: int) -> bool:
        """Whether it was closed so long ago that it need not be listed any more."""
        return self._over and self.closed_at is not None and now - self.closed_at > LINGER_TICKS

    # --- from the pipeline ---------------------------------------------------------------------------------

    def cut(self, start: int) -> None:
        """A segment of the programme begins at ``start``."""
        if self.output.airs_at(start):
            # From here on the programme is seen: the slate must not be listed past this tick.
            self._end_slate(start)
            self.shown_from = start
        elif self.shown_from is None and self.output.aired:
            self._grid.demand(start)  # this cut lies in a stretch that the slate has covered, so the next one is used

    def tick(self, now: int) -> None:
        if self._off_air is not None:
            self._off_air.write(now)
        if self.closed_at is not None and not self._over:
            if not self.output.settled and now - self.closed_at < SETTLE_TICKS:
                return
            self.output.close()
            self._over = True
            self._ports.emit(OutputClosed(output=self.output.name))

    def still(self, jpeg: bytes, start: int) -> None:
        """A picture of the programme at tick ``start``."""
        if self.shown_from is not None and start >= self.shown_from:
            self._tell_still(jpeg, start)

    def slate_ready(self, kind: str) -> None:
        """The slate has changed: if the output shows it, the still is made of it."""
        if self._off_air is not None and kind == SLATE_KIND:
            self.slate_still(kind)

    def slate_still(self, kind: str) -> None:
        jpeg = self._ports.slate.slates.still(kind)
        if jpeg is not None:
            self._tell_still(jpeg, self._grid.start)

    # --- inside ------------------------------------------------------------------------------------------

    def _muted(self, made: MadePart) -> MadePart:
        return muted(made, self._silent, self._ports.slate.sound_bitrates)

    def _set(self, shows: Shows, now: int) -> None:
        self.shows = shows
        if shows == "picture_muted":
            self._silent.begin(now)
        else:
            self._silent.end(now)

    def _to_programme(self, now: int) -> None:
        self.output.go_on_air(at=now, after=self._grid.number)
        if not self.output.shows_programme:
            self._grid.demand(now + ON_AIR_SLACK_TICKS)

    def _to_slate(self, now: int) -> None:
        self.shown_from = None
        ended = self.output.go_off_air()
        if self._off_air is not None:
            return
        if ended is None:
            # The slate goes on where it ended: no part of the programme was listed since.
            goes_on = self._slate_end is not None and self.output.listing == SLATE_FEED
            ended = self._slate_end if goes_on and self._slate_end is not None else now
        feed = TrackFeed(
            SLATE_FEED,
            self._ports.store,
            [self.output],
            streams="slate-" if self.output.name == PUBLIC else f"slate-{stream_name(self.output.name)}-",
            unrecorded=self._ports.unrecorded,
        )
        public = self.output.name == PUBLIC
        self._off_air = OffAir(self._ports.slate, feed, ended, number=self._slates_made, relayed=public)
        self.slate_still(SLATE_KIND)

    def _end_slate(self, at: int) -> None:
        if self._off_air is not None:
            self._off_air.end(at)
            self._slates_made, self._slate_end = self._off_air.number, at
            self._off_air = None

    def _tell_still(self, jpeg: bytes, at: int) -> None:
        self._still_at = at
        self._ports.emit(
            StillMade(output=self.output.name, at_ms=self._ports.slate.broadcast.media_time_ms(at), jpeg=jpeg)
        )
