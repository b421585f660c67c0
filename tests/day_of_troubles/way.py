"""A sender, its way and the room that it sends to, in virtual time: packets, devices, pages and workers fail.

Sender and receiver of WebRTC, the programme with its decoders and encoders, the room's watch, the page's reports and
the order of causes are the real ones; sockets, threads and clocks are not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
from aiortc.rtcrtpparameters import RTCRtpCodecParameters, RTCRtpReceiveParameters, RTCRtpSendParameters
from aiortc.rtp import RtcpPacket, RtpPacket

from streamer.conference.alarm_memory import AlarmMemory, looked
from streamer.conference.alarms import session_about
from streamer.conference.notices import Notices
from streamer.conference.page_reports import InputReport, PageReport
from streamer.conference.taps import StartTap
from streamer.control.messages import RoomConfig, RoomStatus, SourceStatus
from streamer.director.media import media_of
from streamer.director.room_alarms import RoomAlarms
from streamer.errors import StreamerError
from streamer.formats.types import AccessUnit, RungSpec, Sample
from streamer.media import audio, ladder, pipeline, source_meters
from streamer.media.encoders import EncoderUnavailable, RungEncoder
from streamer.media.incoming import read_unit
from streamer.room import media_watch, publication
from streamer.rtc import aiortc_hooks, receiver, sender
from streamer.settings import MediaSettings
from tests.day_of_troubles import pictures, scenes
from tests.day_of_troubles.faults import opus_packets
from tests.fakes import days, simulated_room
from tests.fakes.simulated_workers import SimulatedShelf, SimulatedWorker
from tests.fakes.virtual_time import BEGIN_S, VirtualLoop

SOURCE = "main"
FPS = 24
SOUND_S = 12.0
PACKET_S = 0.02
TICK_S, WATCH_S, REPORT_S, PING_S = 0.02, 0.1, 1.0, 2.0
ZERO_MS = days.at("9:00") - round(BEGIN_S * 1000)
"""The time of day at zero of the loop's clock."""
JOB_S = 0.003
"""The time of a job in a worker that keeps up."""


# --- what is sent -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Clip:
    """Pre-encoded pictures that are sent again and again."""

    units: tuple[tuple[bytes, bool], ...]
    fps: float
    answers: bool = True
    """Whether the next picture is a key frame when one is asked for."""


@lru_cache(maxsize=32)
def clip(seed: int, *, fps: float = FPS, kbps: int = 500, gop_s: float = 2.0, seconds: float = 4.0) -> Clip:
    scene = pictures.Scene(bitrate=kbps * 1000)
    units = pictures.encoded_pictures(scene, max(seconds, gop_s), seed, rate=fps, key_s=gop_s)
    return Clip(tuple((data, data[4] & 0x1F == 7) for data in units), fps)


@lru_cache(maxsize=4)
def talk(seed: int) -> tuple[bytes, ...]:
    """Packets of Opus."""
    return tuple(opus_packets(scenes.hall(np.random.default_rng([seed, 41]), SOUND_S, "plain")))


@lru_cache(maxsize=1)
def silence() -> tuple[bytes, ...]:
    return tuple(opus_packets(np.zeros((2, 48_000), np.float32)))


# --- the way ----------------------------------------------------------------------------------------------


@dataclass
class Link:
    """One direction. ``jitter_s``: packets are delayed by up to so much more, each by chance. ``kbps``: what fits;
    more waits in a queue of ``queue_s`` and is lost behind it."""

    loop: VirtualLoop
    rng: np.random.Generator
    deliver: Callable[[bytes], None] = lambda data: None
    delay_s: float = 0.02
    jitter_s: float = 0.004
    loss: float = 0.0
    kbps: float | None = None
    queue_s: float = 0.3
    dead: bool = False
    _free_s: float = 0.0

    def heal(self) -> None:
        self.delay_s, self.jitter_s, self.loss, self.kbps, self.dead = 0.02, 0.004, 0.0, None, False

    def send(self, data: bytes, deliver: Callable[[bytes], None] | None = None) -> bool:
        now = self.loop.time()
        if self.dead or self.rng.random() < self.loss:
            return True
        if self.kbps is not None:
            begin = max(now, self._free_s)
            if begin - now > self.queue_s:
                return True
            self._free_s = begin + (len(data) + 60) * 8 / 1000 / self.kbps
        leaves = max(now, self._free_s) + self.delay_s + self.jitter_s * float(self.rng.random())
        self.loop.call_at(leaves, deliver or self.deliver, data)
        return True


class PacedWorker(SimulatedWorker):
    """One whose jobs take their own time, one after the other."""

    paces: dict[str, float] = {}
    """The begin of a worker's name -> what a job takes, seconds."""

    def __init__(self, name: str, *, niceness: int = 0) -> None:
        self._busy: tuple[float, Callable[[], Any]] | None = None
        super().__init__(name, niceness=niceness)

    @property
    def pace_s(self) -> float:
        return next((pace for name, pace in self.paces.items() if self.name.startswith(name)), JOB_S)

    @property
    def lag(self) -> float:
        """As that of a real one."""
        oldest = self._busy[0] if self._busy is not None else self._jobs[0][0] if self._jobs else self._loop.time()
        return max(self._loop.time() - oldest, len(self._jobs) * self.pace_s)

    @property
    def idle(self) -> bool:
        return self._busy is None and not self._jobs

    def put(self, job: Callable[[], Any], *, sheddable: bool = False) -> None:
        if not self._closed:
            self._jobs.append((self._loop.time(), sheddable, job))
            self._next()

    def _next(self) -> None:
        if self._busy is None and self._jobs:
            put_s, _, job = self._jobs.popleft()
            self._busy = put_s, job
            self._loop.call_later(self.pace_s, self._work)

    def _work(self) -> None:
        assert self._busy is not None
        _, job = self._busy
        try:
            job()
        except StreamerError:
            self.failures += 1
        self._busy = None
        self._next()


class FailingEncoder(RungEncoder):
    """Refuses pictures while :attr:`refuses` is set, and with ``opens`` unset does not open again."""

    refuses = False
    opens = True

    def encode(self, frame: Any, start: int, *, idr: bool = False) -> list[Sample]:
        if self.refuses:
            raise av.error.ExternalError(1, "encode")
        return super().encode(frame, start, idr=idr)

    def reopen(self) -> None:
        if not self.opens:
            raise EncoderUnavailable("No encoder opens.")
        super().reopen()


# --- the room ---------------------------------------------------------------------------------------------


def _parameters(kind: str) -> dict[str, Any]:
    if kind == "audio":
        return {"codecs": [RTCRtpCodecParameters("audio/opus", 48_000, 2, 111)], "muxId": "0"}
    rtx = RTCRtpCodecParameters("video/rtx", 90_000, None, 97, parameters={"apt": 96})
    return {"codecs": [RTCRtpCodecParameters("video/H264", 90_000, None, 96), rtx], "muxId": "1"}


CAMERA = InputReport("camera", device="Camera")
LAPEL = InputReport("microphone", device="Lapel", level_db=-20.0, voice=True)


@dataclass
class Page:
    """A studio page: its camera and its microphone, and the reports that it sends every second."""

    camera: InputReport = CAMERA
    microphone: InputReport = LAPEL
    ambient: InputReport | None = None

    def report(self) -> PageReport:
        inputs = (self.camera, self.microphone, self.ambient)
        return PageReport(tuple(one for one in inputs if one is not None))


@dataclass
class LiveHall:
    """A talk that is on air. :attr:`told` is what the crew is told, by the times at which it changed."""

    loop: VirtualLoop
    seed: int
    page: Page | None = None
    """None: an encoder sends, which reports nothing."""
    clip: Clip = field(init=False)
    sound: tuple[bytes, ...] = field(init=False)
    lapel: InputReport = LAPEL
    camera_on: bool = True
    sound_on: bool = True
    garble: Callable[[bytes], bytes] = lambda data: data
    """Changes pictures before they are sent."""
    changes: list[tuple[float, frozenset[str]]] = field(default_factory=list)
    """Seconds, and the codes that are told from then on."""
    rings: list[str] = field(default_factory=list)
    """The code of each trouble when it was first told."""
    _memory: AlarmMemory = field(default_factory=AlarmMemory)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _known: set[str] = field(default_factory=set)
    _wanted: bool = False

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng([self.seed, 43])
        self.up, self.down = Link(self.loop, self.rng), Link(self.loop, self.rng)
        self.heal()
        hall = days.hall(days.talk("talk", "9:00", "12:00"), clock="9:00").tap(StartTap("talk"))
        self.day = hall.day
        self.room = simulated_room.Room(self.loop, zero_ms=ZERO_MS)
        config = RoomConfig(id="hall", name="Hall", source_kinds={SOURCE: "camera"})
        self.watch = media_watch.MediaWatch(
            config, 10_000_000, 300, ways=self._way, look=self.request_keyframe, now_ms=self.room.time_ms
        )
        self.room.programme.watch = self.watch.picture
        self.room.request_keyframe = self.request_keyframe  # type: ignore[method-assign]
        self.alarms = RoomAlarms(Notices(), lambda: None)
        self._receivers: dict[str, receiver.EncodedReceiver] = {}
        self._senders: dict[str, sender.EncodedSender] = {}
        self._round_trip_s: float | None = None

    @property
    def now_s(self) -> float:
        return self.loop.time() - BEGIN_S

    def heal(self) -> None:
        """Everything is as it should be."""
        self.clip, self.sound = clip(self.seed), talk(self.seed)
        self.camera_on = self.sound_on = True
        self.garble = lambda data: data
        self.page = Page(microphone=self.lapel) if self.page is not None else None
        self.up.heal()
        self.down.heal()
        PacedWorker.paces = {}
        FailingEncoder.refuses, FailingEncoder.opens = False, True

    # --- the connection ---

    async def connect(self) -> None:
        for kind in ("audio", "video"):
            to_room, to_sender = SimpleNamespace(send=self.up.send), SimpleNamespace(send=self.down.send)
            wanted = self._key_wanted if kind == "video" else None
            made = sender.EncodedSender(kind, to_room, on_keyframe_wanted=wanted)  # type: ignore[arg-type]
            far = receiver.EncodedReceiver(kind, to_sender, on_unit=self._unit)  # type: ignore[arg-type]
            self._senders[kind], self._receivers[kind] = made, far
            await made.send(RTCRtpSendParameters(**_parameters(kind)))
            await far.receive(RTCRtpReceiveParameters(**_parameters(kind)))
        self.up.deliver, self.down.deliver = self._at_room, self._at_sender
        self.room.programme.source_up(SOURCE)
        self.watch.source_up(SOURCE)
        works = (self._film(), self._speak(), self._tick(), self._watch(), self._ping(), self._report())
        self._tasks = [self.loop.create_task(work) for work in works]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        for one in (*self._senders.values(), *self._receivers.values()):
            await one.stop()
        self.room.programme.close()
        self.watch.close()

    def _at_room(self, data: bytes) -> None:
        if data[1] & 0x7F in range(72, 80):
            for report in RtcpPacket.parse(data):
                for one in self._receivers.values():
                    one.on_rtcp(report, self.loop.time_ns())
            return
        packet = RtpPacket.parse(data)
        self._receivers["audio" if packet.payload_type == 111 else "video"].on_rtp(packet, self.loop.time_ns())

    def _at_sender(self, data: bytes) -> None:
        for report in RtcpPacket.parse(data):
            ssrc = getattr(report, "media_ssrc", None)
            for one in self._senders.values():
                if ssrc in (None, 0, one._ssrc):
                    one.on_rtcp(report, self.loop.time_ns())

    def _key_wanted(self) -> None:
        self._wanted = True

    def request_keyframe(self, source: str) -> None:
        self._receivers["video"].request_keyframe()

    def _unit(self, unit: AccessUnit) -> None:
        incoming = read_unit(unit)
        if incoming is not None:
            self.room.programme.take_in(SOURCE, incoming)
            self.watch.take_in(SOURCE, incoming)

    def _way(self, source: str) -> publication.WayCounts:
        connection: Any = SimpleNamespace(_receivers=list(self._receivers.values()), round_trip_s=self._round_trip_s)
        return publication.Publication.way(connection)

    # --- what goes on all the time ---

    def _now_us(self) -> int:
        return self.room.zero_ms * 1000 + self.loop.time_ns() // 1000

    async def _film(self) -> None:
        playing, at, due = self.clip, 0, self.loop.time()
        while True:
            if playing is not self.clip:
                playing, at = self.clip, 0
            if self._wanted and playing.answers:
                at = 0
            self._wanted = False
            data, key = playing.units[at % len(playing.units)]
            if self.camera_on:
                self._senders["video"].push(self.garble(data), self._now_us(), key=key)
            at += 1
            due += 1 / playing.fps
            await asyncio.sleep(due - self.loop.time())

    async def _speak(self) -> None:
        at, due = 0, self.loop.time()
        while True:
            if self.sound_on:
                self._senders["audio"].push(self.sound[at % len(self.sound)], self._now_us())
            at += 1
            due += PACKET_S
            await asyncio.sleep(due - self.loop.time())

    async def _tick(self) -> None:
        while True:
            self.room.programme.tick()
            await asyncio.sleep(TICK_S)

    async def _watch(self) -> None:
        while True:
            take = self.room.programme.take
            self.watch.tick(take.source if take is not None else "slate", self.room.programme.pipeline)
            if take is not None:
                self._look()
            await asyncio.sleep(WATCH_S)

    async def _ping(self) -> None:
        while True:
            answers: list[float] = []
            self.down.send(bytes(80), partial(self._pinged, self.loop.time(), answers))
            await asyncio.sleep(PING_S)
            if not answers:
                self._round_trip_s = None

    def _pinged(self, asked: float, answers: list[float], data: bytes) -> None:
        def answered(_: bytes) -> None:
            answers.append(self.loop.time() - asked)
            self._round_trip_s = answers[-1]
            for one in self._receivers.values():
                one.round_trip_s = self._round_trip_s

        self.up.send(data, answered)

    async def _report(self) -> None:
        while True:
            if self.page is not None and not self.up.dead:
                report = partial(self.alarms.page_reports.take, self.day, SOURCE, self.page.report())
                self.loop.call_later(self.up.delay_s, lambda report=report: report(self.room.time_ms()))
            await asyncio.sleep(REPORT_S)

    # --- what the crew is told ---

    def _status(self) -> RoomStatus:
        programme, now_ns = self.room.programme, self.loop.time_ns()
        last_ns = max(one.last_packet_ns for one in self._receivers.values())
        take, shed = programme.take, programme.pipeline.ladder.shedding if programme.pipeline is not None else []
        up, last_ms = now_ns - last_ns < publication.UP_NS, self.room.time_ms() - (now_ns - last_ns) // 1_000_000
        return RoomStatus(
            room="hall",
            pid=1,
            on_programme=take.source if take is not None else "slate",
            sources={SOURCE: SourceStatus(SOURCE, up=up, last_packet_ms=last_ms)},
            shedding=list(shed),
            shows={"public": "programme"},
            media_up=programme.presence.up,
            media_since_ms=programme.presence.since_ms,
            media_stopped_ms=programme.presence.stopped_ms,
            troubles=self.watch.troubles,
            measures=self.watch.measures,
            alarms=programme.alarms,
        )

    def _look(self) -> None:
        now_ms, status = self.room.time_ms(), self._status()
        media = media_of(status, room_open=True, up=True, before=self.day.media, now_ms=now_ms)
        self.day = replace(self.day, media=media)
        link: Any = SimpleNamespace(room="hall", up=True, ended=False, status=status)
        self._memory = looked(
            self._memory,
            self.alarms.found(self.day, link, 1, now_ms),
            now_ms,
            session=session_about(self.day, now_ms),
            on_programme=status.on_programme,
        )
        for episode in self._memory.episodes:
            if episode.id not in self._known:
                self._known.add(episode.id)
                self.rings.append(episode.alarm.code)
        told = frozenset(alarm.code for alarm in self._memory.told)
        if not self.changes or self.changes[-1][1] != told:
            self.changes.append((self.now_s, told))


def _encoder(spec: RungSpec, settings: MediaSettings) -> RungEncoder:
    return FailingEncoder(spec, settings)


@contextmanager
def virtual(loop: VirtualLoop) -> Iterator[None]:
    """Clocks, threads and sockets of the room are the loop's."""
    clock: Any = SimpleNamespace(
        monotonic=loop.time, monotonic_ns=loop.time_ns, time_ns=lambda: loop.time_ns() + ZERO_MS * 1_000_000
    )
    with pytest.MonkeyPatch.context() as patch:
        for module in (receiver, sender, media_watch, publication, ladder):
            patch.setattr(module, "time", clock)
        for module in (ladder, audio, source_meters):
            patch.setattr(module, "OrderedWorker", PacedWorker)
        patch.setattr(pipeline, "Ladder", partial(ladder.Ladder, encoder_factory=_encoder))
        patch.setattr(pipeline, "SlateShelf", SimulatedShelf)
        patch.setattr(aiortc_hooks, "send", lambda transport, data: transport.send(data))
        for name in ("register_sender", "register_receiver", "unregister_sender", "unregister_receiver"):
            patch.setattr(aiortc_hooks, name, lambda *_: None)
        yield
