"""Our use of python-engineio. All use of its private parts stands here, with a test for each.

Ours are: sending (:class:`Wire`), because python-engineio has a queue without limit for each client and encodes for
each; parsing and dispatch, because python-socketio collects binary attachments without limit, starts a task for each
command and lets clients call its own ``connect``. Theirs are the handshake, the transports, the upgrade from one to the
other, and the heartbeat.
"""

from __future__ import annotations

import asyncio
import logging
import os
from typing import Any, Protocol

import engineio
from aiohttp import web

from streamer.buckets import Bucket
from streamer.errors import BadRequest, StreamerError, TooMany
from streamer.realtime.packets import (
    ACK,
    CONNECT,
    CONNECT_ERROR,
    DISCONNECT,
    EVENT,
    Malformed,
    OutgoingMessage,
    is_engine_packet,
    pack,
    parse,
    text_frame,
)

PATH = "/socket.io/"
ADDRESS = "streamer.address"
"""The key of the client's address in a session's environment."""
_ADDRESS = web.RequestKey("realtime_address", str)
_BODY = web.RequestKey("realtime_body", bytes)

WRITE_AHEAD_BYTES = 64 * 1024
"""A transport with more unsent bytes gets no events for now."""
MOST_UNSENT_BYTES = 1024 * 1024
"""Answers are written in any case. A client with more unsent bytes sends commands and does not read."""
MOST_QUEUED = 256
"""Packets for a client that polls; their bytes are limited as above."""
ENTRIES_BURST, ENTRIES_PER_S = 12, 0.5
"""A session may come into namespaces this often: each time costs a snapshot."""
CLOSE_S = 2.0
_SETTLED = 3

_log = logging.getLogger("streamer.realtime.engine")
_log.setLevel(logging.CRITICAL)
"""Errors of clients are counted, not logged."""


class NamespaceClient(Protocol):
    """One client in one namespace."""

    @property
    def sid(self) -> str: ...

    @property
    def namespace(self) -> str: ...


class ConnectionHandler(Protocol):
    """The service behind the engine."""

    def opened(self, wire: Wire, address: str) -> None:
        """A session has begun; it is in no namespace yet."""

    def ended(self, wire: Wire, address: str) -> None:
        """A session has ended; all of its clients have left."""

    async def enter(self, wire: Wire, namespace: str, auth: Any, request: web.Request) -> NamespaceClient | None:
        """None: it has been let in already. Raises StreamerError for a client that may not come in."""

    def entered(self, client: Any) -> None:
        """The client has been told that it is in."""

    async def command(self, client: Any, name: str, payload: list[Any]) -> Any:
        """The acknowledgement, an object as JSON. Does not raise."""

    def left(self, client: Any) -> None: ...


class SendQueue(asyncio.Queue[Any]):
    """Engine.IO's queue of one session, with a limit: packets beyond it are dropped, and ``overrun`` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.overrun = False
        self.size = 0
        """Characters in the queue."""

    def _put(self, item: Any) -> None:
        super()._put(item)
        self.size += _size(item)

    def _get(self) -> Any:
        item = super()._get()
        self.size -= _size(item)
        return item

    async def put(self, item: Any) -> None:
        self.put_nowait(item)

    def put_nowait(self, item: Any) -> None:
        # None ends the writer: it always fits.
        if item is not None and (self.qsize() >= MOST_QUEUED or (self.size and self.size > MOST_UNSENT_BYTES)):
            self.overrun = True
            return
        super().put_nowait(item)

    async def join(self) -> None:
        """Engine.IO waits for the queue when it ends a session because of a wrong packet. Without a poll it would wait
        for ever."""


def _size(packet: Any) -> int:
    data = getattr(packet, "data", None)
    return len(data) if isinstance(data, str | bytes) else 0


class Wire:
    """Sends to one session. Nothing here waits.

    A WebSocket's frames go straight into the transport. While a client polls, and after its upgrade until the queued
    packets have left, Engine.IO's queue is used.
    """

    front: Any = None
    """The front process where it ends; None: here."""

    def __init__(self, engine: Engine, socket: Any) -> None:
        self.sid: str = socket.sid
        self._engine = engine
        self._socket = socket
        self._transport: asyncio.Transport | None = None
        self._direct = False
        self._raw: asyncio.Transport | None = None
        """The transport, if its descriptor may be written to."""
        self._descriptor = -1
        self._settled = 0
        self.clients: dict[str, NamespaceClient] = {}
        """Namespace -> client."""
        self.entering: set[str] = set()
        self.entries = Bucket(ENTRIES_BURST, ENTRIES_PER_S)

    @property
    def closed(self) -> bool:
        return bool(self._socket.closed) or (self._transport is not None and self._transport.is_closing())

    @property
    def unsent_bytes(self) -> int:
        """Bytes that were written straight into a transport and are unsent."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    @property
    def ready(self) -> bool:
        """Whether more may be written now, because the transport has sent the rest."""
        if self._direct:
            assert self._transport is not None
            return self._transport.get_write_buffer_size() < WRITE_AHEAD_BYTES
        return bool(self._socket.queue.empty()) and not self._socket.upgrading and self.unsent_bytes < WRITE_AHEAD_BYTES

    def write(self, message: OutgoingMessage) -> None:
        if self._direct:
            self.write_frame(message.frame)
            return
        self._settled = 0
        queue: SendQueue = self._socket.queue
        queue.put_nowait(message.packet)
        if queue.overrun:
            self.cut()

    def deliver(self, message: OutgoingMessage) -> bool:
        """Write if :attr:`ready`; otherwise do nothing and return False.

        Nearly everything is sent this way. If the transport holds nothing back, its descriptor takes the frame at once:
        through the transport each frame would be queued, with two more system calls.
        """
        raw = self._raw
        if raw is None or raw.get_write_buffer_size() or raw.is_closing():
            if not self.ready:
                return False
            self.write(message)
            return True
        frame = message.frame
        try:
            sent = os.write(self._descriptor, frame)
        except BlockingIOError:
            sent = 0
        except OSError:
            # The connection is gone. The transport notices by itself.
            return True
        if sent < len(frame):
            raw.write(frame[sent:])
        return True

    def write_frame(self, frame: bytes) -> None:
        """Write straight into the transport."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        transport.write(frame)
        if transport.get_write_buffer_size() > MOST_UNSENT_BYTES:
            self.cut()

    def attach(self, transport: asyncio.Transport, *, first: bool) -> None:
        """From now on it is a WebSocket. ``first``: it has never been anything else."""
        self._transport = transport
        self._direct = first
        self._raw_if_direct()

    def settle(self) -> None:
        """Called a few times a second, each in a turn of the loop of its own: after an upgrade Engine.IO's writer may
        still hold the queue's packets when the queue is empty."""
        if self._direct or self._transport is None:
            return
        socket = self._socket
        self._settled = self._settled + 1 if socket.upgraded and not socket.upgrading and socket.queue.empty() else 0
        self._direct = self._settled >= _SETTLED
        self._raw_if_direct()

    def _raw_if_direct(self) -> None:
        transport = self._transport
        if not self._direct or transport is None or transport.get_extra_info("sslcontext") is not None:
            return
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.fileno() >= 0:
            self._raw, self._descriptor = transport, sock.fileno()

    def release(self) -> None:
        """Answer a held poll: Engine.IO would let a client that said goodbye wait for the next heartbeat."""
        if not self._socket.upgraded:
            self._socket.queue.put_nowait(None)

    def cut(self) -> None:
        """End the session without a message, whatever has not been sent."""
        if self._transport is not None:
            self._transport.abort()
        self._engine.hang_up(self._socket)


class WebSocket:
    """Engine.IO's driver for aiohttp's WebSockets, but without compression (which costs 300 kB for each client) and
    with a writer that never waits: :class:`Wire` handles unsent bytes."""

    def __init__(self, handler: Any, server: Engine) -> None:
        self._handler = handler
        self._engine = server
        self._wire = server.wire_of(handler.__self__)
        self._first = not handler.__self__.connected
        self._response = web.WebSocketResponse(
            timeout=CLOSE_S, compress=False, max_msg_size=server.max_http_buffer_size + 1
        )

    async def __call__(self, environ: dict[str, Any]) -> web.WebSocketResponse:
        request: web.Request = environ["aiohttp.request"]
        await self._response.prepare(request)
        if request.transport is None:
            return self._response
        self._wire.attach(request.transport, first=self._first)
        await self._handler(self)
        return self._response

    async def close(self) -> None:
        await self._response.close()

    async def send(self, message: str | bytes) -> None:
        self._wire.write_frame(text_frame(message.encode() if isinstance(message, str) else message))

    async def wait(self) -> str | bytes:
        """Raises OSError at the end, and for a text that is no packet: some of these make Engine.IO's reader fail and
        leave its writer and the session behind."""
        received = await self._response.receive()
        if not isinstance(received.data, str | bytes):
            raise OSError("closed")
        if isinstance(received.data, str) and not is_engine_packet(received.data):
            self._engine.malformed += 1
            raise OSError("no packet")
        return received.data


class RequestBody:
    """A request's body that has been read."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def read(self, size: int) -> bytes:
        return self._body[:size]


def _environment(request: web.Request) -> dict[str, Any]:
    """The parts of a request that Engine.IO reads. Forwarded hosts and protocols are left out, so that nothing believes
    them."""
    body = request.get(_BODY, b"")
    environ = {
        "wsgi.input": RequestBody(body),
        "wsgi.url_scheme": "http",
        "REQUEST_METHOD": request.method,
        "QUERY_STRING": request.query_string,
        "CONTENT_LENGTH": str(len(body)),
        "PATH_INFO": request.path,
        "aiohttp.request": request,
        ADDRESS: request.get(_ADDRESS, ""),
    }
    for header, name in (
        ("Origin", "HTTP_ORIGIN"),
        ("Upgrade", "HTTP_UPGRADE"),
        ("Connection", "HTTP_CONNECTION"),
        ("Accept-Encoding", "HTTP_ACCEPT_ENCODING"),
    ):
        if header in request.headers:
            environ[name] = request.headers[header]
    return environ


class Engine(engineio.AsyncServer):  # type: ignore[misc]
    _async: dict[str, Any]
    service_task_handle: asyncio.Task[None] | None

    def __init__(self, **options: Any) -> None:
        super().__init__(async_mode="aiohttp", logger=_log, async_handlers=False, **options)
        self._async = {**self._async, "websocket": WebSocket, "translate_request": _environment}
        self.wires: dict[str, Wire] = {}
        self._hanging_up: set[asyncio.Task[None]] = set()
        self.malformed = 0
        """Texts that were no packet."""

    def create_queue(self, *args: Any, **kwargs: Any) -> SendQueue:
        return SendQueue()

    def wire_of(self, socket: Any) -> Wire:
        wire = self.wires.get(socket.sid)
        if wire is None:
            wire = self.wires[socket.sid] = Wire(self, socket)
        return wire

    def hang_up(self, socket: Any) -> None:
        """End a session and answer its waiting poll."""
        if socket.closed or socket.closing:
            return

        async def end() -> None:
            await socket.close(wait=False, abort=True, reason=self.reason.SERVER_DISCONNECT)
            if self.sockets.get(socket.sid) is socket and not socket.upgraded:
                del self.sockets[socket.sid]

        task = asyncio.create_task(end(), name=f"realtime hangup {socket.sid}")
        self._hanging_up.add(task)
        task.add_done_callback(self._hanging_up.discard)

    async def close(self) -> None:
        """End all sessions, without telling clients to stay away: they come back to the next process."""
        for socket in list(self.sockets.values()):
            wire = self.wires.get(socket.sid)
            if wire is not None:
                wire.cut()
            else:
                self.hang_up(socket)
        if self._hanging_up:
            await asyncio.wait(self._hanging_up, timeout=CLOSE_S)
        heartbeat, self.service_task_handle = self.service_task_handle, None
        if heartbeat is not None:
            heartbeat.cancel()
            await asyncio.gather(heartbeat, return_exceptions=True)


class EngineServer:
    """Takes sessions and packets from the engine and hands them to the :class:`ConnectionHandler`.
    ``options``: the engine's."""

    def __init__(self, handler: ConnectionHandler, namespaces: frozenset[str], **options: Any) -> None:
        self._handler = handler
        self._allowed = namespaces
        self.engine = Engine(**options)
        self.engine.on("connect", self._opened)
        self.engine.on("message", self._received)
        self.engine.on("disconnect", self._ended)
        self._environments: dict[str, dict[str, Any]] = {}
        """By session."""

    async def answer(self, request: web.Request, address: str, body: bytes = b"") -> web.StreamResponse:
        """Engine.IO's answer to a request; a WebSocket's when it has ended."""
        request[_ADDRESS], request[_BODY] = address, body
        sockets = self.engine.sockets
        socket = sockets.get(request.query.get("sid"))
        if socket is not None and socket.closed:
            # Engine.IO has no answer for a body to a session that has just ended.
            sockets.pop(socket.sid, None)
        try:
            response: web.StreamResponse = await self.engine.handle_request(request)
        except UnboundLocalError as error:
            # Nor if an earlier packet of the same body ended it.
            raise BadRequest("The session has ended.", code="session_ended") from error
        return response

    def take_out(self, client: NamespaceClient, wire: Wire, error: StreamerError) -> None:
        """Tell a client the reason, and let it out of its namespace. Its session ends when it is in no namespace any
        more."""
        if wire.clients.get(client.namespace) is not client:
            return
        wire.write(pack(EVENT, client.namespace, ["closed", error.body()]))
        wire.write(pack(DISCONNECT, client.namespace))
        self.leave(wire, client)

    def leave(self, wire: Wire, client: NamespaceClient) -> None:
        if wire.clients.get(client.namespace) is client:
            del wire.clients[client.namespace]
            self._handler.left(client)

    # --- called by the engine --------------------------------------------------------------------------

    async def _opened(self, sid: str, environ: dict[str, Any]) -> None:
        self._environments[sid] = environ
        wire = self.engine.wire_of(self.engine.sockets[sid])
        self._handler.opened(wire, environ[ADDRESS])

    async def _received(self, sid: str, data: Any) -> None:
        wire = self.engine.wires.get(sid)
        if wire is None:
            return
        try:
            packet = parse(data)
            if packet.kind == CONNECT:
                await self._enter(wire, packet.namespace, packet.data)
            elif packet.kind == EVENT:
                await self._command(wire, packet.namespace, packet.ack, packet.data)
            elif packet.kind == DISCONNECT and (client := wire.clients.get(packet.namespace)) is not None:
                self.leave(wire, client)
        except Malformed:
            self.engine.malformed += 1
            wire.cut()

    async def _ended(self, sid: str, _reason: str) -> None:
        wire = self.engine.wires.pop(sid, None)
        environ = self._environments.pop(sid, None)
        if wire is None:
            return
        wire.release()
        for client in list(wire.clients.values()):
            self.leave(wire, client)
        if environ is not None:
            self._handler.ended(wire, environ[ADDRESS])

    async def _enter(self, wire: Wire, namespace: str, auth: Any) -> None:
        try:
            if namespace not in self._allowed:
                raise StreamerError("There is no such namespace.", code="unknown_namespace", status=404)
            if namespace in wire.clients or namespace in wire.entering:
                raise StreamerError("The client is connected already.", code="already_connected", status=409)
            if wire.entries.take() > 0:
                raise TooMany("Too many connections in a short time.", code="rate_limited")
            wire.entering.add(namespace)
            try:
                request = self._environments[wire.sid]["aiohttp.request"]
                client = await self._handler.enter(wire, namespace, auth, request)
            finally:
                wire.entering.discard(namespace)
        except StreamerError as error:
            # JavaScript clients read ``data`` of it, others the whole.
            body = error.body()
            wire.write(pack(CONNECT_ERROR, namespace, {"message": error.message, "data": body, **body}))
            return
        if client is not None:
            self.let_in(wire, client)

    def let_in(self, wire: Wire, client: NamespaceClient) -> None:
        """Tell a client that it is in."""
        if self.engine.wires.get(wire.sid) is not wire or wire.closed:
            # The client left during the lookup.
            self._handler.left(client)
            return
        wire.clients[client.namespace] = client
        wire.write(pack(CONNECT, client.namespace, {"sid": client.sid}))
        self._handler.entered(client)

    async def _command(self, wire: Wire, namespace: str, ack: int | None, data: Any) -> None:
        if not isinstance(data, list) or not data or not isinstance(data[0], str):
            raise Malformed("no event")
        client = wire.clients.get(namespace)
        if client is None:
            return
        answer = await self._handler.command(client, data[0], data[1:])
        if ack is not None:
            wire.write(pack(ACK, namespace, [answer], ack))
