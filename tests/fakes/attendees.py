"""Clients of Socket.IO: one of the library, and one that sends raw packets."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import msgspec
import socketio

from streamer.audience import messages as audience_messages
from streamer.realtime import messages
from tests.fakes.waiting import until


class Attendee:
    """A real python-socketio client in one namespace that keeps its events."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.io = socketio.AsyncClient(reconnection=False)
        self.snapshots: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.batches: list[int] = []
        self.closed: list[dict[str, Any]] = []
        self.order: list[str] = []
        self.error: Any = None
        self.faults: list[str] = []
        """Messages that did not fit the protocol's schemas."""
        self.disconnected = asyncio.Event()
        self.io.on("snapshot", self._on_snapshot, namespace=namespace)
        self.io.on("events", self._on_events, namespace=namespace)
        self.io.on("closed", self._on_closed, namespace=namespace)
        self.io.on("connect_error", self._on_error, namespace=namespace)
        self.io.on("disconnect", self._on_disconnect, namespace=namespace)

    async def connect(self, url: str, auth: Any, transports: list[str], headers: Any) -> None:
        await self.io.connect(
            url, namespaces=[self.namespace], auth=auth, transports=transports, headers=dict(headers), wait_timeout=30
        )
        await until(lambda: self.snapshots or self.disconnected.is_set())

    async def command(self, name: str, payload: Any = None, options: Any = None) -> Any:
        """The answer. Raises socketio's DisconnectedError as soon as none can come any more, TimeoutError."""
        arguments = payload if options is None else (payload, options)
        call = asyncio.create_task(self.io.call(name, arguments, namespace=self.namespace, timeout=30))
        gone = asyncio.create_task(self.disconnected.wait())
        try:
            await asyncio.wait((call, gone), return_when=asyncio.FIRST_COMPLETED)
            # An answer that came just before the end is being read.
            done, _ = await asyncio.wait((call,), timeout=0.1)
            if not done:
                raise socketio.exceptions.DisconnectedError
            return await call
        finally:
            call.cancel()
            gone.cancel()

    async def does(self, command: str, payload: Any = None, **data: Any) -> dict[str, Any]:
        """The answer to a command that is allowed. Where it comes too soon after others it is given again."""
        given = {**(payload or {}), **data} if payload or data else None
        while True:
            answer: dict[str, Any] = await self.command(command, given)
            if answer["ok"]:
                return answer
            assert answer["error"]["code"] == "rate_limited", (command, given, answer)
            await asyncio.sleep(answer["error"]["retry_after"])

    async def told(self, kind: str, condition: Callable[[Any], object] = lambda data: True) -> dict[str, Any]:
        """The first event of the kind whose data fits; waits for it."""
        await until(lambda: self.of(kind, condition))
        return self.of(kind, condition)[0]

    def of(self, kind: str, condition: Callable[[Any], object] = lambda data: True) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind and condition(event["data"])]

    @property
    def text(self) -> str:
        """All texts that it has ever received."""
        return json.dumps([self.snapshots, self.events, self.closed, self.error])

    async def close(self) -> None:
        with contextlib.suppress(Exception):
            await self.io.disconnect()

    async def _on_snapshot(self, snapshot: Any) -> None:
        self.order.append("snapshot")
        self._check(snapshot, messages.RoomSnapshot)
        self.snapshots.append(snapshot)

    async def _on_events(self, events: Any) -> None:
        self.order.append("events")
        self.batches.append(len(events))
        for event in events:
            self._check(event, messages.EventEntry)
            if event["type"] != "test":
                self._check(event["data"], _schema(event))
        self.events.extend(events)

    def _check(self, value: Any, schema: Any) -> None:
        """Exactly as the schema says, nothing besides."""
        try:
            known = msgspec.to_builtins(msgspec.convert(value, schema))
            surplus = set(value) - set(known) if schema is not messages.EventEntry else set()
            if surplus:
                self.faults.append(f"{schema}: {surplus}")
        except (msgspec.ValidationError, KeyError) as error:
            self.faults.append(f"{schema}: {error}")

    async def _on_closed(self, why: Any) -> None:
        self.closed.append(why)

    async def _on_error(self, error: Any) -> None:
        self.error = error

    async def _on_disconnect(self, *_reason: Any) -> None:
        self.disconnected.set()


async def join(url: str, namespace: str = "/audience", **auth: Any) -> Attendee:
    """Somebody who has come in, by WebSocket."""
    client = Attendee(namespace)
    await client.connect(url, auth, ["websocket"], {})
    return client


@contextlib.asynccontextmanager
async def joined(url: str, namespace: str = "/audience", **auth: Any) -> AsyncIterator[Attendee]:
    """The same until the end of the block. All that it was told was as the schemas say."""
    client = await join(url, namespace, **auth)
    try:
        yield client
        assert client.faults == []
    finally:
        await client.close()


def _schema(event: Any) -> Any:
    gone, kind = event["data"].get("removed"), event["type"]
    if kind in messages.EVENTS:
        return messages.SessionRemoved if gone else messages.EVENTS[kind]
    return audience_messages.Removed if gone else audience_messages.EVENTS[kind]


@dataclass
class RawClient:
    """A WebSocket without a library around it: thousands of them cost little, and it may stop reading."""

    socket: aiohttp.ClientWebSocketResponse
    namespace: str

    @classmethod
    async def open(cls, http: aiohttp.ClientSession, url: str, namespace: str = "/audience", **auth: Any) -> RawClient:
        socket = await http.ws_connect(f"{url}/socket.io/?EIO=4&transport=websocket", max_msg_size=0)
        client = cls(socket, namespace)
        assert (await client.text()).startswith("0")
        await socket.send_str(f"40{namespace},{json.dumps(auth or {'room': 'a'})}")
        return client

    async def text(self) -> str:
        return str(await self.socket.receive_str(timeout=10))

    async def message(self) -> Any:
        """The next ``[name, data]``; answers pings in between."""
        while True:
            text = await self.text()
            if text == "2":
                await self.socket.send_str("3")
            elif text.startswith(f"42{self.namespace},"):
                return json.loads(text.partition(",")[2])
