"""The index of a broadcast on disk: its media events, without the bytes, in an append-only file.

A file is an 8-byte header and records of ``u32 length, u32 crc32, payload`` (big-endian); the payload is a media event
in msgpack. The first record is a Snapshot, so that one file is enough and a new index can begin at any time. Pure
except :func:`read_index`. ``python -m streamer.formats.index FILE ...`` prints indexes, one event a line.
"""

from __future__ import annotations

import struct
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from streamer.broadcast.media_events import MediaEvent, PartBytes, PartMade, Snapshot, StillMade

INDEX_GLOB = "index-*.sx"
"""The index files of a broadcast's folder."""
HEADER = struct.pack(">4sI", b"SIDX", 1)
MAX_RECORD_BYTES = 64 * 1024 * 1024
"""The size of a snapshot of a day-long DVR window; a longer record has a damaged length."""

_HEAD = struct.Struct(">II")
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(MediaEvent)


def index_name(number: int) -> str:
    return f"index-{number:06d}.sx"


@dataclass(slots=True, frozen=True)
class IndexContent:
    """The readable contents of an index."""

    events: list[MediaEvent]
    good_bytes: int
    """Length of the header and the valid records."""
    torn_bytes: int
    """Length of the rest: a record that was being written when the process was killed, or damage."""


def encode_event(event: MediaEvent) -> bytes | None:
    """One record; None for events that are not kept (stills, bytes)."""
    if isinstance(event, (StillMade, PartBytes)):
        return None
    if isinstance(event, PartMade):
        event = msgspec.structs.replace(event, data=b"")
    elif isinstance(event, Snapshot) and event.stills:
        event = msgspec.structs.replace(event, stills={})
    payload = _encoder.encode(event)
    return _HEAD.pack(len(payload), zlib.crc32(payload)) + payload


def decode_index(data: bytes) -> IndexContent:
    """Read the valid records. Raises ValueError if the data is no index of this version."""
    if data[: len(HEADER)] != HEADER:
        raise ValueError("not an index of this version")
    events: list[MediaEvent] = []
    good = len(HEADER)
    for end, payload in _records(data, good):
        try:
            events.append(_decoder.decode(payload))
        except (msgspec.DecodeError, RecursionError):
            break  # written by another version, or damage that the checksum happened to miss
        good = end
    return IndexContent(events, good, len(data) - good)


def read_index(path: Path) -> IndexContent:
    """Read an index file. Blocks. Raises OSError, and ValueError if it is no index."""
    return decode_index(path.read_bytes())


def _records(data: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    while at + _HEAD.size <= len(data):
        length, checksum = _HEAD.unpack_from(data, at)
        begin = at + _HEAD.size
        at = begin + length
        if length > MAX_RECORD_BYTES or at > len(data):
            return
        payload = data[begin:at]
        if zlib.crc32(payload) != checksum:
            return
        yield at, payload


def dump(path: Path) -> None:
    """Print the events as JSON, one a line, and on standard error what could not be read. Raises as read_index."""
    content = read_index(path)
    for event in content.events:
        print(msgspec.json.encode(event).decode())
    print(f"{len(content.events)} events, {content.torn_bytes} bytes unread", file=sys.stderr)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        dump(Path(name))
