"""The segments that an output lists and every rendition has completed, and their removal from the list. Ticks
throughout."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace

from streamer.broadcast.media_events import MediaEvent, Trimmed

MIN_SEGMENTS = 6
"""Apple's authoring rules ask for six segments in a live playlist."""


@dataclass(slots=True, frozen=True)
class Listed:
    """``programme``: the segment shows the programme, at least in part."""

    msn: int
    start: int
    end: int
    discontinuity: bool = False
    programme: bool = True


@dataclass(slots=True, frozen=True)
class OutputState:
    """The state of an output that goes on after a crash."""

    next_msn: int = 0
    next_interval: int = 0
    discontinuity_sequence: int = 0
    window: tuple[Listed, ...] = ()
    """The segments in the window, oldest first."""


class OutputWindow:
    """``ticks`` is the length of the list. Segments ``fleeting`` leave after that many ticks, with everything before
    them; None: they are listed like the rest."""

    def __init__(
        self,
        output: str,
        emit: Callable[[MediaEvent], None],
        state: OutputState,
        *,
        ticks: int,
        fleeting: int | None,
    ) -> None:
        self.ticks = ticks
        self.keep_from: int | None = None
        """Segments that end after this tick stay listed, however old they are."""
        self.first_msn = state.window[0].msn if state.window else state.next_msn
        self.segments = deque(state.window)
        """Oldest first."""
        self._output = output
        self._emit = emit
        self._fleeting = fleeting
        self._fleeting_msn = -1
        """The newest segment that has parts in memory only."""
        self._discontinuity_sequence = state.discontinuity_sequence

    def add(self, segment: Listed, *, fleeting: bool) -> None:
        if segment.msn < self.first_msn:
            return  # it was removed before it was complete
        self.segments.append(segment)
        if fleeting:
            self._fleeting_msn = segment.msn
        self.trim(self._start(segment.end))

    def blank(self, numbers: Collection[int]) -> None:
        """These segments do not show the programme any more."""
        self.segments = deque(replace(s, programme=False) if s.msn in numbers else s for s in self.segments)

    def trim(self, first_msn: int, unfinished: Iterable[tuple[int, bool]] = (), *, withdrawn: bool = False) -> None:
        """List nothing before ``first_msn``, for good. ``unfinished``: number and discontinuity of the segments that
        are not complete. ``withdrawn``: before their time."""
        if first_msn <= self.first_msn:
            return
        # RFC 8216bis, 4.4.3.3: the number grows with each EXT-X-DISCONTINUITY tag that is removed.
        known = [*((segment.msn, segment.discontinuity) for segment in self.segments), *unfinished]
        self._discontinuity_sequence += sum(tag for msn, tag in known if self.first_msn <= msn < first_msn)
        while self.segments and self.segments[0].msn < first_msn:
            self.segments.popleft()
        self.first_msn = first_msn
        self._emit(
            Trimmed(
                output=self._output,
                first_msn=first_msn,
                discontinuity_sequence=self._discontinuity_sequence,
                withdrawn=withdrawn,
            )
        )

    def _start(self, end: int) -> int:
        """The first segment to list if the newest one ends at ``end``."""
        oldest_end = end - self.ticks
        if self.keep_from is not None:
            oldest_end = min(oldest_end, self.keep_from)
        keep, first = len(self.segments), self.first_msn
        for segment in self.segments:
            if self._fleeting is not None and segment.msn <= self._fleeting_msn:
                if segment.end >= end - self._fleeting:
                    break
            elif keep <= MIN_SEGMENTS or segment.end >= oldest_end:
                break
            keep, first = keep - 1, segment.msn + 1
        return first
