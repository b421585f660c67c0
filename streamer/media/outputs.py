"""Outputs: one audience's view of the programme, as numbered segments of programme and slate.

Runs on the room process's loop. An output decides the media sequence numbers (the same in every rendition), the aired
intervals and the discontinuities; a rendition may lag some seconds behind the others and still gets the same ones.
Listed segments never change; the events of ``broadcast/media_events.py`` announce them.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable

from streamer.broadcast.media_events import (
    PUBLIC,
    Forgotten,
    InitMade,
    IntervalOpened,
    MediaEvent,
    PartMade,
    SegmentDone,
    SegmentOpened,
)
from streamer.broadcast.programme import TICKS_PER_S, Broadcast, Chunk, Interval, Part, Segment
from streamer.formats.types import Cut
from streamer.media.air_state import AirState, OnAir, OnSlate, Pending, Stopped, awaited, left, opened, reached
from streamer.media.feeds import PROGRAMME, SLATE_FEED
from streamer.media.inits import Inits
from streamer.media.output_plan import FeedSegments, PlannedSegment, TrackPosition, WaitingParts
from streamer.media.output_window import Listed, OutputState, OutputWindow
from streamer.media.packager import MIN_PART_PERCENT, MadePart
from streamer.media.spans import Spans

MAX_LAG_TICKS = 4 * TICKS_PER_S
"""A rendition may normally be two seconds behind, and one segment more before it is given up."""
SLACK_TICKS = 1920
"""Sound ends at the nearest AAC frame, up to half a frame after the picture."""
REMEMBERED_SEGMENTS = 16
ON_AIR_SLACK_TICKS = SLACK_TICKS // 2
"""Sound is cut at the nearest frame: its first frame may begin this long before the picture."""


class Output:
    """Numbers the segments of one audience.

    ``emit`` takes the events in order and must not raise. The output begins with the programme if ``aired``, else with
    the slate, at the first part that comes. Segments in ``unrecorded`` stretches leave the window ``fleeting`` ticks
    later, with everything before them; None: they are listed like the rest.
    """

    def __init__(
        self,
        broadcast: Broadcast,
        inits: Inits,
        emit: Callable[[MediaEvent], None],
        *,
        name: str = PUBLIC,
        aired: bool = True,
        state: OutputState | None = None,
        unrecorded: Spans | None = None,
        fleeting: int | None = None,
    ) -> None:
        state = state or OutputState()
        self.name = name
        self.window = OutputWindow(name, emit, state, ticks=broadcast.dvr_s * TICKS_PER_S, fleeting=fleeting)
        self.altered: Callable[[MadePart], MadePart] | None = None
        """Changes a part of the programme for this output; returns the part itself if nothing changes."""
        self.late_total = 0
        """Parts that came after their rendition had been given up for that segment."""
        self.gaps_total = 0
        """Segments of which a rendition has no part."""
        self._broadcast = broadcast
        self._inits = inits
        self._emit = emit
        self._state: AirState = OnAir() if aired else OnSlate()
        self._forgotten_until = 0
        """Segments of the programme that begin before this tick are not listed any more."""
        self._torn = False
        """A part before the next segment is missing."""
        self._unrecorded = unrecorded or Spans()
        self._next_interval = state.next_interval
        self.next_msn = state.next_msn
        self._plan: dict[int, PlannedSegment] = {}
        self._by_segment: dict[tuple[str, int], PlannedSegment] = {}
        self._retired: deque[tuple[str, int]] = deque()
        self._last_entry: PlannedSegment | None = None
        self._tracks = {r.name: TrackPosition(r.name, r.kind == "audio", state.next_msn) for r in broadcast.renditions}
        self._feeds = {PROGRAMME: FeedSegments(), SLATE_FEED: FeedSegments()}
        self._least_part = broadcast.part_target_ticks * MIN_PART_PERCENT // 100

    # --- orders and questions --------------------------------------------------------------------------

    @property
    def aired(self) -> bool:
        """Whether the output shows the programme, or will from the next cut on."""
        return isinstance(self._state, OnAir | Pending)

    @property
    def shows_programme(self) -> bool:
        """Whether it shows the programme now."""
        return isinstance(self._state, OnAir)

    def airs_at(self, start: int) -> bool:
        """Whether a programme cut at ``start`` is the one from which the output shows the programme again: it must lie
        after the segments that were listed at the time of the action, and after the slate's since then."""
        state = self._state
        if not isinstance(state, Pending) or start < max(state.not_before, self._forgotten_until):
            return False
        if self._last_entry is None or self._last_entry.feed != SLATE_FEED:
            return start + SLACK_TICKS >= state.listed_to
        # Sound ends at the nearest frame, pictures where the next ones begin.
        return all(start + (SLACK_TICKS // 2 if track.sound else 0) >= track.end for track in self._tracks.values())

    @property
    def end(self) -> int:
        """The end of the newest listed part, ticks; 0 before the first."""
        return max(track.end for track in self._tracks.values())

    @property
    def listing(self) -> str:
        """The feed of the newest segment; empty before the first."""
        return self._last_entry.feed if self._last_entry is not None else ""

    @property
    def settled(self) -> bool:
        """Whether every rendition has come as far as the others."""
        return all(track.msn == self.next_msn for track in self._tracks.values())

    def go_on_air(self, *, at: int = 0, after: int = -1) -> None:
        """Show the programme from its next cut on.

        A cut before tick ``at``, or before the end of the listed segments, is skipped, and so are the grid segments up
        to number ``after``. The maker of the slate ends it at the cut (``TrackPackager.end``).
        """
        if self.aired:
            return
        not_before = at + ON_AIR_SLACK_TICKS if at else 0
        listed_to = self._last_entry.end if self._last_entry is not None else 0
        self._state = awaited(self._state, not_before=not_before, listed_to=listed_to)
        self._feeds[PROGRAMME].listed_from = max(self._feeds[PROGRAMME].newest, after) + 1

    def go_off_air(self) -> int | None:
        """Show the slate at once.

        Returns the tick where the slate must begin, with a cut of its own, if the output listed the programme; else
        None. No part of the programme that ends after that tick will be listed.
        """
        before, self._state = self._state, left(self._state)
        if not isinstance(before, OnAir):
            return None
        self._feeds[SLATE_FEED].listed_from = self._feeds[SLATE_FEED].newest + 1
        return self._end_programme()

    def stop(self) -> None:
        """The output ends: only the missing parts of slower renditions are still listed. See :attr:`settled`."""
        before, self._state = self._state, Stopped()
        if isinstance(before, OnAir):
            self._end_programme()

    def _end_programme(self) -> int | None:
        entry = self._last_entry
        if entry is None or entry.feed != PROGRAMME:
            return None
        end = entry.end
        entry.until = end
        if not isinstance(self._state, Stopped):
            self._open_interval(end)
        # "Going off air needs no key frame: the output ends at the last part that was finished before the tap." A
        # rendition that lags may still bring the parts that the others have shown already, and sound its last frames.
        for track in self._tracks.values():
            enough = SLACK_TICKS // 2 if track.sound else self._least_part
            if track.msn == entry.msn and track.parts and track.end > end - enough:
                self._slot(track, entry).closed = True
            self._advance(track)
        return end

    def cut_window(self) -> None:
        """Remove everything before the segment at the live edge from the window, for good."""
        if self._last_entry is not None:
            self._trim(self._last_entry.msn)

    def touches(self, start: int, end: int) -> bool:
        """Whether the newest segment, which still grows, is of the programme and overlaps the stretch."""
        entry = self._last_entry
        return self.shows_programme and entry is not None and _overlap(entry.start, end, start, end)

    def listed(self, start: int, end: int) -> int:
        """The listed time of the programme between two ticks, in ticks."""
        spans = [(past.start, past.end) for past in self.window.segments if past.programme]
        spans += [
            (entry.start, entry.end if entry.until is None else min(entry.end, entry.until))
            for entry in self._plan.values()
            if entry.feed == PROGRAMME
        ]
        return sum(max(0, min(until, end) - max(begin, start)) for begin, until in spans)

    def forget(self, start: int, end: int, *, gaps: bool, keep: bool = False) -> list[Chunk]:
        """Remove the programme between two ticks: with ``gaps`` its segments become gaps, else the window begins after
        them. An unfinished segment ends here. A future segment that begins in the stretch, like a take that follows a
        source that fell silent, is not listed. Returns the places of bytes that were not listed yet. With ``keep``
        these and all other bytes stay, and only this output stops listing them."""
        unlisted: list[Chunk] = []
        self._forgotten_until = max(self._forgotten_until, end)
        found = [p.msn for p in self.window.segments if p.programme and _overlap(p.start, p.end, start, end)]
        for entry in list(self._plan.values()):
            grown = end if entry is self._last_entry and entry.until is None else entry.end
            if entry.feed != PROGRAMME or not _overlap(entry.start, grown, start, end):
                continue
            found.append(entry.msn)
            entry.until = entry.start
            for track in self._tracks.values():
                if track.msn <= entry.msn:
                    slot = self._slot(track, entry)
                    unlisted += [chunk for _, chunk in slot.parts]
                    slot.parts.clear()
                    slot.closed = True
            self._torn = True
        for track in self._tracks.values():
            self._advance(track)
        first, last = (min(found), max(found)) if found else (0, -1)
        if not keep:
            self._emit(Forgotten(output=self.name, from_tick=start, to_tick=end, first_msn=first, last_msn=last))
        if found and gaps:
            self.window.blank(found)
        elif found:
            self._trim(last + 1)
        return [] if keep else unlisted

    def close(self) -> None:
        """The broadcast ends: every rendition is closed at its present end."""
        for track in self._tracks.values():
            while track.msn < self.next_msn:
                self._slot(track, self._plan[track.msn]).closed = True
                self._advance(track)

    # --- from the feeds --------------------------------------------------------------------------------

    def segment_opened(self, feed: str, track: str, cut: Cut) -> None:
        """A segment begins in one track of a feed. Earlier ones are complete in this track."""
        segments = self._feeds[feed]
        known = segments.cuts.get(cut.number)
        if known is None or not known.discontinuity:
            # A discontinuity that was found late (a rung was shed) is not removed by a track that does not know it.
            segments.cuts[cut.number] = cut
        segments.newest = max(segments.newest, cut.number)
        for old in [number for number in segments.cuts if number <= segments.newest - REMEMBERED_SEGMENTS]:
            del segments.cuts[old]
            segments.closed.pop(old, None)
        state = self._tracks.get(track)
        if state is None:
            return
        for entry in list(self._plan.values()):
            if entry.feed == feed and entry.number < cut.number and entry.msn >= state.msn:
                self._slot(state, entry).closed = True
        self._advance(state)

    def wanted(self, feed: str, made: MadePart) -> MadePart | None:
        """The part as it will be listed, as far as is known now: whole, its sound up to the time when the output went
        off air, or None. Changed for this output."""
        admitted = self._admitted(feed, made)
        if admitted is None or feed != PROGRAMME or self.altered is None:
            return admitted
        return self.altered(admitted)

    def _admitted(self, feed: str, made: MadePart) -> MadePart | None:
        track = self._tracks.get(made.track)
        if track is None:
            return None
        entry = self._by_segment.get((feed, made.number))
        if entry is None:
            return made if self._is_next(feed, made.number) else None
        if entry.msn < track.msn:
            # Only a given-up rendition counts as late, not one whose output went off air in the middle of it.
            self.late_total += entry.until is None
            return None
        slot = self._slot(track, entry)
        if slot.closed:
            return None
        # A frame that lies half beyond a cut belongs to the next segment (``TrackPackager``).
        slack = SLACK_TICKS // 2 - 1 if track.sound else SLACK_TICKS
        if entry.until is None or made.end <= entry.until + slack:
            return made
        # Sound still comes where the picture has ended already. A player stumbles over a hole in it.
        rest = made.before(entry.until + slack)
        if rest is None:
            slot.closed = True
            self._advance(track)
        return rest

    def part(self, feed: str, made: MadePart, chunk: Chunk) -> None:
        """List a part that the output wants, or keep it until its rendition has come to that segment."""
        track = self._tracks[made.track]
        entry = self._by_segment.get((feed, made.number)) or self._plan_entry(feed, made)
        entry.end = max(entry.end, made.end)
        entry.fleeting = entry.fleeting or self._unrecorded.overlap(made.start, made.end)
        self._slot(track, entry).parts.append((made, chunk))
        self._advance(track)
        self._give_up_on_stragglers()

    def segment_closed(self, feed: str, track: str, number: int) -> None:
        state = self._tracks.get(track)
        if state is None:
            return
        if number in self._feeds[feed].cuts:
            self._feeds[feed].closed.setdefault(number, set()).add(track)
        entry = self._by_segment.get((feed, number))
        if entry is not None and entry.msn >= state.msn:
            self._slot(state, entry).closed = True
            self._advance(state)

    # --- inside ----------------------------------------------------------------------------------------

    def _is_next(self, feed: str, number: int) -> bool:
        """Whether a segment that is not listed yet is the next one to list."""
        segments = self._feeds[feed]
        if number < segments.listed_from or isinstance(self._state, Stopped):
            return False
        if feed == PROGRAMME:
            cut = segments.cuts.get(number)
            if cut is not None and cut.start < self._forgotten_until:
                self._torn = True
                return False
            if isinstance(self._state, Pending):
                # The encoders are late: a cut that was being made at the time of the action may lie under the slate.
                return cut is not None and self.airs_at(cut.start)
            return self.shows_programme
        return not self.shows_programme

    def _plan_entry(self, feed: str, made: MadePart) -> PlannedSegment:
        """Give the next media sequence number to the segment that this part begins."""
        before = self._last_entry
        cut = self._feeds[feed].cuts.get(made.number) or Cut(made.number, made.start, discontinuity=True)
        if feed == PROGRAMME and isinstance(self._state, Pending):
            self._state = reached(self._state)
            if before is not None and before.feed == SLATE_FEED:
                before.until = cut.start
        interval = self._state.interval or self._open_interval(cut.start)
        follows = (
            before is not None
            and before.feed == feed
            and before.number + 1 == made.number
            and before.interval.index == interval.index
        )
        entry = PlannedSegment(
            msn=self.next_msn,
            feed=feed,
            number=made.number,
            start=made.start,
            discontinuity=self.next_msn > 0 and (cut.discontinuity or not follows or self._torn),
            interval=interval,
        )
        self._torn = False
        self.next_msn += 1
        self._feeds[feed].listed_from = made.number + 1
        self._last_entry = entry
        self._plan[entry.msn] = entry
        self._by_segment[(feed, made.number)] = entry
        for name in self._feeds[feed].closed.get(made.number, ()):
            self._slot(self._tracks[name], entry).closed = True
        return entry

    def _open_interval(self, start: int) -> Interval:
        interval = Interval(
            index=self._next_interval,
            key=secrets.token_urlsafe(9),
            aired=self.shows_programme,
            start=start,
            public=self.name == PUBLIC,
        )
        self._next_interval += 1
        self._state = opened(self._state, interval)
        self._emit(IntervalOpened(output=self.name, interval=interval))
        return interval

    def _slot(self, track: TrackPosition, entry: PlannedSegment) -> WaitingParts:
        return track.slots.setdefault(entry.msn, WaitingParts())

    def _advance(self, track: TrackPosition) -> None:
        """List the parts of the rendition as far as its segments follow one another."""
        while (entry := self._plan.get(track.msn)) is not None:
            slot = track.slots.get(track.msn)
            if slot is None:
                return
            while slot.parts:
                self._list(track, entry, *slot.parts.popleft())
            if not slot.closed:
                return
            self._finish(track, entry)

    def _list(self, track: TrackPosition, entry: PlannedSegment, made: MadePart, chunk: Chunk) -> None:
        if not track.opened:
            try:
                init, new = self._inits.find(track.name, made.config)
            except ValueError:
                self.late_total += 1
                return
            if new is not None:
                self._emit(InitMade(init=new))
            track.opened, track.init = True, init
            self._emit_segment(track, entry, made.start)
        part = Part(made.start, made.duration, made.independent, chunk)
        self._emit(
            PartMade(
                output=self.name,
                rendition=track.name,
                msn=entry.msn,
                index=track.parts,
                part=part,
                data=made.data,
            )
        )
        track.parts += 1
        track.end = made.end

    def _finish(self, track: TrackPosition, entry: PlannedSegment) -> None:
        if track.opened:
            self._emit(SegmentDone(output=self.name, rendition=track.name, msn=entry.msn))
        else:
            self.gaps_total += 1
            self._emit_segment(track, entry, entry.start, gap_duration=max(1, entry.end - entry.start))
            track.end = max(track.end, entry.end)
        track.slots.pop(entry.msn, None)
        track.msn += 1
        track.opened, track.parts = False, 0
        if all(other.msn > entry.msn for other in self._tracks.values()):
            self._retire(entry)

    def _emit_segment(self, track: TrackPosition, entry: PlannedSegment, start: int, *, gap_duration: int = 0) -> None:
        segment = Segment(
            msn=entry.msn,
            start=start,
            init=track.init,
            discontinuity=entry.discontinuity,
            interval=entry.interval.index,
            complete=gap_duration > 0,
            gap=gap_duration > 0,
            gap_duration=gap_duration,
        )
        self._emit(SegmentOpened(output=self.name, rendition=track.name, segment=segment))

    def _retire(self, entry: PlannedSegment) -> None:
        """Every rendition has completed this segment."""
        del self._plan[entry.msn]
        # Remembered for a while, to distinguish a late part from one that must never be listed.
        self._retired.append((entry.feed, entry.number))
        if len(self._retired) > REMEMBERED_SEGMENTS:
            self._by_segment.pop(self._retired.popleft(), None)
        seen = entry.feed == PROGRAMME and entry.until != entry.start
        listed = Listed(entry.msn, entry.start, entry.end, entry.discontinuity, seen)
        self.window.add(listed, fleeting=entry.fleeting)

    def _trim(self, first_msn: int) -> None:
        unfinished = [(entry.msn, entry.discontinuity) for entry in self._plan.values()]
        self.window.trim(first_msn, unfinished, withdrawn=True)

    def _give_up_on_stragglers(self) -> None:
        """Close the segments of a rendition that is too far behind; its later parts of them are dropped."""
        edge = self.end
        for track in self._tracks.values():
            while track.msn + 1 < self.next_msn and edge - max(track.end, self._plan[track.msn].end) > MAX_LAG_TICKS:
                self._slot(track, self._plan[track.msn]).closed = True
                self._advance(track)


def _overlap(start: int, end: int, begin: int, until: int) -> bool:
    """Whether a segment overlaps a stretch, including its sound after its picture."""
    return start - SLACK_TICKS < until and end + SLACK_TICKS > begin
