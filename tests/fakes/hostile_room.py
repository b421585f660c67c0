"""A room process with publishers that lie and one that does not."""

from __future__ import annotations

import asyncio
import re
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
from aiortc import RTCPeerConnection, RTCSessionDescription

from streamer.control import process_files, run_folder
from streamer.control.channel import Channel
from streamer.control.messages import Answer, ControlEvent, Offer, RoomConfig, RoomStatus
from streamer.host import spawn
from streamer.rtc import aiortc_hooks as hooks
from streamer.rtc.sender import EncodedSender
from streamer.settings import Settings
from tests.fakes.liar import STUN, Liar
from tests.fakes.media_host import REPOSITORY
from tests.fakes.peers import LOOPBACK, h264_frame
from tests.fakes.waiting import until

HELD_MS = 100.0
"""The most that anything may hold a room's loop."""
GROWTH_BYTES = 250 * 1024 * 1024
CHUNK = 40
PAUSE_S = 0.004
"""Between chunks: 10,000 packets a second at most."""


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


class HostileRoom:
    def __init__(self, channel: Channel, process: subprocess.Popen[bytes]) -> None:
        self.channel = channel
        self.process = process
        self.held_ms = 0.0
        self.growth = 0
        self.started_bytes = 0
        self.status: RoomStatus | None = None
        self._spare: Honest | None = None
        self._ports: list[int] = []

    def note(self, event: ControlEvent) -> None:
        if event.kind == "status":
            self.status = msgspec.convert(event.data, RoomStatus)
            if self.started_bytes:
                self.held_ms = max(self.held_ms, self.status.loop_held_ms)
                self.growth = max(self.growth, resident_bytes(self.process.pid) - self.started_bytes)

    async def offer(self, sdp: str, source: str) -> Answer:
        answer = await self.channel.request("offer", Offer("publish", sdp, source, grant=source, takeover=True))
        return msgspec.convert(answer, Answer)

    async def lie(self, liar: Liar, source: str, lies: tuple[Callable[[Liar], Iterator[bytes]], ...]) -> None:
        """Tell each lie at some thousand packets a second, an honest key frame before each."""
        await liar.accept((await self.offer(await liar.offer(), source)).sdp)
        for lie in lies:
            self._stranger()
            for packet in liar.honest_key():
                liar.send(packet)
            packets = lie(liar)
            while chunk := list(islice(packets, CHUNK)):
                for packet in chunk:
                    liar.send(packet)
                await asyncio.sleep(PAUSE_S)

    def _stranger(self) -> None:
        """A stranger who knows the honest publisher's port and sends anything to it."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for port in self._ports:
                for data in (*STUN, b"", b"\x80" * 40, b"\x16\xfe\xfd" + bytes(60), bytes(1400)):
                    sock.sendto(data, ("127.0.0.1", port))

    async def honest(self) -> Honest:
        """A publisher of ``spare`` that goes on beside the others."""
        self._spare = Honest()
        answer = await self.offer(await self._spare.offer(), "spare")
        self._ports = [int(port) for port in re.findall(r"a=candidate:\S+ 1 udp \d+ 127\.0\.0\.1 (\d+) ", answer.sdp)]
        assert self._ports
        await self._spare.accept(answer)
        await until(lambda: self.status is not None and "spare" in self.status.sources)
        self.started_bytes = resident_bytes(self.process.pid)
        return self._spare


class Honest:
    """25 pictures and 50 packets of sound a second."""

    def __init__(self) -> None:
        self.pc: RTCPeerConnection = hooks.new_peer(bundle=True)
        self.senders: dict[str, EncodedSender] = {}
        self.frames = 0
        self._task: asyncio.Task[None] | None = None
        for kind, codec in (("video", ("H264", "42e01f")), ("audio", ("opus", ""))):
            transceiver = self.pc.addTransceiver(kind, "sendonly")
            hooks.offer_codecs(transceiver, [codec])
            self.senders[kind] = EncodedSender.on(transceiver)
        hooks.bind(self.pc, LOOPBACK)
        hooks.tap(self.pc)

    async def offer(self) -> str:
        await self.pc.setLocalDescription(await self.pc.createOffer())
        return str(self.pc.localDescription.sdp)

    async def accept(self, answer: Answer) -> None:
        await self.pc.setRemoteDescription(RTCSessionDescription(answer.sdp, "answer"))
        await until(lambda: all(sender.ready for sender in self.senders.values()))
        self._task = asyncio.create_task(self._run(), name="honest publisher")

    async def _run(self) -> None:
        while True:
            at = time.time_ns() // 1000
            self.senders["video"].push(h264_frame(2000, key=self.frames % 25 == 0), at, key=self.frames % 25 == 0)
            self.senders["audio"].push(b"\xfc\xff\xfe", at)
            self.frames += 1
            await asyncio.sleep(0.04)

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))


@asynccontextmanager
async def hostile_room(folder: Path) -> AsyncIterator[HostileRoom]:
    made: dict[str, Any] = {
        "ice": {"host_addresses": ["127.0.0.1"]},
        "media": {"rungs": [{"height": 90, "bitrate_kbps": 100}]},
    }
    settings = Settings.model_validate({"data": folder, **made})
    run_folder.make_run_dir(settings.run_dir)
    file = process_files.write_settings(settings)
    process_files.save_room(settings, RoomConfig(id="hall", name="Hall"))
    command = [
        sys.executable,
        "-m",
        spawn.ROOM_MODULE,
        "--data",
        str(folder),
        "--room",
        "hall",
        "--settings",
        str(file),
    ]
    process = subprocess.Popen(command, cwd=REPOSITORY)
    notes: list[ControlEvent] = []
    room: HostileRoom | None = None
    try:
        channel = await _reach(settings, lambda event: (room.note if room else notes.append)(event))
        room = HostileRoom(channel, process)
        try:
            yield room
        finally:
            await channel.close()
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, 20)


async def _reach(settings: Settings, on_event: Callable[[ControlEvent], None]) -> Channel:
    async with asyncio.timeout(20):
        while True:
            try:
                return await Channel.open(settings.run_dir, run_folder.control_socket("hall"), on_event)
            except OSError:
                await asyncio.sleep(0.05)


async def ordeal(folder: Path, seeds: range, lies: tuple[Callable[[Liar], Iterator[bytes]], ...]) -> HostileRoom:
    """Each seed's liars, one in each codec, beside an honest publisher. Asserts that the loop was never held, that
    memory stayed in bounds, and that the honest one lost nothing."""
    async with hostile_room(folder) as room:
        honest = await room.honest()
        liars: list[Liar] = []
        try:
            for seed in seeds:
                # Only what is on the programme is decoded: each codec's turn comes.
                codecs = ("h264", "vp8") if seed % 2 == 0 else ("vp8", "h264")
                liars += [Liar(seed, codec) for codec in codecs]
                await asyncio.gather(room.lie(liars[-2], "main", lies), room.lie(liars[-1], "slides", lies))
            done = honest.frames
            await until(lambda: honest.frames > done + 30)
        finally:
            await honest.stop()
            for pc in (honest.pc, *(liar.pc for liar in liars)):
                await pc.close()
        status = room.status
        assert status is not None
        spare = status.sources["spare"]
        assert spare.video is not None
        assert spare.audio is not None
        assert (spare.video.lost, spare.audio.lost) == (0, 0)
        assert spare.up
        assert spare.video.packets >= (honest.frames - 60) * 2
        assert room.held_ms < HELD_MS, room.held_ms
        assert room.growth < GROWTH_BYTES, room.growth
        assert room.process.poll() is None
        return room
