"""The Socket.IO service as a whole: made by ``streamer.web.application``, served under ``/socket.io/``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any

import structlog
from aiohttp import web

from streamer.audience.command_table import AUDIENCE_COMMANDS, MODERATION_COMMANDS
from streamer.audience.service import Audience
from streamer.audience.views import moment
from streamer.bus.port import CoreBus
from streamer.control.media_plane import MediaPlane
from streamer.director.director import Director
from streamer.errors import StreamerError, Unavailable
from streamer.realtime.access import AccessPolicy, Clock, FindSession, StateOf, Views
from streamer.realtime.admission import Admission
from streamer.realtime.audience_feed import AudienceFeed, banned
from streamer.realtime.commands import Commands
from streamer.realtime.engine import PATH, Wire
from streamer.realtime.facts import Facts
from streamer.realtime.feed import DayFeed
from streamer.realtime.for_fronts import ForFronts, RemoteWire
from streamer.realtime.hub import AUDIENCE, MODERATION, STUDIO, Client
from streamer.realtime.limits import ConnectionPlaces, Seats
from streamer.realtime.log import SEQ_PER_MS
from streamer.realtime.messages import RoomSnapshot, You
from streamer.realtime.packets import EVENT, pack
from streamer.realtime.pulse import Pulses
from streamer.realtime.rights import room_target
from streamer.realtime.sockets import CHECK_S, Sockets, begins, origins_of
from streamer.realtime.studio import STUDIO_COMMANDS
from streamer.settings import RealtimeSettings
from streamer.supervision import start_kept

RENEW_S = 15.0
"""Time between two reads of each client's grant: a change by another process is noticed within this time."""
BODY_S = 15.0
TABLES = {
    AUDIENCE: AUDIENCE_COMMANDS,
    MODERATION: MODERATION_COMMANDS,
    STUDIO: STUDIO_COMMANDS,
}
"""Namespace -> commands. The rights test reads here the right of each."""

log = structlog.get_logger(__name__)


class Realtime(Sockets[Client]):
    """Start it after the director and the media plane; close it before them. ``bus``: the way to front processes. On
    the loop."""

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
        bus: CoreBus | None = None,
    ) -> None:
        origins = origins_of(public_url, allowed_origins)
        super().__init__(settings, origins, clock, lambda room: room_target(director, room))
        self._director = director
        self._access = access
        self._places = ConnectionPlaces(settings.max_connections, settings.max_connections_per_address)
        self._seats = Seats(settings.max_connections_per_participant)
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
        self._suspects: set[str] = set()
        """Sessions whose own audience must be checked again."""
        self._looking = asyncio.Event()
        self._fronts = None if bus is None else ForFronts(bus, self, self._places)

    # --- life ---------------------------------------------------------------------------------------

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get(PATH, self.handle, allow_head=False)
        app.router.add_post(PATH, self.handle)
        app.router.add_route("OPTIONS", PATH, self.handle)
        app.on_shutdown.append(self.let_go)

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
        if self._fronts is not None:
            self._tasks.append(start_kept("silent fronts", self._fronts.run))
            await self._fronts.start()

    async def close(self) -> None:
        self._closed = True
        self.feed.close()
        self._stop_pulses()
        self._stop_pulses = lambda: None
        self._audience_feed.close()
        await self.commands.close()
        if self._fronts is not None:
            await self._fronts.close()
        await super().close()

    # --- requests -----------------------------------------------------------------------------------

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Everything under ``/socket.io/``. Raises StreamerError."""
        self.check_request(request)
        address = self.address_of(request)
        body = b""
        if request.method == "POST":
            body = await self._body(request)
        elif begins(request):
            self._places.check(address)
        return await self.server.answer(request, address, body)

    def address_of(self, request: web.Request) -> str:
        """The client's address, which the limits count."""
        return self._access.address(request)

    async def _body(self, request: web.Request) -> bytes:
        """Read as a whole: Engine.IO's own reading takes the first network packet for the whole body."""
        most = self.settings.max_message_bytes
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
        super().opened(wire, address)

    def ended(self, wire: Wire, address: str) -> None:
        self._places.leave(address)
        super().ended(wire, address)

    async def enter(self, wire: Wire, namespace: str, auth: Any, request: web.Request, sid: str = "") -> Client:
        """``sid``: the client's, if a front process has given it one."""
        try:
            sid = sid or self.server.engine.generate_id()
            client = await self._admission.enter(wire, namespace, auth, request, sid)
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
            client.snapshot = await self._audience_feed.snapshot(client)
        except BaseException:
            self.left(client)
            raise

    def entered(self, client: Client) -> None:
        """Puts the client into the log and sends the present state: nothing may come between the two."""
        resumed, reset = self.hub.join(client, client.since)
        self.stats.connections_total += 1
        self.stats.resumed_total += resumed
        self.stats.reset_total += reset
        snapshot = RoomSnapshot(
            seq=client.cursor,
            resumed=resumed,
            reset=reset,
            at=moment(self.clock()),
            you=You(client.member, client.role, client.name, client.place, client.key),
            rooms=self._facts.rooms_of(client),
            session=self._facts.own_session(client),
            # A resumed client has it already.
            **({} if resumed else client.snapshot or {}),
        )
        client.snapshot = None
        client.wire.write(pack(EVENT, client.namespace, ["snapshot", snapshot]))
        if client.front is not None:
            self.hub.catch_up(client)

    async def command(self, client: Client, name: str, payload: list[Any]) -> dict[str, Any]:
        return await self.commands.answer(client, name, payload)

    def left(self, client: Client) -> None:
        super().left(client)
        if client.joined:
            client.joined = False
            self._seats.leave(client.member)
            self._audience.leave(client.scope, client.member)
        if isinstance(client.wire, RemoteWire):
            client.wire.left(client)

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

    def _look_at_session(self, session_id: str) -> None:
        self._suspects.add(session_id)
        self._looking.set()

    def _has_moved(self, session_id: str) -> None:
        """A session has become closed, or public: its audience is another."""
        self._admission.note_moved(session_id, self.clock() * SEQ_PER_MS)
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
            now, now_ms = time.monotonic(), self.clock()
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
            self._cut_idle()
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
