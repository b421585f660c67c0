"""A camera in virtual time: encoded frames with a sender's clock, on a path that may be late, lossy or dead."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from streamer.formats import h264
from streamer.formats.types import AccessUnit
from streamer.media.incoming import IncomingUnit
from tests.fakes.simulated_workers import START_CODE, Tag, parameter_sets

NUMBERS = {"main": 1, "spare": 2, "other": 3, "b_frames": 4}
"""Of the sources, as the sound tells them."""
PACKET_S = 0.02


@dataclass(frozen=True)
class Lens:
    """A camera's way of sending; may be changed in mid-stream."""

    fps: float = 30
    width: int = 320
    height: int = 180
    codec: str = "h264"
    b_frames: bool = False
    gop: int | None = None
    """An IDR at least every this many frames; None: only on request."""
    answers: bool = True
    """Gives an IDR when asked."""
    answer_s: float = 0.12
    picture: bool = True
    sound: bool = True
    delay_s: float = 0.06
    """From the lens to the room; sound is quicker by ``skew_s``."""
    skew_s: float = 0.03
    jitter_s: float = 0.008
    loss: float = 0.0
    """Share of frames of the picture that are lost; the next is damaged."""
    reports_after_s: float | None = 1.0
    """When sender reports are in; None: never."""
    ppm: float = 0.0
    """Of the sender's clock."""
    alive: bool = True
    """False: nothing arrives any more, although the connection stands."""


@dataclass
class Camera:
    """``push`` takes each arriving frame. ``clock_s`` is the sender's wall clock."""

    name: str
    loop: asyncio.AbstractEventLoop
    push: Callable[[str, IncomingUnit], None]
    lens: Lens = Lens()
    seed: int = 1
    clock_s: float = 1_700_000_000.0
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    number: int = 0
    begun_s: float = 0.0
    idrs: int = 0
    rtp_jump: float = 0.0
    """Added to the RTP time and the sender's clock of all frames from now on, in seconds."""
    _idr_at: float | None = None
    _since_idr: int = 0
    _last_arrival: dict[str, float] = field(default_factory=dict)

    def start(self) -> None:
        self.random = random.Random(self.seed)
        self.begun_s = self.loop.time()
        self.tasks = [
            self.loop.create_task(self._pictures(), name=f"{self.name} picture"),
            self.loop.create_task(self._sounds(), name=f"{self.name} sound"),
        ]

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.tasks = []

    def change(self, **changes: object) -> None:
        """Another resolution, codec or way of coding begins with an IDR, as encoders do."""
        self.lens = replace(self.lens, **changes)  # type: ignore[arg-type]
        if {"width", "height", "codec", "b_frames"} & set(changes):
            self._idr_at = self.loop.time()

    def ask(self) -> None:
        """A PLI."""
        if self.lens.answers and self._idr_at is None:
            self._idr_at = self.loop.time() + self.lens.answer_s

    async def _pictures(self) -> None:
        at = self.loop.time()
        damaged = False
        size = (0, 0)
        pending: list[tuple[float, str]] = []
        while True:
            at += 1 / self.lens.fps
            await asyncio.sleep(max(0.0, at - self.loop.time()))
            lens = self.lens
            if not lens.picture:
                self._since_idr = 0
                self._idr_at = self._idr_at or self.loop.time()
                continue
            for capture, kind in self._decoding_order(at, pending):
                if kind == "I":
                    size = (lens.width, lens.height)
                tag = Tag(self.name, self.number, round(capture * 1e6), kind, *size)
                self.number += 1
                if kind != "I" and self.random.random() < lens.loss:
                    damaged = True
                    continue
                self._send(self._picture(tag, capture, damaged=damaged), lens.delay_s)
                damaged = False

    def _decoding_order(self, at: float, pending: list[tuple[float, str]]) -> list[tuple[float, str]]:
        """The frames that go out when the one of ``at`` is taken: with B-frames, every second waits for the next."""
        lens = self.lens
        due = self._idr_at is not None and self.loop.time() >= self._idr_at
        if self.number == 0 or due or (lens.gop is not None and self._since_idr >= lens.gop):
            self._idr_at, self._since_idr = None, 0
            self.idrs += 1
            out = [(when, "P") for when, _ in pending] + [(at, "I")]
            pending.clear()
            return out
        self._since_idr += 1
        if not lens.b_frames:
            return [(at, "P")]
        pending.append((at, "B"))
        if len(pending) < 2:
            return []
        out = [(pending[1][0], "P"), (pending[0][0], "B")]
        pending.clear()
        return out

    def _picture(self, tag: Tag, capture: float, *, damaged: bool) -> Callable[[int], IncomingUnit]:
        lens, codec, nal = self.lens, self.lens.codec, tag.pack()
        idr = tag.kind == "I"
        sets = parameter_sets(
            lens.width, lens.height, "main" if lens.b_frames else "baseline", 1 if lens.b_frames else 0
        )
        if codec == "h264":
            nals = [*sets[0], *sets[1], nal] if idr else [nal]
            data = b"".join(START_CODE + each for each in nals)
            avc = h264.AvcAccessUnit(
                data=len(nal).to_bytes(4, "big") + nal,
                sps=sets[0] if idr else (),
                pps=sets[1] if idr else (),
                idr=idr,
                has_b=tag.kind == "B",
            )
        else:
            size = lens.width.to_bytes(2, "little") + lens.height.to_bytes(2, "little")
            data = bytes((0 if idr else 1, 0, 0)) + b"\x9d\x01\x2a" + size + START_CODE + nal
            avc = None
        rtp, sender = self._times(capture, 90_000)

        def arrived(now_ns: int) -> IncomingUnit:
            if damaged:
                self.ask()  # as the receiver does
            return IncomingUnit(AccessUnit("video", codec, data, rtp, 90_000, now_ns, sender, damaged), idr, avc)

        return arrived

    async def _sounds(self) -> None:
        at = self.loop.time()
        while True:
            at += PACKET_S
            await asyncio.sleep(max(0.0, at - self.loop.time()))
            if not self.lens.sound:
                continue
            capture = at - PACKET_S
            data = f"{NUMBERS[self.name]}|{round((capture - 1000) * 1e6)}".encode()
            rtp, sender = self._times(capture, 48_000)

            def arrived(now_ns: int, data: bytes = data, rtp: int = rtp, sender: int | None = sender) -> IncomingUnit:
                return IncomingUnit(AccessUnit("audio", "opus", data, rtp, 48_000, now_ns, sender))

            self._send(arrived, self.lens.delay_s - self.lens.skew_s)

    def _times(self, capture: float, rate: int) -> tuple[int, int | None]:
        """RTP time, and the sender's clock in microseconds if its reports are in."""
        ran = (capture - self.begun_s) * (1 + self.lens.ppm / 1e6) + self.rtp_jump
        after = self.lens.reports_after_s
        known = after is not None and capture - self.begun_s >= after
        return round(ran * rate) + (7_000_000 if rate == 90_000 else 123_000), (
            round((self.clock_s + ran) * 1e6) if known else None
        )

    def _send(self, arrived: Callable[[int], IncomingUnit], delay_s: float) -> None:
        if not self.lens.alive:
            return
        kind = "video" if delay_s == self.lens.delay_s else "audio"
        at = self.loop.time() + delay_s + self.random.random() * self.lens.jitter_s
        at = max(at, self._last_arrival.get(kind, 0.0) + 1e-6)
        self._last_arrival[kind] = at
        self.loop.call_at(at, self._arrive, arrived)

    def _arrive(self, arrived: Callable[[int], IncomingUnit]) -> None:
        if self.lens.alive and self.tasks:
            self.push(self.name, arrived(round(self.loop.time() * 1e9)))
