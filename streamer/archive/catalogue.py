"""What delivery asks about a session's replay."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from streamer.archive.material import Span


@dataclass(slots=True, frozen=True)
class Details:
    """What a file tells of its session. Chapters: (media time, title)."""

    title: str = ""
    speakers: tuple[str, ...] = ()
    event: str = ""
    abstract: str = ""
    date: str = ""
    """ISO 8601."""
    chapters: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class EditionRef:
    """A cut by its marks. ``id`` is unguessable and part of its addresses."""

    id: str
    start_ms: int
    end_ms: int | None
    """None while the session is on air."""
    skips: tuple[Span, ...] = ()
    created_ms: int = 0
    replaced: bool = False

    @property
    def event(self) -> bool:
        """Whether it began while the session was on air: its playlists grow (EXT-X-PLAYLIST-TYPE:EVENT)."""
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
    """Unlisted or private: a key opens it."""

    @property
    def current(self) -> EditionRef | None:
        """What the session's address points to."""
        return next((edition for edition in reversed(self.editions) if not edition.replaced), None)

    def edition(self, edition_id: str) -> EditionRef | None:
        return next((edition for edition in self.editions if edition.id == edition_id), None)


class ReplayCatalogue(Protocol):
    """Answers from memory as a rule: it is asked for every segment."""

    async def find(self, session: str, /) -> ReplayState | None:
        """None where nothing is or was recorded of the session, or there is no such session."""
        ...

    async def details(self, session: str, /) -> Details:
        """What a file of the session tells of it."""
        ...
