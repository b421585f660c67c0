"""Thousands of cheap WebSocket clients, which look like an audience to a server, for loads and faults.

Each is a protocol on the loop, without a library around it; identical data is parsed once. Messages carry a number and
their sending time (``text_of``), so that each member knows its messages, their order and their delay. Frames are
neither fragmented nor compressed, as the tested servers send them.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import random
import re
import socket
import time
from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit

STAMP = re.compile(rb"n(\d+) at (\d+)\b")
SEQ = re.compile(rb'"seq":(\d+)')
_HEAD = re.compile(rb"\r\n\r\n")
OPENING_AT_ONCE = 100
CLOSE_LIMIT_S = 5.0
ANSWER_LIMIT_S = 15.0


def text_of(number: int) -> str:
    """The text of a member: its number and the time of sending, monotonic nanoseconds of this machine."""
    return f"n{number} at {time.monotonic_ns()} which is about as much as people write at once in a chat"


@dataclass
class Heard:
    """The contents of one message of events, parsed once for all."""

    numbers: list[int]
    sent_ns: list[int]
    seqs: list[int]


@dataclass(eq=False)
class Member(asyncio.Protocol):
    """One of the crowd. ``numbers`` are those of its messages, in order."""

    crowd: Crowd
    index: int
    auth: dict[str, Any]
    numbers: array[int] = field(default_factory=lambda: array("q"))
    key: str | None = None
    """The token of its identity, to come back with."""
    resumed: list[bool] = field(default_factory=list)
    """For each connection, whether it was resumed."""
    last_seq: int = 0
    errors: list[Any] = field(default_factory=list)
    """Connections that were refused, and why."""
    disordered: int = 0
    """Events whose number was not greater than the one before."""
    transport: asyncio.Transport | None = None
    up: asyncio.Event = field(default_factory=asyncio.Event)
    """Whether it has its snapshot."""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Whether the connection is."""
    _buffer: bytes = b""
    _upgraded: bool = False
    _acks: dict[int, asyncio.Future[Any]] = field(default_factory=dict)
    _asked: int = 0

    # --- as a client --------------------------------------------------------------------------------

    async def connect(self, **auth: Any) -> None:
        """Returns when the snapshot has come. Raises OSError without a connection, AssertionError if the server refuses
        the client."""
        self._buffer, self._upgraded = b"", False
        self.up, self.over = asyncio.Event(), asyncio.Event()
        self.auth = {**self.auth, **auth}
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self, self.crowd.host, self.crowd.port)
        self._write_request()
        waiting = [asyncio.create_task(each.wait()) for each in (self.up, self.over)]
        try:
            await asyncio.wait(waiting, timeout=30, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()
        if self.over.is_set() or not self.up.is_set():
            self.hang_up()
            raise ConnectionResetError(f"not let in: {self.errors[-1:] or self._buffer[:200]!r}")

    async def come_back(self, chance: random.Random, limit_s: float) -> None:
        """Again and again, until it is in. Raises TimeoutError."""
        async with asyncio.timeout(limit_s):
            while True:
                try:
                    await self.connect(since=self.last_seq, participant=self.key)
                    return
                except OSError:
                    await asyncio.sleep(chance.uniform(0.05, 0.5))

    async def ask(self, name: str, payload: Any) -> Any:
        """A command's answer. Raises ConnectionResetError if the client is not in or the connection ends before the
        answer, TimeoutError."""
        if not self.up.is_set():
            raise ConnectionResetError("not in")
        self._asked += 1
        answered = self._acks[self._asked] = asyncio.get_running_loop().create_future()
        self._send(f"42{self.crowd.namespace},{self._asked}{json.dumps([name, payload], separators=(',', ':'))}")
        return await asyncio.wait_for(answered, ANSWER_LIMIT_S)

    async def say(self, number: int) -> Any:
        return await self.ask("chat.send", {"text": text_of(number)})

    def stall(self) -> None:
        """Read nothing from now on."""
        assert self.transport is not None
        self.transport.pause_reading()

    def hang_up(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    # --- as a protocol ------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        if self.crowd.receive_buffer is not None:
            transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_RCVBUF, self.crowd.receive_buffer
            )

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self.up.clear()
        self.over.set()
        for answered in self._acks.values():
            if not answered.done():
                answered.set_exception(ConnectionResetError("the connection ended"))
                answered.exception()
        self._acks.clear()

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        if not self._upgraded:
            end = _HEAD.search(self._buffer)
            if end is None:
                return
            if not self._buffer.startswith(b"HTTP/1.1 101"):
                self.errors.append(self._buffer.decode(errors="replace"))
                self.hang_up()
                return
            self._upgraded, self._buffer = True, self._buffer[end.end() :]
        self._read_frames()

    def _read_frames(self) -> None:
        buffer, at = self._buffer, 0
        while len(buffer) - at >= 2:
            size, start = buffer[at + 1] & 0x7F, at + 2
            if size == 126:
                start, size = at + 4, int.from_bytes(buffer[at + 2 : at + 4], "big")
                if len(buffer) - at < 4:
                    break
            elif size == 127:
                start, size = at + 10, int.from_bytes(buffer[at + 2 : at + 10], "big")
                if len(buffer) - at < 10:
                    break
            if len(buffer) < start + size:
                break
            self._frame(buffer[at] & 0x0F, buffer[start : start + size])
            at = start + size
        self._buffer = buffer[at:]

    def _frame(self, opcode: int, payload: bytes) -> None:
        if opcode != 1:
            if opcode == 8:
                self.hang_up()
            return
        crowd = self.crowd
        if payload.startswith(crowd.events_head):
            self._hear(crowd.read(payload))
        elif payload == b"2":
            self._send("3")
        elif payload.startswith(b"0"):
            self._send(f"40{crowd.namespace},{json.dumps(self.auth)}")
        elif payload.startswith(b"43"):
            number, _, rest = payload.partition(b",")[2].partition(b"[")
            answered = self._acks.pop(int(number), None)
            if answered is not None and not answered.done():
                answered.set_result(json.loads(b"[" + rest)[0])
        elif payload.startswith(b"42") and b',["snapshot"' in payload[:40]:
            self._begin(json.loads(payload.partition(b",")[2])[1])
        elif payload.startswith((b"44", b"41")):
            self.errors.append(payload.decode())
            self.hang_up()

    def _begin(self, snapshot: Any) -> None:
        """The client's state is right if it is resumed, and dropped otherwise."""
        self.resumed.append(snapshot["resumed"])
        self.key = snapshot.get("you", {}).get("key") or self.key
        if not snapshot["resumed"]:
            self.last_seq = snapshot["seq"]
            said = json.dumps([message["text"] for message in snapshot["audience"].get("chat", ())])
            self.numbers = array("q", (int(number) for number, _ in STAMP.findall(said.encode())))
        self.up.set()

    def _hear(self, heard: Heard) -> None:
        crowd = self.crowd
        crowd.messages += 1
        crowd.deliveries += len(heard.numbers)
        self.numbers.extend(heard.numbers)
        if heard.seqs:
            self.disordered += heard.seqs[0] <= self.last_seq
            self.last_seq = heard.seqs[-1]
        if crowd.measured is None or self.index in crowd.measured:
            now_ns = time.monotonic_ns()
            crowd.delays_ns.extend(now_ns - sent_ns for sent_ns in heard.sent_ns)

    # --- inside -------------------------------------------------------------------------------------

    def _write_request(self) -> None:
        assert self.transport is not None
        key = base64.b64encode(os.urandom(16)).decode()
        headers = "".join(f"{name}: {value}\r\n" for name, value in self.crowd.headers.items())
        self.transport.write(
            f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {self.crowd.host}:{self.crowd.port}\r\n"
            f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
            f"{headers}\r\n".encode()
        )

    def _send(self, text: str) -> None:
        """Masked, as a client has to; with zeros, which is as good as any mask here."""
        if self.transport is None:
            raise ConnectionResetError("there is no connection")
        data = text.encode()
        size = len(data)
        head = bytes((0x81, 0x80 | size)) if size < 126 else b"\x81\xfe" + size.to_bytes(2, "big")
        self.transport.write(head + b"\0\0\0\0" + data)


class Crowd:
    """``measured``: members whose delays are kept; None: all."""

    def __init__(
        self,
        url: str,
        *,
        namespace: str = "/audience",
        headers: dict[str, str] | None = None,
        receive_buffer: int | None = None,
    ) -> None:
        parts = urlsplit(url)
        self.host, self.port = parts.hostname or "127.0.0.1", parts.port or 80
        self.namespace = namespace
        self.headers = headers or {}
        self.receive_buffer = receive_buffer
        self.events_head = f'42{namespace},["events",'.encode()
        self.members: list[Member] = []
        self.measured: frozenset[int] | None = None
        self.messages = 0
        self.deliveries = 0
        self.delays_ns = array("q")
        self._read: tuple[bytes, Heard] = (b"", Heard([], [], []))

    async def come(self, auths: Iterable[dict[str, Any]]) -> None:
        """One member for each."""
        new = [Member(self, len(self.members) + index, auth) for index, auth in enumerate(auths)]
        self.members += new
        opening = asyncio.Semaphore(OPENING_AT_ONCE)

        async def open_one(member: Member) -> None:
            async with opening:
                await member.connect()

        await asyncio.gather(*(open_one(member) for member in new))

    async def leave(self) -> None:
        """All hang up."""
        for member in self.members:
            member.hang_up()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_LIMIT_S):
                await asyncio.gather(*(member.over.wait() for member in self.members))

    def forget(self) -> None:
        """Count from here."""
        self.messages = self.deliveries = 0
        self.delays_ns = array("q")
        for member in self.members:
            member.numbers = array("q")

    def read(self, payload: bytes) -> Heard:
        if self._read[0] == payload:
            return self._read[1]
        stamps = STAMP.findall(payload)
        heard = Heard(
            [int(number) for number, _ in stamps],
            [int(sent_ns) for _, sent_ns in stamps],
            [int(seq) for seq in SEQ.findall(payload)],
        )
        self._read = (payload, heard)
        return heard

    def delays_ms(self) -> list[float]:
        return [delay_ns / 1e6 for delay_ns in self.delays_ns]

    def missing(self, numbers: Iterable[int], members: Iterable[Member] | None = None) -> int:
        """The number of messages that the members, together, did not get."""
        wanted = set(numbers)
        return sum(len(wanted - set(member.numbers)) for member in (self.members if members is None else members))

    def doubled(self) -> int:
        return sum(len(member.numbers) - len(set(member.numbers)) for member in self.members)

    def orders(self) -> int:
        """The number of different orders in which members got their messages; 1 if all are alike."""
        return len({member.numbers.tobytes() for member in self.members})


async def talk(
    members: list[Member], count: int, gaps_s: Callable[[], float], *, first: int = 0
) -> tuple[dict[int, Any], float]:
    """``count`` messages by members in turn, at times that ``gaps_s`` gives. Returns the answers by number, and how
    long it took, s."""
    loop = asyncio.get_running_loop()
    began = at = loop.time()
    asked: dict[int, asyncio.Task[Any]] = {}
    for number in range(first, first + count):
        member = members[number % len(members)]
        asked[number] = asyncio.create_task(member.say(number), name=f"say {number}")
        at += gaps_s()
        await asyncio.sleep(max(0.0, at - loop.time()))
    answers = dict(zip(asked, await asyncio.gather(*asked.values(), return_exceptions=True), strict=True))
    return answers, loop.time() - began
