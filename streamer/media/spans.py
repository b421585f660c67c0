"""Marked stretches of the timeline: unrecorded, silent, forgotten. Pure; ticks throughout."""

from __future__ import annotations

from dataclasses import dataclass, field

REMEMBERED = 64
"""Lookups are about the live edge, a few seconds back at most."""


@dataclass(slots=True)
class Spans:
    """Stretches that begin and end in order."""

    _spans: list[tuple[int, int | None]] = field(default_factory=list)

    @property
    def open(self) -> bool:
        """Whether a stretch is open now."""
        return bool(self._spans) and self._spans[-1][1] is None

    def begin(self, at: int) -> None:
        if not self.open:
            self._spans.append((at, None))
            del self._spans[:-REMEMBERED]

    def end(self, at: int) -> None:
        if self.open:
            start = self._spans[-1][0]
            self._spans[-1] = (start, max(start, at))

    def add(self, start: int, end: int) -> None:
        """A finished stretch. Not between :meth:`begin` and :meth:`end`."""
        self._spans.append((start, end))
        del self._spans[:-REMEMBERED]

    def without(self, start: int, end: int) -> list[tuple[int, int]]:
        """The pieces from ``start`` to ``end`` outside of all stretches, in order."""
        left = [(start, end)] if start < end else []
        for begin, until in self._spans:
            stop = end if until is None else until
            left = [(a, b) for x, y in left for a, b in ((x, min(y, begin)), (max(x, stop), y)) if a < b]
        return left

    def overlap(self, start: int, end: int) -> bool:
        """Whether any stretch overlaps ``start`` to ``end``."""
        return any(begin < end and (until is None or start < until) for begin, until in self._spans)
