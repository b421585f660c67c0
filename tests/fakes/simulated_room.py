"""A whole room's programme in virtual time, and the rules for its output, whatever the sources send."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import msgspec

from streamer.broadcast.media_events import PUBLIC, Forgotten, MediaEvent, PartMade, StillMade
from streamer.broadcast.orders import OutputOrder, RoomOrders, Shows
from streamer.broadcast.programme import TICKS_PER_MS, TICKS_PER_S, Broadcast
from streamer.media.programme import Programme
from streamer.media.recorder import Recorder
from streamer.media.recovery import Recovered, output_state
from streamer.media.slate import SlateText
from streamer.settings import MediaSettings, Rung, Settings
from tests.fakes.packaging import MemoryStore, Mirror
from tests.fakes.simulated_camera import Camera, Lens
from tests.fakes.simulated_workers import Tag, simulated_workers
from tests.fakes.virtual_time import VirtualLoop, run

TICK_S = 0.02
TEXT = SlateText(room="Room", text="first")
SETTINGS = Settings(media=MediaSettings(rungs=(Rung(height=90, bitrate_kbps=100),)))
AAC_TICKS = 1920


@dataclass(frozen=True)
class Shown:
    """One sample that was published."""

    start: int
    duration: int
    sync: bool
    data: bytes
    msn: int

    @property
    def end(self) -> int:
        return self.start + self.duration

    @cached_property
    def tag(self) -> Tag:
        return Tag.of_sample(self.data)


def samples_of(part: PartMade, timescale: int) -> list[Shown]:
    """Read a fragment's samples as a player does."""
    data = part.data
    at, out = 0, []
    boxes: dict[bytes, tuple[int, int]] = {}
    stack = [(0, len(data))]
    while stack:
        at, end = stack.pop()
        while at < end:
            size, kind = struct.unpack_from(">I4s", data, at)
            boxes[kind] = (at + 8, at + size)
            if kind in (b"moof", b"traf"):
                stack.append((at + 8, at + size))
            at += size
    (time,) = struct.unpack_from(">Q", data, boxes[b"tfdt"][0] + 4)
    at = boxes[b"tfhd"][0]
    flags = int.from_bytes(data[at : at + 4], "big")
    at += 8
    default_duration = default_flags = 0
    if flags & 0x08:
        (default_duration,) = struct.unpack_from(">I", data, at)
        at += 4
    (default_flags,) = struct.unpack_from(">I", data, at)
    at = boxes[b"trun"][0]
    flags = int.from_bytes(data[at : at + 4], "big")
    (count,) = struct.unpack_from(">I", data, at + 4)
    at += 12
    first_flags = None
    if flags & 0x04:
        (first_flags,) = struct.unpack_from(">I", data, at)
        at += 4
    place = boxes[b"mdat"][0]
    for index in range(count):
        duration, sample_flags = default_duration, default_flags
        if flags & 0x100:
            (duration,) = struct.unpack_from(">I", data, at)
            at += 4
        (size,) = struct.unpack_from(">I", data, at)
        at += 4
        if flags & 0x400:
            (sample_flags,) = struct.unpack_from(">I", data, at)
            at += 4
        elif index == 0 and first_flags is not None:
            sample_flags = first_flags
        start = time * TICKS_PER_S // timescale
        end_ticks = (time + duration) * TICKS_PER_S // timescale
        sync = not sample_flags & 0x1_0000
        out.append(Shown(start, end_ticks - start, sync, data[place : place + size], part.msn))
        time, place = time + duration, place + size
    return out


ON_AIR = RoomOrders(public="programme", record=True)
"""Orders of a simulated room before it opens."""


@dataclass
class Room:
    """The programme with cameras around it. ``takes`` are ``(now in ticks, source)`` as they began."""

    loop: VirtualLoop
    settings: Settings = SETTINGS
    folder: Path | None = None
    """The folder of a real recorder; None: nothing is written."""
    told: RoomOrders = ON_AIR
    """The orders that the process starts with."""
    store: MemoryStore | Recorder = field(default_factory=MemoryStore)
    cameras: dict[str, Camera] = field(default_factory=dict)
    mirror: Mirror | None = None
    lag: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    """By rendition: (now, how far the published edge is behind it), at each tick."""
    relayed: list[tuple[int, bytes, bool]] = field(default_factory=list)
    relayed_sound: list[tuple[int, bytes]] = field(default_factory=list)
    stills: list[tuple[int, bytes]] = field(default_factory=list)
    orders: list[tuple[int, RoomOrders]] = field(default_factory=list)
    """(now in ticks, the orders at that time)."""
    ordered_s: list[float] = field(default_factory=list)
    """The loop's time then."""
    forgotten: list[tuple[int, int]] = field(default_factory=list)
    withheld: list[tuple[int, int]] = field(default_factory=list)
    """In ticks."""
    asked: dict[str, int] = field(default_factory=dict)
    takes: list[tuple[int, str, bool]] = field(default_factory=list)
    """(now, source, passed through) whenever it is another."""
    resumed_at: int | None = None
    zero_ms: int = 1_800_000_000_000
    """The machine's clock at zero of the loop's."""
    _seeds: int = 0
    _read: dict[int, tuple[PartMade, list[Shown]]] = field(default_factory=dict)
    """Parts with their samples, by identity: each rule looks at all of them again."""

    def __post_init__(self) -> None:
        self.programme = self._programme(self.told)

    def _programme(self, orders: RoomOrders) -> Programme:
        return Programme(
            "room",
            self.settings,
            listener=self,
            publishers=self,
            relay=self,
            text=TEXT,
            clock_ns=self.loop.time_ns,
            time_ms=self.time_ms,
            orders=orders,
        )

    # --- what the programme calls --------------------------------------------------------------------

    def request_keyframe(self, source: str) -> None:
        self.asked[source] = self.asked.get(source, 0) + 1
        if source in self.cameras:
            self.cameras[source].ask()

    def opened(self, broadcast: Broadcast, recovered: Recovered | None) -> MemoryStore | Recorder:
        if recovered is None:
            self.mirror = Mirror(broadcast)
        if self.folder is not None:
            assert self.mirror is not None
            self.store = Recorder(self.folder, broadcast, self.mirror.view.snapshot, ring_s=self.settings.hls.ring_s)
            self.store.start()
        return self.store

    def event(self, event: MediaEvent) -> None:
        assert self.mirror is not None
        view = self.mirror.view
        if isinstance(event, Forgotten) and event.output in view.outputs:
            self.store.forget(view.outputs[event.output].chunks(event.first_msn, event.last_msn))
        self.mirror.event(event)
        if isinstance(self.store, Recorder):
            self.store.journal(event)
        if isinstance(event, StillMade) and event.output == PUBLIC:
            self.stills.append((self.now, event.jpeg))

    def push_video(self, data: bytes, start: int, idr: bool) -> None:
        self.relayed.append((start, data, idr))

    def push_audio(self, data: bytes, start: int) -> None:
        self.relayed_sound.append((start, data))

    def wants(self, feed: str) -> bool:
        return True

    def changed(self) -> None: ...

    # --- what scripts do -----------------------------------------------------------------------------

    @property
    def now(self) -> int:
        clock = self.programme.clock
        return clock.ticks(self.loop.time_ns()) if clock else 0

    def time_ms(self) -> int:
        """The machine's clock."""
        return self.zero_ms + self.loop.time_ns() // 1_000_000

    @property
    def on(self) -> str:
        return self.programme.take.source if self.programme.take else ""

    @property
    def shows(self) -> dict[str, Shows]:
        """By output."""
        pipeline = self.programme.pipeline
        return pipeline.outputs.shows if pipeline is not None else {}

    def order(self, **changes: object) -> None:
        """Other orders; private outputs as ``outputs={"~key": "programme"}``."""
        if isinstance(outputs := changes.get("outputs"), dict):
            changes["outputs"] = tuple(OutputOrder(name, shows) for name, shows in outputs.items())
        orders = msgspec.structs.replace(self.programme.orders, **changes)
        self.orders.append((self.now, orders))
        if orders.withheld and self.programme.pipeline is not None:
            epoch_ms = self.programme.pipeline.broadcast.epoch_ms
            self.withheld += [((one.from_ms - epoch_ms) * TICKS_PER_MS, self.now) for one in orders.withheld]
        self.ordered_s.append(self.loop.time())
        self.programme.obey(orders)

    def forget(self, last_s: float, until_s: float = 0.0) -> None:
        """Forget the stretch from ``last_s`` to ``until_s`` ago."""
        assert self.programme.pipeline is not None
        epoch_ms = self.programme.pipeline.broadcast.epoch_ms
        now_ms = epoch_ms + self.now // TICKS_PER_MS
        span = self.programme.forget(now_ms - int(last_s * 1000), now_ms - int(until_s * 1000))
        if span is not None:
            self.forgotten.append(span)

    async def come(self, name: str = "main", **lens: object) -> Camera:
        """A publication of ``name`` begins; it takes the place of an earlier one."""
        await self._stop(name)
        self._seeds += 1
        camera = Camera(name, self.loop, self.programme.take_in, Lens(**lens), self._seeds)  # type: ignore[arg-type]
        camera.clock_s += 100_000 * self._seeds
        self.cameras[name] = camera
        camera.start()
        self.programme.source_up(name)
        return camera

    async def go(self, name: str = "main") -> None:
        await self._stop(name)
        self.programme.source_down(name)

    async def _stop(self, name: str) -> None:
        camera = self.cameras.pop(name, None)
        if camera is not None:
            await camera.stop()

    async def pass_time(self, seconds: float) -> None:
        until = self.loop.time() + seconds
        while self.loop.time() < until:
            self.tick()
            await asyncio.sleep(min(TICK_S, max(1e-4, until - self.loop.time())))

    async def until(self, condition: Callable[[], object], limit_s: float = 10.0) -> float:
        """Seconds that it took."""
        begun = self.loop.time()
        while not condition():
            assert self.loop.time() - begun < limit_s, f"not within {limit_s} s"
            await self.pass_time(TICK_S)
        return self.loop.time() - begun

    def tick(self) -> None:
        self.programme.tick()
        take = self.programme.take
        if take is not None:
            entry = (take.source, bool(getattr(take, "passthrough", False)))
            if not self.takes or self.takes[-1][1:] != entry:
                self.takes.append((self.now, *entry))
        if self.mirror is not None and self.mirror.view.outputs:
            for name, track in self.mirror.view.outputs["public"].tracks.items():
                self.lag.setdefault(name, []).append((self.now, self.now - track.end))

    async def end(self) -> None:
        """Close the broadcast and let the workers finish."""
        for name in list(self.cameras):
            await self._stop(name)
        await self.programme.finish()
        await asyncio.sleep(0.2)
        if isinstance(self.store, Recorder):
            self.store.stop()

    def crash(self, away_s: float, orders: RoomOrders | None = None) -> None:
        """The process is killed; another goes on in the broadcast after ``away_s``, with other ``orders``."""
        assert self.mirror is not None
        self.programme.close()
        view = self.mirror.view
        # As recovery leaves it: every rendition ends with the same whole segment.
        snapshot = view.snapshot()
        states, end = {}, 0
        for output in view.outputs.values():
            last = max(track.last.msn for track in output.tracks.values() if track.last)
            for name, segments in snapshot.outputs[output.name].items():
                assert segments[-1].msn == last, f"{name} lags"
                segments[-1].complete = True
            end = max([end, *(track.end for track in output.tracks.values())])
            states[output.name] = output_state(snapshot, output.name, snapshot.outputs[output.name], output.first_msn)
        recovered = Recovered(view.broadcast or fail("no broadcast"), snapshot, end, states)
        self.loop.stall(away_s)
        view.apply(snapshot)
        self.programme = self._programme(orders or self.programme.orders)
        for camera in self.cameras.values():
            camera.push = self.programme.take_in
        broadcast = recovered.broadcast
        self.programme.resume(recovered, now_ms=broadcast.epoch_ms + end // 90 + int(away_s * 1000))
        self.resumed_at = self.now
        for name in self.cameras:
            self.programme.source_up(name)

    # --- what was published --------------------------------------------------------------------------

    def shown(self, rendition: str, output: str = PUBLIC) -> list[Shown]:
        assert self.mirror is not None
        timescale = 48_000 if rendition.startswith("a") else TICKS_PER_S
        return [
            sample
            for (name, _), parts in sorted(self.mirror.of(output).parts.items())
            if name == rendition
            for part in parts
            for sample in self._samples(part, timescale)
        ]

    def _samples(self, part: PartMade, timescale: int) -> list[Shown]:
        if (read := self._read.get(id(part))) is None:
            read = self._read[id(part)] = (part, samples_of(part, timescale))
        return read[1]

    @property
    def renditions(self) -> list[str]:
        assert self.mirror is not None
        assert self.mirror.view.broadcast is not None
        return [r.name for r in self.mirror.view.broadcast.renditions]

    @property
    def pictures(self) -> list[str]:
        return [name for name in self.renditions if name.startswith("v")]

    @property
    def top(self) -> str:
        return self.pictures[0]

    def runs(self, rendition: str | None = None, output: str = PUBLIC) -> list[tuple[str, int, int]]:
        """(source, first tick, end) of the stretches that a viewer of a rendition sees, one after the other."""
        out: list[tuple[str, int, int]] = []
        for sample in self.shown(rendition or self.top, output):
            name = sample.tag.source
            if out and out[-1][0] == name:
                out[-1] = (name, out[-1][1], sample.end)
            else:
                out.append((name, sample.start, sample.end))
        return out


def fail(message: str) -> Broadcast:
    raise AssertionError(message)


Script = Callable[[Room], Awaitable[None]]


def played(
    script: Script, settings: Settings = SETTINGS, *, folder: Path | None = None, told: RoomOrders = ON_AIR
) -> Room:
    """The room after a script, its workers idle."""

    async def main(loop: VirtualLoop) -> Room:
        room = Room(loop, settings, folder, told)
        try:
            await script(room)
        finally:
            await room.end()
            room.programme.close()
        return room

    with simulated_workers():
        return run(main)


# --- the rules -----------------------------------------------------------------------------------------


def faults(room: Room) -> list[str]:
    """Objections of a strict reader, in any rendition of any output."""
    assert room.mirror is not None
    found = [fault for output in list(room.mirror.outputs) for fault in faults_of(room, output)]
    for stamp, rows in (("picture", room.relayed), ("sound", room.relayed_sound)):
        for (before, *_), (after, *_) in pairwise(rows):  # type: ignore[misc]
            if after <= before:
                found.append(f"relayed {stamp} goes back from {before} to {after}")
    return found


def faults_of(room: Room, output: str) -> list[str]:
    """Objections of a strict reader, in any rendition of one output."""
    found: list[str] = []
    assert room.mirror is not None
    mirror, listed = room.mirror, room.mirror.of(output)
    shown = {name: room.shown(name, output) for name in room.renditions}
    segments = {name: {m: e.segment for (n, m), e in listed.segments.items() if n == name} for name in room.renditions}
    first = segments[room.top]
    target = mirror.view.broadcast.target_duration_s if mirror.view.broadcast else 0
    part_target = mirror.view.broadcast.part_target_ticks if mirror.view.broadcast else 0

    def lost(start: int, end: int) -> bool:
        """Whether something about here was forgotten: segments end there, and renditions that lag have none."""
        return any(
            start < until + 3 * TICKS_PER_S and end > begin for begin, until in (*room.forgotten, *room.withheld)
        )

    for name, own in segments.items():
        audio = name.startswith("a")
        if list(own) != list(first):
            found.append(f"{name}: segments {sorted(set(own) ^ set(first))} are not in every rendition")
        for msn, segment in own.items():
            other = first.get(msn)
            if other is None:
                continue
            if segment.gap and not lost(segment.start, segment.start + segment.duration):
                found.append(f"{name} {msn}: a gap")
            if segment.discontinuity != other.discontinuity or segment.interval != other.interval:
                found.append(f"{name} {msn}: another discontinuity or interval than {room.top}")
            if not segment.gap and not other.gap and abs(segment.start - other.start) > (AAC_TICKS if audio else 3000):
                found.append(f"{name} {msn}: begins {segment.start - other.start} ticks beside {room.top}")
            parts = listed.parts.get((name, msn), [])
            duration = sum(p.part.duration for p in parts)
            if round(duration / TICKS_PER_S) > target:
                found.append(f"{name} {msn}: lasts {duration / TICKS_PER_S:.3f} s")
            for part in parts:
                if part.part.duration > part_target + 1:
                    found.append(f"{name} {msn}.{part.index}: a part of {part.part.duration / TICKS_PER_S:.3f} s")
            samples = [s for part in parts for s in room._samples(part, 48_000 if audio else TICKS_PER_S)]
            if samples and not samples[0].sync:
                found.append(f"{name} {msn}: does not begin with a key frame")
        for before, after in pairwise(shown[name]):
            hole = after.start - before.end
            resumed = room.resumed_at is not None and before.end <= room.resumed_at <= after.start + AAC_TICKS // 2
            # An output that was closed is no output meanwhile.
            reopened = output.startswith("~") and segments[name][after.msn].discontinuity
            if hole and not resumed and not reopened and not lost(before.end, after.start + 1):
                found.append(f"{name} {after.msn}: {hole} ticks between {before.end} and {after.start}")
    for name in room.pictures:
        for before, after in pairwise(shown[name]):
            segment = segments[name][after.msn]
            # Another text on the slate is no other source.
            one, other = (tag.source.split("-")[0] for tag in (before.tag, after.tag))
            if one != other and (before.msn == after.msn or not segment.discontinuity):
                found.append(f"{name} {after.msn}: {one} to {other} without a discontinuity")
    found = [f"{output} {fault}" for fault in found]
    for before, after in pairwise(first.values()):
        if before.init != after.init and not after.discontinuity:
            found.append(f"{room.top} {after.msn}: another init section without a discontinuity")
    return found


def lip_errors(room: Room, source: str, number: int) -> list[float]:
    """Seconds by which the sound of a source is late, in the programme, sample by sample."""
    offsets: list[tuple[int, float]] = [
        (s.start, s.start / TICKS_PER_S - s.tag.capture_us / 1e6 + 1000)
        for s in room.shown(room.top)
        if s.tag.source == source
    ]
    out, place = [], 0
    for sample in room.shown(next(n for n in room.renditions if n.startswith("a"))):
        if not sample.data.startswith(f"sound|{number}|".encode()):
            continue
        while place + 1 < len(offsets) and offsets[place + 1][0] <= sample.start:
            place += 1
        if offsets and abs(offsets[place][0] - sample.start) < 9000:
            out.append(sample.start / TICKS_PER_S - int(sample.data.split(b"|")[2]) / 1e6 - offsets[place][1])
    return out
