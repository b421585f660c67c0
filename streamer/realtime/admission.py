"""Turns a handshake into a client: its identity, its rights, its place."""

from __future__ import annotations

import time
from typing import Any

import msgspec
from aiohttp import web

from streamer import PROTOCOL_VERSION
from streamer.audience.identity import COOKIE
from streamer.audience.service import Audience
from streamer.buckets import Bucket, Buckets
from streamer.conference.sessions import Session
from streamer.director.director import Director
from streamer.errors import StreamerError, Unprocessable
from streamer.realtime import rights
from streamer.realtime.access import AccessPolicy, FindSession
from streamer.realtime.engine import Wire
from streamer.realtime.hub import AUDIENCE, MODERATION, STUDIO, Client
from streamer.realtime.messages import EVERY_ROOM, Handshake
from streamer.settings import RealtimeSettings

MOST_MOVED = 1000
"""The sessions that changed longest ago are dropped; nobody comes back with news from that time."""


class Admission:
    """Lets clients in, and checks repeatedly whether they may stay."""

    def __init__(
        self,
        director: Director,
        access: AccessPolicy,
        find_session: FindSession,
        audience: Audience,
        settings: RealtimeSettings,
    ) -> None:
        self._director = director
        self._access = access
        self._find_session = find_session
        self._settings = settings
        self._audience = audience
        self._members = Buckets(settings.commands_burst, settings.commands_per_s)
        """One for each participant, over all of their connections."""
        self._moved: dict[str, int] = {}
        """Session -> the last number of events of its former audience."""

    async def enter(self, wire: Wire, namespace: str, auth: Any, request: web.Request, sid: str) -> Client:
        """Raises StreamerError for a client that may not come in."""
        shake = _handshake(auth)
        caller = await self._access.identify(request, shake.token or None)
        if caller is not None and caller.grant.role in rights.OUTSIDE:
            if shake.token:
                raise rights.no_entry(caller.grant)
            caller = None  # in a browser that publishes, somebody may watch as well
        grant = None if caller is None else caller.grant
        session = None if shake.session is None else await self._session(shake.session)
        client = Client(
            sid=sid,
            namespace=namespace,
            wire=wire,
            front=wire.front,
            address=self._access.address(request),
            member=sid,
            bucket=Bucket(self._settings.commands_burst, self._settings.commands_per_s),
            caller=caller,
            name=" ".join((shake.name or "").split()),
            place=" ".join((shake.place or "").split()),
            since=shake.since,
        )
        if session is not None:
            # A link is for an audience; the crew comes in by grants.
            client.link = (shake.key or "") if namespace == AUDIENCE else ""
            self._require_view(client, session)
            client.room, client.asked = session.room, session.id
            if client.since is not None and client.since <= self._moved.get(session.id, 0):
                # The client's number belongs to the session's former audience.
                client.since = 0
            if session.closed:
                client.session = session.id
        elif shake.room == EVERY_ROOM and namespace == STUDIO:
            client.role = rights.require(grant, _entry(namespace)).role.value
            client.channel = EVERY_ROOM
            return client
        else:
            client.room = shake.room or ""
        if client.room not in self._director.rooms:
            raise rights.no_such_room()
        client.channel = client.room
        target = rights.room_target(self._director, client.room)
        if session is not None:
            target = rights.session_target(self._director, session)
        if grant is not None and grant.covers(target):
            client.role = grant.role.value
        if namespace != AUDIENCE:
            closed = namespace == MODERATION and client.session is not None
            rights.require(
                grant, _entry(namespace), target if closed else rights.room_target(self._director, client.room)
            )
        if client.session is not None and namespace != STUDIO:
            client.channel = client.scope.key
        else:
            client.session = None
        if namespace == AUDIENCE:
            self._recognise(client, shake, request)
        return client

    def _recognise(self, client: Client, shake: Handshake, request: web.Request) -> None:
        """The participant of the page's token or the cookie, else a new one."""
        identity = None
        for token in (shake.participant, request.cookies.get(COOKIE)):
            if token and identity is None:
                identity = self._audience.identity(token)
        if identity is None:
            identity, client.key = self._audience.new_identity()
        client.member, client.since_ms = identity.id, identity.since_ms
        client.bucket = self._members.of(identity.id)

    def note_moved(self, session: str, seq: int) -> None:
        """The session has become closed, or public; no event so far has a greater number than ``seq``."""
        self._moved.pop(session, None)
        self._moved[session] = seq
        if len(self._moved) > MOST_MOVED:
            del self._moved[next(iter(self._moved))]

    async def check(self, client: Client) -> None:
        """Check that a client may stay where it is, with its present grant.

        Raises StreamerError with the code for the client.
        """
        if client.caller is not None:
            renewed = await self._access.renew(client.caller)
            if renewed is None and client.namespace == AUDIENCE and client.session is None:
                # Public namespaces stay open: the client goes on without a grant.
                client.caller = client.role = None
            elif renewed is None:
                raise StreamerError("The grant has ended.", code="grant_ended", status=401)
            else:
                client.caller = renewed
        client.renewed_at = time.monotonic()
        if client.channel == EVERY_ROOM:
            return
        if client.room not in self._director.rooms:
            raise rights.no_such_room()
        if client.asked is not None and client.namespace != STUDIO:
            await self._check_place(client, client.asked)
        if client.namespace == AUDIENCE:
            return
        try:
            target = rights.room_target(self._director, client.room)
            if client.session is not None:
                target = rights.session_target(self._director, await self._session(client.session))
            rights.require(client.grant, _entry(client.namespace), target)
        except StreamerError as error:
            raise StreamerError(error.message, code="out_of_reach", status=403) from error

    async def _check_place(self, client: Client, session_id: str) -> None:
        """Check that the client is in that session's audience. Clients that may not know of it any more get no news of
        it."""
        session: Session | None = self._director.find(session_id) or await self._find_session(session_id)
        if session is None and client.session is None:
            # It was public and is deleted; the room still exists.
            return
        if session is None:
            raise rights.no_such_session()
        if client.namespace == AUDIENCE:
            self._require_view(client, session)
        if session.closed != (client.session is not None):
            raise StreamerError("The session has another audience now. Connect again.", code="moved", status=409)

    def _require_view(self, client: Client, session: Session) -> None:
        by_link = self._access.is_link(session, client.link)
        rights.require_view(self._director, client.grant, session, by_link=by_link)

    async def _session(self, session_id: str) -> Session:
        session: Session | None = self._director.find(session_id) or await self._find_session(session_id)
        if session is None:
            raise rights.no_such_session()
        return session


def _entry(namespace: str) -> Any:
    action = rights.ENTRY[namespace]
    assert action is not None
    return action


def _handshake(auth: Any) -> Handshake:
    try:
        shake = msgspec.convert({} if auth is None else auth, Handshake)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from error
    if (shake.room is None) == (shake.session is None):
        raise _invalid("Name either room or session.")
    if shake.protocol not in (None, PROTOCOL_VERSION):
        raise Unprocessable(
            f"Version {PROTOCOL_VERSION} of the protocol is needed.",
            code="unsupported_protocol",
            details={"protocol": PROTOCOL_VERSION},
        )
    return shake


def _invalid(message: str) -> Unprocessable:
    return Unprocessable(message, code="invalid_auth")
