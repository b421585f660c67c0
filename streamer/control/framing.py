"""Messages on a stream: a 4-byte big-endian length, then msgpack.

Pure except :func:`read_frame`. A frame has at most ``MAX_FRAME_BYTES``, so that a faulty peer cannot make us allocate
any amount of memory.
"""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

import msgspec

from streamer.broadcast.media_events import MediaEvent
from streamer.control.messages import MAX_FRAME_BYTES, ControlMessage, ProtocolError
from streamer.errors import StreamerError

T = TypeVar("T")

HEADER_BYTES = 4

_encoder = msgspec.msgpack.Encoder()
_control_decoder: msgspec.msgpack.Decoder[ControlMessage] = msgspec.msgpack.Decoder(ControlMessage)
_media_decoder: msgspec.msgpack.Decoder[MediaEvent] = msgspec.msgpack.Decoder(MediaEvent)


class FrameError(Exception):
    """The other side sent bytes that are no frame of this protocol; the connection cannot be used any more."""


def encode_frame(message: Any) -> bytes:
    """A message as bytes for the stream, header included.

    Raises FrameError if it is larger than a frame may be.
    """
    frame = bytearray(HEADER_BYTES)
    _encoder.encode_into(message, frame, HEADER_BYTES)
    size = len(frame) - HEADER_BYTES
    if size > MAX_FRAME_BYTES:
        raise FrameError(f"a message of {size} bytes is larger than a frame may be")
    frame[:HEADER_BYTES] = size.to_bytes(HEADER_BYTES, "big")
    return bytes(frame)


def decode_control(payload: bytes) -> ControlMessage:
    """The message in a control frame. Raises FrameError."""
    try:
        return _control_decoder.decode(payload)
    except msgspec.MsgspecError as error:
        raise FrameError(f"not a control message: {error}") from error


def decode_media(payload: bytes) -> MediaEvent:
    """The message in a data frame. Raises FrameError."""
    try:
        return _media_decoder.decode(payload)
    except msgspec.MsgspecError as error:
        raise FrameError(f"not a media event: {error}") from error


def builtins_to(value: Any, kind: type[T]) -> T:
    """Make a struct of the plain objects that msgpack decoded. Raises msgspec.ValidationError."""
    return msgspec.convert(value, kind)


async def read_frame(reader: asyncio.StreamReader) -> bytes | None:
    """The contents of the next frame, or None at the end of the stream.

    Waits as long as the other side is silent: the caller sets the limit. Raises FrameError for a frame that is
    too large or torn.
    """
    try:
        header = await reader.readexactly(HEADER_BYTES)
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise FrameError("the stream ended inside a frame's header") from error
        return None
    size = int.from_bytes(header, "big")
    if size > MAX_FRAME_BYTES:
        raise FrameError(f"a frame of {size} bytes was announced")
    try:
        return await reader.readexactly(size)
    except asyncio.IncompleteReadError as error:
        raise FrameError("the stream ended inside a frame") from error


def to_protocol_error(error: StreamerError) -> ProtocolError:
    return ProtocolError(
        code=error.code,
        message=error.message,
        status=error.status,
        details=error.details,
        headers=dict(error.headers),
    )


def from_protocol_error(error: ProtocolError) -> StreamerError:
    return StreamerError(
        error.message, code=error.code, status=error.status, details=error.details, headers=error.headers
    )
