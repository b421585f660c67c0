"""Sends typed captions to the audience that may read them, for pages that play without the captions' playlist."""

from __future__ import annotations

from streamer.audience.captioning import CaptionEvent
from streamer.audience.scope import Scope, scope_of
from streamer.conference.rooms import Between
from streamer.director.director import Director
from streamer.realtime.access import StateOf
from streamer.realtime.hub import AUDIENCE, Client, Hub


class CaptionFeed:
    """``state_of``: the state of a room's public output. Captions while it shows the slate are not sent."""

    def __init__(self, hub: Hub[Client], director: Director, state_of: StateOf) -> None:
        self._hub = hub
        self._director = director
        self._state_of = state_of

    def hear(self, event: CaptionEvent) -> None:
        """A closed session's captions go to its own audience only. Public ones go out only if the public output shows
        the programme."""
        scope = self._scope(event)
        if scope is None or self._hub.existing(AUDIENCE, scope.key) is None:
            return
        about = f"caption {event.id}"
        if not event.text:
            # A client that comes back must not get the removed text.
            self._hub.forget(AUDIENCE, scope.key, about)
        data = {"id": event.id, "lang": event.lang, "text": event.text, "final": event.final}
        self._hub.post(
            AUDIENCE, scope.key, "caption", data, room=event.room, media_at=event.at_ms, about=about, replaces=about
        )

    def _scope(self, event: CaptionEvent) -> Scope | None:
        room = self._director.rooms.get(event.room)
        if room is None:
            return None
        public = self._state_of(room.id) == "live" or not event.text
        if event.session is None:
            return Scope(room.id) if public and room.between is Between.OPEN else None
        session = self._director.find(event.session)
        if session is None:
            return None
        return scope_of(session) if session.closed or public else None
