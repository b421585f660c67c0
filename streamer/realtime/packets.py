"""Socket.IO packets and WebSocket frames as bytes. Pure.

This is own code instead of python-socketio's for two reasons. One encoding must serve every reader. And incoming data
needs a decoder that refuses what JSON does not have (NaN, any depth) and accepts no lone surrogates. Frames from a
server are unmasked (RFC 6455, section 5.1), so the same bytes go to everybody.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec
from engineio.packet import MESSAGE
from engineio.packet import Packet as EnginePacket

CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR, BINARY_EVENT, BINARY_ACK = range(7)

_PACKET = re.compile(r"([0-6])(?:(/[^,?]{0,64})(?:\?[^,]{0,256})?(?:,|$))?([0-9]{1,15})?(.*)", re.DOTALL)
_ENGINE_PACKET = re.compile(r"4[0-6]|[0-356][a-z]{0,16}$")
_decode = msgspec.json.Decoder().decode
_ESCAPED = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[dD][89a-fA-F][0-9a-fA-F]{2}|.)", re.DOTALL
)
_HALF = len("\\ud83d")


def is_engine_packet(text: str) -> bool:
    """Whether Engine.IO can read a text frame: a message with a packet of Socket.IO, or one of its own, all short."""
    return _ENGINE_PACKET.match(text) is not None


class Malformed(ValueError):
    """The data is no packet, or of a kind that is not allowed here."""


@dataclass(frozen=True, slots=True)
class IncomingPacket:
    kind: int
    namespace: str
    ack: int | None
    data: Any


def parse(text: object) -> IncomingPacket:
    """Raises Malformed."""
    if not isinstance(text, str):
        raise Malformed("binary")
    found = _PACKET.fullmatch(text)
    if found is None:
        raise Malformed("no packet")
    kind = int(found[1])
    if kind not in (CONNECT, DISCONNECT, EVENT, ACK):
        raise Malformed(f"packet of kind {kind}")
    try:
        data = _value(found[4]) if found[4] else None
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise Malformed("no JSON") from error
    return IncomingPacket(kind, found[2] or "/", int(found[3]) if found[3] else None, data)


def _value(text: str) -> Any:
    try:
        return _decode(text)
    except msgspec.DecodeError:
        # A page that cuts a text may cut an emoji in half, and JavaScript sends such halves. They are left out.
        whole = _ESCAPED.sub(lambda found: "" if len(found[0]) == _HALF else found[0], text)
        if whole == text:
            raise
        return _decode(whole)


class OutgoingMessage:
    """One packet to send, encoded at most once for each kind of transport."""

    __slots__ = ("_packet", "frame", "payload")

    def __init__(self, payload: bytes) -> None:
        self.payload = payload
        self.frame = text_frame(b"4" + payload)
        """As a WebSocket frame."""
        self._packet: Any = None

    @property
    def packet(self) -> Any:
        """For Engine.IO's queue, as polling wants it."""
        if self._packet is None:
            self._packet = EnginePacket(MESSAGE, data=self.payload.decode())
        return self._packet


def pack(kind: int, namespace: str, data: Any = msgspec.UNSET, ack: int | None = None) -> OutgoingMessage:
    """``data`` is encoded as JSON; left out, the packet has no data."""
    json = b"" if data is msgspec.UNSET else msgspec.json.encode(data)
    return OutgoingMessage(_head(kind, namespace, ack) + json)


def pack_events(namespace: str, events: Iterable[bytes]) -> OutgoingMessage:
    """The message ``events`` with a list of event objects that are JSON already."""
    return OutgoingMessage(b'%s["events",[%s]]' % (_head(EVENT, namespace, None), b",".join(events)))


def _head(kind: int, namespace: str, ack: int | None) -> bytes:
    space = "" if namespace == "/" else f"{namespace},"
    return f"{kind}{space}{'' if ack is None else ack}".encode()


def text_frame(payload: bytes) -> bytes:
    """An unmasked, final text frame (RFC 6455, section 5.2)."""
    size = len(payload)
    if size < 126:
        return b"\x81" + size.to_bytes(1, "big") + payload
    if size < 65536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload
