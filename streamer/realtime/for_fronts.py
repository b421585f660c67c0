"""The core's side of clients whose connections end in front processes. It judges them as its own: they enter, command
and leave over the bus, and are clients of its hub, which gives each event once to each front with readers of it."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import Any, Protocol, cast

import msgspec
import structlog
from aiohttp import web
from multidict import CIMultiDict

from streamer.bus.port import CoreBus
from streamer.errors import Unavailable
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
    LetOut,
    Posted,
    StreamMessage,
    Welcome,
    Written,
    subject,
)
from streamer.realtime.engine import Wire
from streamer.realtime.hub import Client, EventChannel
from streamer.realtime.limits import ConnectionPlaces
from streamer.realtime.log import LogEntry
from streamer.realtime.packets import OutgoingMessage

SILENT_S = 5.0
"""The clients of a front that has said nothing for this long have left."""

log = structlog.get_logger(__name__)


class Clients(Protocol):
    """The judge of clients: :class:`streamer.realtime.service.Realtime`."""

    def address_of(self, request: web.Request) -> str: ...

    async def enter(self, wire: Wire, namespace: str, auth: Any, request: web.Request, sid: str) -> Client: ...

    def entered(self, client: Client) -> None: ...

    async def command(self, client: Client, name: str, payload: list[Any]) -> dict[str, Any]: ...

    def left(self, client: Client) -> None: ...


class HandedOn(dict[Any, Any]):
    """The request with which a session in a front process began, as far as admission reads it."""

    def __init__(self, asked: Enter) -> None:
        super().__init__()
        self.headers = CIMultiDict(asked.headers)
        self.cookies = asked.cookies
        self.transport = self

    def get_extra_info(self, _name: str) -> None:
        """As of the core's own socket: the client's address stands in a header (api/addresses.py)."""


class RemoteWire(Wire):
    """One session of Engine.IO in a front process, which watches over it."""

    def __init__(self, sid: str, address: str, front: RemoteFront) -> None:
        self.sid = sid
        self.address = address
        self.front: RemoteFront = front
        self.clients = {}
        self.entering = set()
        self.kept: list[bytes] | None = None
        """While a client comes in: what is written, for its :class:`Joined`."""

    @property
    def closed(self) -> bool:
        return True

    @property
    def ready(self) -> bool:
        return True

    def write(self, message: OutgoingMessage) -> None:
        if self.kept is not None:
            self.kept.append(message.payload)
        else:
            self.front.tell(Written(self.sid, message.payload))

    def deliver(self, message: OutgoingMessage) -> bool:
        self.write(message)
        return True

    def cut(self) -> None:
        """The front's to do."""

    def left(self, client: Client) -> None:
        if self.clients.get(client.namespace) is client:
            del self.clients[client.namespace]
        if self.front.clients.get(client.sid) is client:
            del self.front.clients[client.sid]
            self.front.tell(LetOut(client.sid))
        self.end_if_empty()

    def end_if_empty(self) -> None:
        if not self.clients and not self.entering and self.front.wires.pop(self.sid, None) is not None:
            self.front.places.leave(self.address)


class RemoteFront:
    """One front process, in one stream."""

    def __init__(self, bus: CoreBus, places: ConnectionPlaces, name: str) -> None:
        self._bus = bus
        self.places = places
        self.name = name
        self.stream = secrets.token_hex(8)
        self.told = 0
        self.heard_at = time.monotonic()
        self.open = True
        self.wires: dict[str, RemoteWire] = {}
        self.clients: dict[str, Client] = {}

    def tell(self, what: Joined | Posted | ForgetEvents | Written | LetOut) -> None:
        if self.open:
            self.told += 1
            self._bus.publish(subject(self.name), StreamMessage(self.stream, self.told, what))

    def post(self, channel: EventChannel[Any], entry: LogEntry, to: list[str] | None) -> None:
        self.tell(
            Posted(channel.namespace, channel.name, entry.seq, entry.at_ms, entry.json, entry.about, entry.replaces, to)
        )

    def forget(self, channel: EventChannel[Any], about: str) -> None:
        self.tell(ForgetEvents(channel.namespace, channel.name, about))


class ForFronts:
    """Run :meth:`run` beside it. On the loop."""

    def __init__(self, bus: CoreBus, clients: Clients, places: ConnectionPlaces) -> None:
        self._bus = bus
        self._clients = clients
        self._places = places
        self._fronts: dict[str, RemoteFront] = {}
        bus.answer(HELLO, Hello, self._hello)
        bus.answer(ENTER, Enter, self._enter)
        bus.answer(COMMAND, Command, self._command)
        bus.answer(LEFT, Left, self._left)
        bus.on_gone(lambda heard: self._drop(heard.removeprefix(subject(""))))

    async def start(self) -> None:
        await self._bus.start()

    async def close(self) -> None:
        await self._bus.close()
        for name in list(self._fronts):
            self._drop(name)

    async def run(self) -> None:
        """Runs until it is cancelled: a bus that does not tell of a front's end is told by its silence."""
        while True:
            looked_at = time.monotonic()
            await asyncio.sleep(SILENT_S / 5)
            # While this process stood still it heard nobody.
            late_s = time.monotonic() - looked_at - SILENT_S / 5
            for front in list(self._fronts.values()):
                front.heard_at += max(0.0, late_s)
                if time.monotonic() - front.heard_at > SILENT_S:
                    log.warning("front_silent", front=front.name, clients=len(front.clients))
                    self._drop(front.name)

    async def _hello(self, asked: Hello) -> Welcome:
        front = self._fronts.get(asked.front)
        if front is None or front.stream != asked.stream:
            self._drop(asked.front)
            front = self._fronts[asked.front] = RemoteFront(self._bus, self._places, asked.front)
            log.info("front_came", front=asked.front)
        front.heard_at = time.monotonic()
        return Welcome(front.stream, front.told)

    def _drop(self, name: str) -> None:
        if (front := self._fronts.pop(name, None)) is None:
            return
        front.open = False
        for client in list(front.clients.values()):
            self._clients.left(client)

    def _known(self, asked: Enter | Command | Left) -> RemoteFront:
        """Raises Unavailable ``stream_over``: the front says hello and asks again."""
        front = self._fronts.get(asked.front)
        if front is None or front.stream != asked.stream:
            raise _over()
        return front

    async def _enter(self, asked: Enter) -> None:
        front = self._known(asked)
        request = cast("web.Request", HandedOn(asked))
        wire = front.wires.get(asked.session)
        if wire is None:
            address = self._clients.address_of(request)
            self._places.check(address)
            self._places.take(address)
            wire = front.wires[asked.session] = RemoteWire(asked.session, address, front)
        wire.entering.add(asked.client)
        try:
            auth = msgspec.json.decode(asked.auth)
            client = await self._clients.enter(wire, asked.namespace, auth, request, asked.client)
            if not front.open:
                self._clients.left(client)
                raise _over()
            if (before := front.clients.pop(client.sid, None)) is not None:
                # Asked twice, because the first answer was late: the front is told of no end.
                self._clients.left(before)
            wire.clients[asked.namespace] = front.clients[client.sid] = client
        finally:
            wire.entering.discard(asked.client)
            wire.end_if_empty()
        kept: list[bytes] = []
        wire.kept = kept
        try:
            self._clients.entered(client)
        finally:
            wire.kept = None
        front.tell(Joined(client.sid, client.channel, client.cursor, kept, client.key))

    async def _command(self, asked: Command) -> Answered:
        client = self._known(asked).clients.get(asked.client)
        if client is None:
            raise _over()
        answer = await self._clients.command(client, asked.name, msgspec.json.decode(asked.arguments))
        return Answered(msgspec.json.encode(answer), client.name, client.place)

    async def _left(self, asked: Left) -> None:
        front = self._known(asked)
        for sid in asked.clients:
            if (client := front.clients.get(sid)) is not None:
                self._clients.left(client)


def _over() -> Unavailable:
    return Unavailable("The stream is over.", code=STREAM_OVER)
