"""The segments of an output that some rendition has not completed yet. Ticks throughout."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from streamer.broadcast.programme import Chunk, Interval
from streamer.formats.types import Cut
from streamer.media.packager import MadePart


@dataclass(slots=True)
class PlannedSegment:
    """One media sequence number: a segment of a feed, or the beginning of one."""

    msn: int
    feed: str
    number: int
    start: int
    discontinuity: bool
    interval: Interval
    until: int | None = None
    """Parts that end after this (and SLACK_TICKS) are not listed."""
    end: int = 0
    """The furthest end of all renditions."""
    fleeting: bool = False
    """Some of its parts are in memory only, on purpose."""


@dataclass(slots=True)
class WaitingParts:
    """Parts of a segment for a rendition that is still in an earlier one."""

    parts: deque[tuple[MadePart, Chunk]] = field(default_factory=deque)
    closed: bool = False


@dataclass(slots=True)
class TrackPosition:
    """The progress of one rendition in the output."""

    name: str
    sound: bool
    msn: int
    opened: bool = False
    parts: int = 0
    end: int = 0
    init: int = 0
    slots: dict[int, WaitingParts] = field(default_factory=dict)


@dataclass(slots=True)
class FeedSegments:
    """The newest grid segments of a feed."""

    newest: int = -1
    cuts: dict[int, Cut] = field(default_factory=dict)
    closed: dict[int, set[str]] = field(default_factory=dict)
    listed_from: int = 0
    """Segments before this number are not listed any more, or not yet."""
