"""The segments of a rendition, the old ones as bytes. Part of :mod:`streamer.broadcast.view`; pure.

Two hours of a room at six renditions are a quarter of a million parts. As objects they take a hundred megabytes, and
hardly one of them is ever read again. So an old segment is kept as it is sent and stored: in msgpack.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import cast

import msgspec

from streamer.broadcast.programme import Segment

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Segment).decode


class SegmentTable(Mapping[int, Segment]):
    """Segments by number, oldest first, without a hole. A packed segment is made anew by each read; it never changes
    but through :meth:`replace`."""

    __slots__ = ("_durations", "_first", "_rows", "_young")

    def __init__(self) -> None:
        self._rows: list[bytes] = []
        self._durations = array("q")
        """Of the rows, ticks."""
        self._first = 0
        """The number of the first row."""
        self._young: dict[int, Segment] = {}
        """The segments after the rows."""

    def __getitem__(self, msn: int) -> Segment:
        segment = self.get(msn)
        if segment is None:
            raise KeyError(msn)
        return segment

    def get(self, msn: int, default: object = None) -> Segment | None:  # type: ignore[override]
        segment = self._young.get(msn)
        if segment is None and 0 <= (row := msn - self._first) < len(self._rows):
            return _decode(self._rows[row])
        return segment

    def __contains__(self, msn: object) -> bool:
        return msn in self._young or (isinstance(msn, int) and 0 <= msn - self._first < len(self._rows))

    def __iter__(self) -> Iterator[int]:
        return chain(range(self._first, self._first + len(self._rows)), self._young)

    def __len__(self) -> int:
        return len(self._rows) + len(self._young)

    @property
    def first_msn(self) -> int | None:
        return next(iter(self), None)

    @property
    def young(self) -> Iterable[Segment]:
        """Those that are not packed, oldest first."""
        return self._young.values()

    def duration(self, msn: int) -> int:
        """In ticks, so far; 0 for a segment that is not listed."""
        row = msn - self._first
        if 0 <= row < len(self._durations):
            return self._durations[row]
        segment = self._young.get(msn)
        return segment.duration if segment is not None else 0

    def copied(self, numbers: range | None = None) -> list[Segment]:
        """A copy for :func:`unpacked`, or for an encoder, which writes it as the segments. Quick, however long: it is
        for the loop that owns the table. Complete segments are shared."""
        begin, end = 0, len(self._rows)
        if numbers is not None:
            begin, end = (min(max(0, number - self._first), end) for number in (numbers.start, numbers.stop))
        found: list[Segment | msgspec.Raw] = [msgspec.Raw(row) for row in self._rows[begin:end]]
        for msn, segment in self._young.items():
            if numbers is None or msn in numbers:
                found.append(segment if segment.complete else msgspec.structs.replace(segment, parts=[*segment.parts]))
        return cast("list[Segment]", found)

    # --- changes ----------------------------------------------------------------------------------

    def add(self, segment: Segment) -> None:
        self._young[segment.msn] = segment

    def replace(self, segment: Segment) -> None:
        """Another value for a number that is listed."""
        row = segment.msn - self._first
        if 0 <= row < len(self._rows):
            self._rows[row] = _encode(segment)
            self._durations[row] = segment.duration
        else:
            self._young[segment.msn] = segment

    def pack(self) -> None:
        """Keep the oldest segment that is not packed as bytes. It must be complete."""
        msn = next(iter(self._young))
        segment = self._young.pop(msn)
        if not self._rows:
            self._first = msn
        self._rows.append(_encode(segment))
        self._durations.append(segment.duration)

    def drop_before(self, first_msn: int) -> list[Segment]:
        """Remove the segments below the number; returns them."""
        count = min(max(0, first_msn - self._first), len(self._rows))
        gone = [_decode(row) for row in self._rows[:count]]
        del self._rows[:count], self._durations[:count]
        self._first += count
        while (msn := next(iter(self._young), first_msn)) < first_msn:
            gone.append(self._young.pop(msn))
        return gone


def unpacked(segments: Iterable[Segment]) -> Iterator[Segment]:
    """The segments of :meth:`SegmentTable.copied`."""
    for segment in segments:
        yield _decode(segment) if isinstance(segment, msgspec.Raw) else segment
