"""From a handshake to a client: who it is, where it may go."""

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
from streamer.errors import StreamerError, Unavailable, Unprocessable
from streamer.realtime import rights
from streamer.realtime.engine import Wire
from streamer.realtime.hub import AUDIENCE, MODERATION, STUDIO, Client
from streamer.realtime.messages import EVERY_ROOM, Handshake
from streamer.realtime.ports import AccessPolicy, FindSession
from streamer.settings import RealtimeSettings

MOST_MOVED = 1000
"""Of those that changed longest ago, nobody comes back with what was told before."""


class Admission:
    """Lets clients in, and asks again later whether they may stay."""

    def __init__(
        self,
        director: Director,
        doors: AccessPolicy,
        find_session: FindSession,
        audience: Audience,
        settings: RealtimeSettings,
    ) -> None:
        self._director = director
        self._doors = doors
        self._find_session = find_session
        self._settings = settings
        self._audience = audience
        self._members = Buckets(settings.commands_burst, settings.commands_per_s)
        """One for each participant, by however many connections."""
        self._moved: dict[str, int] = {}
        """Sessions that have another audience than before -> up to which number events are of the old one."""

    async def enter(self, wire: Wire, namespace: str, auth: Any, request: web.Request, sid: str) -> Client:
        """Raises StreamerError for who may not."""
        shake = _handshake(auth)
        caller = await self._doors.identify(request, shake.token or None)
        grant = None if caller is None else caller.grant
        session = None if shake.session is None else await self._session(shake.session)
        client = Client(
            sid=sid,
            namespace=namespace,
            wire=wire,
            channel="",
            address=self._doors.address(request),
            member=sid,
            bucket=Bucket(self._settings.commands_burst, self._settings.commands_per_s),
            caller=caller,
            name=" ".join((shake.name or "").split()),
            place=" ".join((shake.place or "").split()),
            since=shake.since,
        )
        if session is not None:
            # A link is for an audience; crew come by their grants.
            client.link = (shake.key or "") if namespace == AUDIENCE else ""
            self._require_view(client, session)
            client.room, client.asked = session.room, session.id
            if client.since is not None and client.since <= self._moved.get(session.id, 0):
                # It counts in the audience that the session had before.
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
        """The participant by the token that the page keeps, or by its cookie; else somebody new."""
        identity = None
        for token in (shake.participant, request.cookies.get(COOKIE)):
            if token and identity is None:
                identity = self._audience.identity(token)
        if identity is None:
            identity, client.key = self._audience.new_identity()
        client.member, client.since_ms = identity.id, identity.since_ms
        client.bucket = self._members.of(identity.id)

    def note_moved(self, session: str, seq: int) -> None:
        """The session has become closed, or public; ``seq``: what has been told by now has no greater number."""
        self._moved.pop(session, None)
        self._moved[session] = seq
        if len(self._moved) > MOST_MOVED:
            del self._moved[next(iter(self._moved))]

    async def check(self, client: Client) -> None:
        """Whether a client may still be where it is, with its grant as it is now.

        Raises StreamerError with the code that it is told.
        """
        if client.caller is not None:
            renewed = await self._doors.renew(client.caller)
            if renewed is None and client.namespace == AUDIENCE and client.session is None:
                # What is public stays open; it goes on as anybody.
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
        """Whether it is where that session's audience is. Those who may not know of it any more are told no more."""
        session: Session | None = self._director.find(session_id) or await self._find_session(session_id)
        if session is None and client.session is None:
            # It was public and is gone; the room is still there.
            return
        if session is None:
            raise rights.no_such_session()
        if client.namespace == AUDIENCE:
            self._require_view(client, session)
        if session.closed != (client.session is not None):
            raise StreamerError("The session's audience is another now. Come back.", code="moved", status=409)

    def _require_view(self, client: Client, session: Session) -> None:
        by_link = self._doors.is_link(session, client.link)
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
        raise _invalid("Either room or session has to be named.")
    if shake.protocol not in (None, PROTOCOL_VERSION):
        raise Unprocessable(
            f"Version {PROTOCOL_VERSION} of the protocol is spoken here.",
            code="unsupported_protocol",
            details={"protocol": PROTOCOL_VERSION},
        )
    return shake


def _invalid(message: str) -> Unprocessable:
    return Unprocessable(message, code="invalid_auth")


def unavailable() -> Unavailable:
    return Unavailable("The server does not manage that at the moment.", code="unavailable")
