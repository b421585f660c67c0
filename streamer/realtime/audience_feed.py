"""Turns the audiences' news into events and snapshots, and decides who gets which.

Only ``public`` events go to everybody in an audience. A participant's own events carry the participant, events for the
stage carry its place, and the moderators' events go to ``/moderation``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec

from streamer.audience.news import AudienceEvent, Viewpoint
from streamer.audience.scope import Scope
from streamer.audience.service import Audience
from streamer.conference.grants import Action, Target
from streamer.conference.participation import closed_session
from streamer.director.director import Director
from streamer.errors import StreamerError, Unavailable
from streamer.realtime.hub import AUDIENCE, MODERATION, STUDIO, Client, Hub
from streamer.realtime.messages import EVERY_ROOM
from streamer.realtime.rights import scope_target

SHARED_S = 1.0
"""The public part of a snapshot is encoded once for this time."""
FOR_THE_STUDIO = frozenset({"crew.line", "trouble"})
"""Events of moderators and viewers that technicians also get."""
LATEST_CREW_MESSAGES = 20
"""Of each room, for a client of several rooms."""
TRIES = 5
"""Only the first reading waits, for a scope that is not in memory."""


class AudienceFeed:
    """``banned(scope key, participant)`` is called with a participant who must leave."""

    def __init__(
        self, hub: Hub[Client], director: Director, audience: Audience, banned: Callable[[str, str], None]
    ) -> None:
        self._hub = hub
        self._director = director
        self._audience = audience
        self._banned = banned
        self._end: Callable[[], None] | None = None
        self._shared: dict[str, tuple[int, float, msgspec.Raw]] = {}
        """Channel -> the log's end, the time, and the public part of a snapshot."""

    def start(self) -> None:
        self._end = self._audience.listen(self._hear)

    def close(self) -> None:
        if self._end is not None:
            self._end()

    # --- events -------------------------------------------------------------------------------------

    def _hear(self, event: AudienceEvent) -> None:
        scope = self._scope(event.scope)
        if scope is None:
            return
        if event.viewpoint is Viewpoint.MODERATION:
            self._post(MODERATION, scope, event)
            if event.type in FOR_THE_STUDIO:
                self._post_to_studio(scope, event)
            if event.type == "sanction" and event.data.get("banned"):
                self._banned(scope.key, str(event.data["participant"]))
            return
        self._post(AUDIENCE, scope, event)

    def _post(self, namespace: str, scope: Scope, event: AudienceEvent) -> None:
        name = scope.key
        if self._hub.existing(namespace, name) is None:
            # A closed session's audience without clients: nobody comes back to it either.
            return
        stage = self._target(scope) if event.viewpoint is Viewpoint.STAGE else None
        if event.viewpoint is Viewpoint.STAGE and stage is None:
            return
        about = replaces = ""
        if event.type.startswith("chat."):
            about = f"{event.viewpoint} chat {event.data['id']}"
            # A client that comes back must not learn of the removed item, not even of its removal.
            self._hub.forget(namespace, name, about)
        elif event.replaces:
            replaces = f"{event.viewpoint} {event.only or ''} {event.replaces}"
        self._hub.post(
            namespace,
            name,
            event.type,
            event.data,
            room=scope.room,
            media_at=event.media_at_ms,
            about=about,
            only=event.only,
            stage=stage,
            replaces=replaces,
        )

    def _post_to_studio(self, scope: Scope, event: AudienceEvent) -> None:
        closed = self._target(scope) if scope.session is not None else None
        if scope.session is not None and closed is None:
            return
        data = {**event.data, "room": scope.room}
        self._hub.post(STUDIO, scope.room, event.type, data, closed=closed)

    # --- snapshots ----------------------------------------------------------------------------------

    async def snapshot(self, client: Client) -> dict[str, Any]:
        """The audience's part of the client's snapshot. Raises StreamerError; Unavailable ``unavailable`` if events
        come again and again while it is read.

        It waits for nothing between the last read and the return, so that later changes are in the events.
        """
        channel = self._hub.channel(client.namespace, client.channel)
        for _ in range(TRIES):
            end = channel.log.last
            found = await self._look(client)
            if channel.log.last == end:
                return found
        raise Unavailable("The audience changes too quickly.", code="unavailable", headers={"Retry-After": "1"})

    async def _look(self, client: Client) -> dict[str, Any]:
        scope, audience = client.scope, self._audience
        if client.namespace == MODERATION:
            return {"moderation": await audience.snapshot(scope, Viewpoint.MODERATION)}
        if client.namespace == STUDIO:
            return {"lines": await self._crew_messages(client)}
        told: dict[str, Any] = {
            "audience": await self._public(client),
            "own": await audience.snapshot(scope, Viewpoint.OWN, client.member),
        }
        target = self._target(scope)
        if target is not None and client.grant is not None and client.grant.allows(Action.STAGE_READ, target):
            told["stage"] = await audience.snapshot(scope, Viewpoint.STAGE)
        return told

    async def _crew_messages(self, client: Client) -> list[dict[str, Any]]:
        """The lines of the client's room, or the newest of each of its rooms."""
        if client.channel != EVERY_ROOM:
            return await self._audience.crew_messages(client.scope)
        found: list[dict[str, Any]] = []
        for room in list(self._director.rooms):
            scope = Scope(room)
            target = self._target(scope)
            if target is not None and client.grant is not None and client.grant.allows(Action.ROOM_AIR, target):
                latest = (await self._audience.crew_messages(scope))[-LATEST_CREW_MESSAGES:]
                found += [{**message, "room": room} for message in latest]
        return found

    async def _public(self, client: Client) -> msgspec.Raw:
        """Encoded once for all clients that come at about the same time."""
        log, key, now = self._hub.channel(AUDIENCE, client.channel).log, client.channel, time.monotonic()
        known = self._shared.get(key)
        if known is not None and known[0] == log.last and now - known[1] < SHARED_S:
            return known[2]
        snapshot = await self._audience.snapshot(client.scope, Viewpoint.PUBLIC)
        raw = msgspec.Raw(msgspec.json.encode(snapshot))
        self._shared = {one: kept for one, kept in self._shared.items() if now - kept[1] < SHARED_S}
        self._shared[key] = (log.last, now, raw)
        return raw

    # --- inside -------------------------------------------------------------------------------------

    def _scope(self, key: str) -> Scope | None:
        closed = closed_session(key)
        if closed is None:
            return Scope(key) if key in self._director.rooms else None
        session = self._director.find(closed)
        return None if session is None else Scope(session.room, session.id)

    def _target(self, scope: Scope) -> Target | None:
        try:
            return scope_target(self._director, scope)
        except StreamerError:
            return None


def banned() -> StreamerError:
    """The error for a participant who must leave."""
    return StreamerError("You have been banned from here.", code="banned", status=403)
