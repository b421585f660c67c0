"""Delivery's questions about a session's replay."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from streamer.archive.material import Span


@dataclass(slots=True, frozen=True)
class Details:
    """A session's details for its file. Chapters: (media time, title)."""

    title: str = ""
    speakers: tuple[str, ...] = ()
    event: str = ""
    abstract: str = ""
    date: str = ""
    """ISO 8601."""
    chapters: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class EditionRef:
    """A cut by its marks. ``id`` cannot be guessed and is part of its addresses."""

    id: str
    start_ms: int
    end_ms: int | None
    """None during the session."""
    skips: tuple[Span, ...] = ()
    created_ms: int = 0
    replaced: bool = False
    sound: str = ""
    """The levelled sound that is heard in it; empty: the room's."""

    @property
    def length_ms(self) -> int | None:
        """Without what is cut away; None during the session."""
        if self.end_ms is None:
            return None
        return self.end_ms - self.start_ms - sum(skip.to_ms - skip.from_ms for skip in self.skips)

    @property
    def event(self) -> bool:
        """Whether it began during the session: its playlists grow (EXT-X-PLAYLIST-TYPE:EVENT)."""
        return self.end_ms is None or self.created_ms < self.end_ms


@dataclass(frozen=True, slots=True)
class ReplayState:
    """A recording as its audience may see it now."""

    session: str
    room: str
    folder: Path
    """The recording's folder."""
    editions: tuple[EditionRef, ...] = ()
    """Oldest first, the replaced ones included."""
    published: bool = False
    closed: bool = False
    """Unlisted or private: it needs a key."""
    whole: EditionRef | None = None
    """All of the material as an edition, for people who move its cut; None while it grows or nobody is served."""

    @property
    def current(self) -> EditionRef | None:
        """The edition that the session's address leads to."""
        return next((edition for edition in reversed(self.editions) if not edition.replaced), None)

    def edition(self, edition_id: str) -> EditionRef | None:
        if self.whole is not None and edition_id == self.whole.id:
            return self.whole
        return next((edition for edition in self.editions if edition.id == edition_id), None)


class ReplayCatalogue(Protocol):
    """Usually answers from memory: it is asked for every segment."""

    async def find(self, session: str, /) -> ReplayState | None:
        """None if the session does not exist or has no recording."""
        ...

    async def details(self, session: str, /) -> Details:
        """The session's details for its file."""
        ...
