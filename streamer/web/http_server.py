"""aiohttp's server with deadlines and limits. All use of aiohttp's private parts for that stands here.

aiohttp closes a kept connection after an hour, and waits for ever for the rest of a request's headers, for a body, and
for a client to read its answer. Here connections are taken from the listening socket one by one, so that
:class:`streamer.web.connections.Connections` decides before they cost anything, and a check every second ends those
that are too slow.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any

import structlog
from aiohttp import StreamReader, hdrs, web
from aiohttp.web_protocol import RequestHandler

from streamer.api.addresses import HOLDER
from streamer.errors import StreamerError, Unavailable
from streamer.household import household
from streamer.settings import ServerSettings
from streamer.supervision import start_kept
from streamer.web.connections import ConnectionKind, Connections, Seat

LOOK_S = 1.0
BATCH = 8
"""Connections that are accepted in one turn of the loop, so that many new ones do not delay others. Connections that
are closed for them free their descriptors in the next turn."""
SLICE = 1000
"""Connections that are checked in one turn of the loop."""
ACCEPT_AGAIN_S = 0.1
BODY_MARGIN_S = 2.0
ARRIVING_S = 1.0
"""The time for the first request of a client that came just before the end. Clients repeat a request on a kept
connection that is closed, but not the first one."""
ARRIVING_LOOK_S = 0.02
LINGER_S = 5.0
"""The time for the rest of a body that nobody reads."""
OPEN_TO_ALL = frozenset({"/api/v1/login", "/livez", "/readyz"})
"""Addresses that are answered on probation without a grant."""
_BYTES_ACKED = 120
"""Offset of ``tcpi_bytes_acked`` in ``struct tcp_info``, which only grows at its end (linux/tcp.h)."""
_RESET = struct.pack("ii", 1, 0)

_log = structlog.get_logger(__name__)

Proof = Callable[[web.BaseRequest], Awaitable[bool]]
"""Whether a request shows a grant of the crew."""
Refuse = Callable[[StreamerError], web.Response]


class Connection(RequestHandler):
    """One client's connection."""

    def __init__(self, server: HttpServer, seat: Seat, loop: asyncio.AbstractEventLoop, **options: Any) -> None:
        super().__init__(server.aiohttp, loop=loop, **options)
        self._server = server
        self._time = loop.time
        self._content: StreamReader | None = None
        """The body of the request that is being answered."""
        self._spoken = True
        """Whether data came since the last request was complete."""
        self._busy = False
        self._websocket = False
        self._wrote_since = 0.0
        """The time since which data waits to be sent; 0: none does."""
        self._acked = 0
        self._deadline = 0.0
        self.seat = seat

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._deadline = self._time() + self._server.settings.headers_s
        self._server.made(self)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self._server.left(self)

    def data_received(self, data: bytes) -> None:
        if not self._spoken and data:
            self._spoken = True
            if self._websocket:
                self._server.connections.busy(self.seat)
            elif not self._busy:
                self._deadline = self._time() + self._server.settings.headers_s
        super().data_received(data)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._server.paused(self)

    def began(self, request: web.BaseRequest) -> None:
        """The request's headers are complete."""
        self._busy, self._spoken = True, False
        self._content = request.content
        # Handlers that read a body set the deadline then; this one is for all others.
        self._deadline = self._time() + self._server.settings.body_s + BODY_MARGIN_S
        self._websocket = request.headers.get(hdrs.UPGRADE, "").lower() == "websocket"
        if self._content.is_eof() and not self._websocket:
            self._server.connections.busy(self.seat)

    def ended(self) -> None:
        """The request is answered, except for data that is still being sent."""
        self._busy, self._spoken, self._websocket, self._content = False, False, False, None
        self._deadline = self._time() + self._server.settings.idle_s
        self._server.connections.busy(self.seat)
        self._server.connections.idle(self.seat)

    def arriving_s(self, now: float) -> float | None:
        """The seconds for which a request is on its way; None if none is."""
        if self._busy or not self._spoken:
            return None
        return now - (self._deadline - self._server.settings.headers_s)

    @property
    def unsent_bytes(self) -> int:
        return 0 if self.transport is None else self.transport.get_write_buffer_size()

    def overdue(self, now: float) -> str | None:
        """The reason for cutting it, if there is one: the name of a counter."""
        settings = self._server.settings
        unsent = self.unsent_bytes
        if not unsent:
            self._wrote_since = 0.0
        elif not self._wrote_since:
            self._wrote_since, self._acked = now, self._taken()
        elif now - self._wrote_since >= settings.slow_reader_s:
            taken = self._taken()
            # Of a Unix socket the system does not tell it: the front process judges its own clients.
            if taken >= 0 and taken - self._acked < settings.slow_reader_bytes_per_s * (now - self._wrote_since):
                return "cut_slow_total"
            self._wrote_since, self._acked = now, taken
        if self.seat.kind is ConnectionKind.PROXY or now < self._deadline:
            return None
        if not self._busy:
            return "cut_headers_total" if self._spoken else "cut_idle_total"
        if self._content is not None and not self._content.is_eof():
            return "cut_body_total"
        return None

    def _taken(self) -> int:
        """The bytes that the client's system has acknowledged; -1 for a socket that is not TCP's."""
        sock = None if self.transport is None else self.transport.get_extra_info("socket")
        if sock is None:
            return 0
        if sock.family == socket.AF_UNIX:
            return -1
        try:
            info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES_ACKED + 8)
        except OSError:
            return 0
        return int.from_bytes(info[_BYTES_ACKED:], "little") if len(info) == _BYTES_ACKED + 8 else 0

    def cut(self) -> None:
        if self.transport is None:
            return
        if self.unsent_bytes and (sock := self.transport.get_extra_info("socket")) is not None:
            # Otherwise the kernel would keep the unsent data and try for minutes.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.transport.abort()


class _Handshake:
    """A connection that is being opened."""

    def __init__(self) -> None:
        self.task: asyncio.Task[None] | None = None

    def cut(self) -> None:
        if self.task is not None:
            self.task.cancel()


class HttpServer:
    """Serves a runner's application on sockets. ``start`` it after the runner's set-up, ``close`` it first."""

    def __init__(
        self,
        runner: web.AppRunner,
        settings: ServerSettings,
        connections: Connections,
        *,
        is_proxy: Callable[[str], bool],
        proof: Proof,
        refuse: Refuse,
    ) -> None:
        assert runner.server is not None
        self.aiohttp: web.Server = runner.server
        self.settings = settings
        self.connections = connections
        self._is_proxy = is_proxy
        self._proof = proof
        self._refuse = refuse
        self._handler: Any = self.aiohttp.request_handler
        self.aiohttp.request_handler = self._serve
        self._options: dict[str, Any] = {**self.aiohttp._kwargs, "lingering_time": LINGER_S}
        self._listening: list[socket.socket] = []
        self._open: set[Connection] = set()
        self._opening: set[asyncio.Task[None]] = set()
        self._paused: set[Connection] = set()
        self._unsent = 0
        """Unsent bytes of the connections that were paused since the last look."""
        self._looker: asyncio.Task[None] | None = None
        self._context: ssl.SSLContext | None = None

    # --- life ---------------------------------------------------------------------------------------

    def start(self, sockets: Iterable[socket.socket], context: ssl.SSLContext | None = None, *, backlog: int) -> None:
        """Raises OSError."""
        self._context = context
        for sock in sockets:
            sock.listen(backlog)
            sock.setblocking(False)
            self._listening.append(sock)
            self._listen(sock)
        self._looker = start_kept("connections", self._look)

    async def close(self) -> None:
        """Accept no more connections, and let in the requests of those that have just come. The sockets stay open, and
        so do the connections: the runner ends them."""
        loop = asyncio.get_running_loop()
        for sock in self._listening:
            loop.remove_reader(sock)
        self._listening.clear()
        for _ in range(round(ARRIVING_S / ARRIVING_LOOK_S)):
            if not self._are_arriving(loop.time()):
                break
            await asyncio.sleep(ARRIVING_LOOK_S)
        tasks = [*self._opening, *([] if self._looker is None else [self._looker])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _are_arriving(self, now: float) -> bool:
        waits = (connection.arriving_s(now) for connection in self._open)
        return bool(self._opening) or any(wait is not None and wait < ARRIVING_S for wait in waits)

    def _listen(self, sock: socket.socket) -> None:
        if sock.fileno() >= 0:
            asyncio.get_running_loop().add_reader(sock, self._accept, sock)

    # --- coming in ----------------------------------------------------------------------------------

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(BATCH):
            try:
                sock, address = listening.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionError:
                continue
            except OSError as error:
                self.connections.stats.accept_errors_total += 1
                _log.error("connection_not_accepted", error=str(error))
                loop = asyncio.get_running_loop()
                loop.remove_reader(listening)
                loop.call_later(ACCEPT_AGAIN_S, self._again, listening)
                return
            self._take_in(sock, address)

    def _again(self, listening: socket.socket) -> None:
        if listening in self._listening:
            self._listen(listening)

    def _take_in(self, sock: socket.socket, address: Any) -> None:
        peer = str(address[0]) if isinstance(address, tuple) and address else "local"
        home = household(peer)
        seat = self.connections.admit(home, proxy=self._is_proxy(peer))
        if seat is None:
            # At once and without the state that a closed connection leaves behind.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            sock.close()
            return
        sock.setblocking(False)
        handshake = seat.connection = _Handshake()
        handshake.task = asyncio.create_task(self._open_up(sock, seat), name="connection opens")
        self._opening.add(handshake.task)
        handshake.task.add_done_callback(partial(self._opened, sock, seat))

    def _opened(self, sock: socket.socket, seat: Seat, task: asyncio.Task[None]) -> None:
        self._opening.discard(task)
        if task.cancelled():
            # It ended before it began: no code ran that would have closed the socket.
            self.connections.leave(seat)
            sock.close()

    async def _open_up(self, sock: socket.socket, seat: Seat) -> None:
        loop = asyncio.get_running_loop()
        limit_s = None if self._context is None else self.settings.headers_s
        try:
            await loop.connect_accepted_socket(
                lambda: Connection(self, seat, loop, **self._options),
                sock,
                ssl=self._context,
                ssl_handshake_timeout=limit_s,
            )
        except (OSError, asyncio.CancelledError) as error:
            # No TLS, or the client had gone already.
            self.connections.leave(seat)
            self.connections.stats.handshakes_failed_total += isinstance(error, OSError)
            with contextlib.suppress(OSError):
                sock.close()

    def made(self, connection: Connection) -> None:
        connection.seat.connection = connection
        self._open.add(connection)
        if connection.seat.left:
            # Another connection needed its place in the meantime.
            asyncio.get_running_loop().call_soon(connection.cut)

    def left(self, connection: Connection) -> None:
        self._open.discard(connection)
        self._paused.discard(connection)
        self.connections.leave(connection.seat)

    # --- requests -----------------------------------------------------------------------------------

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = request.protocol
        assert isinstance(connection, Connection)
        connection.began(request)
        try:
            seat = connection.seat
            if seat.kind is ConnectionKind.PROBATION and request.path not in OPEN_TO_ALL:
                if not await self._proof(request):
                    self.connections.stats.refused_total += 1
                    full = Unavailable("The server is full.", code="full", headers={"Retry-After": "5"})
                    response = self._refuse(full)
                    response.force_close()
                    return response
                self.connections.prove(seat)
            answer: web.StreamResponse = await self._handler(request)
            if request.get(HOLDER, False):
                self.connections.prove(seat)
            return answer
        except ConnectionError:
            if connection.transport is not None and not connection.transport.is_closing():
                raise
            # Cut while its body was read, or before its answer. Nobody reads the answer, and many such requests must
            # not fill the log.
            return web.Response(status=499, reason="Client Closed Request")
        finally:
            connection.ended()

    # --- looking after -------------------------------------------------------------------------------

    async def _look(self) -> None:
        """Runs until it is cancelled: ends connections that are too slow."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(LOOK_S)
            self.look_at_unsent()
            for number, connection in enumerate(list(self._open)):
                if number % SLICE == SLICE - 1:
                    await asyncio.sleep(0)
                self.look_at(connection, loop.time())

    def look_at(self, connection: Connection, now: float) -> None:
        why = connection.overdue(now)
        if why is not None:
            stats = self.connections.stats
            setattr(stats, why, getattr(stats, why) + 1)
            self.connections.cut(connection.seat)

    def paused(self, connection: Connection) -> None:
        """More data waits for the client than its transport accepts."""
        self._paused.add(connection)
        self._unsent += connection.unsent_bytes
        if self._unsent > self.settings.max_unsent_bytes // 4:
            self.look_at_unsent()

    def look_at_unsent(self) -> None:
        """Above the limit for all together, the connections with most waiting data are cut."""
        waiting = {connection: connection.unsent_bytes for connection in self._paused}
        self._paused = {connection for connection, size in waiting.items() if size}
        self._unsent, total = 0, sum(waiting.values())
        stats = self.connections.stats
        stats.unsent_bytes = total
        for connection in sorted(self._paused, key=lambda each: waiting[each], reverse=True):
            if total <= self.settings.max_unsent_bytes:
                break
            total -= waiting[connection]
            stats.cut_unsent_total += 1
            self.connections.cut(connection.seat)
