"""Captured packets into a room: ``python -m tests.replay_packets --video FILE [--audio FILE] [--codec vp8]``.

A file is one RTP stream in the form of rtpdump, as Wireshark exports it (Telephony, RTP, RTP Streams, Export). A
publisher of our own sends its packets as they are, at their times; only payload type and SSRC are those that it has
agreed on. The room is a new one in a folder that goes with it, or with ``--data`` and ``--room`` one that is open. What
the room makes of it is printed: its status, as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import struct
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import msgspec

from streamer.control.channel import Channel
from streamer.control.messages import Answer, Offer, RoomStatus
from streamer.control.run_folder import control_socket
from tests.fakes.hostile_room import hostile_room
from tests.fakes.liar import Liar

MAGIC = b"#!rtpplay1.0 "
_FILE_HEAD_BYTES = 16
_PACKET_HEAD = struct.Struct(">HHI")
STATUS_S = 1.5
"""A room tells its status at least so often."""

Packets = list[tuple[int, bytes]]
"""Milliseconds since the capture began, and an RTP packet."""


def read_rtpdump(data: bytes) -> Packets:
    """RTCP is left out. Raises ValueError for another form."""
    if not data.startswith(MAGIC):
        raise ValueError("not in the form of rtpdump")
    at = data.index(b"\n") + 1 + _FILE_HEAD_BYTES
    found: Packets = []
    while at + _PACKET_HEAD.size <= len(data):
        length, rtp_bytes, offset_ms = _PACKET_HEAD.unpack_from(data, at)
        packet = data[at + _PACKET_HEAD.size : at + length]
        if rtp_bytes:
            found.append((offset_ms, packet))
        at += max(length, _PACKET_HEAD.size)
    return found


def write_rtpdump(packets: Iterable[tuple[int, bytes]]) -> bytes:
    records = (_PACKET_HEAD.pack(_PACKET_HEAD.size + len(data), len(data), ms) + data for ms, data in packets)
    return MAGIC + b"127.0.0.1/9\n" + bytes(_FILE_HEAD_BYTES) + b"".join(records)


def _readdressed(packet: bytes, payload_type: int, ssrc: int) -> bytes:
    """RFC 3550, 5.1: marker and payload type are the second byte, the SSRC the bytes from the eighth on."""
    second = bytes((packet[1] & 0x80 | payload_type,))
    return packet[:1] + second + packet[2:8] + ssrc.to_bytes(4, "big") + packet[12:]


async def replay(channel: Channel, tracks: dict[str, Packets], codec: str, source: str) -> None:
    """Publish ``tracks`` (``video``, ``audio``) in the room at the other end of ``channel``."""
    publisher = Liar(0, codec)
    try:
        offer = Offer("publish", await publisher.offer(), source, grant="replay", takeover=True)
        await publisher.accept(msgspec.convert(await channel.request("offer", offer), Answer).sdp)
        began = asyncio.get_running_loop().time()
        for ms, kind, packet in sorted((ms, kind, packet) for kind, found in tracks.items() for ms, packet in found):
            await asyncio.sleep(began + ms / 1000 - asyncio.get_running_loop().time())
            sender = publisher.senders[kind]
            publisher.send(_readdressed(packet, sender._payload_type, sender._ssrc))
        await asyncio.sleep(STATUS_S)
    finally:
        await publisher.pc.close()


@contextlib.asynccontextmanager
async def _room(data: Path | None, room: str) -> AsyncIterator[Channel]:
    if data is None:
        with tempfile.TemporaryDirectory(prefix="streamer-") as folder:
            async with hostile_room(Path(folder)) as own:
                yield own.channel
        return
    channel = await Channel.open(data / "run", control_socket(room))
    try:
        yield channel
    finally:
        await channel.close()


async def _run(options: argparse.Namespace) -> RoomStatus:
    files = {"video": options.video, "audio": options.audio}
    tracks = {kind: read_rtpdump(file.read_bytes()) for kind, file in files.items() if file is not None}
    async with _room(options.data, options.room) as channel:
        replaying = asyncio.create_task(replay(channel, tracks, options.codec, options.source), name="replay")
        status = RoomStatus(options.room, 0)
        while not replaying.done():
            # Asked while it is connected: a source that has gone tells nothing any more.
            await asyncio.wait((replaying,), timeout=STATUS_S / 3)
            if not replaying.done():
                status = msgspec.convert(await channel.request("status"), RoomStatus)
        await replaying
        return status


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.replay_packets", description=__doc__)
    parser.add_argument("--video", type=Path, metavar="FILE")
    parser.add_argument("--audio", type=Path, metavar="FILE", help="Opus")
    parser.add_argument("--codec", choices=("h264", "vp8"), default="h264")
    parser.add_argument("--data", type=Path, help="data folder of a server in which ROOM is open")
    parser.add_argument("--room", default="hall")
    parser.add_argument("--source", default="main")
    status = asyncio.run(_run(parser.parse_args()))
    print(msgspec.json.format(msgspec.json.encode(status)).decode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
