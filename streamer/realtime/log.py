"""The events of one room and namespace in order, for clients that come back and for slow readers. Pure.

There is one copy of each event for all readers: a reader is a position in the log.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

from streamer.conference.grants import Target

SEQ_PER_MS = 1000


class Sequence:
    """Growing numbers made from time: a new process does not repeat the numbers of the last one, and a gap only tells
    that time passed. Up to a thousand a millisecond; JavaScript counts them exactly."""

    def __init__(self, clock: Callable[[], int]) -> None:
        """``clock``: UTC milliseconds."""
        self._clock = clock
        self.last = clock() * SEQ_PER_MS

    def next(self) -> int:
        self.last = max(self.last + 1, self._clock() * SEQ_PER_MS)
        return self.last


@dataclass(frozen=True, slots=True, eq=False)
class LogEntry:
    """One event, encoded once.

    ``json`` is the whole event object. ``about`` names the item of the event, for :meth:`Log.forget`. ``only``: the one
    participant who gets it. ``closed``: the target of a closed session; only clients whose grant may read it get the
    event. ``stage``: only clients whose grant may read the stage of that target.
    """

    seq: int
    at_ms: int
    json: bytes
    room: str = ""
    about: str = ""
    only: str | None = None
    closed: Target | None = None
    stage: Target | None = None
    replaces: str = ""
    """A newer event with the same name replaces this one for readers that have not had it yet."""
    to: frozenset[str] | None = None
    """In a front process, which judges nobody: the clients that the core gives it to; None: all."""

    @property
    def for_all(self) -> bool:
        return self.only is None and self.closed is None and self.stage is None and self.to is None


class Log:
    """Bounded by count, bytes and age. A read after a position costs only the events that it returns."""

    def __init__(
        self, sequence: Sequence, *, begin: int | None = None, max_events: int, max_bytes: int, max_age_ms: int
    ) -> None:
        """``begin``: the number after which it has all; the sequence's last if it is left out."""
        self._sequence = sequence
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._max_age_ms = max_age_ms
        self._seqs: list[int] = []
        self._written: list[int] = []
        """Bytes that were ever appended, up to and with each entry."""
        self._entries: list[LogEntry] = []
        self._bytes = 0
        self._newest: dict[str, LogEntry] = {}
        self._about: dict[str, dict[LogEntry, None]] = {}
        """Item -> its events: looked up with each chat message."""
        self.floor = self.last = sequence.last if begin is None else begin
        """The log has all events after its floor, except replaced ones."""
        self._total = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def bytes(self) -> int:
        return self._bytes

    def next_seq(self) -> int:
        """The number for the next :meth:`append`."""
        return self._sequence.next()

    def append(self, entry: LogEntry) -> None:
        """``entry.seq`` is greater than any before."""
        assert entry.seq > self.last
        if entry.replaces:
            old = self._newest.get(entry.replaces)
            if old is not None:
                self._remove(old)
            self._newest[entry.replaces] = entry
        if entry.about:
            self._about.setdefault(entry.about, {})[entry] = None
        self._seqs.append(entry.seq)
        self._entries.append(entry)
        self._bytes += len(entry.json)
        self._total += len(entry.json)
        self._written.append(self._total)
        self.last = entry.seq
        if len(self._entries) > self._max_events or self._bytes > self._max_bytes:
            # Down to nine tenths, so that it is not done for each event.
            self._trim(entry.at_ms, self._max_events * 9 // 10, self._max_bytes * 9 // 10)

    def after(self, seq: int, limit: int | None = None) -> list[LogEntry]:
        """The events after ``seq``, oldest first, at most ``limit``."""
        start = bisect_right(self._seqs, seq)
        return self._entries[start:] if limit is None else self._entries[start : start + limit]

    def behind(self, seq: int) -> tuple[int, int]:
        """The number of events, and about how many bytes, that wait for a reader at ``seq``."""
        start = bisect_right(self._seqs, seq)
        if start == len(self._seqs):
            return 0, 0
        return len(self._seqs) - start, self._total - self._written[start] + len(self._entries[start].json)

    def resumes(self, since: int) -> bool:
        """Whether a client that has seen everything up to ``since`` can continue from there."""
        return self.floor <= since <= self.last

    def forget(self, about: str) -> None:
        """Drop the events about an item. Readers do not notice, because numbers have gaps anyway."""
        for entry in list(self._about.get(about, ())):
            self._remove(entry)

    def trim(self, now_ms: int) -> None:
        """Drop events that are too old."""
        if self._entries and self._entries[0].at_ms < now_ms - self._max_age_ms:
            self._trim(now_ms, self._max_events, self._max_bytes)

    def _remove(self, entry: LogEntry) -> None:
        at = bisect_right(self._seqs, entry.seq) - 1
        if at >= 0 and self._entries[at] is entry:
            del self._seqs[at], self._entries[at], self._written[at]
            self._bytes -= len(entry.json)
        self._unname(entry)

    def _unname(self, entry: LogEntry) -> None:
        if entry.replaces and self._newest.get(entry.replaces) is entry:
            del self._newest[entry.replaces]
        about = self._about.get(entry.about)
        if about is not None:
            about.pop(entry, None)
            if not about:
                del self._about[entry.about]

    def _trim(self, now_ms: int, most_events: int, most_bytes: int) -> None:
        drop, size = 0, self._bytes
        oldest_ms = now_ms - self._max_age_ms
        for entry in self._entries:
            left = len(self._entries) - drop
            if left <= most_events and size <= most_bytes and entry.at_ms >= oldest_ms:
                break
            size -= len(entry.json)
            drop += 1
            self._unname(entry)
        if drop:
            self.floor = self._seqs[drop - 1]
            del self._seqs[:drop], self._entries[:drop], self._written[:drop]
            self._bytes = size
