"""A front process's side of Socket.IO: WebSockets end here, events are delivered from here. Who may come in, what they
may do and which events they get is asked of the core, over the bus.

While the core is away, sessions of the public stay, commands wait for it for a moment, and whoever may have more than
the public has is cut off. When a core is there again, all clients enter it again.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import structlog
from aiohttp import web

from streamer.bus.port import UNAVAILABLE, FrontBus
from streamer.conference.participation import closed_session
from streamer.errors import StreamerError, TooMany, Unavailable
from streamer.realtime.access import Clock
from streamer.realtime.bus_messages import (
    COMMAND,
    ENTER,
    HELLO,
    LEFT,
    STREAM_OVER,
    Answered,
    Command,
    Enter,
    ForgetEvents,
    Hello,
    Joined,
    Left,
    Posted,
    StreamMessage,
    Welcome,
    Written,
    subject,
)
from streamer.realtime.engine import Wire
from streamer.realtime.hub import AUDIENCE, ChannelReader
from streamer.realtime.log import LogEntry
from streamer.realtime.packets import OutgoingMessage
from streamer.realtime.sockets import Sockets, begins
from streamer.settings import RealtimeSettings
from streamer.supervision import start_kept

HELLO_S = 0.5
AWAY_S = 2.0
"""Without an answer of the core's for this long it is away."""
WAIT_S = 5.0
"""The longest wait for a core: about the time that a start takes."""
RETRY_S = 0.05
AT_ONCE = 16
"""Clients that enter a new core at a time."""
MARGIN_S = 2.0

log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False, kw_only=True)
class FrontClient(ChannelReader):
    """One client here: what it came with, to enter it again."""

    auth: Any
    headers: list[tuple[str, str]]
    cookies: dict[str, str]
    payloads: list[bytes] = field(default_factory=list)
    """Packets that it gets first, until they are written."""
    inside: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while the core has it in the present stream."""

    @property
    def public(self) -> bool:
        return self.namespace == AUDIENCE and closed_session(self.channel) is None


class SocketsInFront(Sockets[FrontClient]):
    """``name`` is this process's own, and no other's later. ``headers_of``: those that go to the core, with the
    client's address."""

    def __init__(
        self,
        settings: RealtimeSettings,
        origins: frozenset[str],
        bus: FrontBus,
        name: str,
        *,
        headers_of: Callable[[web.BaseRequest], Iterable[tuple[str, str]]],
        clock: Clock = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        super().__init__(settings, origins, clock)
        self._bus = bus
        self._name = name
        self._headers_of = headers_of
        self._stream = ""
        """Empty: another is wanted."""
        self._heard = self._owed = 0
        """Messages of the stream that came, and that the core had told when it last answered."""
        self._silent_looks = 0
        self._clients: dict[str, FrontClient] = {}
        """Those that are in, as their sessions know."""
        self._entering: dict[str, FrontClient] = {}
        self._gone: set[str] = set()
        """Clients of which the core is to be told that they have left."""
        self._woken = asyncio.Event()
        self._returning: asyncio.Task[None] | None = None

    # --- life ---------------------------------------------------------------------------------------

    async def start(self) -> None:
        self._bus.subscribe(subject(self._name), StreamMessage, self._hear)
        self._bus.listen(lambda _up: self._woken.set())
        self._tasks = [
            start_kept("front hub", self.hub.run),
            start_kept("front greetings", self._greet),
            start_kept("front looks", self._look),
        ]
        await self._bus.start()

    async def close(self) -> None:
        if self._returning is not None:
            self._returning.cancel()
        await super().close()
        await self._bus.close()

    @staticmethod
    def takes(request: web.Request) -> bool:
        """Whether the request begins a session that ends here. All others are the core's."""
        return begins(request) and request.query.get("transport") == "websocket"

    async def handle(self, request: web.Request, address: str) -> web.StreamResponse:
        """Raises StreamerError."""
        self.check_request(request)
        return await self.server.answer(request, address)

    # --- the stream ---------------------------------------------------------------------------------

    async def _greet(self) -> None:
        while True:
            self._woken.clear()
            try:
                hello = Hello(self._name, self._stream)
                welcome = await self._bus.request(HELLO, hello, Welcome, AWAY_S)
                self._welcomed(welcome)
                await self._tell_left()
            except StreamerError as error:
                log.debug("core_away", error=str(error))
            try:
                async with asyncio.timeout(HELLO_S):
                    await self._woken.wait()
            except TimeoutError:
                continue
            # Clients that leave together are told of together.
            await asyncio.sleep(RETRY_S)

    def _welcomed(self, welcome: Welcome) -> None:
        self._silent_looks = 0
        if welcome.stream != self._stream:
            self._begin(welcome.stream)
        elif self._owed > self._heard:
            self._lose("message lost")
        self._owed = welcome.told

    def _lose(self, why: str) -> None:
        """Begin another stream: something was not heard in this one."""
        log.warning("stream_lost", why=why, heard=self._heard)
        self.stats.streams_lost_total += 1
        self._stream = ""
        self._woken.set()

    def _begin(self, stream: str) -> None:
        self._stream, self._heard, self._owed = stream, 0, 0
        self._gone.clear()
        # From here on nobody reads on: each cursor says what its client has had.
        self.hub.begin_anew()
        for client in self._clients.values():
            client.inside.clear()
        if self._returning is not None:
            self._returning.cancel()
        self._returning = asyncio.create_task(self._return_all(stream), name="clients enter again")

    def _hear(self, told: StreamMessage) -> None:
        if told.stream != self._stream:
            return
        if told.number != self._heard + 1:
            self._lose("gap")
            return
        self._heard += 1
        self._silent_looks = 0
        what = told.what
        if isinstance(what, Posted):
            self._posted(what)
        elif isinstance(what, Joined):
            self._joined(what)
        elif isinstance(what, ForgetEvents):
            self.hub.forget(what.namespace, what.channel, what.about)
        elif isinstance(what, Written):
            if (wire := self.server.engine.wires.get(what.session)) is not None:
                wire.write(OutgoingMessage(what.payload))
        elif (client := self._clients.get(what.client)) is not None:
            self.let_out(client)

    def _posted(self, event: Posted) -> None:
        channel = self.hub.existing(event.namespace, event.channel)
        if channel is None:
            return
        to = None if event.to is None else frozenset(event.to)
        entry = LogEntry(event.seq, event.at_ms, event.json, about=event.about, replaces=event.replaces, to=to)
        self.hub.append(channel, entry)

    def _joined(self, joined: Joined) -> None:
        client = self._entering.get(joined.client) or self._clients.get(joined.client)
        if client is None:
            # It left meanwhile.
            self._leaves(joined.client)
            return
        self.hub.leave(client)
        client.channel, client.cursor, client.payloads = joined.channel, joined.cursor, joined.payloads
        if joined.participant is not None:
            client.auth = {**client.auth, "participant": joined.participant}
        client.inside.set()
        if joined.client in self._clients:
            self.entered(client)
        else:
            self.server.let_in(client.wire, client)

    # --- called by the engine -----------------------------------------------------------------------

    async def enter(self, wire: Wire, namespace: str, auth: Any, request: web.Request) -> None:
        """It is let in by its :class:`Joined`, in the order of the stream."""
        client = FrontClient(
            sid=self.server.engine.generate_id(),
            namespace=namespace,
            wire=wire,
            auth=auth,
            headers=[(_plain(name), _plain(value)) for name, value in self._headers_of(request)],
            cookies={_plain(name): _plain(value) for name, value in request.cookies.items()},
        )
        self._entering[client.sid] = client
        try:
            async with asyncio.timeout(WAIT_S):
                while client.sid not in self._clients:
                    if await self._asked_in(client, auth):
                        break
                    await asyncio.sleep(RETRY_S)
                await client.inside.wait()
        except TimeoutError:
            if client.sid not in self._clients:
                raise _away() from None
        finally:
            self._entering.pop(client.sid, None)

    def entered(self, client: FrontClient) -> None:
        self._opened.pop(client.wire.sid, None)
        self._clients[client.sid] = client
        payloads, client.payloads = client.payloads, []
        for payload in payloads:
            client.wire.write(OutgoingMessage(payload))
        self.hub.place(client, client.cursor)

    async def command(self, client: FrontClient, name: str, payload: list[Any]) -> Any:
        """A command has an id: one that a core may have had when it went is sent to the next, and done once."""
        arguments = msgspec.json.encode(payload if len(payload) > 1 else [*(payload or [None]), _new_id()])
        loop, limit_s = asyncio.get_running_loop(), self.settings.command_s + MARGIN_S
        deadline = loop.time() + WAIT_S
        longest = deadline + limit_s
        while self._clients.get(client.sid) is client and loop.time() < deadline:
            try:
                async with asyncio.timeout_at(deadline):
                    await client.inside.wait()
            except TimeoutError:
                break
            asked, asked_at = Command(self._name, self._stream, client.sid, name, arguments), loop.time()
            try:
                answered = await self._bus.request(COMMAND, asked, Answered, limit_s)
            except StreamerError as error:
                if error.code not in (UNAVAILABLE, STREAM_OVER):
                    return {"ok": False, **error.body()}
                # The time that it was at work is no wait for a core.
                deadline = min(longest, deadline + loop.time() - asked_at)
                await asyncio.sleep(RETRY_S)
                continue
            if client.namespace == AUDIENCE:
                client.auth = {**client.auth, "name": answered.name, "place": answered.place}
            return msgspec.Raw(answered.acknowledgement)
        return {"ok": False, "error": {**_away().body()["error"], "retry_after": 1}}

    def left(self, client: FrontClient) -> None:
        super().left(client)
        self._clients.pop(client.sid, None)
        self._leaves(client.sid)

    # --- inside -------------------------------------------------------------------------------------

    async def _asked_in(self, client: FrontClient, auth: Any) -> bool:
        """Whether the core has let it in; False: there is none now. Raises StreamerError."""
        asked = Enter(
            self._name,
            self._stream,
            client.wire.sid,
            client.sid,
            client.namespace,
            msgspec.json.encode(auth),
            client.headers,
            client.cookies,
        )
        try:
            # Their places are free for those who come.
            await self._tell_left()
            await self._bus.request(ENTER, asked, type(None), WAIT_S)
        except StreamerError as error:
            if error.code in (UNAVAILABLE, STREAM_OVER):
                return False
            raise
        return True

    async def _return_all(self, stream: str) -> None:
        waiting = list(self._clients.values())
        log.info("clients_enter_again", clients=len(waiting))

        async def some() -> None:
            while waiting and self._stream == stream:
                await self._return(waiting.pop(), stream)

        await asyncio.gather(*(some() for _ in range(AT_ONCE)))

    async def _return(self, client: FrontClient, stream: str) -> None:
        while self._stream == stream and self._clients.get(client.sid) is client and not client.inside.is_set():
            try:
                if await self._asked_in(client, {**client.auth, "since": client.cursor}):
                    return
            except StreamerError as error:
                if error.status == TooMany.status:
                    # It passes: the client comes back by itself.
                    client.wire.cut()
                    return
                if error.status < 500:
                    self._take_out(client, error)
                    return
            await asyncio.sleep(RETRY_S)

    async def _tell_left(self) -> None:
        if self._gone:
            gone, self._gone = self._gone, set()
            try:
                await self._bus.request(LEFT, Left(self._name, self._stream, list(gone)), type(None), AWAY_S)
            except StreamerError:
                self._gone |= gone
                raise

    def _leaves(self, sid: str) -> None:
        self._gone.add(sid)
        self._woken.set()

    async def _look(self) -> None:
        """Runs until it is cancelled: while the core is away, nobody is held here who may have what not all may."""
        while True:
            await asyncio.sleep(HELLO_S)
            self._cut_idle()
            # Looks are counted, not seconds: while this process stood still it heard nobody.
            self._silent_looks += 1
            if self._silent_looks > AWAY_S / HELLO_S:
                for client in list(self._clients.values()):
                    if not client.public:
                        client.wire.cut()


def _plain(text: str) -> str:
    """Without halves of characters, which no message carries."""
    return text.encode("utf-8", "replace").decode()


def _new_id() -> dict[str, str]:
    """The second argument of a command, for a client that gives none."""
    return {"id": secrets.token_hex(16)}


def _away() -> Unavailable:
    return Unavailable("The server starts again.", code="unavailable", headers={"Retry-After": "1"})
