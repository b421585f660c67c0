"""Clean rooms at full rate: processes of rooms that receive and decode pre-encoded RTP, and what they tell of it."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from streamer.control.messages import RoomConfig
from tests.day_of_troubles.faults import opus_packets
from tests.day_of_troubles.pictures import Scene, encoded_pictures
from tests.day_of_troubles.runs import CLEAN, clean_sound
from tests.fakes.hostile_room import Honest, HostileRoom, hostile_room

FPS = 25
PACKET_S = 0.02
SOUND_S, PICTURE_S = 60.0, 12.0
LOOK_S = 0.25


@dataclass
class Found:
    """``told``: code -> how often a room began to tell it. ``cores``: processor time of a room a second. ``late_s``:
    the most that the senders, which share this process, were behind their time."""

    told: Counter[str] = field(default_factory=Counter)
    cores: float = 0.0
    late_s: float = 0.0
    dropped: float = 0.0
    """Packets that the meters left out."""


class Player(Honest):
    """A camera that plays minutes of sound in random order, a few times in a row, and somebody who sways, stands or
    goes."""

    def __init__(self, sounds: dict[str, list[bytes]], looks: list[list[bytes]], seed: int) -> None:
        super().__init__()
        self.late_s = 0.0
        self._sounds, self._looks, self._rng = sounds, looks, np.random.default_rng(seed)

    async def _run(self) -> None:
        await asyncio.gather(self._speak(), self._film())

    async def _speak(self) -> None:
        names, due = sorted(self._sounds), time.time()
        while True:
            chosen = self._sounds[names[int(self._rng.integers(len(names)))]]
            for packet in chosen * int(self._rng.integers(1, 5)):
                due += PACKET_S
                await self._until(due)
                self.senders["audio"].push(packet, round(due * 1e6))

    async def _film(self) -> None:
        due = time.time()
        while True:
            for unit in self._looks[int(self._rng.integers(len(self._looks)))]:
                due += 1 / FPS
                await self._until(due)
                self.senders["video"].push(unit, round(due * 1e6), key=unit[4] & 0x1F == 7)

    async def _until(self, due: float) -> None:
        self.late_s = max(self.late_s, time.time() - due)
        await asyncio.sleep(max(0.0, due - time.time()))


def media(seeds: range) -> tuple[dict[str, list[bytes]], list[list[bytes]]]:
    """Packets of sound by kind, and pictures of one camera: somebody goes on to sway, hardly moves, or goes."""
    sounds = {
        f"{kind} {seed}": list(opus_packets(clean_sound(kind, seed, SOUND_S))) for kind in CLEAN for seed in seeds
    }
    scenes = [Scene(noise=2.0, motion=motion) for motion in (12.0, 12.0, 0.7, 0.0)]
    return sounds, [encoded_pictures(scene, PICTURE_S, seeds[0], rate=FPS) for scene in scenes]


async def full_rate(rooms: int, minutes: float, seeds: range, note: Callable[[str], None]) -> Found:
    """``note`` is told of each trouble when it begins."""
    sounds, looks = await asyncio.to_thread(media, seeds)
    found = Found()
    async with AsyncExitStack() as stack:
        halls: list[tuple[HostileRoom, Player]] = []
        for number in range(rooms):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="streamer-")))
            room = await stack.enter_async_context(hostile_room(folder))
            await room.channel.request("configure", RoomConfig("hall", "Hall", source_kinds={"main": "camera"}))
            player = Player(sounds, looks, seeds[0] + number)
            stack.push_async_callback(player.pc.close)
            await player.accept(await room.offer(await player.offer(), "main"))
            stack.push_async_callback(player.stop)
            halls.append((room, player))
        began, cpu = time.monotonic(), [_cpu_s(room) for room, _ in halls]
        before: list[set[str]] = [set() for _ in halls]
        while time.monotonic() - began < minutes * 60:
            await asyncio.sleep(LOOK_S)
            for number, (room, _) in enumerate(halls):
                told = {one.code for one in room.status.troubles} if room.status is not None else set()
                for code in sorted(told - before[number]):
                    found.told[code] += 1
                    load = os.getloadavg()[0]
                    note(f"room {number} after {(time.monotonic() - began) / 60:.1f} min: {code} (load {load:.1f})")
                before[number] = told
        lasted = time.monotonic() - began
        found.cores = sum(_cpu_s(room) - first for (room, _), first in zip(halls, cpu, strict=True)) / lasted / rooms
        found.late_s = max(player.late_s for _, player in halls)
        found.dropped = sum(room.status.counters["meter_jobs_dropped_total"] for room, _ in halls if room.status)
    return found


def _cpu_s(room: HostileRoom) -> float:
    fields = Path(f"/proc/{room.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
