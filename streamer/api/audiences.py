"""The director's days in the form that the audience package asks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from streamer.conference.sessions import Session
from streamer.director.director import Director
from streamer.director.news import News, SessionChanged


class DirectorSessions:
    def __init__(self, director: Director) -> None:
        self._director = director

    def sessions(self, room: str) -> Sequence[Session]:
        """Raises NotFound ``no_such_room``."""
        return self._director.day(room).sessions

    def find(self, session_id: str) -> Session | None:
        return self._director.find(session_id)

    def listen(self, listener: Callable[[str], None]) -> Callable[[], None]:
        def hear(news: News) -> None:
            if isinstance(news, SessionChanged):
                listener(news.room)

        return self._director.listen(hear)
