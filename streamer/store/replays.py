"""Published replays of public sessions, for the archive. Reads only."""

from __future__ import annotations

from sqlalchemy import select

from streamer.conference.captions import Cue
from streamer.conference.sessions import Session, Visibility
from streamer.store.mapping import RowMapping
from streamer.store.paging import Page
from streamer.store.repository import Repository
from streamer.store.tables import captions, recordings, rooms, sessions

_SESSIONS = RowMapping(Session, sessions)
_CUES = RowMapping(Cue, captions)
_ACCENTED = frozenset("aceinouy")
_ESCAPED = {sign: f"\\{sign}" for sign in "%_\\"}
MOST_LINES = 2000
"""The most lines of captions that one search looks at, the newest first."""


class Replays(Repository):
    """One transaction's view of the archive."""

    async def page(
        self, limit: int, after: str | None, *, event: str | None = None, venue: str | None = None
    ) -> Page[Session]:
        """Sessions with a published recording, the newest first."""
        query = (
            select(sessions)
            .join(recordings, recordings.c.session_id == sessions.c.id)
            .where(
                sessions.c.visibility == Visibility.PUBLIC.value,
                recordings.c.published.is_(True),
                recordings.c.state == "ready",
            )
        )
        if event is not None:
            query = query.where(sessions.c.event_id == event)
        if venue is not None:
            query = query.where(sessions.c.room_id.in_(select(rooms.c.id).where(rooms.c.venue_id == venue)))
        return await self._page(_SESSIONS, query, limit, after, sessions.c.start_ms, sessions.c.id, descending=True)

    async def lines_with(self, word: str) -> list[Cue]:
        """Lines of captions of published replays that may contain a word, the newest first.

        ``word``: without case and accents. Databases differ in how they compare other letters than ASCII's, so each
        letter that may have an accent matches any: the caller looks at the lines.
        """
        pattern = "".join("_" if letter in _ACCENTED else _ESCAPED.get(letter, letter) for letter in word)
        query = (
            select(captions)
            .join(recordings, recordings.c.session_id == captions.c.session_id)
            .where(recordings.c.published.is_(True), captions.c.text.ilike(f"%{pattern}%", escape="\\"))
            .order_by(captions.c.at_ms.desc())
            .limit(MOST_LINES)
        )
        return await self._all(_CUES, query)
