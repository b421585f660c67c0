"""The Socket.IO service as a whole: made by ``streamer.web.application``, served under ``/socket.io/``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

import structlog
from aiohttp import web

from streamer.audience.command_table import AUDIENCE_COMMANDS, MODERATION_COMMANDS
from streamer.audience.service import Audience
from streamer.audience.views import moment
from streamer.control.media_plane import MediaPlane
from streamer.director.director import Director
from streamer.errors import BadRequest, StreamerError, Unavailable
from streamer.realtime.access import AccessPolicy, Clock, FindSession, StateOf, Views
from streamer.realtime.admission import Admission
from streamer.realtime.audience_feed import AudienceFeed, banned
from streamer.realtime.commands import Commands
from streamer.realtime.engine import PATH, EngineServer, Wire
from streamer.realtime.facts import Facts
from streamer.realtime.feed import DayFeed
from streamer.realtime.hub import AUDIENCE, MODERATION, NAMESPACES, STUDIO, Client, Hub, snapshot_message
from streamer.realtime.limits import ConnectionPlaces, Seats
from streamer.realtime.log import SEQ_PER_MS
from streamer.realtime.messages import RoomSnapshot, You
from streamer.realtime.pulse import Pulses
from streamer.realtime.rights import room_target
from streamer.realtime.stats import Stats
from streamer.realtime.studio import STUDIO_COMMANDS
from streamer.settings import RealtimeSettings
from streamer.supervision import start_kept

CHECK_S = 0.5
"""Time between two searches for clients that need a check."""
RENEW_S = 15.0
"""Time between two reads of each client's grant: a change by another process is noticed within this time."""
BODY_S = 15.0
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
TABLES = {
    AUDIENCE: AUDIENCE_COMMANDS,
    MODERATION: MODERATION_COMMANDS,
    STUDIO: STUDIO_COMMANDS,
}
"""Namespace -> commands. The rights test reads here the right of each."""

log = structlog.get_logger(__name__)


class Realtime:
    """Start it after the director and the media plane; close it before them. On the loop."""

    def __init__(
        self,
        settings: RealtimeSettings,
        *,
        public_url: str,
        allowed_origins: Iterable[str],
        director: Director,
        plane: MediaPlane,
        access: AccessPolicy,
        views: Views,
        audience: Audience,
        find_session: FindSession,
        state_of: StateOf,
        clock: Clock,
        viewers_of: Callable[[str], int] = lambda room: 0,
    ) -> None:
        self._settings = settings
        self._director = director
        self._access = access
        self._clock = clock
        self._origins = origins_of(public_url, allowed_origins)
        self.stats = Stats()
        self._places = ConnectionPlaces(settings.max_connections, settings.max_connections_per_address)
        self._seats = Seats(settings.max_connections_per_participant)
        self.hub = Hub(settings, self.stats, clock, lambda room: room_target(director, room))
        self._facts = Facts(director, plane, views, state_of)
        self.feed = DayFeed(
            self.hub, self._facts, director, plane, views, self.stats, self._look_at_session, self._has_moved
        )
        self.pulses = Pulses(self.hub, director, plane, viewers_of)
        self._stop_pulses: Callable[[], None] = lambda: None
        self._audience = audience
        self._audience_feed = AudienceFeed(self.hub, director, audience, self._take_out_banned)
        self._admission = Admission(director, access, find_session, audience, settings)
        self.commands = Commands(
            TABLES,
            director=director,
            access=access,
            views=views,
            audience=audience,
            settings=settings,
            stats=self.stats,
            clock=clock,
        )
        self.server = EngineServer(
            self,
            NAMESPACES,
            cors_allowed_origins=sorted(self._origins),
            max_http_buffer_size=settings.max_message_bytes,
            ping_interval=settings.ping_interval_s,
            ping_timeout=settings.ping_timeout_s,
            http_compression=False,
        )
        self._tasks: list[asyncio.Task[None]] = []
        self._suspects: set[str] = set()
        """Sessions whose own audience must be checked again."""
        self._looking = asyncio.Event()
        self._opened: dict[str, tuple[Wire, float]] = {}
        """Engine.IO sessions without a namespace, and their begins."""
        self._closed = False

    # --- life ---------------------------------------------------------------------------------------

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get(PATH, self.handle, allow_head=False)
        app.router.add_post(PATH, self.handle)
        app.router.add_route("OPTIONS", PATH, self.handle)
        app.on_shutdown.append(self._let_go)

    async def start(self) -> None:
        self.feed.start()
        self._audience_feed.start()
        self._stop_pulses = self.pulses.listen()
        self._tasks = [
            start_kept("realtime hub", self.hub.run),
            start_kept("realtime feed", self.feed.run),
            start_kept("realtime rights", self._look_after),
            start_kept("realtime pulse", self.pulses.run),
        ]

    async def close(self) -> None:
        self._closed = True
        self.feed.close()
        self._stop_pulses()
        self._stop_pulses = lambda: None
        self._audience_feed.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.commands.close()
        await self.server.engine.close()

    async def _let_go(self, _app: web.Application) -> None:
        """Called before the web server waits for its requests to end: clients come back to the next process."""
        self._closed = True
        await self.server.engine.close()

    # --- requests -----------------------------------------------------------------------------------

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Everything under ``/socket.io/``. Raises StreamerError."""
        origin = request.headers.get("Origin")
        if origin is not None and origin not in self._origins:
            raise BadRequest("This page may not connect.", code="origin_not_allowed")
        address = self._access.address(request)
        body = b""
        if request.method == "POST":
            body = await self._body(request)
        elif request.method == "GET" and "sid" not in request.query:
            if self._closed:
                raise Unavailable("The server is about to end.", code="unavailable", headers={"Retry-After": "1"})
            self._places.check(address)
        return await self.server.answer(request, address, body)

    async def _body(self, request: web.Request) -> bytes:
        """Read as a whole: Engine.IO's own reading takes the first network packet for the whole body."""
        most = self._settings.max_message_bytes
        if (request.content_length or 0) > most:
            raise StreamerError("The body is too large.", code="too_large", status=413)
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_S):
                async for piece in request.content.iter_any():
                    body += piece
                    if len(body) > most:
                        raise StreamerError("The body is too large.", code="too_large", status=413)
        except TimeoutError as error:
            raise StreamerError("The body did not come in time.", code="timeout", status=408) from error
        return bytes(body)

    # --- called by the engine -----------------------------------------------------------------------

    def opened(self, wire: Wire, address: str) -> None:
        self._places.take(address)
        self.stats.sessions = self._places.open
        self._opened[wire.sid] = (wire, time.monotonic())

    def ended(self, wire: Wire, address: str) -> None:
        self._places.leave(address)
        self.stats.sessions = self._places.open
        self._opened.pop(wire.sid, None)

    async def enter(self, wire: Wire, namespace: str, auth: Any, request: web.Request) -> Client:
        try:
            client = await self._admission.enter(wire, namespace, auth, request, self.server.engine.generate_id())
            self._opened.pop(wire.sid, None)
            await self._seat(client)
        except StreamerError:
            self.stats.refused_total += 1
            raise
        except Exception as error:
            log.exception("handshake_failed", namespace=namespace)
            raise Unavailable("Something went wrong on our side.", code="unavailable") from error
        return client

    async def _seat(self, client: Client) -> None:
        """Put the client into its audience and prepare its snapshot. The last wait before it is in."""
        if client.namespace == AUDIENCE:
            self._seats.take(client.member)
            try:
                await self._audience.join(client.scope, client.participant, client.address)
            except BaseException:
                self._seats.leave(client.member)
                raise
            client.joined = True
        try:
            await self._audience_feed.tell(client)
        except BaseException:
            self.left(client)
            raise

    def entered(self, client: Client) -> None:
        """Puts the client into the log and sends the present state: nothing may come between the two."""
        resumed, reset = self.hub.join(client)
        self.stats.connections_total += 1
        self.stats.resumed_total += resumed
        self.stats.reset_total += reset
        snapshot = RoomSnapshot(
            seq=client.cursor,
            resumed=resumed,
            reset=reset,
            at=moment(self._clock()),
            you=You(client.member, client.role, client.name, client.place, client.key),
            rooms=self._facts.rooms_of(client),
            session=self._facts.own_session(client),
            # A resumed client has it already.
            **({} if resumed else client.told or {}),
        )
        client.told = None
        client.wire.write(snapshot_message(client.namespace, snapshot))

    async def command(self, client: Client, name: str, payload: list[Any]) -> dict[str, Any]:
        return await self.commands.answer(client, name, payload)

    def left(self, client: Client) -> None:
        self.hub.leave(client)
        if client.joined:
            client.joined = False
            self._seats.leave(client.member)
            self._audience.leave(client.scope, client.member)
        if not client.wire.clients and not client.wire.closed:
            self._opened[client.wire.sid] = (client.wire, time.monotonic())

    # --- grants -------------------------------------------------------------------------------------

    async def close_grant(self, grant_id: str, login: bytes | None = None) -> None:
        """Take out all clients that came in by a grant, or by one login (its digest); they are told the reason."""
        for client in list(self.hub.clients()):
            caller = client.caller
            if caller is None or caller.grant.id != grant_id or (login is not None and caller.login != login):
                continue
            if login is None:
                error = StreamerError("The grant has been revoked.", code="revoked", status=401)
            else:
                error = StreamerError("The login has ended.", code="logged_out", status=401)
            self._take_out(client, error)

    def _take_out_banned(self, scope: str, participant: str) -> None:
        for client in list(self.hub.clients(AUDIENCE, scope)):
            if client.member == participant:
                self._take_out(client, banned())

    def _take_out(self, client: Client, error: StreamerError) -> None:
        self.stats.taken_out_total += 1
        wire = client.wire
        self.server.take_out(client, wire, error)
        if not wire.clients:
            # Clients end a session without namespaces themselves; this is for those that do not.
            asyncio.get_running_loop().call_later(CHECK_S, _cut_if_idle, wire)

    def _look_at_session(self, session_id: str) -> None:
        self._suspects.add(session_id)
        self._looking.set()

    def _has_moved(self, session_id: str) -> None:
        """A session has become closed, or public: its audience is another."""
        self._admission.note_moved(session_id, self._clock() * SEQ_PER_MS)
        self._look_at_session(session_id)

    async def _look_after(self) -> None:
        """Runs until it is cancelled: finds clients whose grants end, reach no more or were changed elsewhere, and idle
        connections."""
        while True:
            try:
                async with asyncio.timeout(CHECK_S):
                    await self._looking.wait()
            except TimeoutError:
                pass
            self._looking.clear()
            suspects, self._suspects = self._suspects, set()
            now, now_ms = time.monotonic(), self._clock()
            for client in list(self.hub.clients()):
                ends_ms = None if client.grant is None else client.grant.ends_ms
                if (
                    client.session in suspects
                    or client.asked in suspects
                    or (ends_ms is not None and ends_ms <= now_ms)
                    or (client.caller is not None and now - client.renewed_at >= RENEW_S)
                    or client.renewed_at == 0.0
                ):
                    await self._look_at(client)
            for wire, since in list(self._opened.values()):
                if now - since >= self._settings.join_s and not wire.clients:
                    self._opened.pop(wire.sid, None)
                    self.stats.cut_idle_total += 1
                    wire.cut()
            for wire in list(self.server.engine.wires.values()):
                wire.settle()

    async def _look_at(self, client: Client) -> None:
        try:
            await self._admission.check(client)
        except StreamerError as error:
            if error.status < 500:
                self._take_out(client, error)
        except Exception:
            # The database does not answer: clients that are in stay, and are checked again later.
            log.exception("realtime_check_failed")


def _cut_if_idle(wire: Wire) -> None:
    if not wire.clients:
        wire.cut()


def origins_of(public_url: str, allowed: Iterable[str]) -> frozenset[str]:
    """The instance's own origin and those of the settings. The names of loopback count as one, because people type
    either."""
    own = urlsplit(public_url)
    found = {f"{own.scheme}://{own.netloc}"}
    host = f"[{own.hostname}]" if own.hostname and ":" in own.hostname else own.hostname
    if host in LOOPBACK:
        port = "" if own.port is None else f":{own.port}"
        found |= {f"{own.scheme}://{name}{port}" for name in LOOPBACK}
    return frozenset(found | {origin.rstrip("/") for origin in allowed})
